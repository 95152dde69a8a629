"""What the demo says at its end."""

from rich.console import Console
from rich.table import Table

from cli.demo.census import Census
from cli.demo.latency import Percentiles, frame_to_alert_ms, percentiles, sighting_to_delivery_ms
from cli.demo.reckoning import Check
from schemas.clock import to_iso
from schemas.events import Sighting


def print_summary(console: Console, census: Census, checks: list[Check]) -> None:
    """Print figures, latencies and checks."""
    detections = {record.event.event_id for record in census.detections}
    sightings = {record.event.event_id: record.event for record in census.sightings}
    figures = Table(title="What happened", title_justify="left", show_header=False, box=None)
    rows: list[tuple[str, object]] = [
        ("detections published", f"{len(detections)} (in {len(census.detections)} messages: early and final)"),
        ("sightings after deduplication", f"{len(sightings)} (in {len(census.sightings)} revisions)"),
        ("alerts fired", len({record.event.alert_id for record in census.alerts})),
        ("mails in the SMTP sink", census.mails),
        ("webhooks received", census.webhooks),
        ("rows in TimescaleDB (plate_events)", census.timescale_sightings),
        ("documents in OpenSearch (alpr-events)", census.opensearch_sightings),
        ("objects in S3", f"{census.s3_objects} ({census.s3_plate_images} plate images)"),
        ("dead letters", census.dead_letters),
        ("frame to alert", _latency(percentiles(frame_to_alert_ms(census)))),
        ("sighting to delivery", _latency(percentiles(sighting_to_delivery_ms(census)))),
    ]
    for label, value in rows:
        figures.add_row(f"  {label}", f"[bold]{value}[/bold]")
    console.print(figures)

    plates = Table(title="Sightings", title_justify="left", box=None)
    for heading in ("captured", "camera", "plate", "confidence", "reads"):
        plates.add_column(heading)
    for sighting in sorted(sightings.values(), key=lambda s: s.captured_at)[:20]:
        plates.add_row(*_row(sighting))
    console.print(plates)

    for check in checks:
        mark = "[green]ok[/green]" if check.holds else "[bold red]NO[/bold red]"
        console.print(f"  {mark}  {check.says}  [dim]({check.figures})[/dim]", highlight=False)


def _row(sighting: Sighting) -> tuple[str, ...]:
    text = sighting.resolved.text if sighting.resolved else "-"
    confidence = f"{sighting.resolved.confidence:.2f}" if sighting.resolved else "-"
    return (to_iso(sighting.captured_at)[11:23], sighting.camera_id, text, confidence, str(sighting.reads))


def _latency(found: Percentiles | None) -> str:
    if found is None:
        return "nothing to measure"
    return f"p50 {found.p50_ms:.0f} ms, p99 {found.p99_ms:.0f} ms ({found.count} measured)"
