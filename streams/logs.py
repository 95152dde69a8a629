"""Standard-library logs (Faust, mode, aiokafka) rendered like the platform's own."""

import logging
import sys

import structlog
from mode.utils.logging import level_number

from telemetry.log import configure


def bridge_stdlib(level: str | int | None) -> int:
    """Give the root logger one handler that renders with structlog's processors.

    Args:
        level: lowest level to show, by name or number; WARNING when None.

    Returns:
        The level as a number.
    """
    configure()
    number: int = level_number(level) or logging.WARNING
    *chain, renderer = structlog.get_config()["processors"]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *chain],
        )
    )
    logging.root.handlers[:] = [handler]
    logging.root.setLevel(number)
    logging.captureWarnings(True)
    return number
