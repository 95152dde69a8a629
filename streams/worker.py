"""The process around the roles: logging, checks before the start, and an end in bounded time."""

import faulthandler
import gc
import logging
import os
import signal
import threading
from typing import Any

import faust
from faust.exceptions import ConsistencyError

from schemas.errors import AlprError
from streams.logs import bridge_stdlib
from streams.preflight import preflight
from streams.role_app import RoleApp
from telemetry.log import get_logger

EXIT_REFUSED = 2
"""Exit status when the worker does not start: Kafka or topics are not there, the port is taken."""
EXIT_FORCED = 3
"""Exit status when the worker was still running at the end of its stop time-out."""
GC_YOUNG_OBJECTS = 50_000
"""Containers that may be new before the collector looks for cycles among them."""
log = get_logger(__name__)


class StreamWorker(faust.Worker):
    """Faust's worker for apps of roles. A crash of any role ends the process with status 1."""

    app: RoleApp
    _refused = False
    _watchdog: threading.Timer | None = None

    def _setup_logging(self) -> None:
        """Send Faust's and aiokafka's logs the way of ours."""
        level = bridge_stdlib(self.loglevel)
        self.spinner = None
        if level > logging.DEBUG:
            logging.disable(logging.DEBUG)  # mode sets the root to DEBUG: a tenth of the CPU went into dropped records

    async def on_first_start(self) -> None:
        """Check that there is something to work with; else end with one clear line."""
        await super().on_first_start()
        try:
            await preflight([self.app, *self.app.companions])
        except AlprError as error:
            log.error("the worker does not start", reason=str(error))
            self._refused = True
            self._stopped_set()
        calm_collector()

    def _schedule_shutdown(self, signal: signal.Signals) -> None:
        self._start_watchdog()
        super()._schedule_shutdown(signal)

    def stop_and_shutdown(self) -> None:
        """End in order; after a refused start with a status of its own."""
        self._start_watchdog()
        try:
            super().stop_and_shutdown()
        except ConsistencyError as error:
            log.error(
                "the tables on disk are ahead of their changelogs: Kafka has lost data, or is another one than before. "
                "Let the tables be read again with `faust -A streams reset`, or remove the folder",
                folder=str(self.app.settings.datadir),
                reason=" ".join(str(error).split()),
            )
            self._refused = True
        finally:
            if self._watchdog is not None:
                self._watchdog.cancel()
        if self._refused:
            raise SystemExit(EXIT_REFUSED)

    def _start_watchdog(self) -> None:
        """From now on the process has so long to end; then it is ended. What is not committed is read again."""
        if self._watchdog is not None:
            return
        timeout_s = self.app.settings.stop_timeout_s

        def end(*_: Any) -> None:
            log.error("still running after the stop time-out; ending now", timeout_s=timeout_s)
            faulthandler.dump_traceback(file=2)  # stderr
            os._exit(EXIT_FORCED)

        self._watchdog = threading.Timer(timeout_s, end)
        self._watchdog.daemon = True
        self._watchdog.start()


def calm_collector() -> None:
    """Look for reference cycles less often, and not among what was there before the first record.

    Runs allocate thousands of short-lived dicts and tuples, and next to no cycles. With Python's own thresholds a tenth
    of the worker's CPU time went into looking for some (700 new containers start a look). What lives from now on is
    seen as ever; at most `GC_YOUNG_OBJECTS` containers wait for it, a few MB.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_YOUNG_OBJECTS, 20, 20)
