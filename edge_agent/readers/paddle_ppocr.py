"""Plate reader on PaddleOCR (extra): its TextRecognition with the same PP-OCRv6 weights, offline, on ONNX Runtime.

PaddleOCR gives a text and a score for each crop and no alternatives, so a read's characters have one entry each.
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from edge_agent.errors import ModelError
from edge_agent.extras import require
from edge_agent.geometry import Image
from edge_agent.ports import Read
from edge_agent.readers.ctc import MAX_CHARACTERS, PLATE_ALPHABET, read_of
from schemas.events import CharacterAlternative

MODEL_NAME = "PP-OCRv6_small_rec"


class PaddlePlateReader:
    """Reads crops with PaddleOCR. Calls are serialised: a predictor is not thread-safe.

    Args:
        published: The recognition network as published (ONNX, symbols in its metadata).
        name: Model and version, as events carry it.
        home: Folder in which PaddleOCR's own layout of the model is put once.
    """

    def __init__(self, published: Path, *, name: str, home: Path) -> None:
        # otherwise PaddleOCR asks model hosters on the network whether they are there, on every start
        os.environ.setdefault("PADDLE_PDX_DISABLE_MODEL_SOURCE_CHECK", "True")
        paddleocr = require("paddleocr", "'alpr-platform[edge-paddle]'")
        model_dir = _paddle_layout(published, home / "paddleocr")
        try:
            self._model: Any = paddleocr.TextRecognition(
                model_name=MODEL_NAME, model_dir=str(model_dir), engine="onnxruntime"
            )
        except (RuntimeError, ValueError, TypeError, OSError) as error:
            raise ModelError(f"PaddleOCR does not load {model_dir}: {error}") from error
        self._lock = Lock()
        self._name = name

    @property
    def name(self) -> str:
        """Model, version and library."""
        return self._name

    def read(self, crops: Sequence[Image]) -> list[Read | None]:
        """See `edge_agent.ports.Reader`."""
        usable = [i for i, crop in enumerate(crops) if crop.size]
        reads: list[Read | None] = [None] * len(crops)
        if usable:
            with self._lock:
                results = list(self._model.predict([np.ascontiguousarray(crops[i]) for i in usable]))
            for i, result in zip(usable, results, strict=True):
                reads[i] = _read(str(result["rec_text"]), float(result["rec_score"]))
        return reads


def _read(text: str, score: float) -> Read | None:
    plate = "".join(char for char in text.upper() if char in PLATE_ALPHABET)
    if not plate or len(plate) > MAX_CHARACTERS:
        return None
    return read_of(tuple((CharacterAlternative(char, round(min(1.0, score), 4)),) for char in plate))


def _paddle_layout(published: Path, model_dir: Path) -> Path:
    """The folder that PaddleOCR expects: `inference.onnx` and an `inference.yml` with pre- and post-processing."""
    description = model_dir / "inference.yml"
    if description.is_file():
        return model_dir
    onnx = require("onnx", "onnx")
    entries = onnx.load(str(published)).metadata_props
    symbols = next((entry.value.split("\n") for entry in entries if entry.key == "character"), None)
    if symbols is None:
        raise ModelError(f"{published} names no symbols")
    model_dir.mkdir(parents=True, exist_ok=True)
    network = model_dir / "inference.onnx"
    if not network.exists():
        network.symlink_to(published.resolve())
    config = {
        "Global": {"model_name": MODEL_NAME},
        "PreProcess": {
            "transform_ops": [
                {"DecodeImage": {"channel_first": False, "img_mode": "BGR"}},
                {"RecResizeImg": {"image_shape": [3, 48, 320]}},
                {"KeepKeys": {"keep_keys": ["image", "label_ctc", "label_gtc", "length", "valid_ratio"]}},
            ]
        },
        "PostProcess": {"name": "CTCLabelDecode", "character_dict": symbols},
    }
    temporary = description.with_suffix(".tmp")
    temporary.write_text(json.dumps(config, ensure_ascii=False), "utf-8")  # JSON is YAML
    temporary.replace(description)
    return model_dir
