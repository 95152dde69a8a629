"""`alpr dlq` on real servers: filters, audit, and nothing sent twice."""

import json
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from cli.kafka_clients import consumer, producer
from cli.topic_reading import records
from schemas.clock import now_us
from schemas.events import DeadLetter, Detection
from schemas.topics import DLQ, METRICS, VEHICLES
from schemas.wiring import codec
from tests.connected.cli.commands import alpr, forget_endpoints

HOUR = 3_600_000_000


@pytest.fixture(autouse=True)
def topics(stack: Any) -> None:
    """The stack's endpoints, and the topics."""
    forget_endpoints()
    assert alpr("topics", "apply").exit_code == 0


@pytest.fixture
def mark() -> str:
    """Agent of this test's letters."""
    return f"agent-{uuid4().hex[:8]}"


def value_of(mark: str, number: int) -> bytes:
    """A record of the vehicles' topic: good, so that a worker of another test can read it."""
    now = now_us()
    vehicle = Detection(
        event_id=f"{mark}-{number}", captured_at=now, camera_id=mark, first_seen_at=now, last_seen_at=now
    )
    return codec().encode(VEHICLES, vehicle)


def letter(mark: str, number: int, **changes: Any) -> DeadLetter:
    """A letter about a record of the vehicles' topic."""
    made = DeadLetter(
        dead_letter_id=f"{mark}-{number}", topic=VEHICLES.name, partition=number % 8, offset=number,
        recorded_at=now_us(), key=b"gate", value=value_of(mark, number), agent=mark,
        error_type="SCHEMA_VALIDATION", message="made by a test", failed_at=now_us(),
    )  # fmt: skip
    return replace(made, **changes)


def write(*letters: DeadLetter) -> None:
    """Put letters on the topic."""
    writer = producer()
    for one in letters:
        writer.produce(DLQ.name, key=b"x", value=codec().encode(DLQ, one))
    assert writer.flush(30) == 0


def sent_back(mark: str) -> list[tuple[int, int | None]]:
    """Records of this test on the topic that they came from: number and partition."""
    found = records(consumer(tells_end=True), VEHICLES)
    ours = [message for message in found if mark.encode() in (message.value() or b"")]
    return [
        (int(codec().decode(VEHICLES, message.value()).event_id.rpartition("-")[2]), message.partition())
        for message in ours
    ]


