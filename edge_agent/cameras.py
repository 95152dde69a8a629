"""Which cameras an agent watches: from the command line, or from a YAML file for many."""

import os
import re
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from edge_agent.errors import CameraConfigError
from edge_agent.frames import Source
from edge_agent.sources import Photographs, VideoFile, as_live, live_stream, without_credentials
from schemas.clock import from_datetime, now_us

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".avif"})

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]
"""Letters, digits, dot, dash and underscore: a camera's name stands in Kafka keys, S3 keys and metric labels."""


class Place(BaseModel):
    """A place on earth, WGS 84."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    lat: float = Field(ge=-90, le=90, description="Latitude in degrees")
    lon: float = Field(ge=-180, le=180, description="Longitude in degrees")


class CameraConfig(BaseModel):
    """One camera."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    camera_id: Name = Field(description="Name of the camera: Kafka key and metric label")
    source: str = Field(
        min_length=1,
        description="Video file, folder of photographs, RTSP or HTTP address, or device number; ${NAME} is taken from "
        "the environment, so that passwords stay out of the file",
    )
    site_id: Name | None = Field(None, description="Site that the camera belongs to")
    direction: str | None = Field(None, description="Direction of all traffic at this camera: in, out, or a name")
    location: Place | None = Field(None, description="Where the camera stands")
    start_time: datetime | None = Field(
        None, description="Event time of a file's first frame (ISO 8601; UTC without a zone); the time of start without"
    )
    realtime: bool = Field(False, description="Play a video file at its own speed, dropping frames like a live camera")

    @property
    def is_live(self) -> bool:
        """Whether the source is a stream that is reconnected when it ends."""
        return "://" in self.source or self.source.isdigit()

    @property
    def label(self) -> str:
        """The source for logs, without credentials."""
        return without_credentials(self.source)

    def open(self) -> Source:
        """Opens the source now.

        Raises:
            CameraConfigError: There is no such file.
        """
        source = _from_environment(self.source)
        started_us = from_datetime(self.start_time) if self.start_time else now_us()
        if self.is_live:
            return live_stream(source, now_us())
        path = Path(source)
        if path.is_dir() or path.suffix.lower() in IMAGE_SUFFIXES:
            return Photographs(path, started_us)
        if not path.is_file():
            raise CameraConfigError(f"camera {self.camera_id}: {source} is neither a file, a folder nor an address")
        video = VideoFile(path, started_us)
        return as_live(video) if self.realtime else video


class CameraFile(BaseModel):
    """The YAML file of an agent with many cameras."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cameras: tuple[CameraConfig, ...] = Field(min_length=1, description="The cameras, each with its own thread")


def load_cameras(path: Path) -> tuple[CameraConfig, ...]:
    """Reads a camera file.

    Raises:
        CameraConfigError: It is no YAML, a field is missing, unknown or wrong, or a camera_id stands twice; the
            message names the place.
    """
    try:
        content: Any = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise CameraConfigError(f"{path}: {error}") from error
    try:
        cameras = CameraFile.model_validate(content).cameras
    except ValidationError as error:
        raise CameraConfigError(f"{path}: {_places(error)}") from error
    names = [camera.camera_id for camera in cameras]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise CameraConfigError(f"{path}: camera_id {', '.join(twice)} stands twice")
    return cameras


def one_camera(**fields: Any) -> CameraConfig:
    """A camera from the command line.

    Raises:
        CameraConfigError: A field is wrong.
    """
    try:
        return CameraConfig(**fields)
    except ValidationError as error:
        raise CameraConfigError(_places(error)) from error


def _places(error: ValidationError) -> str:
    # without the inputs: a source may hold a password
    return "; ".join(f"{'.'.join(str(p) for p in e['loc']) or 'file'}: {e['msg']}" for e in error.errors())


def _from_environment(text: str) -> str:
    def value(match: re.Match[str]) -> str:
        found = os.environ.get(match[1])
        if found is None:
            raise CameraConfigError(f"the source names ${{{match[1]}}}, which is not in the environment")
        return found

    return re.sub(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}", value, text)
