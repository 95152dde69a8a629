"""A write-ahead log on disk between the cameras and Kafka: what is in it is not lost, and goes out oldest first.

Every event is appended and synced before it is sent, so neither Kafka's absence nor a kill loses one. Records lie in
segment files that are only ever appended to; a cursor file, replaced atomically, says up to where Kafka has
acknowledged. A segment is deleted when the cursor has passed it. A record that was cut off by a crash is cut away
when the spool is opened; a damaged one inside is skipped to the segment's end, and said so.
"""

import contextlib
import fcntl
import json
import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Condition, Lock
from typing import IO

from edge_agent.errors import EdgeError, SpoolCorrupt, SpoolFull
from telemetry.log import get_logger

SEGMENT_BYTES = 8 * 2**20
MAX_RECORD_BYTES = 12 * 2**20
_FRAME = struct.Struct(">II")  # length and CRC-32 of the body
_LENGTHS = struct.Struct(">HH")  # topic and key within the body

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in the log.

    Attributes:
        segment: Number of the segment.
        offset: Byte within it.
    """

    segment: int
    offset: int


@dataclass(frozen=True, slots=True)
class SpoolRecord:
    """An event on its way to Kafka.

    Attributes:
        topic: Kafka topic.
        key: Record key.
        value: Record value.
    """

    topic: str
    key: bytes
    value: bytes


class Spool:
    """The log of one agent. Appending and reading are safe from different threads.

    Args:
        folder: Made where it is missing; locked while the spool is open.
        max_bytes: Appending beyond is refused.

    Raises:
        EdgeError: Another process has the folder, or it cannot be written.
    """

    def __init__(self, folder: Path, *, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._lock = Lock()
        self._grown = Condition(self._lock)
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # it holds plates
            self._guard = (folder / "lock").open("w")
            fcntl.flock(self._guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise EdgeError(f"{folder} is in use by another agent; give each its own ALPR_EDGE_SPOOL_DIR") from error
        except OSError as error:
            raise EdgeError(f"the spool {folder} cannot be written: {error}") from error
        self._committed = self._load_cursor()
        segments = self._segments()
        last = segments[-1] if segments else self._committed.segment
        self._committed = max(self._committed, Position(segments[0] if segments else last, 0))
        self._end = Position(last, self._repair(last))
        self._committed = min(self._committed, self._end)
        self._bytes = sum(self._path(n).stat().st_size for n in self._segments())
        self._waiting = sum(1 for _ in self.read_from(self._committed))
        self._out: IO[bytes] = self._path(last).open("ab")

    @property
    def waiting(self) -> int:
        """Records that Kafka has not acknowledged."""
        return self._waiting

    @property
    def committed(self) -> Position:
        """Up to where Kafka has acknowledged."""
        return self._committed

    def append(self, record: SpoolRecord) -> None:
        """Writes a record and syncs it to the disk.

        Raises:
            SpoolFull: The log has reached its size; the record is not in it.
            EdgeError: The disk does not take it.
        """
        topic = record.topic.encode()
        body = _LENGTHS.pack(len(topic), len(record.key)) + topic + record.key + record.value
        if len(body) > MAX_RECORD_BYTES:
            raise EdgeError(f"an event of {len(body)} bytes is no event")
        framed = _FRAME.pack(len(body), zlib.crc32(body)) + body
        with self._lock:
            if self._bytes + len(framed) > self._max_bytes:
                raise SpoolFull(f"the spool {self._folder} holds {self._bytes} bytes and takes no more")
            try:
                if self._end.offset >= SEGMENT_BYTES:
                    self._out.close()
                    self._end = Position(self._end.segment + 1, 0)
                    self._out = self._path(self._end.segment).open("ab")
                self._out.write(framed)
                self._out.flush()
                os.fsync(self._out.fileno())
            except OSError as error:
                raise EdgeError(f"the spool {self._folder} cannot be written: {error}") from error
            self._end = Position(self._end.segment, self._end.offset + len(framed))
            self._bytes += len(framed)
            self._waiting += 1
            self._grown.notify_all()

    def wait_beyond(self, position: Position, timeout_s: float) -> bool:
        """Waits until there is a record beyond a place; False when the time is up before."""
        with self._lock:
            return self._grown.wait_for(lambda: self._end > position, timeout_s)

    def read_from(self, position: Position) -> Iterator[tuple[Position, SpoolRecord]]:
        """Records from a place on, each with the place after it, up to the end at the time of the call."""
        end = self._end
        while position < end:
            path = self._path(position.segment)
            if path.is_file():
                with path.open("rb") as content:
                    content.seek(position.offset)
                    limit = end.offset if position.segment == end.segment else path.stat().st_size
                    offset = position.offset
                    while offset < limit:
                        try:
                            record, offset = _read(content, offset)
                        except SpoolCorrupt as error:
                            _log.error(
                                "spool is damaged; the rest of the segment is skipped",
                                file=str(path),
                                at=offset,
                                reason=str(error),
                            )
                            break
                        yield Position(position.segment, offset), record
            position = Position(position.segment + 1, 0)

    def commit(self, position: Position, records: int) -> None:
        """Marks everything before a place as acknowledged, and deletes segments that are done with.

        Args:
            position: As `read_from` gave it.
            records: How many records that adds to the acknowledged ones.
        """
        temporary = self._folder / "cursor.tmp"
        with self._lock:
            if position <= self._committed:
                return
            temporary.write_text(json.dumps([position.segment, position.offset]), "utf-8")
            temporary.replace(self._folder / "cursor")
            self._committed = position
            self._waiting = max(0, self._waiting - records)
            for number in self._segments():
                if number < position.segment:
                    self._bytes -= self._path(number).stat().st_size
                    self._path(number).unlink()

    def close(self) -> None:
        """Frees the folder for another process."""
        self._out.close()
        self._guard.close()

    def _repair(self, number: int) -> int:
        """Cuts a half-written record off the last segment; returns its length."""
        path = self._path(number)
        if not path.is_file():
            return 0
        offset, size = 0, path.stat().st_size
        with path.open("r+b") as content:
            with contextlib.suppress(SpoolCorrupt):
                while offset < size:
                    _, offset = _read(content, offset)
            if offset < size:
                _log.warning("spool ends in a broken record, cut off", file=str(path), lost_bytes=size - offset)
                content.truncate(offset)
        return offset

    def _load_cursor(self) -> Position:
        try:
            segment, offset = json.loads((self._folder / "cursor").read_text("utf-8"))
            return Position(int(segment), int(offset))
        except FileNotFoundError:
            return Position(1, 0)
        except (ValueError, TypeError) as error:
            _log.error("spool cursor is damaged; everything in the spool is sent again", reason=str(error))
            return Position(1, 0)

    def _segments(self) -> list[int]:
        return sorted(int(path.stem) for path in self._folder.glob("*.log") if path.stem.isdigit())

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:08d}.log"


def _read(content: IO[bytes], offset: int) -> tuple[SpoolRecord, int]:
    content.seek(offset)
    frame = content.read(_FRAME.size)
    if len(frame) < _FRAME.size:
        raise SpoolCorrupt("a record's frame is cut off")
    length, checksum = _FRAME.unpack(frame)
    if not _LENGTHS.size <= length <= MAX_RECORD_BYTES:
        raise SpoolCorrupt(f"a record of {length} bytes")
    body = content.read(length)
    if len(body) < length or zlib.crc32(body) != checksum:
        raise SpoolCorrupt("a record is cut off or does not match its checksum")
    topic_bytes, key_bytes = _LENGTHS.unpack_from(body)
    key_at = _LENGTHS.size + topic_bytes
    value_at = key_at + key_bytes
    topic = body[_LENGTHS.size : key_at].decode("utf-8", "replace")
    return SpoolRecord(topic, body[key_at:value_at], body[value_at:]), offset + _FRAME.size + length