def answer(*arguments: str) -> Any:
    """What a command answers as JSON."""
    result = alpr("dlq", *arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


def test_replay_sends_each_letter_once(mark: str) -> None:
    """Dry run first; then all; a second run sends nothing, and says who had sent it; --again does."""
    write(*[letter(mark, number) for number in range(1000)])
    asked = ("--agent", mark, "--actor", "kim", "--reason", "schema mended")
    assert answer("replay", *asked) == {"would_send": 1000, "skipped": 0}
    assert answer("replay", *asked, "--yes", "--dry-run") == {"would_send": 1000, "skipped": 0}
    assert sent_back(mark) == []
    first = answer("replay", *asked, "--yes", "--rate", "100000")
    assert (first["sent"], first["skipped"], first["failed"]) == (1000, [], [])
    second = answer("replay", *asked, "--yes")
    assert (second["sent"], len(second["skipped"])) == (0, 1000)
    assert "replayed by kim" in second["skipped"][0][1]
    assert sorted(sent_back(mark)) == [(number, number % 8) for number in range(1000)]
    trail = answer("audit", "--agent", mark)
    assert len({action["dead_letter_id"] for action in trail}) == len(trail) == 1000
    assert {(action["action"], action["actor"], action["reason"]) for action in trail} == {
        ("replayed", "kim", "schema mended")
    }
    assert answer("list", "--agent", mark) == []
    assert answer("stats", "--agent", mark, "--state", "replayed")["letters"] == 1000
    assert answer("replay", f"{mark}-1", "--agent", mark, "--again")["would_send"] > 0


def test_rate_is_a_limit_and_a_setting(mark: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow rate sends no faster, wherever it is set: five at twenty a second take a fifth of a second at least."""
    monkeypatch.setenv("ALPR_DLQ_REPLAY_RATE_PER_S", "20")
    write(*[letter(mark, number) for number in range(5)])
    began = now_us()
    assert answer("replay", "--agent", mark, "--yes")["sent"] == 5
    assert now_us() - began >= 200_000


def test_discarded_letters_stay_readable_and_are_not_sent(mark: str) -> None:
    """Dry run first; audited; shown with who did it; never replayed by accident."""
    write(letter(mark, 1), letter(mark, 2))
    assert answer("discard", f"{mark}-1") == {"would_discard": 1, "skipped": 0}
    done = answer("discard", f"{mark}-1", "--yes", "--actor", "kim", "--reason", "test shot")
    assert (done["discarded"], done["failed"]) == (1, [])
    assert [entry["dead_letter_id"] for entry in answer("list", "--agent", mark)] == [f"{mark}-2"]
    assert {entry["state"] for entry in answer("list", "--agent", mark, "--state", "all")} == {"open", "discarded"}
    assert answer("show", f"{mark}-1")["state"] == "discarded"
    assert "discarded by kim" in alpr("dlq", "show", f"{mark}-1").output
    assert answer("replay", "--agent", mark, "--yes")["sent"] == 1
    assert sent_back(mark) == [(2, 2)]
    assert [action["action"] for action in answer("audit", "--agent", mark)] == ["discarded", "replayed"]
    assert "test shot" in alpr("dlq", "audit", "--agent", mark).output


def test_discarding_everything_has_to_be_meant(mark: str) -> None:
    """Without ids and filters it is refused."""
    refused = alpr("dlq", "discard", "--yes")
    assert refused.exit_code == 1
    assert "which letters" in refused.output


@pytest.mark.parametrize(
    ("filters", "numbers"),
    [
        ((), {1, 2, 3, 4}),
        (("--topic", METRICS.name), {2}),
        (("--error-type", "timeout"), {3}),
        (("--until", "30m"), {4}),
        (("--since", "30m"), {1, 2, 3}),
        (("--since", "30m", "--topic", VEHICLES.name, "--error-type", "SCHEMA_VALIDATION"), {1}),
    ],
)
def test_filters_hold_for_every_verb(mark: str, filters: tuple[str, ...], numbers: set[int]) -> None:
    """The same letters are listed, counted, shown, replayed and discarded."""
    write(
        letter(mark, 1), letter(mark, 2, topic=METRICS.name), letter(mark, 3, error_type="TIMEOUT"),
        letter(mark, 4, failed_at=now_us() - HOUR),
    )  # fmt: skip
    asked = ("--agent", mark, *filters)
    ids = {f"{mark}-{number}" for number in numbers}
    assert {entry["dead_letter_id"] for entry in answer("list", *asked)} == ids
    assert answer("stats", *asked)["letters"] == len(ids)
    assert answer("replay", *asked)["would_send"] == len(ids)
    assert answer("discard", *asked)["would_discard"] == len(ids)
    for number in (1, 2, 3, 4):
        assert (alpr("dlq", "show", f"{mark}-{number}", *asked).exit_code == 0) is (number in numbers)


def test_poison_stops_going_round(mark: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A record that was replayed as often as the setting allows is left where it is."""
    monkeypatch.setenv("ALPR_DLQ_MAX_RETRIES", "2")
    write(letter(mark, 1, retry_count=2), letter(mark, 2, retry_count=1), letter(mark, 3, value=None))
    result = answer("replay", "--agent", mark, "--yes")
    assert result["sent"] == 1
    assert dict(result["skipped"]) == {
        f"{mark}-1": "replayed 2 times already (--max-retries)", f"{mark}-3": "its bytes were not kept",
    }  # fmt: skip


def test_rubbish_among_letters_and_actions_is_told_and_passed_over(mark: str) -> None:
    """Somebody wrote something else on the topics: the commands go on."""
    writer = producer()
    for topic in ("alpr.dlq", "alpr.dlq.actions"):
        writer.produce(topic, key=b"x", value=b"rubbish")
    assert writer.flush(10) == 0
    write(letter(mark, 1))
    listed = alpr("dlq", "list", "--agent", mark)
    assert listed.exit_code == 0
    assert "is no dead letter" in listed.output
    assert "is no action" in listed.output
    assert mark[:8] in listed.output
