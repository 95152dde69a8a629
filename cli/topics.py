"""`alpr topics`: Kafka's topics as the catalogue has them."""

import json
from typing import Any

import click
from confluent_kafka import TopicPartition

from cli.errors import CommandError
from cli.kafka_clients import TIMEOUT_S, admin, consumer, kafka_errors
from cli.output import say, show_table, table
from cli.topic_acls import acls
from cli.topic_admin import MAX_REPLICAS, broker_count, carry_out, topic_states, wait_for_leaders
from cli.topic_plan import Step, TopicState, plan
from schemas.topics import BY_NAME, CATALOGUE, Topic

_DONE = {"create": "created", "grow": "grown", "alter": "settings changed", "keep": "as it should be"}
_TO_DO = {"create": "to create", "grow": "to grow", "alter": "settings to change", "keep": "as it should be"}
_json_option = click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")


@click.group()
def topics() -> None:
    """Create, change and look at the platform's Kafka topics."""


topics.add_command(acls)


def _partition_wish(_context: click.Context, _option: click.Parameter, values: tuple[str, ...]) -> dict[str, int]:
    wishes = {}
    for value in values:
        name, _, number = value.partition("=")
        if name not in BY_NAME:
            raise click.BadParameter(f"{name!r} is not in the catalogue; `alpr topics list` shows it")
        if not number.isdigit() or not 0 < int(number) <= 10_000:
            raise click.BadParameter(f"{value!r}: expected TOPIC=NUMBER")
        wishes[name] = int(number)
    return wishes


@topics.command()
@click.option(
    "--partitions",
    multiple=True,
    metavar="TOPIC=N",
    callback=_partition_wish,
    help="Another number than the catalogue's; only for topics that no table is partitioned by.",
)
@click.option("--replication", type=click.IntRange(min=1), help="Replicas of new topics.  [default: 3, or all brokers]")
@click.option("--timeout", "timeout_s", default=30.0, show_default=True, help="Seconds to wait for leaders.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@_json_option
def apply(partitions: dict[str, int], replication: int | None, timeout_s: float, dry_run: bool, as_json: bool) -> None:
    """Make Kafka's topics as the catalogue says, and wait until they can be used."""
    with kafka_errors():
        client = admin()
        steps = plan(CATALOGUE, topic_states(client, BY_NAME), partitions)
        refused = [step for step in steps if step.action == "refuse"]
        if not refused and not dry_run:
            replicas = replication or min(MAX_REPLICAS, broker_count(client))
            for step in steps:
                carry_out(client, step, replicas)
            wait_for_leaders(client, {step.topic.name: step.partitions for step in steps}, timeout_s)
    if as_json:
        click.echo(json.dumps([_step_as_json(step, done=not (refused or dry_run)) for step in steps]))
    elif not refused:
        for step in steps:
            say(_line(step, done=not dry_run))
    if refused:
        raise CommandError("Nothing was changed.\n\n" + "\n\n".join(step.reason for step in refused))


@topics.command(name="list")
@_json_option
def list_topics(as_json: bool) -> None:
    """The catalogue, and how each topic stands in Kafka."""
    with kafka_errors():
        states = topic_states(admin(), BY_NAME)
    steps: dict[str, list[Step]] = {}
    for step in plan(CATALOGUE, states):
        steps.setdefault(step.topic.name, []).append(step)
    if as_json:
        click.echo(json.dumps([_topic_as_json(topic, states.get(topic.name)) for topic in CATALOGUE]))
        return
    made = table("topic", "partitions", "keeps", "largest record", "carries", "key", "state")
    for topic in CATALOGUE:
        state = states.get(topic.name)
        made.add_row(
            topic.name,
            str(topic.partitions if state is None else state.partitions),
            _keeps(topic),
            f"{topic.max_message_bytes / 2**20:g} MiB",
            topic.event.__name__ if topic.event is not None else "text",
            topic.key,
            _standing(state, steps[topic.name]),
        )
    show_table(made)


@topics.command()
@click.argument("name")
@_json_option
def describe(name: str, as_json: bool) -> None:
    """One topic: what it is for, its settings, and the records in each partition."""
    with kafka_errors():
        state = topic_states(admin(), [name]).get(name)
        topic = BY_NAME.get(name)
        if state is None:
            known = "`alpr topics apply` creates it" if topic is not None else "`alpr topics list` shows the catalogue"
            raise CommandError(f"there is no topic {name!r} in Kafka; {known}")
        reader = consumer()
        try:
            ranges = {
                number: reader.get_watermark_offsets(TopicPartition(name, number), timeout=TIMEOUT_S)
                for number in range(state.partitions)
            }
        finally:
            reader.close()
    body = {
        **(_topic_as_json(topic, state) if topic is not None else {"name": name, "partitions": state.partitions}),
        "replicas": state.replicas,
        "leaderless": list(state.leaderless),
        "offsets": {number: {"first": low, "end": high} for number, (low, high) in ranges.items()},
    }
    if as_json:
        click.echo(json.dumps(body))
        return
    say(f"{name}: {topic.doc if topic is not None else 'not in the catalogue'}")
    made = table("partition", "first offset", "end", "records")
    for number, (low, high) in ranges.items():
        made.add_row(str(number), str(low), str(high), str(high - low))
    show_table(made)
    for setting, value in sorted((topic.config if topic is not None else {}).items()):
        say(
            f"{setting} = {state.config.get(setting)}"
            + ("" if state.config.get(setting) == value else f" (catalogue: {value})")
        )


def _keeps(topic: Topic) -> str:
    if topic.retention_ms is None:
        return "latest of each key"
    hours = topic.retention_ms / 3_600_000
    return f"{hours:g} h" if hours < 96 else f"{hours / 24:g} days"


def _standing(state: TopicState | None, steps: list[Step]) -> str:
    if state is None:
        return "missing: alpr topics apply"
    if state.leaderless:
        return f"no leader: {', '.join(map(str, state.leaderless))}"
    if any(step.action == "refuse" for step in steps):
        return f"has {state.partitions} partitions, catalogue says {steps[0].topic.partitions}"
    if any(step.action != "keep" for step in steps):
        return "settings differ: alpr topics apply"
    return "ok"


def _line(step: Step, *, done: bool) -> str:
    text = f"{step.topic.name}: {(_DONE if done else _TO_DO)[step.action]}"
    if step.action in ("create", "grow"):
        text += f", {step.partitions} partitions"
    changes = [f"{name} {old} -> {new}" for name, (old, new) in step.config.items()]
    return text + (f" ({'; '.join(changes)})" if changes else "")


def _step_as_json(step: Step, *, done: bool) -> dict[str, Any]:
    return {
        "topic": step.topic.name,
        "action": step.action,
        "done": done and step.action != "refuse",
        "partitions": step.partitions,
        "config": {name: new for name, (_, new) in step.config.items()},
        "reason": step.reason,
    }


def _topic_as_json(topic: Topic, state: TopicState | None) -> dict[str, Any]:
    return {
        "name": topic.name,
        "doc": topic.doc,
        "key": topic.key,
        "event": topic.event.__name__ if topic.event is not None else None,
        "partitions": None if state is None else state.partitions,
        "exists": state is not None,
        "config": {} if state is None else {name: state.config.get(name) for name in topic.config},
        "catalogue": {"partitions": topic.partitions, "config": topic.config},
    }
