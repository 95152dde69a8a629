"""Renders a clip of cars that drive up to a camera, with plates of given texts: real pixels for demo and tests.

A plate is drawn with OpenCV's font on a white or yellow board, put onto a drawn car, and the car is projected,
lit, blurred and noised frame by frame. Nothing of it is a photograph, so the clip may be shown to anybody; the models
see it exactly as they see a camera's picture. The same arguments give the same pixels.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from edge_agent.errors import EdgeError
from edge_agent.geometry import Box, Image

WIDTH_PX = 960
HEIGHT_PX = 540
CAR_PX = (560, 440)
PLATE_PX = (208, 46)
HORIZON = 0.38
_FONT = cv2.FONT_HERSHEY_DUPLEX
_BODY_COLOURS = ((60, 60, 170), (150, 90, 40), (70, 70, 70), (200, 200, 205), (60, 110, 60), (40, 40, 45))
_BOARDS = ((245, 245, 245), (235, 240, 242), (90, 215, 245))


@dataclass(frozen=True, slots=True)
class RenderedCar:
    """A car of a clip, as truth for tests.

    Attributes:
        plate: Its text.
        start_s: When its plate comes into view.
        end_s: When it has left.
    """

    plate: str
    start_s: float
    end_s: float


def render_clip(
    path: Path, plates: Sequence[str], seconds_per_car: float = 3.0, fps: float = 12.0, seed: int = 1
) -> list[RenderedCar]:
    """Writes an .mp4 in which cars drive up to the camera one after the other.

    Args:
        path: Where to.
        plates: One text a car, 2 to 10 letters and digits.
        seconds_per_car: How long each one takes.
        fps: Frames a second.
        seed: Colours, lanes, light and noise follow from it.

    Returns:
        The cars in order.

    Raises:
        ValueError: A plate is not of letters and digits, or too long.
        EdgeError: The video cannot be written.
    """
    for plate in plates:
        if not (2 <= len(plate) <= 10 and plate.isascii() and plate.isalnum()):
            raise ValueError(f"{plate!r} is no plate of 2 to 10 letters and digits")
    path.parent.mkdir(parents=True, exist_ok=True)
    video = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), fps, (WIDTH_PX, HEIGHT_PX))
    if not video.isOpened():
        raise EdgeError(f"{path} cannot be written as a video")
    rng = np.random.default_rng(seed)
    try:
        road = _road(rng)
        cars: list[RenderedCar] = []
        for number, plate in enumerate(plates):
            for frame in _drive_up(road, plate.upper(), round(seconds_per_car * fps), rng):
                video.write(frame)
            cars.append(RenderedCar(plate.upper(), number * seconds_per_car, (number + 1) * seconds_per_car))
    finally:
        video.release()
    return cars


def draw_plate(text: str, board_bgr: tuple[int, int, int] = _BOARDS[0]) -> Image:
    """A plate as a picture, four times the size at which it sits on a car.

    Args:
        text: Upper-case letters and digits.
        board_bgr: Colour of the board.
    """
    width_px, height_px = PLATE_PX[0] * 4, PLATE_PX[1] * 4
    plate = np.full((height_px, width_px, 3), board_bgr, np.uint8)
    cv2.rectangle(plate, (3, 3), (width_px - 4, height_px - 4), (30, 30, 30), 5)
    step_px = min(96.0, (width_px - 56) / len(text))
    left = (width_px - step_px * len(text)) / 2
    for place, char in enumerate(text):
        ink = _glyph(char, round(0.66 * height_px), round(0.8 * step_px))
        top = (height_px - ink.shape[0]) // 2
        start = round(left + step_px * (place + 0.5) - ink.shape[1] / 2)
        spot = plate[top : top + ink.shape[0], start : start + ink.shape[1]]
        np.minimum(spot, np.maximum(255 - ink[:, :, None], 25), out=spot)
    return plate


def _glyph(char: str, height_px: int, most_width_px: int) -> Image:
    """One character as ink (255) on nothing, exactly as high as wanted and no wider than allowed."""
    canvas = np.zeros((220, 220), np.uint8)
    cv2.putText(canvas, char, (50, 160), _FONT, 4.0, 255, 9, cv2.LINE_AA)
    x, y, width, height = cv2.boundingRect(canvas)
    wide = min(most_width_px, max(1, round(0.85 * width * height_px / height)))
    ink = cv2.resize(canvas[y : y + height, x : x + width], (wide, height_px), interpolation=cv2.INTER_AREA)
    return np.asarray(ink, np.uint8)


def _road(rng: np.random.Generator) -> Image:
    """The scene without cars: sky, verge and a road with texture."""
    scene = np.zeros((HEIGHT_PX, WIDTH_PX, 3), np.uint8)
    horizon_px = round(HORIZON * HEIGHT_PX)
    for row in range(horizon_px):
        share = row / horizon_px
        scene[row] = (round(190 + 30 * share), round(170 + 40 * share), round(150 + 55 * share))
    scene[horizon_px:] = (62, 88, 74)
    corners = [(0.42, HORIZON), (0.58, HORIZON), (1.25, 1.0), (-0.25, 1.0)]
    cv2.fillPoly(scene, [_points(corners)], (92, 92, 95))
    for share in (0.0, 0.25, 0.5, 0.75):
        near, far = HORIZON + (1 - HORIZON) * (share + 0.12) ** 1.6, HORIZON + (1 - HORIZON) * share**1.6
        middle = WIDTH_PX // 2
        ends = (middle, round(far * HEIGHT_PX)), (middle, round(near * HEIGHT_PX))
        cv2.line(scene, *ends, (200, 205, 205), max(1, round(10 * share)))
    for _ in range(14):
        x, height = int(rng.integers(0, WIDTH_PX)), int(rng.integers(20, 90))
        if abs(x - WIDTH_PX / 2) > 0.12 * WIDTH_PX:
            colour = tuple(int(v) for v in rng.integers(40, 110, 3))
            cv2.rectangle(scene, (x, horizon_px - height), (x + int(rng.integers(20, 70)), horizon_px + 6), colour, -1)
    coarse = rng.normal(0, 5, (HEIGHT_PX // 2, WIDTH_PX // 2)).astype(np.float32)
    grain = np.asarray(cv2.resize(coarse, (WIDTH_PX, HEIGHT_PX)), np.float32)[:, :, None]
    return np.asarray(np.clip(scene + grain, 0, 255), np.uint8)


def _points(shares: Sequence[tuple[float, float]]) -> np.ndarray[tuple[int, ...], np.dtype[np.int32]]:
    return np.asarray([(x * WIDTH_PX, y * HEIGHT_PX) for x, y in shares], np.int32)


def _car(plate: str, rng: np.random.Generator) -> tuple[Image, Image]:
    """Front of a car with its plate at twice `CAR_PX`, and its mask (255 inside)."""
    width, height = 2 * CAR_PX[0], 2 * CAR_PX[1]
    car, mask = np.zeros((height, width, 3), np.uint8), np.zeros((height, width), np.uint8)
    body = _BODY_COLOURS[int(rng.integers(len(_BODY_COLOURS)))]
    dark = tuple(round(0.6 * channel) for channel in body)

    def area(shares: Sequence[tuple[float, float]], colour: tuple[float, ...]) -> None:
        corners = np.asarray([(x * width, y * height) for x, y in shares], np.int32)
        cv2.fillPoly(car, [corners], colour, cv2.LINE_AA)
        cv2.fillPoly(mask, [corners], 255)

    area([(0.22, 0.03), (0.78, 0.03), (0.9, 0.36), (0.1, 0.36)], dark)
    area([(0.25, 0.06), (0.75, 0.06), (0.85, 0.34), (0.15, 0.34)], (70, 62, 52))
    area([(0.04, 0.36), (0.96, 0.36), (0.99, 0.62), (0.97, 0.9), (0.03, 0.9), (0.01, 0.62)], body)
    area([(0.3, 0.5), (0.7, 0.5), (0.68, 0.62), (0.32, 0.62)], (28, 28, 30))
    area([(0.06, 0.47), (0.24, 0.5), (0.24, 0.6), (0.07, 0.58)], (225, 232, 235))
    area([(0.94, 0.47), (0.76, 0.5), (0.76, 0.6), (0.93, 0.58)], (225, 232, 235))
    area([(0.03, 0.66), (0.97, 0.66), (0.95, 0.88), (0.05, 0.88)], dark)
    area([(0.05, 0.88), (0.2, 0.88), (0.2, 1.0), (0.05, 1.0)], (22, 22, 22))
    area([(0.95, 0.88), (0.8, 0.88), (0.8, 1.0), (0.95, 1.0)], (22, 22, 22))
    board = draw_plate(plate, _BOARDS[int(rng.integers(len(_BOARDS)))])
    board = np.asarray(cv2.resize(board, (2 * PLATE_PX[0], 2 * PLATE_PX[1]), interpolation=cv2.INTER_AREA), np.uint8)
    x, y = width // 2 - PLATE_PX[0], round(0.72 * height)
    car[y : y + board.shape[0], x : x + board.shape[1]] = board
    return car, mask


def _drive_up(road: Image, plate: str, frames: int, rng: np.random.Generator) -> Iterator[Image]:
    """One car from afar to close by, then past the camera."""
    car, mask = _car(plate, rng)
    lane = float(rng.choice([-1.0, 1.0])) * float(rng.uniform(0.1, 0.2))
    yaw = float(rng.uniform(-0.06, 0.06))
    light = float(rng.uniform(0.7, 1.1))
    sway = float(rng.uniform(0, math.tau))
    grain = rng.normal(0, 3, (HEIGHT_PX + 64, WIDTH_PX + 64, 1)).astype(np.float32)
    for number in range(frames):
        share = number / max(1, frames - 1)
        scale = 0.22 * (1.05 / 0.22) ** share  # of CAR_PX: constant speed looks exponential
        centre_x = (0.5 + lane * scale) * WIDTH_PX + 2 * math.sin(sway + 9 * share)
        bottom = (HORIZON + 0.08 + 0.68 * scale) * HEIGHT_PX + math.sin(sway + 23 * share)
        frame = _project(road, car, mask, centre_x, bottom, scale, yaw)
        x, y = (int(v) for v in rng.integers(0, 64, 2))  # the same grain, moved: noise is what costs most
        noise = grain[y : y + HEIGHT_PX, x : x + WIDTH_PX]
        lit = cv2.GaussianBlur(frame, (0, 0), 0.6 + 1.0 * (1 - share)).astype(np.float32)
        yield np.asarray(np.clip(lit * np.float32(light) + noise, 0, 255), np.uint8)


def _project(road: Image, car: Image, mask: Image, centre_x: float, bottom: float, scale: float, yaw: float) -> Image:
    """The car on the road, turned a little: its far side is a bit smaller."""
    half, tall = scale * CAR_PX[0] / 2, scale * CAR_PX[1]
    height, width = car.shape[:2]
    left, right = tall * (1 + yaw), tall * (1 - yaw)
    target = np.asarray(
        [
            (centre_x - half, bottom - left),
            (centre_x + half, bottom - right),
            (centre_x + half, bottom - yaw * tall / 2),
            (centre_x - half, bottom + yaw * tall / 2),
        ],
        np.float32,
    )
    source = np.asarray([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    transform = cv2.getPerspectiveTransform(source, target)
    # shrink before projecting: sampling a large picture at few points would alias the characters away
    shrink = min(1.0, 0.75 * scale)
    if shrink < 1.0:
        car = np.asarray(cv2.resize(car, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA), np.uint8)
        mask = np.asarray(cv2.resize(mask, (car.shape[1], car.shape[0]), interpolation=cv2.INTER_AREA), np.uint8)
        transform = transform @ np.diag([width / car.shape[1], height / car.shape[0], 1.0])
    spot = Box(
        float(target[:, 0].min()) - 2, float(target[:, 1].min()) - 2, float(target[:, 0].max()) + 2, bottom + 99
    ).within(road)
    left_px, top_px, right_px, bottom_px = spot.rounded()
    size = (right_px - left_px, bottom_px - top_px)
    moved = np.asarray([[1, 0, -left_px], [0, 1, -top_px], [0, 0, 1]]) @ transform
    shown = cv2.warpPerspective(car, moved, size).astype(np.float32)
    share = cv2.warpPerspective(mask, moved, size).astype(np.float32)[:, :, None] / 255
    frame = road.copy()
    under = frame[top_px:bottom_px, left_px:right_px]
    under[:] = under * (1 - share) + shown * share
    return frame
