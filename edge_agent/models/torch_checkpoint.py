"""Reads a PyTorch checkpoint without PyTorch and without running what is in it.

A `.pt` file is a zip with a pickle, and a pickle may call anything. The usual reader, `torch.load`, both needs two
gigabytes of libraries and imports the classes that the file names. Here the file's classes become inert stand-ins, the
list of names that a checkpoint may mention is closed, and every tensor is checked against the bytes that back it.

Format: PyTorch's zip serialisation (torch/csrc/jit/serialization, "data.pkl" plus one member per storage).
"""

import collections
import io
import math
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.errors import HostileCheckpoint

MAX_STORAGE_BYTES = 256 * 2**20
MAX_STORAGES = 4096

_DTYPES = {"HalfStorage": np.float16, "FloatStorage": np.float32, "LongStorage": np.int64}

_INERT = {
    "torch": ("device",),
    "torch.nn.modules.activation": ("SiLU",),
    "torch.nn.modules.batchnorm": ("BatchNorm2d",),
    "torch.nn.modules.container": ("ModuleList", "Sequential"),
    "torch.nn.modules.conv": ("Conv2d",),
    "torch.nn.modules.loss": ("BCEWithLogitsLoss",),
    "torch.nn.modules.pooling": ("MaxPool2d",),
    "torch.nn.modules.upsampling": ("Upsample",),
    "ultralytics.nn.modules.block": ("Bottleneck", "C2f", "DFL", "SPPF"),
    "ultralytics.nn.modules.conv": ("Concat", "Conv"),
    "ultralytics.nn.modules.head": ("Detect",),
    "ultralytics.nn.tasks": ("DetectionModel",),
    "ultralytics.utils": ("IterableSimpleNamespace",),
    "ultralytics.utils.loss": ("BboxLoss", "v8DetectionLoss"),
    "ultralytics.utils.tal": ("TaskAlignedAssigner",),
}


class Layer:
    """Stand-in for a class that the checkpoint names: it holds the attributes and does nothing."""

    def __init__(self, *_args: object, **_kwargs: object) -> None:
        """Accepts and forgets constructor arguments: the state that follows in the pickle is what counts."""

    def __setstate__(self, state: object) -> None:
        if isinstance(state, dict):
            self.__dict__.update(state)

    def __getattr__(self, name: str) -> Any:
        # Only what __setstate__ did not bring. Typed Any because the tree's attributes are the file's, not ours.
        raise AttributeError(f"{type(self).__name__} in the checkpoint has no {name!r}")

    @property
    def kind(self) -> str:
        """Name of the class that the checkpoint meant, such as `Conv2d`."""
        return type(self).__name__

    @property
    def children(self) -> dict[str, "Layer"]:
        """Sub-modules by name, in order."""
        modules = self.__dict__.get("_modules", {})
        return dict(modules)

    def parameter(self, name: str) -> NDArray[np.float32] | None:
        """The named weight or buffer, or None where the layer has none (a convolution without bias).

        Args:
            name: Such as `weight`, `bias` or `running_mean`.
        """
        for group in ("_parameters", "_buffers"):
            value = self.__dict__.get(group, {}).get(name)
            if value is not None:
                return np.asarray(value, dtype=np.float32)
        return None


def _stand_ins() -> dict[tuple[str, str], type[Layer]]:
    return {(module, name): type(name, (Layer,), {}) for module, names in _INERT.items() for name in names}


def _rebuild_tensor(
    storage: NDArray[Any], offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: object
) -> NDArray[Any]:
    """A tensor as a view of its storage, refused where it would reach outside of it."""
    whole = all(isinstance(n, int) and n >= 0 for n in (offset, *size, *stride))
    if not whole or len(size) != len(stride):
        raise HostileCheckpoint(f"tensor with offset {offset}, size {size}, stride {stride}")
    if math.prod(size) == 0:
        return np.zeros(size, storage.dtype)
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    if last >= storage.size or math.prod(size) > storage.size:
        raise HostileCheckpoint(f"tensor reaches element {last} of a storage of {storage.size}")
    steps = [step * storage.itemsize for step in stride]
    return np.lib.stride_tricks.as_strided(storage[offset:], size, steps, writeable=False)


def _rebuild_parameter(data: NDArray[Any], *_: object) -> NDArray[Any]:
    return data


class _CheckpointUnpickler(pickle.Unpickler):
    """Unpickler with a closed world: a name outside of the lists above stops it, and nothing is ever imported."""

    def __init__(self, archive: zipfile.ZipFile, root: str) -> None:
        super().__init__(io.BytesIO(_member(archive, f"{root}/data.pkl")))
        self._archive = archive
        self._root = root
        self._names: dict[tuple[str, str], Callable[..., Any] | str] = {
            ("collections", "OrderedDict"): collections.OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
            ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
            ("__builtin__", "set"): set,
            ("builtins", "set"): set,
            ("torch", "Size"): tuple,
            **{("torch", storage): storage for storage in _DTYPES},
            **_stand_ins(),
        }

    def find_class(self, module: str, name: str) -> Any:
        try:
            return self._names[module, name]
        except KeyError:
            raise HostileCheckpoint(f"checkpoint names {module}.{name}, which no detector needs") from None

    def persistent_load(self, pid: Any) -> NDArray[Any]:
        # ("storage", type, key, device, element count)
        try:
            _, kind, key, *_ = pid
            dtype = _DTYPES[kind]
        except (TypeError, ValueError, KeyError):
            raise HostileCheckpoint(f"storage of unknown kind {pid!r}") from None
        content = _member(self._archive, f"{self._root}/data/{key}")
        if len(content) % np.dtype(dtype).itemsize:
            raise HostileCheckpoint(f"storage {key} has {len(content)} bytes, no multiple of {dtype.__name__}")
        return np.frombuffer(content, dtype)


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    try:
        info = archive.getinfo(name)
    except KeyError:
        raise HostileCheckpoint(f"checkpoint lacks its member {name}") from None
    if info.file_size > MAX_STORAGE_BYTES:
        raise HostileCheckpoint(f"member {name} claims {info.file_size} bytes")
    return archive.read(info)


def load_checkpoint(path: Path) -> Layer:
    """Loads the network of an Ultralytics detection checkpoint.

    Args:
        path: A `.pt` file in PyTorch's zip format.

    Returns:
        The root of the module tree, the averaged weights (`ema`) where the file has them.

    Raises:
        HostileCheckpoint: The file is no such checkpoint, names a class or function outside of the list, or holds
            a tensor that does not fit its storage.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if not names or len(names) > MAX_STORAGES:
                raise HostileCheckpoint(f"{path.name} has {len(names)} members")
            content = _CheckpointUnpickler(archive, names[0].split("/")[0]).load()
    except zipfile.BadZipFile as error:
        raise HostileCheckpoint(f"{path.name} is no PyTorch archive: {error}") from error
    except (pickle.UnpicklingError, EOFError, IndexError, AttributeError, TypeError, ValueError, KeyError) as error:
        raise HostileCheckpoint(f"{path.name} does not unpickle: {error}") from error
    network = (content.get("ema") or content.get("model")) if isinstance(content, dict) else content
    if not isinstance(network, Layer):
        raise HostileCheckpoint(f"{path.name} holds no network")
    return network
