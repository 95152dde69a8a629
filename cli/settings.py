"""`alpr settings`: every environment variable that the platform reads, what it means and what it is without."""

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import click
from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings
from rich.console import Console
from rich.table import Table

CLASSES: tuple[tuple[str, str], ...] = (
    ("Servers, for every process", "schemas.endpoints:Endpoints"),
    ("Logs, for every process", "telemetry.log:LogSettings"),
    ("Kafka security", "schemas.kafka_security:KafkaSecurity"),
    ("Worker", "streams.settings:StreamSettings"),
    ("Routing", "agents.decisions.plausibility:RoutingSettings"),
    ("Deduplication", "agents.decisions.passes:DeduplicationSettings"),
    ("Visits", "agents.decisions.visits:VisitSettings"),
    ("Rules", "alert_rules.settings:RuleSettings"),
    ("Notifications", "agents.channels.settings:NotifySettings"),
    ("TimescaleDB sink", "agents.sinks.settings:TimescaleSettings"),
    ("OpenSearch sink", "agents.sinks.settings:OpenSearchSettings"),
    ("Image archive", "agents.sinks.settings:ImagesSettings"),
    ("Dead letters", "cli.dead_letter_settings:DeadLetterSettings"),
    ("Query API", "query_api.settings:ApiSettings"),
    ("Edge agent", "edge_agent.settings:EdgeSettings"),
)
"""Title and ``module:class`` of every settings class, in the order of the documentation."""

MACHINE = "depends on the machine"


@dataclass(frozen=True, slots=True)
class Setting:
    """One environment variable.

    Attributes:
        name: of the variable.
        default: as text; empty where there is none.
        description: what it means.
    """

    name: str
    default: str
    description: str


def settings_of(cls: type[BaseSettings]) -> Iterator[Setting]:
    """The variables that a settings class reads."""
    prefix = str(cls.model_config.get("env_prefix", ""))
    for name, field in cls.model_fields.items():
        alias = field.validation_alias
        variable = alias if isinstance(alias, str) else prefix + name
        yield Setting(variable.upper(), _default(field), field.description or "")


def groups() -> Iterator[tuple[str, list[Setting]]]:
    """All groups with their settings.

    Raises:
        ModuleNotFoundError: a package of an extra is not installed.
    """
    for title, where in CLASSES:
        module, _, name = where.partition(":")
        yield title, list(settings_of(getattr(importlib.import_module(module), name)))


def markdown() -> str:
    """The documentation page."""
    lines = [
        "# Settings",
        "",
        "Every environment variable that the platform reads (`alpr settings` prints them too). This page is generated:",
        "`alpr settings --markdown > docs/settings.md`.",
    ]
    for title, found in groups():
        lines += ["", f"## {title}", "", "| variable | default | meaning |", "|---|---|---|"]
        lines += [f"| `{s.name}` | {_code(s.default)} | {s.description.replace('|', chr(92) + '|')} |" for s in found]
    return "\n".join(lines) + "\n"


def _code(default: str) -> str:
    return default if default in ("", MACHINE) else f"`{default}`"


def _default(field: FieldInfo) -> str:
    if field.default_factory is not None:
        return MACHINE
    value: Any = field.default
    if value is PydanticUndefined or value is None:
        return ""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, tuple | list | frozenset):
        return ",".join(map(str, value))
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


@click.command()
@click.option("--markdown", "as_markdown", is_flag=True, help="The page docs/settings.md.")
def settings(as_markdown: bool) -> None:
    """List every environment variable that the platform reads."""
    if as_markdown:
        click.echo(markdown(), nl=False)
        return
    console = Console()
    for title, found in groups():
        table = Table("variable", "default", "meaning", title=title, title_justify="left", box=None)
        for setting in found:
            table.add_row(setting.name, setting.default, setting.description)
        console.print(table)
