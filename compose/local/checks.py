"""What a machine needs for the local stack, looked at without changing anything.

Each check answers with a finding: good, or lacking with the exact command that mends it. A program that only a
download needs is required while something is not cached yet, and no longer.
"""

import ctypes.util
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from compose.local.errors import ToolMissing
from compose.local.folders import cache_dir, stacks_dir
from compose.local.ports import holder, is_free
from compose.local.service import Service
from compose.local.stack import Stack
from compose.local.tools import Tool, version_of

_PYTHON_MINIMUM, _PYTHON_LIMIT = (3, 11), (3, 13)
_DISK_TO_FETCH_BYTES = 4 * 2**30  # servers 0.5 GB, Go's and Maven's own caches 2 GB, data
_DISK_TO_RUN_BYTES = 1 * 2**30
_MEMORY_BYTES = 3 * 2**30  # the default stack takes 1.3 GB, the platform's own processes about as much


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check.

    Attributes:
        subject: what was looked at.
        detail: what was found.
        is_good: nothing to do.
        is_required: where it is not good, the stack cannot start; otherwise it is a hint.
        mend: command or step that mends it; empty when it is good.
    """

    subject: str
    detail: str
    is_good: bool = True
    is_required: bool = True
    mend: str = ""


def findings(services: Sequence[Service], stack_name: str = "local") -> Iterator[Finding]:
    """Every check for running `services` as stack `stack_name`, in the order in which one would mend."""
    yield _python()
    yield from _tools(services)
    yield from _writable()
    yield _disk(services)
    yield _memory()
    yield from _ports(services, stack_name)
    yield _libgl()


def _python() -> Finding:
    found = sys.version_info[:2]
    text = f"{sys.version.split()[0]} at {sys.executable}"
    if _PYTHON_MINIMUM <= found < _PYTHON_LIMIT:
        return Finding("Python", text)
    return Finding(
        "Python", f"{text}; 3.11 or 3.12 is needed", is_good=False, mend="apt-get install -y python3.11 python3.11-venv"
    )


def _tools(services: Sequence[Service]) -> Iterator[Finding]:
    """Programs that servers run on, and those that downloads need which have not happened yet."""
    to_run = {tool.name for service in services for tool in service.tools}
    tools: dict[str, Tool] = {}
    for service in services:
        to_fetch = [tool for artifact in service.artifacts() if not artifact.is_cached for tool in artifact.tools]
        tools.update({tool.name: tool for tool in [*service.tools, *to_fetch]})
    for tool in tools.values():
        reason = tool.why if tool.name in to_run else f"{tool.why}, once"
        try:
            path = tool.require()
        except ToolMissing as error:
            yield Finding(tool.name, f"{error.problem} ({reason})", is_good=False, mend=tool.mend)
        else:
            version = ".".join(map(str, version_of(path, tool.version_args)))
            yield Finding(tool.name, f"{version} at {path} ({reason})")


def _writable() -> Iterator[Finding]:
    for what, folder in {"cache": cache_dir(), "state": stacks_dir()}.items():
        subject = f"write access to the {what}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as error:
            variable = "XDG_CACHE_HOME" if what == "cache" else "XDG_STATE_HOME"
            yield Finding(
                subject,
                f"{folder}: {error.strerror}",
                is_good=False,
                mend=f"chown -R {os.getuid()} {folder}  (or: export {variable}=/a/folder/of/yours)",
            )
        else:
            yield Finding(subject, str(folder))


def _disk(services: Sequence[Service]) -> Finding:
    is_cached = all(artifact.is_cached for service in services for artifact in service.artifacts())
    needed = _DISK_TO_RUN_BYTES if is_cached else _DISK_TO_FETCH_BYTES
    folder = _nearest_existing(cache_dir())
    free = shutil.disk_usage(folder).free
    text = f"{_gib(free)} free at {folder}, {_gib(needed)} needed"
    if free >= needed:
        return Finding("disk space", text)
    return Finding(
        "disk space", text, is_good=False, mend="export XDG_CACHE_HOME=/a/larger/disk  (or: go clean -cache -modcache)"
    )


def _memory() -> Finding:
    available = psutil.virtual_memory().available
    text = f"{_gib(available)} available, {_gib(_MEMORY_BYTES)} wanted"
    if available >= _MEMORY_BYTES:
        return Finding("memory", text)
    return Finding(
        "memory",
        text,
        is_good=False,
        is_required=False,
        mend="end other programs, or start less: alpr stack up --only kafka,schema-registry,mail",
    )


def _ports(services: Sequence[Service], stack_name: str) -> Iterator[Finding]:
    """The usual ports; those that this very stack holds are fine."""
    running = {status.name: status.ports for status in Stack(stack_name).services() if status.is_alive}
    for service in services:
        for key, port in service.usual_ports.items():
            subject = f"port {port}"
            if running.get(service.name, {}).get(key) == port:
                yield Finding(subject, f"{service.name} of stack {stack_name} is running on it")
            elif is_free(port):
                yield Finding(subject, f"free for {service.name}")
            elif key not in service.internal_ports:
                yield Finding(
                    subject,
                    f"wanted by {service.name}, held by {holder(port)}",
                    is_good=False,
                    mend="end that process, or: alpr stack up --free-ports",
                )


def _libgl() -> Finding:
    """OpenCV with windows links libGL; the headless build does not, so this is a hint."""
    if ctypes.util.find_library("GL"):
        return Finding("libGL (edge agent with opencv-python)", "found")
    return Finding(
        "libGL (edge agent with opencv-python)",
        "not found",
        is_good=False,
        is_required=False,
        mend="apt-get install -y libgl1 libglib2.0-0",
    )


def _nearest_existing(folder: Path) -> Path:
    return next(candidate for candidate in [folder, *folder.parents] if candidate.exists())


def _gib(count: float) -> str:
    return f"{count / 2**30:.1f} GiB"
