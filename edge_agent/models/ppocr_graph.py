"""Cuts the head of a PP-OCR recognition network down to what plates can show.

PP-OCRv6 small (PaddleOCR, Apache-2.0) knows 18 thousand symbols. Keeping the columns of blank, ASCII and separators
leaves the same network with a softmax over 102: smaller, faster, and a character's probability is no longer shared
with ideographs that look like it.
"""

import numpy as np
import onnx
from onnx import numpy_helper

from edge_agent.errors import UnsupportedModel

SYMBOLS_KEY = "plate_symbols"
_SEPARATORS = "·•・。—–"


def prune_head(model: onnx.ModelProto) -> onnx.ModelProto:
    """Cuts the classifier of a PP-OCR recognition network down to blank, ASCII and separators.

    Args:
        model: The network as published, its symbols in the metadata `character`, one a line. Changed in place.

    Returns:
        The same model; its symbols in order stand in the metadata `plate_symbols`, separated by tabs, blank as "".

    Raises:
        UnsupportedModel: The network does not end in a matrix product, a bias and a softmax, or names no symbols.
    """
    listed = [entry.value for entry in model.metadata_props if entry.key == "character"]
    graph = model.graph
    weights = {tensor.name: tensor for tensor in graph.initializer}
    product = next((n for n in reversed(graph.node) if n.op_type == "MatMul"), None)
    bias = next((n for n in reversed(graph.node) if n.op_type == "Add"), None)
    if not listed or product is None or bias is None or graph.node[-1].op_type != "Softmax":
        raise UnsupportedModel("this is no PP-OCR recognition network with a symbol list")
    symbols = ["", *listed[0].split("\n"), " "]
    kept = [
        i
        for i, symbol in enumerate(symbols)
        if i == 0 or symbol == " " or (len(symbol) == 1 and (symbol.isascii() or symbol in _SEPARATORS))
    ]
    for name in (product.input[1], bias.input[1]):
        if name not in weights or numpy_helper.to_array(weights[name]).shape[-1] != len(symbols):
            raise UnsupportedModel(f"{name} does not have one column for each of {len(symbols)} symbols")
        whole = numpy_helper.to_array(weights[name])
        weights[name].CopyFrom(numpy_helper.from_array(np.ascontiguousarray(whole[..., kept]), name))
    graph.output[0].type.tensor_type.shape.dim[2].dim_value = len(kept)
    del graph.value_info[:]
    del model.metadata_props[:]
    entry = model.metadata_props.add()
    entry.key, entry.value = SYMBOLS_KEY, "\t".join(symbols[i] for i in kept)
    return model
