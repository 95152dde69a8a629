"""`alpr rules hunt`: past sightings of listed plates, misreads included; shown, or put on ``alpr.alerts``."""

import csv
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import click

from alert_rules.alerts import alert_key
from alert_rules.errors import nearest
from alert_rules.hunt import Hunt
from alert_rules.plate_patterns import PlatePattern
from alert_rules.settings import rule_settings
from alert_rules.watchlists import Watchlists
from cli.errors import CommandError
from cli.kafka_clients import TIMEOUT_S, consumer, kafka_errors, producer
from cli.rule_inputs import EVENTS, FROM, SORT, TO, WATCHLISTS, chosen_events, loaded_watchlists, open_output
from cli.topic_reading import records
from schemas.clock import to_iso
from schemas.errors import AlprError
from schemas.events import Alert, WatchlistEntry
from schemas.records import to_json_record
from schemas.topics import ALERTS
from schemas.topics import WATCHLISTS as WATCHLISTS_TOPIC
from schemas.wiring import codec

COLUMNS = (
    "captured_at", "camera_id", "site_id", "plate_text", "resolved_text", "list_id", "entry_id", "matched_plate",
    "likelihood", "observed", "event_id", "alert_id",
)  # fmt: skip


@click.command()
@click.option(
    "--list", "list_ids", multiple=True, help="Search for the entries of this list; may be given several times"
)
@click.option(
    "--plate", "plates", multiple=True, help="Search for this plate or pattern (AB?1*); may be given several times"
)
@WATCHLISTS
@click.option("--topic", is_flag=True, help="Take the entries of alpr.watchlists too, as the worker does")
@EVENTS
@FROM
@TO
@SORT
@click.option("--likelihood", type=click.FloatRange(0, 1), help="Least likelihood [default: as for a watchlist]")
@click.option("--exact", is_flag=True, help="Only the same text counts")
@click.option(
    "--output", "output_path", type=click.Path(dir_okay=False, path_type=Path), help="File [default: standard output]"
)
@click.option("--csv", "as_csv", is_flag=True, help="CSV instead of JSON lines")
@click.option(
    "--publish", is_flag=True, help="Put what is found on alpr.alerts, marked as historical: nobody is notified"
)
def hunt(
    list_ids: tuple[str, ...],
    plates: tuple[str, ...],
    watchlists_path: Path | None,
    topic: bool,
    events_path: Path | None,
    start_us: int | None,
    end_us: int | None,
    sort: bool,
    likelihood: float | None,
    exact: bool,
    output_path: Path | None,
    as_csv: bool,
    publish: bool,
) -> None:
    """Search past sightings for plates and for the entries of lists, misreads included.

    The sightings are those of the store from --from to --to, or of a file. An entry's validity does not count. The
    exit code is 0 whether or not anything is found.
    """
    if not list_ids and not plates:
        raise click.UsageError("what for? --list NAME or --plate PLATE")
    events = chosen_events(events_path, start_us, end_us, sort=sort)
    lists = _lists(watchlists_path, with_topic=topic) if list_ids else Watchlists()
    for name in list_ids:
        if name not in lists.sizes:
            more = "" if topic else "; --topic takes those of alpr.watchlists too"
            raise CommandError(f"no list {name!r}{nearest(name, lists.sizes)}{more}")
    search = Hunt(lists, list_ids, [_pattern(plate) for plate in plates], likelihood, exact)
    found = 0
    with open_output(output_path) as output:
        write = _csv_writer(output) if as_csv else _json_writer(output)
        alerts = search.search(events)
        for alert in _published(alerts) if publish else alerts:
            write(alert)
            found += 1
    done = ", published" if publish else ""
    click.echo(f"{events.read} events, {found} found{done}, {events.broken} passed over", err=True)
    if events.broken:
        raise SystemExit(1)


def _lists(path: Path | None, *, with_topic: bool) -> Watchlists:
    nothing_there = path is None and not rule_settings().watchlists_path.exists()
    lists = Watchlists() if nothing_there else loaded_watchlists(path)
    if with_topic:
        for entry in _topic_entries():
            try:
                lists.put(entry)
            except ValueError as error:
                click.echo(f"{entry.list_id} {entry.entry_id}: {error}", err=True)
    return lists


def _topic_entries() -> Iterable[WatchlistEntry]:
    """The entries that are on the topic now, the last of each key."""
    latest: dict[bytes, bytes] = {}
    with kafka_errors():
        for record in records(consumer(tells_end=True), WATCHLISTS_TOPIC):
            key, value = record.key() or b"", record.value()
            latest.pop(key, None)
            if value is not None:
                latest[key] = value
    for key, value in latest.items():
        try:
            entry: WatchlistEntry = codec().decode(WATCHLISTS_TOPIC, value)
        except AlprError as error:
            click.echo(f"{key.decode(errors='replace')}: {error}", err=True)
        else:
            yield entry


def _pattern(written: str) -> PlatePattern:
    try:
        return PlatePattern.parse(written)
    except ValueError as error:
        raise click.UsageError(f"{written[:40]!r} is no plate: {error}") from None


def _published(alerts: Iterable[Alert]) -> Iterator[Alert]:
    """Each alert, once it is on its way; at the end all have arrived.

    Raises:
        CommandError: Kafka has refused one, or does not answer.
    """
    refused: list[str] = []

    def note(error: Any, _: Any) -> None:
        if error is not None:
            refused.append(str(error))

    writer = producer()
    with kafka_errors():
        for alert in alerts:
            value = codec().encode(ALERTS, alert)
            while True:
                try:
                    writer.produce(ALERTS.name, value=value, key=alert_key(alert), on_delivery=note)
                    break
                except BufferError:
                    writer.poll(TIMEOUT_S)
            writer.poll(0)
            yield alert
        left = writer.flush(TIMEOUT_S)
    if left or refused:
        raise CommandError(f"{left + len(refused)} alerts are not on {ALERTS.name}: {(refused or ['no answer'])[0]}")


def _json_writer(output: IO[str]) -> Callable[[Alert], object]:
    return lambda alert: output.write(json.dumps(to_json_record(alert), ensure_ascii=False, sort_keys=True) + "\n")


def _csv_writer(output: IO[str]) -> Callable[[Alert], object]:
    writer = csv.DictWriter(output, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    return lambda alert: writer.writerow(_row(alert))


def _row(alert: Alert) -> dict[str, object]:
    likelihood = alert.proof.likelihood
    return {
        "captured_at": to_iso(alert.captured_at),
        "camera_id": alert.camera_id,
        "site_id": alert.site_id or "",
        "plate_text": alert.plate_text or "",
        "matched_plate": alert.proof.matched_plate or "",
        "likelihood": "" if likelihood is None else f"{likelihood:.6g}",
        "observed": "; ".join(condition.observed for condition in alert.proof.conditions),
        "event_id": alert.proof.event_ids[0],
        "alert_id": alert.alert_id,
        **{name: alert.context.get(name, "") for name in ("resolved_text", "list_id", "entry_id")},
    }
