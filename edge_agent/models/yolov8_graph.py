"""Writes a YOLOv8 detection network as an ONNX graph, from its weights alone.

The network is Ultralytics' YOLOv8 (Jocher et al. 2023): convolution + SiLU blocks, C2f, SPPF, and a head that gives,
per anchor point, a distribution over distances to the four sides (DFL, Li et al. 2020) and class scores. Batch
normalisation is folded into the convolutions. Boxes agree with Ultralytics' own export to a thousandth of a pixel.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edge_agent.errors import UnsupportedModel
from edge_agent.models.torch_checkpoint import Layer

STRIDES = (8, 16, 32)
DFL_BINS = 16


def anchor_points(height_px: int, width_px: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Centres of the head's grid cells, in cells, and the stride of each.

    Args:
        height_px: Input height, a multiple of 32.
        width_px: Input width, a multiple of 32.

    Returns:
        Points of shape (1, 2, N) as x, y and strides of shape (1, 1, N).
    """
    points, strides = [], []
    for stride in STRIDES:
        rows, columns = np.mgrid[0 : height_px // stride, 0 : width_px // stride]
        points.append(np.stack([columns.ravel() + 0.5, rows.ravel() + 0.5]))
        strides.append(np.full(columns.size, stride))
    return (
        np.concatenate(points, 1)[None].astype(np.float32),
        np.concatenate(strides)[None, None].astype(np.float32),
    )


class _Graph:
    """Nodes and constants under construction; names are counted so that none collides."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._count = 0
        self._emitters: dict[str, Callable[[str, Layer], str]] = {
            "Conv": self.conv_block,
            "Conv2d": self.plain_convolution,
            "C2f": self.c2f,
            "SPPF": self.sppf,
            "Bottleneck": self.bottleneck,
            "Sequential": self.sequential,
            "Upsample": self.upsample,
        }

    def constant(self, value: NDArray[Any]) -> str:
        self._count += 1
        name = f"k{self._count}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def emit_many(self, operation: str, inputs: list[str], outputs: int, **attributes: Any) -> list[str]:
        self._count += 1
        names = [f"t{self._count}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(operation, inputs, names, **attributes))
        return names

    def emit(self, operation: str, *inputs: str, **attributes: Any) -> str:
        return self.emit_many(operation, list(inputs), 1, **attributes)[0]

    def convolution(self, x: str, layer: Layer, weight: NDArray[np.float32], bias: NDArray[np.float32] | None) -> str:
        padding = list(layer.padding)
        inputs = [x, self.constant(weight)] + ([] if bias is None else [self.constant(bias)])
        return self.emit(
            "Conv",
            *inputs,
            strides=list(layer.stride),
            pads=padding + padding,
            dilations=list(layer.dilation),
            group=int(layer.groups),
        )

    def plain_convolution(self, x: str, layer: Layer) -> str:
        return self.convolution(x, layer, _weight(layer), layer.parameter("bias"))

    def conv_block(self, x: str, block: Layer) -> str:
        """Convolution, folded batch normalisation, SiLU."""
        parts = block.children
        convolution, norm = parts["conv"], parts.get("bn")
        weight, bias = _weight(convolution), convolution.parameter("bias")
        if norm is not None:
            variance, mean, shift = (norm.parameter(n) for n in ("running_var", "running_mean", "bias"))
            if variance is None or mean is None or shift is None:
                raise UnsupportedModel("batch normalisation without statistics")
            gain = _weight(norm) / np.sqrt(variance + np.float32(norm.eps))
            weight, bias = weight * gain[:, None, None, None], shift - mean * gain
        y = self.convolution(x, convolution, weight, bias)
        return self.emit("Mul", y, self.emit("Sigmoid", y))

    def c2f(self, x: str, block: Layer) -> str:
        parts = block.children
        pieces = self.emit_many("Split", [self.conv_block(x, parts["cv1"])], 2, axis=1)
        for bottleneck in parts["m"].children.values():
            pieces.append(self.layer(pieces[-1], bottleneck))
        return self.conv_block(self.emit("Concat", *pieces, axis=1), parts["cv2"])

    def sppf(self, x: str, block: Layer) -> str:
        parts = block.children
        side = int(parts["m"].kernel_size)
        pooled = [self.conv_block(x, parts["cv1"])]
        for _ in range(3):
            pooled.append(
                self.emit("MaxPool", pooled[-1], kernel_shape=[side] * 2, strides=[1, 1], pads=[side // 2] * 4)
            )
        return self.conv_block(self.emit("Concat", *pooled, axis=1), parts["cv2"])

    def bottleneck(self, x: str, block: Layer) -> str:
        parts = block.children
        y = self.conv_block(self.conv_block(x, parts["cv1"]), parts["cv2"])
        return self.emit("Add", x, y) if block.add else y

    def layer(self, x: str, block: Layer) -> str:
        """Emits one layer with one input."""
        emit = self._emitters.get(block.kind)
        if emit is None:
            raise UnsupportedModel(f"layer {block.kind} is not part of a YOLOv8 detector")
        return emit(x, block)

    def sequential(self, x: str, block: Layer) -> str:
        for part in block.children.values():
            x = self.layer(x, part)
        return x

    def upsample(self, x: str, _block: Layer) -> str:
        scales = self.constant(np.asarray([1, 1, 2, 2], np.float32))
        return self.emit(
            "Resize",
            x,
            "",
            scales,
            mode="nearest",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        )

    def head(self, inputs: list[str], block: Layer, height_px: int, width_px: int) -> int:
        """Emits the decoded head as `output0`: centre, size and class scores per anchor point; returns their number."""
        parts, classes = block.children, int(block.nc)
        sides, scores = [], []
        for i, x in enumerate(inputs):
            side = self.layer(x, parts["cv2"].children[str(i)])
            score = self.layer(x, parts["cv3"].children[str(i)])
            sides.append(self.emit("Reshape", side, self.constant(np.asarray([1, 4 * DFL_BINS, -1], np.int64))))
            scores.append(self.emit("Reshape", score, self.constant(np.asarray([1, classes, -1], np.int64))))
        points, strides = anchor_points(height_px, width_px)
        shape = self.constant(np.asarray([1, 4, DFL_BINS, -1], np.int64))
        bins = self.emit("Softmax", self.emit("Reshape", self.emit("Concat", *sides, axis=2), shape), axis=2)
        weights = self.constant(np.arange(DFL_BINS, dtype=np.float32).reshape(1, 1, DFL_BINS, 1))
        axis = self.constant(np.asarray([2], np.int64))
        distances = self.emit("ReduceSum", self.emit("Mul", bins, weights), axis, keepdims=0)
        left_top, right_bottom = self.emit_many("Split", [distances], 2, axis=1)
        anchors = self.constant(points)
        start, end = self.emit("Sub", anchors, left_top), self.emit("Add", anchors, right_bottom)
        centre = self.emit("Mul", self.emit("Add", start, end), self.constant(np.asarray(0.5, np.float32)))
        box = self.emit("Concat", centre, self.emit("Sub", end, start), axis=1)
        boxes = self.emit("Mul", box, self.constant(strides))
        probabilities = self.emit("Sigmoid", self.emit("Concat", *scores, axis=2))
        self.nodes.append(helper.make_node("Concat", [boxes, probabilities], ["output0"], axis=1))
        return int(points.shape[2])


def _weight(layer: Layer) -> NDArray[np.float32]:
    weight = layer.parameter("weight")
    if weight is None:
        raise UnsupportedModel(f"{layer.kind} without weights")
    return weight


def build_yolov8(network: Layer, *, height_px: int, width_px: int) -> onnx.ModelProto:
    """Builds the ONNX model of a YOLOv8 detector for one input size.

    Args:
        network: Root of a checkpoint's module tree.
        height_px: Input height, a multiple of 32.
        width_px: Input width, a multiple of 32.

    Returns:
        A model with input `images` (1, 3, height, width; RGB in 0..1) and output `output0` (1, 4 + classes, N):
        centre x, centre y, width, height in input pixels, then scores.

    Raises:
        UnsupportedModel: The network has a layer that YOLOv8 detection does not, or the size is no multiple of 32.
    """
    if height_px % STRIDES[-1] or width_px % STRIDES[-1]:
        raise UnsupportedModel(f"input size {width_px}x{height_px} is no multiple of {STRIDES[-1]}")
    graph, outputs, x = _Graph(), list[str](), "images"
    layers = list(network.children["model"].children.values())
    for block in layers[:-1]:
        source = block.f
        if block.kind == "Concat":
            x = graph.emit("Concat", *[x if i == -1 else outputs[i] for i in source], axis=1)
        else:
            x = graph.layer(x if source == -1 else outputs[source], block)
        outputs.append(x)
    head = layers[-1]
    if head.kind != "Detect":
        raise UnsupportedModel(f"the last layer is {head.kind}, not Detect")
    points = graph.head([x if i == -1 else outputs[i] for i in head.f], head, height_px, width_px)
    body = helper.make_graph(
        graph.nodes,
        "yolov8",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, height_px, width_px])],
        [helper.make_tensor_value_info("output0", TensorProto.FLOAT, [1, 4 + int(head.nc), points])],
        graph.constants,
    )
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    return model
