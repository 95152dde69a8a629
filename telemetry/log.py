"""Structured logs: JSON off a terminal, readable on one, plates masked unless the operator says otherwise."""

import logging
import sys
from collections.abc import MutableMapping
from functools import cache
from typing import Any

import structlog
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

PLATE_FIELDS = frozenset(
    {"plate", "plate_text", "plates", "normalized_text", "match_key", "resolved_text", "candidate"}
)
"""Event fields whose values are plates: personal data in most countries."""


class LogSettings(BaseSettings):
    """How the process logs (environment prefix ``ALPR_LOG_``)."""

    model_config = SettingsConfigDict(env_prefix="ALPR_LOG_", frozen=True, extra="ignore")

    level: str = Field("INFO", description="DEBUG, INFO, WARNING or ERROR")
    format: str = Field("auto", description="json, console, or auto: console on a terminal and json elsewhere")
    plates: bool = Field(False, description="Write plates in full. Off, all but the first two characters are masked")


def mask(plate: str) -> str:
    """The plate with all but its first two characters hidden; the length stays visible."""
    return plate[:2] + "*" * max(0, len(plate) - 2)


def mask_plates(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Structlog processor that masks the `PLATE_FIELDS`."""
    for name in PLATE_FIELDS & event.keys():
        value = event[name]
        if isinstance(value, str):
            event[name] = mask(value)
        elif isinstance(value, list | tuple | set | frozenset):
            event[name] = [mask(str(item)) for item in value]
    return event


@cache
def configure() -> None:
    """Set structlog up for this process. Called by entry points; further calls do nothing."""
    settings = LogSettings()
    as_json = settings.format == "json" or (settings.format == "auto" and not sys.stderr.isatty())
    processors: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    if not settings.plates:
        processors.append(mask_plates)
    if as_json:
        processors += [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False)]
    else:
        processors.append(structlog.dev.ConsoleRenderer())
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, settings.level.upper(), logging.INFO)),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def get_logger(name: str) -> structlog.typing.FilteringBoundLogger:
    """A logger bound to the name of its module."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger(module=name)
    return logger
