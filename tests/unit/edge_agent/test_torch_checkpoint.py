"""The checkpoint reader opens what PyTorch writes and refuses whatever a pickle could do besides."""

import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_agent.errors import HostileCheckpoint
from edge_agent.models.torch_checkpoint import load_checkpoint


class _Names:
    """Pickles as a call of a named function, without that the name has to exist here."""

    def __init__(self, module: str, name: str, *arguments: object) -> None:
        self.module, self.name, self.arguments = module, name, arguments


class _Storage:
    """Pickles as one of PyTorch's persistent storages."""

    def __init__(self, kind: str, key: str) -> None:
        self.kind, self.key = kind, key


def _pickle(value: Any) -> bytes:
    """Writes protocol 2 by hand where a name is called, as PyTorch does."""
    out = io.BytesIO()
    out.write(b"\x80\x02")
    _write(out, value)
    out.write(b".")
    return out.getvalue()


def _write(out: io.BytesIO, value: Any) -> None:
    if isinstance(value, _Names):
        out.write(f"c{value.module}\n{value.name}\n".encode())
        _write(out, tuple(value.arguments))
        out.write(b"R")
    elif isinstance(value, _Storage):
        out.write(b"(")
        for item in ("storage", None, value.key, "cpu", 0):
            if item is None:
                out.write(f"ctorch\n{value.kind}\n".encode())
            else:
                _write(out, item)
        out.write(b"tQ")
    elif isinstance(value, tuple):
        out.write(b"(")
        for item in value:
            _write(out, item)
        out.write(b"t")
    elif isinstance(value, dict):
        out.write(b"}")
        for key, item in value.items():
            _write(out, key)
            _write(out, item)
            out.write(b"s")
    else:
        plain = pickle.dumps(value, protocol=2)
        out.write(plain[2:-1])


def _checkpoint(path: Path, value: Any, storages: dict[str, bytes] | None = None) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("best/data.pkl", _pickle(value))
        for key, content in (storages or {}).items():
            archive.writestr(f"best/data/{key}", content)
    return path


def _tensor(key: str, offset: int, size: tuple[int, ...], stride: tuple[int, ...]) -> _Names:
    return _Names("torch._utils", "_rebuild_tensor_v2", _Storage("FloatStorage", key), offset, size, stride)


def _model(**state: Any) -> dict[str, Any]:
    class _Built(_Names):
        pass

    return {"model": _Built("ultralytics.nn.tasks", "DetectionModel"), "kept": state}


def test_a_network_comes_out_as_an_inert_tree(tmp_path: Path) -> None:
    """The root is a stand-in that bears the name of the class and does nothing."""
    network = load_checkpoint(_checkpoint(tmp_path / "a.pt", _model()))
    assert network.kind == "DetectionModel"
    assert network.children == {}
    with pytest.raises(AttributeError, match="DetectionModel"):
        network.forward  # noqa: B018  # looking it up is the test


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "system"),
        ("posix", "system"),
        ("builtins", "eval"),
        ("builtins", "getattr"),
        ("subprocess", "Popen"),
        ("torch", "load"),
        ("torch.hub", "load"),
        ("ultralytics.utils.downloads", "safe_download"),
        ("numpy.core.multiarray", "_reconstruct"),
        ("collections", "namedtuple"),
    ],
)
def test_a_call_outside_of_the_list_is_refused_and_not_made(tmp_path: Path, module: str, name: str) -> None:
    """No name that a detector does not need is resolved, so its call never happens."""
    mark = tmp_path / "ran"
    path = _checkpoint(tmp_path / "evil.pt", {"model": _Names(module, name, f"touch {mark}")})
    with pytest.raises(HostileCheckpoint, match=name):
        load_checkpoint(path)
    assert not mark.exists()


def test_a_real_python_payload_does_not_run(tmp_path: Path) -> None:
    """A pickle with __reduce__, as an attacker would write it, is refused."""
    mark = tmp_path / "ran"

    class Payload:
        def __reduce__(self) -> tuple[Any, ...]:
            return (exec, (f"open({str(mark)!r}, 'w').close()",))

    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with zipfile.ZipFile(tmp_path / "evil.pt", "w") as archive:
            archive.writestr("best/data.pkl", pickle.dumps({"model": Payload()}, protocol=protocol))
        with pytest.raises(HostileCheckpoint):
            load_checkpoint(tmp_path / "evil.pt")
    assert not mark.exists()


@pytest.mark.parametrize(
    ("offset", "size", "stride"),
    [
        (0, (5,), (1,)),
        (3, (2,), (1,)),
        (0, (2, 2), (4, 1)),
        (0, (2,), (1_000_000_000,)),
        (-1, (1,), (1,)),
        (0, (2,), (-1,)),
        (0, (1_000_000_000, 4), (0, 1)),
        (0, (2, 2), (1,)),
    ],
)
def test_a_tensor_outside_of_its_bytes_is_refused(
    tmp_path: Path, offset: int, size: tuple[int, ...], stride: tuple[int, ...]
) -> None:
    """Offset, size and stride may not reach beyond the storage of four numbers."""
    content = np.arange(4, dtype=np.float32).tobytes()
    path = _checkpoint(tmp_path / "a.pt", {"model": _tensor("0", offset, size, stride)}, {"0": content})
    with pytest.raises(HostileCheckpoint):
        load_checkpoint(path)


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04 cut off"])
def test_what_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    """A file that PyTorch did not write gives our error, not the library's."""
    (tmp_path / "a.pt").write_bytes(content)
    with pytest.raises(HostileCheckpoint):
        load_checkpoint(tmp_path / "a.pt")


def test_a_missing_or_odd_storage_is_refused(tmp_path: Path) -> None:
    """A tensor needs its storage, of a kind that is known and of whole numbers."""
    tensor = _tensor("7", 0, (1,), (1,))
    for storages in ({}, {"7": b"abc"}):
        with pytest.raises(HostileCheckpoint):
            load_checkpoint(_checkpoint(tmp_path / "a.pt", {"model": tensor}, storages))


def test_a_file_without_a_network_is_refused(tmp_path: Path) -> None:
    """Numbers alone are no model."""
    with pytest.raises(HostileCheckpoint, match="no network"):
        load_checkpoint(_checkpoint(tmp_path / "a.pt", {"model": 3}))
