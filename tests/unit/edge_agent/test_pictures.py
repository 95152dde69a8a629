"""Geometry, sharpness, cuts, levelling and drawing: what happens to pixels before a model sees them."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.detectors.yolo_decode import decode_yolov8, letterbox
from edge_agent.geometry import Box, Image, crop
from edge_agent.image_files import decode_image
from edge_agent.rectify import level, skew_deg
from edge_agent.rendering import PLATE_PX, draw_plate, render_clip
from edge_agent.scene_cut import SceneCut
from edge_agent.shot import encode_jpeg, quality, sharpness
from tests.unit.edge_agent.builders import noise_image

pytestmark = pytest.mark.thorough

COORDINATE = st.floats(-500, 1500)


@given(COORDINATE, COORDINATE, COORDINATE, COORDINATE)
def test_a_crop_never_leaves_the_picture(x1: float, y1: float, x2: float, y2: float) -> None:
    """Any box, also one that lies outside or inside out, gives pixels of the picture or none."""
    image = noise_image()
    box = Box(x1, y1, x2, y2)
    inside = box.within(image)
    assert 0 <= inside.x1 <= 160
    assert 0 <= inside.y2 <= 90
    assert crop(image, box).shape[0] <= 90
    assert 0 <= box.iou(Box(0, 0, 100, 100)) <= 1


@pytest.mark.parametrize("shape", [(720, 1280), (1280, 720), (100, 100), (3, 2000)])
def test_letterboxing_and_decoding_are_each_others_inverse(shape: tuple[int, int]) -> None:
    """A box in the network's input comes back to the pixels that it was drawn on."""
    image = np.zeros((*shape, 3), np.uint8)
    canvas, fitted = letterbox(image, 640, 640)
    assert canvas.shape == (640, 640, 3)
    true = Box(0.25 * shape[1], 0.25 * shape[0], 0.5 * shape[1], 0.5 * shape[0])
    centre_x, centre_y = true.centre
    row = [
        centre_x * fitted.scale + fitted.left_px,
        centre_y * fitted.scale + fitted.top_px,
        true.width * fitted.scale,
        true.height * fitted.scale,
        0.9,
    ]
    output = np.asarray([row, [0, 0, 10, 10, 0.1]], np.float32).T
    (found,) = decode_yolov8(output, image, fitted, 0.25)
    assert found.box.x1 == pytest.approx(true.x1, abs=0.01)
    assert found.box.y2 == pytest.approx(true.y2, abs=0.01)


def test_overlapping_boxes_are_one_plate() -> None:
    """Non-maximum suppression keeps the surer of two boxes on a spot, and both of two spots."""
    image = np.zeros((640, 640, 3), np.uint8)
    _, fitted = letterbox(image, 640, 640)
    rows = [[100, 100, 80, 20, 0.7], [102, 101, 80, 20, 0.9], [400, 100, 80, 20, 0.5]]
    found = decode_yolov8(np.asarray(rows, np.float32).T, image, fitted, 0.25)
    assert [round(c.score, 1) for c in found] == [0.9, 0.5]


def _plate_scene(angle_deg: float) -> tuple[Image, Box]:
    board = np.full((300, 500, 3), 90, np.uint8)
    board[127:173, 146:354] = cv2.resize(draw_plate("AB12CDE"), (208, 46), interpolation=cv2.INTER_AREA)
    slope = np.tan(np.radians(angle_deg))
    shear = np.asarray([[1, 0, 0], [slope, 1, -slope * 250]], np.float32)
    scene = cv2.warpAffine(board, shear, (500, 300), borderValue=(90, 90, 90))
    reach = 23 + abs(slope) * 104
    return np.asarray(scene, np.uint8), Box(146, 150 - reach, 354, 150 + reach)


