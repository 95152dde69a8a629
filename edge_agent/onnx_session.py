"""Opens ONNX Runtime sessions the way the agent wants them."""

from pathlib import Path

import onnxruntime  # type: ignore[import-untyped]  # ships no types
from onnxruntime.capi import (  # type: ignore[import-untyped]  # ships no types
    onnxruntime_pybind11_state as ort_errors,
)

from edge_agent.errors import ModelError, ModelMissing

_FAILURES = (ort_errors.Fail, ort_errors.InvalidProtobuf, ort_errors.InvalidGraph, ort_errors.InvalidArgument)


def open_session(path: Path, *, threads: int) -> onnxruntime.InferenceSession:
    """A session on the CPU whose threads do not spin between calls: cameras share few cores.

    Args:
        path: Model file.
        threads: Cores that one call may use.

    Raises:
        ModelMissing: There is no such file.
        ModelError: ONNX Runtime cannot load it.
    """
    if not path.is_file():
        raise ModelMissing(f"{path} is not there; run: python -m edge_agent models fetch")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except _FAILURES as error:
        raise ModelError(f"{path} does not load: {error}") from error
