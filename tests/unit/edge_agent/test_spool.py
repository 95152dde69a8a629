"""The write-ahead log keeps what it was given, in order, through crashes and damage."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edge_agent import spool as spool_module
from edge_agent.errors import EdgeError, SpoolFull
from edge_agent.spool import Spool, SpoolRecord

MIB = 2**20


def _record(number: int, size: int = 40) -> SpoolRecord:
    return SpoolRecord("topic", f"camera-{number % 3}".encode(), f"{number}:".encode().ljust(size, b"."))


def _numbers(spool: Spool) -> list[int]:
    return [int(record.value.split(b":")[0]) for _, record in spool.read_from(spool.committed)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty spool's place."""
    return tmp_path / "spool"


def test_records_come_back_in_order_with_all_their_parts(folder: Path) -> None:
    """What goes in comes out the same: topic, key, value."""
    spool = Spool(folder, max_bytes=MIB)
    records = [_record(n) for n in range(20)] + [SpoolRecord("t", b"", b""), SpoolRecord("ü", b"\0k", b"\0\xff" * 50)]
    for record in records:
        spool.append(record)
    assert [record for _, record in spool.read_from(spool.committed)] == records
    assert spool.waiting == len(records)


def test_a_restart_goes_on_where_the_cursor_stands(folder: Path) -> None:
    """What was acknowledged is not read again, what was not is."""
    spool = Spool(folder, max_bytes=MIB)
    for number in range(10):
        spool.append(_record(number))
    ends = [end for end, _ in spool.read_from(spool.committed)]
    spool.commit(ends[3], 4)
    spool.close()
    again = Spool(folder, max_bytes=MIB)
    assert _numbers(again) == [4, 5, 6, 7, 8, 9]
    assert again.waiting == 6
    again.append(_record(10))
    assert _numbers(again)[-1] == 10


@pytest.mark.parametrize("cut", [1, 3, 8, 20, 45])
def test_a_record_that_a_crash_cut_off_is_cut_away(folder: Path, cut: int) -> None:
    """Any number of bytes missing at the end costs the last record alone, and appending goes on."""
    spool = Spool(folder, max_bytes=MIB)
    for number in range(5):
        spool.append(_record(number))
    spool.close()
    path = folder / "00000001.log"
    os.truncate(path, path.stat().st_size - cut)
    again = Spool(folder, max_bytes=MIB)
    assert _numbers(again) == [0, 1, 2, 3]
    again.append(_record(5))
    assert _numbers(again) == [0, 1, 2, 3, 5]


def test_damage_inside_costs_one_segment_and_not_the_next(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flipped bit is found by the checksum; later segments are read."""
    monkeypatch.setattr(spool_module, "SEGMENT_BYTES", 200)
    spool = Spool(folder, max_bytes=MIB)
    for number in range(12):
        spool.append(_record(number))
    first = folder / "00000001.log"
    content = bytearray(first.read_bytes())
    content[100] ^= 1
    first.write_bytes(bytes(content))
    numbers = _numbers(spool)
    assert numbers[0] == 0
    assert numbers[-1] == 11
    assert 0 < len(numbers) < 12


def test_segments_that_are_done_with_are_deleted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is given back as Kafka acknowledges, and room for new events with it."""
    monkeypatch.setattr(spool_module, "SEGMENT_BYTES", 300)
    spool = Spool(folder, max_bytes=1200)
    appended = 0
    with pytest.raises(SpoolFull):
        for _ in range(1000):
            spool.append(_record(appended))
            appended += 1
    ends = [end for end, _ in spool.read_from(spool.committed)]
    assert len(ends) == appended
    spool.commit(ends[-1], len(ends))
    assert spool.waiting == 0
    assert len(list(folder.glob("*.log"))) == 1
    spool.append(_record(appended))
    assert _numbers(spool) == [appended]


def test_a_full_spool_refuses_and_keeps_what_it_has(folder: Path) -> None:
    """The bound is an error for the new event, never a loss of an old one."""
    spool = Spool(folder, max_bytes=150)
    spool.append(_record(0))
    spool.append(_record(1))
    with pytest.raises(SpoolFull, match="takes no more"):
        spool.append(_record(2))
    assert _numbers(spool) == [0, 1]


def test_one_agent_a_folder(folder: Path) -> None:
    """A second process on the same folder is told so."""
    first = Spool(folder, max_bytes=MIB)
    code = (
        "import sys; from pathlib import Path\n"
        "from edge_agent.spool import Spool; from edge_agent.errors import EdgeError\n"
        "try: Spool(Path(sys.argv[1]), max_bytes=1000)\n"
        "except EdgeError as error: sys.exit(f'refused: {error}')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)], check=False, capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 1
    assert "in use by another agent" in done.stderr
    first.close()


@pytest.mark.parametrize("content", ["", "nonsense", "[1]", '["a", 2]'])
def test_a_damaged_cursor_sends_everything_again(folder: Path, content: str) -> None:
    """Twice is harmless, lost is not."""
    spool = Spool(folder, max_bytes=MIB)
    spool.append(_record(0))
    spool.append(_record(1))
    spool.commit(next(spool.read_from(spool.committed))[0], 1)
    spool.close()
    (folder / "cursor").write_text(content)
    assert _numbers(Spool(folder, max_bytes=MIB)) == [0, 1]


def test_a_cursor_beyond_the_end_does_not_hide_new_events(folder: Path) -> None:
    """After a loss at the end of the file, what comes next is still sent."""
    spool = Spool(folder, max_bytes=MIB)
    for number in range(3):
        spool.append(_record(number))
    ends = [end for end, _ in spool.read_from(spool.committed)]
    spool.commit(ends[-1], 3)
    spool.close()
    os.truncate(folder / "00000001.log", ends[0].offset)
    again = Spool(folder, max_bytes=MIB)
    again.append(_record(9))
    assert _numbers(again) == [9]


def test_a_folder_that_cannot_be_written_is_an_error_of_ours(tmp_path: Path) -> None:
    """A file in the folder's place is named in the message."""
    (tmp_path / "file").write_text("")
    with pytest.raises(EdgeError, match="cannot be written"):
        Spool(tmp_path / "file" / "spool", max_bytes=MIB)


def test_nobody_else_may_read_the_spool(tmp_path: Path) -> None:
    """It holds plates, which are personal data."""
    folder = tmp_path / "new" / "spool"
    Spool(folder, max_bytes=MIB).close()
    assert folder.stat().st_mode & 0o077 == 0
