"""`alpr schemas`: the Avro contracts in the schema registry."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import click

from cli.errors import CommandError
from cli.output import say, show_table, table
from schemas.contracts import contract
from schemas.errors import RegistryUnavailable, SchemaError
from schemas.registry import HttpRegistry
from schemas.topics import BESIDE, CATALOGUE, Topic
from schemas.wiring import registry

_json_option = click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")


@dataclass(frozen=True, slots=True)
class Standing:
    """How a topic's contract stands to its subject in the registry.

    Attributes:
        subject: registry subject.
        event: class of the values.
        state: new, current, compatible (a new version may follow) or breaking.
        version: latest version in the registry.
        schema_id: id of it.
    """

    subject: str
    event: str
    state: str
    version: int | None = None
    schema_id: int | None = None


@click.group()
def schemas() -> None:
    """Register, check and look at the event contracts."""


@schemas.command()
@_json_option
def register(as_json: bool) -> None:
    """Register every contract, and have the registry refuse breaking versions from now on."""
    with _registry_errors():
        known = set(registry().subjects())
        registered = {}
        for topic in _avro_topics():
            if topic.subject in known:
                registry().set_backward(topic.subject)
            assert topic.event is not None
            registered[topic.subject] = registry().register(topic.subject, contract(topic.event))
            registry().set_backward(topic.subject)
    if as_json:
        click.echo(json.dumps(registered))
        return
    for subject, schema_id in registered.items():
        say(f"{subject}: id {schema_id}")


@schemas.command()
@_json_option
def check(as_json: bool) -> None:
    """Say whether the contracts may follow what is registered; exit code 1 if one would break readers."""
    with _registry_errors():
        found = [standing(registry(), topic) for topic in _avro_topics()]
    if as_json:
        click.echo(json.dumps([asdict(one) for one in found]))
    else:
        for one in found:
            say(f"{one.subject}: {_WORDS[one.state]}")
    breaking = [one for one in found if one.state == "breaking"]
    if breaking:
        raise CommandError(
            f"{len(breaking)} of {len(found)} contracts cannot read what was written with the version before: "
            f"{', '.join(one.event for one in breaking)}. A new field needs a default; a field keeps its name and type."
        )


@schemas.command(name="list")
@_json_option
def list_schemas(as_json: bool) -> None:
    """Subjects with their latest version and id."""
    with _registry_errors():
        found = [standing(registry(), topic) for topic in _avro_topics()]
    if as_json:
        click.echo(json.dumps([asdict(one) for one in found]))
        return
    made = table("subject", "event", "version", "id", "state")
    for one in found:
        made.add_row(one.subject, one.event, _or_dash(one.version), _or_dash(one.schema_id), _WORDS[one.state])
    show_table(made)


@schemas.command()
@click.argument("name")
@click.option("--registered", is_flag=True, help="The latest version in the registry instead of this version's.")
def show(name: str, registered: bool) -> None:
    """The contract of a topic, subject, event class or (a number) schema id, as Avro JSON."""
    if name.isdigit():
        with _registry_errors():
            _print_schema(registry().schema_by_id(int(name)))
        return
    topic = next((topic for topic in _avro_topics() if name in _names(topic)), None)
    if topic is None:
        known = sorted({topic.event.__name__ for topic in _avro_topics() if topic.event is not None})
        raise CommandError(f"no contract {name!r}; known: {', '.join(known)}, and topics (`alpr topics list`)")
    assert topic.event is not None
    if not registered:
        _print_schema(contract(topic.event))
        return
    with _registry_errors():
        latest = registry().latest(topic.subject)
    if latest is None:
        raise CommandError(f"{topic.subject} is not in the registry; `alpr schemas register` puts it there")
    _print_schema(latest[2])


def standing(known: HttpRegistry, topic: Topic) -> Standing:
    """Compare a topic's contract with the registry.

    Raises:
        RegistryUnavailable: no answer.
    """
    assert topic.event is not None
    event = topic.event.__name__
    ours = contract(topic.event)
    latest = known.latest(topic.subject)
    if latest is None:
        return Standing(topic.subject, event, "new")
    version, schema_id, schema = latest
    if schema == ours:
        return Standing(topic.subject, event, "current", version, schema_id)
    state = "compatible" if known.is_compatible(topic.subject, ours) else "breaking"
    return Standing(topic.subject, event, state, version, schema_id)


_WORDS = {
    "new": "not registered yet",
    "current": "current",
    "compatible": "changed, compatible",
    "breaking": "BREAKS readers of the version before",
}


@contextmanager
def _registry_errors() -> Iterator[None]:
    try:
        yield
    except (RegistryUnavailable, SchemaError) as error:
        raise CommandError(str(error)) from error


def _avro_topics() -> list[Topic]:
    return [topic for topic in (*CATALOGUE, *BESIDE) if topic.event is not None]


def _names(topic: Topic) -> tuple[str, ...]:
    event = topic.event.__name__ if topic.event is not None else ""
    return (topic.name, topic.subject, event, event.lower())


def _print_schema(schema: dict[str, Any]) -> None:
    click.echo(json.dumps(schema, indent=2, ensure_ascii=False))


def _or_dash(value: int | None) -> str:
    return "-" if value is None else str(value)
