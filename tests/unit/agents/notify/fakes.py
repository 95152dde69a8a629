"""A channel that does as it is told, behind the port of the real ones."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping

from agents.channels.port import Address, Notification
from agents.channels.variables import SettingMissing, resolve_all
from schemas.errors import AlprError


class FakeChannel:
    """Delivers into a list. `to` names recipients, separated by commas; the part after @ is the destination.

    Attributes:
        sent: notification ids by destination, in order.
        errors: what a destination raises, one after the other; then it delivers.
        down: destinations that raise their error for ever.
        closed: destinations that keep silent until their event is set.
    """

    name = "fake"

    def __init__(self) -> None:
        self.sent: defaultdict[str, list[str]] = defaultdict(list)
        self.errors: defaultdict[str, list[Exception]] = defaultdict(list)
        self.down: dict[str, AlprError] = {}
        self.closed: dict[str, asyncio.Event] = {}
        self.tries: defaultdict[str, int] = defaultdict(int)
        self.concurrent = 0
        self.most_concurrent = 0

    def addresses(self, params: Mapping[str, str], environment: Mapping[str, str]) -> tuple[Address, ...]:
        """One for each name."""
        resolved = resolve_all(params, environment)
        if not resolved.get("to"):
            raise SettingMissing("no recipient")
        return tuple(Address(name, name, name.rpartition("@")[2], name) for name in resolved["to"].split(","))

    async def send(self, notification: Notification) -> str:
        """As told."""
        destination = notification.address.destination
        self.tries[destination] += 1
        self.concurrent += 1
        self.most_concurrent = max(self.most_concurrent, self.concurrent)
        try:
            await asyncio.sleep(0.001)
            if destination in self.closed:
                await self.closed[destination].wait()
            if destination in self.down:
                raise self.down[destination]
            if self.errors[destination]:
                raise self.errors[destination].pop(0)
            self.sent[destination].append(notification.notification_id)
            return "ok"
        finally:
            self.concurrent -= 1

    async def close(self) -> None:
        """Nothing to do."""
