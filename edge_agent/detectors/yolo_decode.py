"""Letterboxing, decoding and non-maximum suppression for single-stage detectors of the YOLO family."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.geometry import Box, Image

NMS_IOU = 0.45
PAD_GREY = 114


@dataclass(frozen=True, slots=True)
class Letterbox:
    """How an image was fitted into the network's input.

    Attributes:
        scale: input pixels per image pixel.
        left_px: padding left of the image, in input pixels.
        top_px: padding above the image, in input pixels.
    """

    scale: float
    left_px: int
    top_px: int


@dataclass(frozen=True, slots=True)
class Candidate:
    """A box with its class index and score, in image pixels."""

    box: Box
    score: float
    label: int


def letterbox(image: Image, height_px: int, width_px: int, *, centred: bool = True) -> tuple[Image, Letterbox]:
    """Scales an image to fit, keeps its shape, and fills the rest with grey.

    Args:
        image: Any size, not empty.
        height_px: Input height.
        width_px: Input width.
        centred: Image in the middle (Ultralytics) or in the upper left corner (YOLOX).
    """
    high, wide = image.shape[:2]
    scale = min(height_px / high, width_px / wide)
    new_high, new_wide = max(1, round(high * scale)), max(1, round(wide * scale))
    top = (height_px - new_high) // 2 if centred else 0
    left = (width_px - new_wide) // 2 if centred else 0
    canvas = np.full((height_px, width_px, 3), PAD_GREY, np.uint8)
    canvas[top : top + new_high, left : left + new_wide] = cv2.resize(
        image, (new_wide, new_high), interpolation=cv2.INTER_LINEAR
    )
    return canvas, Letterbox(scale, left, top)


def rgb_tensor(canvas: Image) -> NDArray[np.float32]:
    """The fitted image as YOLOv8 and YOLO11 want it: shape (1, 3, height, width), RGB, 0..1."""
    return np.ascontiguousarray(canvas[:, :, ::-1].transpose(2, 0, 1)[None], np.float32) / np.float32(255)


def suppress(
    image: Image,
    fitted: Letterbox,
    centres: NDArray[np.float32],
    scores: NDArray[np.float32],
    labels: NDArray[np.int64],
) -> list[Candidate]:
    """Non-maximum suppression per class, and boxes in the image's pixels.

    Args:
        image: Where the boxes shall lie within.
        fitted: How the image was fitted into the input.
        centres: Centre x, centre y, width, height in input pixels, shape (N, 4).
        scores: Shape (N,).
        labels: Shape (N,); boxes of different labels do not suppress one another.

    Returns:
        Highest score first; boxes without area are gone.
    """
    if not len(scores):
        return []
    corners = np.concatenate([centres[:, :2] - centres[:, 2:] / 2, centres[:, 2:]], 1)
    kept = np.asarray(
        cv2.dnn.NMSBoxesBatched(corners.tolist(), scores.tolist(), labels.tolist(), 0.0, NMS_IOU)
    ).reshape(-1)
    candidates = []
    for i in sorted(kept, key=lambda i: -scores[i]):
        x, y, width, height = corners[i]
        box = Box(
            float((x - fitted.left_px) / fitted.scale),
            float((y - fitted.top_px) / fitted.scale),
            float((x + width - fitted.left_px) / fitted.scale),
            float((y + height - fitted.top_px) / fitted.scale),
        ).within(image)
        if box.area > 0:
            candidates.append(Candidate(box, min(1.0, float(scores[i])), int(labels[i])))
    return candidates


def decode_yolov8(output: NDArray[np.float32], image: Image, fitted: Letterbox, least_score: float) -> list[Candidate]:
    """Decodes the output of YOLOv8 and YOLO11 exports.

    Args:
        output: Shape (4 + classes, N): box centre and size in input pixels, then class scores 0..1.
        image: The image that was detected in.
        fitted: How it was fitted into the input.
        least_score: Candidates below are dropped.
    """
    rows = output.T
    labels = rows[:, 4:].argmax(1)
    scores = rows[np.arange(len(rows)), 4 + labels]
    chosen = scores >= least_score
    return suppress(image, fitted, rows[chosen, :4], scores[chosen], labels[chosen])
