"""`alpr topics acls`: the rights of each process, as kafka-acls commands or given to the broker at once."""

import json
import shlex
from collections.abc import Iterable
from itertools import groupby

import click
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # documented, not declared
    AclBinding,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
)

from cli.kafka_clients import TIMEOUT_S, admin, kafka_errors
from cli.output import say
from cli.topic_rights import PROCESSES, Right, rights
from schemas.endpoints import endpoints

_OPERATIONS = {
    "Read": AclOperation.READ,
    "Write": AclOperation.WRITE,
    "Create": AclOperation.CREATE,
    "Alter": AclOperation.ALTER,
    "AlterConfigs": AclOperation.ALTER_CONFIGS,
    "DescribeConfigs": AclOperation.DESCRIBE_CONFIGS,
}
_KINDS = {"topic": ResourceType.TOPIC, "group": ResourceType.GROUP}


@click.command()
@click.option(
    "--for", "processes", multiple=True, type=click.Choice(tuple(PROCESSES)), help="Only these.  [default: all]"
)
@click.option(
    "--principal",
    default="User:alpr-{}",
    show_default=True,
    help="Who a process logs in as; {} is its name. Without {} all of them are one user.",
)
@click.option("--host", default="*", show_default=True, help="Address that the user may come from.")
@click.option("--apply", "is_applied", is_flag=True, help="Give the rights now, instead of printing the commands.")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
def acls(processes: tuple[str, ...], principal: str, host: str, is_applied: bool, as_json: bool) -> None:
    """The least rights that each process needs, as kafka-acls commands.

    Worker roles go by their names in ALPR_ROLES; a worker with several roles needs the rights of all of them.
    """
    wanted = {name: (principal.replace("{}", name), rights(PROCESSES[name])) for name in processes or tuple(PROCESSES)}
    if as_json:
        click.echo(json.dumps([_as_json(name, who, right) for name, (who, found) in wanted.items() for right in found]))
    if is_applied:
        bindings = [_binding(who, host, right) for who, found in wanted.values() for right in found]
        with kafka_errors():
            client = admin()  # its answers never come once it is let go
            for future in client.create_acls(list(dict.fromkeys(bindings)), request_timeout=TIMEOUT_S).values():
                future.result()
        if not as_json:
            for name, (who, found) in wanted.items():
                say(f"{who} ({name}): {len(found)} rights given")
    elif not as_json:
        for name, (who, found) in wanted.items():
            say(f"# {name}")
            for command in _commands(who, host, found):
                say(command)


def _commands(principal: str, host: str, found: Iterable[Right]) -> Iterable[str]:
    """One command for each resource."""
    for (kind, name, is_prefix), group in groupby(found, key=lambda right: (right.kind, right.name, right.is_prefix)):
        words = ["kafka-acls.sh", "--bootstrap-server", endpoints().kafka_bootstrap]
        words += ["--command-config", "admin.properties", "--add", "--allow-principal", principal]
        words += ["--allow-host", host] if host != "*" else []
        words += [word for right in group for word in ("--operation", right.operation)]
        words += [f"--{kind}", name]
        words += ["--resource-pattern-type", "prefixed"] if is_prefix else []
        yield shlex.join(words)


def _binding(principal: str, host: str, right: Right) -> AclBinding:
    pattern = ResourcePatternType.PREFIXED if right.is_prefix else ResourcePatternType.LITERAL
    return AclBinding(
        _KINDS[right.kind], right.name, pattern, principal, host, _OPERATIONS[right.operation], AclPermissionType.ALLOW
    )


def _as_json(process: str, principal: str, right: Right) -> dict[str, object]:
    return {
        "process": process,
        "principal": principal,
        "kind": right.kind,
        "name": right.name,
        "is_prefix": right.is_prefix,
        "operation": right.operation,
    }
