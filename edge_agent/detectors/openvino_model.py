"""A network on OpenVINO's CPU runtime, which reads ONNX files as well as its own format."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.errors import ModelError, ModelMissing
from edge_agent.extras import require


class OpenVinoModel:
    """A compiled network with one image input and one output. Thread-safe: each call has a request of its own.

    Args:
        path: An `.onnx` or `.xml` file.
        threads: Cores that one call may use.
    """

    def __init__(self, path: Path, *, threads: int) -> None:
        if not path.is_file():
            raise ModelMissing(f"{path} is not there")
        openvino = require("openvino", "openvino")
        try:
            self._model: Any = openvino.Core().compile_model(
                str(path), "CPU", {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"}
            )
        except RuntimeError as error:
            raise ModelError(f"{path} does not load in OpenVINO: {error}") from error
        shape = self._model.input(0).shape
        self.height_px, self.width_px = int(shape[2]), int(shape[3])

    def __call__(self, tensor: NDArray[np.float32]) -> NDArray[np.float32]:
        """First output for an input of shape (1, 3, height, width)."""
        request = self._model.create_infer_request()
        return np.asarray(request.infer([tensor])[self._model.output(0)], np.float32)
