"""`alpr cameras`: the camera registry, the compacted topic ``alpr.cameras``."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from agents.decisions.gates import BOTH
from agents.decisions.plausibility import MAX_ID_CHARS
from cli.errors import CommandError
from cli.kafka_clients import TIMEOUT_S, consumer, producer, service_errors
from cli.output import say, show_table, table, warn
from cli.topic_reading import records
from schemas.errors import SchemaError
from schemas.events import Camera, Location
from schemas.plate_regions import country_of, plate_formats
from schemas.topics import CAMERAS
from schemas.wiring import codec

Command = TypeVar("Command", bound=Callable[..., Any])
CLEARABLE = tuple(item.name for item in fields(Camera) if item.name != "camera_id")
json_option = click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")


@dataclass(slots=True)
class Registered:
    """The registry as it is.

    Attributes:
        cameras: by camera_id.
        unreadable: keys whose entry is no camera; the router passes over them.
    """

    cameras: dict[str, Camera] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)


def _camera_id(_context: click.Context, _option: click.Parameter, value: str) -> str:
    if not value.strip() or len(value) > MAX_ID_CHARS or not value.isprintable():
        raise click.BadParameter(f"{value!r}: 1 to {MAX_ID_CHARS} printable characters")
    return value


def _time_zone(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    if value is not None:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise click.BadParameter(f"{value!r} is no time zone; Europe/Berlin is one") from error
    return value


def _country(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    if value is None:
        return None
    countries = {country_of(region) for region in plate_formats()}
    if country_of(value) not in countries:
        warn(f"no plate formats of {value!r} are known: regions stay open. Known: {', '.join(sorted(countries))}")
    return value.strip().lower()


@click.group()
def cameras() -> None:
    """List, add, change and delete cameras."""


@cameras.command()
@click.argument("camera_id", callback=_camera_id)
@click.option("--site", "site_id", help="Site that it belongs to.")
@click.option("--name", help="Name for people.")
@click.option("--lat", type=click.FloatRange(-90, 90), help="Latitude, WGS 84 degrees; needs --lon.")
@click.option("--lon", type=click.FloatRange(-180, 180), help="Longitude, WGS 84 degrees; needs --lat.")
@click.option("--zone", help="Zone of the site.")
@click.option("--direction", help="Direction of vehicles that producers do not give: in, out, or a name.")
@click.option(
    "--role",
    type=click.Choice(["entry", "exit", "both", "none"]),
    help="Gate of its site; both: the direction of each sighting (in, out) decides; none: no gate.",
)
@click.option("--time-zone", callback=_time_zone, help="Such as Europe/Berlin.")
@click.option("--lateness-s", type=click.FloatRange(0), help="Seconds that its reads may arrive late.")
@click.option("--max-rate-per-s", type=click.FloatRange(0), help="Detections a second above which it is sampled.")
@click.option("--country", callback=_country, help="Where it stands: de, us-ca.")
@click.option("--clear", multiple=True, type=click.Choice(CLEARABLE), help="Forget a field (repeatable).")
@json_option
def put(
    camera_id: str, lat: float | None, lon: float | None, clear: tuple[str, ...], as_json: bool, **given: Any
) -> None:
    """Add a camera, or change what is given of it; everything else stays."""
    if (lat is None) != (lon is None):
        raise CommandError("--lat and --lon go together")
    changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if changes.get("role") == "none":
        changes["role"] = None
    if lat is not None and lon is not None:
        changes["location"] = Location(lat, lon)
    both = sorted(changes.keys() & set(clear))
    if both:
        raise CommandError(f"given and cleared at once: {', '.join(both)}")
    known = read_cameras().cameras.get(camera_id, Camera(camera_id=camera_id))
    camera = replace(known, **{**dict.fromkeys(clear), **changes})
    with service_errors():
        _write(camera_id, codec().encode(CAMERAS, camera))
    for problem in gate_problems(camera):
        warn(f"{camera_id}: {problem}")
    if as_json:
        click.echo(json.dumps(asdict(camera)))
    else:
        say(f"{camera_id}: {_summary(camera) or 'nothing known'}")


@cameras.command(name="list")
@click.option("--site", help="Only cameras of this site.")
@json_option
def list_cameras(site: str | None, as_json: bool) -> None:
    """The cameras that are registered."""
    registered = read_cameras()
    found = [camera for _, camera in sorted(registered.cameras.items()) if site in (None, camera.site_id)]
    for key, reason in registered.unreadable.items():
        warn(f"{key}: no camera: {reason}")
    if as_json:
        click.echo(json.dumps([asdict(camera) for camera in found]))
        return
    if not found:
        say("no cameras")
        return
    made = table("camera", "site", "name", "zone", "direction", "role", "time zone", "country", "rate /s", "location")
    for camera in found:
        place = camera.location
        cells = [
            *(camera.camera_id, camera.site_id, camera.name, camera.zone, camera.direction, camera.role),
            *(camera.time_zone, camera.country),
            None if camera.max_rate_per_s is None else f"{camera.max_rate_per_s:g}",
            None if place is None else f"{place.lat:g}, {place.lon:g}",
        ]
        made.add_row(*(cell or "" for cell in cells))
    show_table(made)


@cameras.command()
@click.argument("camera_id")
def delete(camera_id: str) -> None:
    """Delete a camera from the registry; its detections still come, without what the registry knew."""
    registered = read_cameras()
    if camera_id not in registered.cameras and camera_id not in registered.unreadable:
        raise CommandError(f"no camera {camera_id!r} is registered; `alpr cameras list` shows them")
    with service_errors():
        _write(camera_id, None)
    say(f"{camera_id}: deleted")


def gate_problems(camera: Camera) -> list[str]:
    """Why a gate may stand there for nothing, in words."""
    problems = []
    if camera.role is not None and camera.site_id is None:
        problems.append("a gate without --site counts only where its producer names the site")
    if camera.role == BOTH and camera.direction is not None:
        problems.append(f"a gate for both ways whose --direction is {camera.direction!r} takes that for any silence")
    return problems


def read_cameras() -> Registered:
    """The latest entry of each camera.

    Raises:
        CommandError: Kafka, the registry or the topic is not there; what to do next.
    """
    latest: dict[str, bytes] = {}
    registered = Registered()
    with service_errors():
        for message in records(consumer(tells_end=True), CAMERAS):
            key, value = message.key(), message.value()
            if key is None:
                continue
            name = (key if isinstance(key, bytes) else key.encode()).decode(errors="replace")
            latest.pop(name, None)
            if value is not None:
                latest[name] = value if isinstance(value, bytes) else value.encode()
        for name, value in latest.items():
            try:
                registered.cameras[name] = codec().decode(CAMERAS, value)
            except SchemaError as error:
                registered.unreadable[name] = str(error)
    return registered


def _write(camera_id: str, value: bytes | None) -> None:
    failures: list[str] = []

    def delivered(error: Any, _message: Any) -> None:
        if error is not None:
            failures.append(str(error))

    writer = producer()
    writer.produce(CAMERAS.name, key=camera_id.encode(), value=value, on_delivery=delivered)
    if writer.flush(TIMEOUT_S):
        failures.append(f"no acknowledgement within {TIMEOUT_S:g} s")
    if failures:
        raise CommandError(f"{camera_id} was not written: {failures[0]}")


def _summary(camera: Camera) -> str:
    known = {name: value for name, value in asdict(camera).items() if value is not None and name != "camera_id"}
    return ", ".join(f"{name} {value}" for name, value in known.items())
