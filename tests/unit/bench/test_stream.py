"""The stream bench: its input, its job, its tables."""

from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from fastavro import schemaless_reader, schemaless_writer

from bench.stream import job
from bench.stream.engines import ENGINES
from bench.stream.report import BEGIN, END, tables, write_docs, write_plot
from bench.stream.results import Results, median
from bench.stream.source import digest, reads_of_town, table_lines
from bench.stream.throughput import Throughput


def _run(cpu_s: float) -> Throughput:
    return Throughput(50_000.0, cpu_s, cpu_s / 2, 1.0, 200.0, 10)


def _results() -> Results:
    settings = {
        "commit_ms": 1000, "linger_ms": 50, "latency_linger_ms": 5, "rate_per_s": 2000, "partitions": 8,
        "read_bytes": 145.0,
    }  # fmt: skip
    results = Results("a machine", settings)
    for cpu_s in (1.0, 3.0, 2.0):
        results.add(1000, "runs", _run(cpu_s))
    results.add(1000, "faust", _run(40.0))
    return results


def test_the_input_is_the_same_every_time_and_in_order() -> None:
    """Reads are seeded, and their times rise."""
    reads = list(reads_of_town(500))
    assert reads == list(reads_of_town(500))
    assert len(reads) == 500
    times = [read.captured_at for read in reads]
    assert times == sorted(times)


def test_reads_and_events_survive_their_wire_form() -> None:
    """What is encoded is decoded, the confidence within a float's precision."""
    (made, *_) = reads_of_town(10)
    read = replace(made, confidence=0.5)
    assert job.decode_read(job.encode_read(read)) == read
    event = job.event_of(read, job.fold(read.plate))
    assert job.decode_event(job.encode_event(event)) == event


def test_the_wire_form_is_what_fastavro_writes_and_reads() -> None:
    """The compiled functions and the library agree about the bytes, both ways."""
    for read in reads_of_town(200):
        for value, schema in (
            (job.encode_read(read), job.READ),
            (job.encode_event(job.event_of(read, job.fold(read.plate))), job.EVENT),
        ):
            fields: Any = schemaless_reader(BytesIO(value[5:]), schema, None)
            again = BytesIO()
            schemaless_writer(again, schema, fields)
            assert again.getvalue() == value[5:]
            assert (fields["event_id"], fields["captured_at"]) == (read.event_id, read.captured_at)


def test_look_alikes_fold_to_one_key() -> None:
    """Separators, case and confusable characters make no difference."""
    assert job.fold(" ob-i5 z") == job.fold("08152") == "08152"


@pytest.mark.parametrize(("last_ms", "is_new"), [(None, True), (0, False), (-1, True)])
def test_a_read_within_the_gap_is_a_repeat(last_ms: int | None, is_new: bool) -> None:
    """The gap itself still belongs to the pass."""
    assert job.is_new(last_ms, job.GAP_MS) is is_new


@pytest.mark.parametrize(
    ("engine", "key", "value"),
    [
        ("runs", b"cam-1|AB1", b"1700"),
        ("faust", b'"cam-1|AB1"', b"1700"),
        ("quix", b'"cam-1"|"AB1"', b"1700"),
        ("kstreams", b"cam-1|AB1", (1700).to_bytes(8, "big")),
    ],
)
def test_every_changelog_is_read_to_the_same_entry(engine: str, key: bytes, value: bytes) -> None:
    """Engines write their tables differently; what is compared is the same."""
    assert ENGINES[engine].entry(key, value) == ("cam-1|AB1", 1700)


def test_digests_do_not_depend_on_the_order() -> None:
    """Tables come partition by partition, in any order."""
    entries = [("a", 1), ("b", 2)]
    assert digest(table_lines(entries)) == digest(table_lines(reversed(entries)))
    assert digest(table_lines(entries)) != digest(table_lines([("a", 2), ("b", 2)]))


def test_the_table_shows_medians_and_ratios() -> None:
    """The median of three runs, and what a peer takes against it."""
    assert median(_results().throughput[1000]["runs"]).cpu_s_per_100k == 2.0
    text = tables(_results())
    assert "1 000 records, drained and verified, medians:" in text
    assert "| this project | 3 | 50000 | 2.00 | 1.00 | 1.00 | 1.00 |" in text
    assert "| Faust, per event | 1 | 50000 | 40.00 | 20.00 | 20.00 | 20.00 |" in text


def test_docs_keep_what_stands_around_the_tables(tmp_path: Path) -> None:
    """Only the part between the marks is replaced, as often as one likes; a page without marks is refused."""
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    for _ in range(2):
        write_docs(page, "new \\1")
    assert page.read_text() == f"before\n{BEGIN}\nnew \\1\n{END}\nafter\n"
    page.write_text("no marks")
    with pytest.raises(ValueError, match="must have the lines"):
        write_docs(page, "new")


def test_the_plot_names_every_engine(tmp_path: Path) -> None:
    """The picture has a bar for each engine in both charts."""
    path = tmp_path / "plot.svg"
    write_plot(path, _results())
    text = path.read_text()
    assert text.count("Faust, per event") == text.count("this project") == 2
    assert text.count("<rect") == 4


def test_results_are_kept_run_by_run(tmp_path: Path) -> None:
    """The file has every run beside the median."""
    path = tmp_path / "results.json"
    _results().save(path)
    assert '"cpu_s_per_100k": 3.0' in path.read_text()
