"""The light reader: PP-OCR's recognition network on ONNX Runtime, with its head cut down to what plates can show."""

import math
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.errors import UnsupportedModel
from edge_agent.geometry import Image
from edge_agent.models.ppocr_graph import SYMBOLS_KEY
from edge_agent.onnx_session import open_session
from edge_agent.ports import Read
from edge_agent.readers.ctc import PlateCtc

HEIGHT_PX = 48
LEAST_WIDTH_PX = 320
MOST_WIDTH_PX = 640


class OnnxPlateReader:
    """Reads crops with a pruned PP-OCR network. Thread-safe.

    Args:
        path: Model file as `models.ppocr_graph.prune_head` leaves it.
        name: Model and version, as events carry it.
        threads: Cores that one call may use.
    """

    def __init__(self, path: Path, *, name: str, threads: int = 2) -> None:
        self._session = open_session(path, threads=threads)
        symbols = self._session.get_modelmeta().custom_metadata_map.get(SYMBOLS_KEY)
        if not symbols:
            raise UnsupportedModel(f"{path} names no symbols")
        self._ctc = PlateCtc(symbols.split("\t"))
        self._input = self._session.get_inputs()[0].name
        self._name = name

    @property
    def name(self) -> str:
        """Model and version."""
        return self._name

    def read(self, crops: Sequence[Image]) -> list[Read | None]:
        """See `edge_agent.ports.Reader`. Crops go through the network in one batch."""
        usable = [i for i, crop in enumerate(crops) if crop.size]
        reads: list[Read | None] = [None] * len(crops)
        if usable:
            frames = self._session.run(None, {self._input: _batch([crops[i] for i in usable])})[0]
            for i, plate in zip(usable, np.asarray(frames, np.float32), strict=True):
                reads[i] = self._ctc.decode(plate)
        return reads


def _batch(crops: Sequence[Image]) -> NDArray[np.float32]:
    """Crops at one height, padded to one width with the network's grey, values -1..1."""
    widths = [min(MOST_WIDTH_PX, max(8, math.ceil(HEIGHT_PX * c.shape[1] / c.shape[0]))) for c in crops]
    batch = np.zeros((len(crops), 3, HEIGHT_PX, max(LEAST_WIDTH_PX, *widths)), np.float32)
    for slot, crop, width_px in zip(batch, crops, widths, strict=True):
        scaled = cv2.resize(crop, (width_px, HEIGHT_PX), interpolation=cv2.INTER_LINEAR)
        slot[:, :, :width_px] = scaled.transpose(2, 0, 1) / 127.5 - 1.0
    return batch
