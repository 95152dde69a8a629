"""Watchlists from files: CSV with a header, one plate a line, or YAML. The file's name is the list's.

CSV columns are those of `schemas.events.WatchlistEntry`; ``plate`` must be there, ``sites`` are separated by ``;``.
A file with a mistake is refused whole, with the places of its mistakes.
"""

import csv
import io
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

from alert_rules.document import Node, parse
from alert_rules.entry_table import EntryTable
from alert_rules.errors import Place, Problems, RuleProblem, nearest
from alert_rules.reading.entries import COLUMNS, SPELLINGS, read_entries, read_entry
from schemas.events import WatchlistEntry

SUFFIXES = (".csv", ".txt", ".yml", ".yaml")
MAX_FILE_BYTES = 512 * 1024 * 1024


def load_watchlists(paths: Iterable[Path]) -> list[WatchlistEntry]:
    """The entries of watchlist files, and of the files of folders. A folder may be empty or missing.

    Raises:
        RuleFileError: everything that is wrong in them, each with its place.
    """
    problems = Problems()
    entries = list(_entries(paths, problems))
    problems.raise_any()
    return entries


def load_table(paths: Iterable[Path]) -> EntryTable:
    """The entries of `load_watchlists`, packed as they are read: for lists of any size.

    Raises:
        RuleFileError: everything that is wrong in them, each with its place.
    """
    problems = Problems()
    table = EntryTable(_entries(paths, problems))
    problems.raise_any()
    return table


def watchlist_files(path: Path) -> list[Path]:
    """The watchlist files of a folder, sorted; a file is itself; nothing where nothing is."""
    if path.is_dir():
        return sorted(file for file in path.iterdir() if file.suffix in SUFFIXES and file.is_file())
    return [path] if path.exists() else []


def _entries(paths: Iterable[Path], problems: Problems) -> Iterator[WatchlistEntry]:
    for path in paths:
        for file in watchlist_files(path):
            with problems.collect():
                yield from _read(file, problems)


def _read(file: Path, problems: Problems) -> Iterator[WatchlistEntry]:
    try:
        if file.stat().st_size > MAX_FILE_BYTES:
            raise RuleProblem(Place(str(file)), f"more than {MAX_FILE_BYTES:,} bytes")
        data = file.read_bytes()
    except OSError as error:
        raise RuleProblem(Place(str(file)), f"cannot be read: {error.strerror or error}") from None
    if file.suffix in (".yml", ".yaml"):
        return _from_yaml(file, parse(data, str(file)), problems)
    try:
        data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise RuleProblem(Place(str(file), line), f"byte 0x{data[error.start]:02x} is not UTF-8") from None
    return (_from_lines if file.suffix == ".txt" else _from_csv)(file, data, problems)


def _from_lines(file: Path, data: bytes, problems: Problems) -> Iterator[WatchlistEntry]:
    source = str(file)
    lines = (line for piece in _lines(data, None) for line in piece.splitlines())
    for number, line in enumerate(lines, start=1):
        plate = line.partition("#")[0].strip()
        if plate:
            try:
                yield _entry(file, {"plate": plate}, Place(source, number))
            except RuleProblem as problem:
                problems.add(problem)


def _lines(data: bytes, newline: str | None) -> io.TextIOWrapper:
    """Decodes line by line: of a large file there is never all as text."""
    return io.TextIOWrapper(io.BytesIO(data), encoding="utf-8-sig", newline=newline)


def _from_csv(file: Path, data: bytes, problems: Problems) -> Iterator[WatchlistEntry]:
    source = str(file)
    first = _lines(data, "\n").readline()
    delimiter = ";" if first.count(";") > first.count(",") else ","
    reader = csv.reader(_lines(data, ""), delimiter=delimiter, skipinitialspace=True)
    try:
        header = next((row for row in reader if row), None)
        if header is None:
            return
        columns = _columns(file, [cell.strip() for cell in header], problems)
        for row in reader:
            if not row or row[0].lstrip().startswith("#") or not any(cell.strip() for cell in row):
                continue
            place = Place(source, reader.line_num)
            try:
                if len(row) > len(columns):
                    raise RuleProblem(place, f"{len(row)} cells; the header has {len(columns)}")
                cells = {name: cell for name, value in zip(columns, row, strict=False) if (cell := value.strip())}
                yield _entry(file, cells, place)
            except RuleProblem as problem:
                problems.add(problem)
    except csv.Error as error:
        raise RuleProblem(Place(source, reader.line_num), f"not CSV: {error}") from None


def _columns(file: Path, header: list[str], problems: Problems) -> list[str]:
    columns = [SPELLINGS.get(name.lower(), name.lower()) for name in header]
    for name, column in zip(header, columns, strict=True):
        if column not in COLUMNS:
            problems.add(RuleProblem(Place(str(file)), f"unknown column '{name[:60]}'{nearest(name, COLUMNS)}"))
    if "plate" not in columns:
        raise RuleProblem(Place(str(file)), "the first line must name the columns, 'plate' among them")
    return columns


def _from_yaml(file: Path, root: Node, problems: Problems) -> Iterator[WatchlistEntry]:
    for cells, place in read_entries(root, problems):
        with problems.collect():
            yield _entry(file, cells, place)


def _entry(file: Path, cells: dict[str, str], place: Place) -> WatchlistEntry:
    stem, name = _named(file)
    return read_entry(stem, f"{name}:{place.line}:{place.column}", cells, place)


_named = lru_cache(maxsize=16)(lambda file: (file.stem, file.name))
