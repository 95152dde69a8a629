"""The root command: watch cameras, or one of the sub-commands."""

import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

import click
from prometheus_client import start_http_server
from pydantic import ValidationError

from edge_agent.agent import Agent, Outcome
from edge_agent.cameras import CameraConfig, load_cameras, one_camera
from edge_agent.commands.models import models
from edge_agent.commands.read import read
from edge_agent.commands.selftest import selftest
from edge_agent.errors import CameraConfigError
from edge_agent.settings import EdgeSettings
from schemas.endpoints import endpoints
from schemas.errors import AlprError, ConfigError
from telemetry.log import configure


@click.group(invoke_without_command=True, context_settings={"max_content_width": 100})
@click.option("--source", metavar="FILE|DIR|URL", help="Video file, folder of photographs, RTSP or HTTP address.")
@click.option("--camera", "camera_id", metavar="ID", help="Name of the camera; needed with --source.")
@click.option("--site", "site_id", metavar="ID", help="Site that the camera belongs to.")
@click.option("--direction", metavar="NAME", help="Direction of all traffic there: in, out, or a name.")
@click.option("--start-time", metavar="TIME", help="Event time of a file's first frame (ISO 8601); now without.")
@click.option("--realtime", is_flag=True, help="Play a file at its own speed, dropping frames like a live camera.")
@click.option(
    "--config", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="YAML file of many cameras."
)
@click.option("--vehicle-model", type=click.Path(path_type=Path, exists=True), help="YOLOX .onnx or OpenVINO folder.")
@click.option("--spool-dir", type=click.Path(path_type=Path, file_okay=False), help="Folder of the spool.")
@click.option("--metrics-port", type=click.IntRange(0, 65535), help="Prometheus page; 0: none.  [default: 9100]")
@click.pass_context
def edge_agent(
    context: click.Context,
    source: str | None,
    camera_id: str | None,
    site_id: str | None,
    direction: str | None,
    start_time: str | None,
    realtime: bool,
    config: Path | None,
    vehicle_model: Path | None,
    spool_dir: Path | None,
    metrics_port: int | None,
) -> None:
    """Watch cameras and publish the plates that pass.

    \b
    python -m edge_agent --source clip.mp4 --camera gate-1 --site north
    python -m edge_agent --source 'rtsp://${USER}:${PASS}@10.0.0.5/stream' --camera gate-1
    python -m edge_agent --config cameras.yaml

    A camera file looks like this:

    \b
    cameras:
      - camera_id: gate-1
        source: rtsp://${CAMERA_USER}:${CAMERA_PASSWORD}@10.0.0.5/stream
        site_id: north
        direction: in
        location: {lat: 52.52, lon: 13.40}

    Where Kafka, the registry and S3 are, and how to log in there, is taken from ALPR_KAFKA_*, ALPR_REGISTRY_* and
    ALPR_S3_*; how the agent works from ALPR_EDGE_*. Events wait in a spool on disk while Kafka is away.
    """  # noqa: D301  # click's \b, not a raw text
    if context.invoked_subcommand:
        return
    if source is None and config is None:
        click.echo(context.get_help())
        return
    given = {"vehicle_model": vehicle_model, "spool_dir": spool_dir, "metrics_port": metrics_port}
    settings = EdgeSettings(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]  # pydantic checks them
    cameras = _cameras(
        config,
        source=source,
        camera_id=camera_id,
        site_id=site_id,
        direction=direction,
        start_time=_start_time(start_time),
        realtime=realtime,
    )
    configure()
    agent = Agent(cameras, settings, endpoints())
    if settings.metrics_port:
        start_http_server(settings.metrics_port, "0.0.0.0")  # noqa: S104  # scraped from other machines
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: agent.stop())
    _finish(agent.run(), len(cameras))


edge_agent.add_command(read)
edge_agent.add_command(models)
edge_agent.add_command(selftest)


def main() -> None:
    """Runs the command line; errors of ours are one line on standard error, exit code 2 for wrong settings, else 1."""
    try:
        edge_agent(prog_name="python -m edge_agent")
    except AlprError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(2 if isinstance(error, ConfigError) else 1)
    except ValidationError as error:
        for problem in error.errors():
            click.echo(f"error: ALPR_EDGE_{'.'.join(map(str, problem['loc'])).upper()}: {problem['msg']}", err=True)
        sys.exit(2)


def _cameras(config: Path | None, **fields: object) -> tuple[CameraConfig, ...]:
    if config is not None:
        if fields["source"] is not None:
            raise CameraConfigError("give either --source or --config")
        return load_cameras(config)
    if not fields["camera_id"]:
        raise CameraConfigError("--source needs --camera ID: events are keyed by it")
    return (one_camera(**fields),)


def _start_time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise CameraConfigError(f"--start-time {text!r} is no ISO 8601 time, such as 2026-01-31T08:00:00Z") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _finish(outcome: Outcome, cameras: int) -> None:
    click.echo(
        f"{outcome.frames} frames, {outcome.detections} detections published or spooled "
        f"({outcome.spooled} wait in the spool), {outcome.pictures_left} pictures not uploaded, "
        f"{outcome.failed} of {cameras} cameras failed",
        err=True,
    )
    if outcome.failed or outcome.spooled:
        sys.exit(1)
