"""Reads image files that may be anything: damaged, enormous, or no images at all."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from edge_agent.errors import UnreadableImage
from edge_agent.geometry import Image

MAX_FILE_BYTES = 64 * 2**20


def load_image(path: Path) -> Image:
    """Pixels of an image file, turned upright as its EXIF data says.

    Raises:
        UnreadableImage: The file cannot be read, is larger than `MAX_FILE_BYTES`, has more pixels than
            OPENCV_IO_MAX_IMAGE_PIXELS, or is no image.
    """
    try:
        size_bytes = path.stat().st_size
        if size_bytes > MAX_FILE_BYTES:
            raise UnreadableImage(f"{size_bytes} bytes; at most {MAX_FILE_BYTES} are read")
        content = path.read_bytes()
    except OSError as error:
        raise UnreadableImage(f"cannot be read: {error.strerror}") from error
    return decode_image(content)


def decode_image(content: bytes) -> Image:
    """Pixels of an encoded image.

    Raises:
        UnreadableImage: The bytes are no image that OpenCV reads, or it has too many pixels.
    """
    if not content:
        raise UnreadableImage("the file is empty")
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise UnreadableImage(f"not decodable: {error.err or error}") from error
    if image is None or not image.size:
        raise UnreadableImage("not an image, or damaged")
    return np.asarray(image, np.uint8)


def files_below(root: Path) -> Iterator[Path]:
    """Regular files under a folder in order of name, hidden ones left out; a file gives itself."""
    if root.is_file():
        yield root
        return
    for path in sorted(root.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(root).parts)
        if path.is_file() and not hidden:
            yield path
