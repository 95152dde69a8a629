"""What people did with alerts, as it comes in on ``alpr.alerts.actions``."""

from collections import deque
from collections.abc import Callable

from agents.decisions.silences import AlertActions
from schemas.clock import Micros, now_us
from schemas.codec import EventCodec
from schemas.errors import SchemaError
from schemas.topics import ALERT_ACTIONS
from telemetry.log import get_logger

log = get_logger(__name__)


class ActionFeed:
    """Takes actions in, in the order of their partitions.

    Noting never fails, for a topic holds whatever somebody wrote; decoding may have to wait for the registry.

    Args:
        actions: to be kept up to date.
        codec: reads them.
        clock: wall clock in microseconds.
    """

    def __init__(self, actions: AlertActions, codec: EventCodec, clock: Callable[[], Micros] = now_us) -> None:
        self.actions = actions
        self._codec = codec
        self._clock = clock
        self._unread: deque[bytes] = deque()

    def note(self, _key: bytes, value: bytes | None) -> None:
        """Keep a record until it is read."""
        if value is not None:
            self._unread.append(value)

    def read(self) -> None:
        """Take in what was noted. What is no action is logged and left out.

        Raises:
            Unavailable: the registry does not answer; nothing is lost.
        """
        while self._unread:
            try:
                action = self._codec.decode(ALERT_ACTIONS, self._unread[0])
            except SchemaError as error:
                log.error("not an alert action", error=str(error))
            else:
                self.actions.note(action, self._clock())
            self._unread.popleft()
