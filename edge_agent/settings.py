"""Settings of the edge agent: one frozen class, environment prefix ALPR_EDGE_; the command line comes first."""

import os
import socket
from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class EdgeSettings(BaseSettings):
    """How an edge agent works, apart from its cameras."""

    model_config = SettingsConfigDict(env_prefix="ALPR_EDGE_", frozen=True, extra="ignore")

    agent_id: str = Field(default_factory=socket.gethostname, description="Name of this agent in events and metrics")
    detector: Literal["onnx", "openvino", "ultralytics"] = Field(
        "onnx", description="Plate detector: onnx (light), openvino (extra), ultralytics (extra: YOLO11, TensorRT)"
    )
    detector_model: Path | None = Field(
        None, description="Plate detector weights for ultralytics (.pt, .engine) or another ONNX file"
    )
    reader: Literal["onnx", "paddle"] = Field("onnx", description="Plate reader: onnx (light), paddle (extra)")
    vehicle_model: Path | None = Field(
        None, description="Vehicle detector: a YOLOX .onnx file or an OpenVINO model folder; none: plates only"
    )
    threads: int = Field(
        default_factory=lambda: max(1, min(4, os.cpu_count() or 1)), ge=1, le=64, description="Cores for one model call"
    )
    least_confidence: float = Field(
        0.25, ge=0.05, le=0.95, description="Plates that the detector is less sure of are ignored"
    )
    spool_dir: Path = Field(
        Path("spool"), description="Folder for events that Kafka does not take now; one agent a folder"
    )
    spool_max_mb: int = Field(256, ge=1, description="Size at which the spool refuses further events, megabytes")
    early_after_ms: int = Field(
        700, ge=0, description="A track is published early after this time, or before when its text is decisive"
    )
    image_queue: int = Field(200, ge=1, description="Images that may wait for S3; further ones are dropped and counted")
    metrics_port: int = Field(9100, ge=0, le=65535, description="Port of the Prometheus page; 0: none")
    metrics_every_s: float = Field(10.0, gt=0, description="How often camera metrics are sent to alpr.metrics")