@pytest.mark.parametrize("angle_deg", [-9, -5, 5, 9])
def test_a_skewed_plate_is_made_level(angle_deg: float) -> None:
    """The angle is found within two degrees, and what comes back is nearly level."""
    image, box = _plate_scene(angle_deg)
    assert skew_deg(image, box) == pytest.approx(angle_deg, abs=2)
    levelled, inner = level(image, box)
    assert abs(skew_deg(levelled, inner)) <= 2
    assert inner.height < box.height


def test_a_level_plate_is_left_alone() -> None:
    """No resampling where none is needed."""
    image, box = _plate_scene(0)
    same, same_box = level(image, box)
    assert same is image
    assert same_box == box


@pytest.mark.parametrize("box", [Box(0, 0, 3, 2), Box(400, 400, 500, 430), Box(-50, -50, 20, 10)])
def test_levelling_takes_any_box(box: Box) -> None:
    """Tiny boxes and boxes outside of the picture do no harm."""
    level(noise_image(), box)
    assert 0 <= sharpness(noise_image(), box) <= 1
    assert quality(noise_image(), box) > 0


def test_blur_costs_quality() -> None:
    """A sharp plate is worth more than the same plate blurred, a large one more than a small one."""
    image, box = _plate_scene(0)
    blurred = np.asarray(cv2.GaussianBlur(image, (0, 0), 3), np.uint8)
    assert quality(image, box) > quality(blurred, box)
    half = np.asarray(cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)
    assert quality(image, box) > quality(half, Box(73, box.y1 / 2, 177, box.y2 / 2))


def test_another_scene_is_a_cut_and_another_light_is_not() -> None:
    """Exposure may double within a frame; a different picture ends the tracks."""
    cut = SceneCut()
    scene = np.asarray(cv2.GaussianBlur(noise_image(360, 640), (0, 0), 20), np.float32)
    scene = (scene - scene.mean()) * 8 + 90
    dark, bright = (np.asarray(np.clip(scene * gain, 0, 255), np.uint8) for gain in (0.6, 1.2))
    assert not cut.is_cut(dark)
    assert not cut.is_cut(bright)
    assert cut.is_cut(np.asarray(bright[:, ::-1], np.uint8))


def test_black_frames_are_no_cut() -> None:
    """Night shows nothing, and nothing can be told from it."""
    cut = SceneCut()
    for _ in range(3):
        assert not cut.is_cut(np.zeros((90, 160, 3), np.uint8))


def test_a_jpeg_is_no_larger_than_asked() -> None:
    """The longest side is scaled down, a small picture stays as it is."""
    large = decode_image(encode_jpeg(noise_image(400, 900), longest_px=300))
    small = decode_image(encode_jpeg(noise_image(40, 90), longest_px=300))
    assert large.shape[:2] == (133, 300)
    assert small.shape[:2] == (40, 90)


def test_a_drawn_plate_has_ink_for_each_character() -> None:
    """More characters, more ink; the board has the plate's shape."""
    ink = [int((draw_plate(text) < 100).sum()) for text in ("AB", "AB12", "AB12CDE")]
    assert ink == sorted(ink)
    assert draw_plate("AB12CDE").shape == (4 * PLATE_PX[1], 4 * PLATE_PX[0], 3)


def test_a_clip_is_the_same_for_the_same_seed(tmp_path: Path) -> None:
    """Same arguments, same pixels; another seed, others."""
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        cars = render_clip(tmp_path / f"{name}.mp4", ["ab12cd"], seconds_per_car=0.5, fps=8, seed=seed)
        assert [(c.plate, c.start_s, c.end_s) for c in cars] == [("AB12CD", 0.0, 0.5)]
    first, second, third = ((tmp_path / f"{n}.mp4").read_bytes() for n in "abc")
    assert first == second
    assert first != third


@pytest.mark.parametrize("plate", ["", "A", "AB-12", "ABCDEFGHIJK", "ÄB12"])
def test_a_text_that_is_no_plate_is_refused(tmp_path: Path, plate: str) -> None:
    """Before anything is drawn."""
    with pytest.raises(ValueError, match="no plate"):
        render_clip(tmp_path / "a.mp4", [plate])
