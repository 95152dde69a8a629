"""Rate limits: how many notifications a minute a channel sends, and how many one recipient gets.

Leaky buckets (aiolimiter): a minute's worth may go at once, then they drip. Process time is right here: it paces a side
effect, and decides nothing that a replay would have to repeat.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping

from aiolimiter import AsyncLimiter

from agents.channels.port import Notification

MINUTE_S = 60.0
REMEMBERED = 10_000
_Key = tuple[str, str]


class RateLimits:
    """The limits of the process. Belongs to one event loop.

    Args:
        per_recipient: channel to notifications a minute for each recipient; a channel that is missing has no limit.
        per_channel: channel to notifications a minute for all recipients together.
        period_s: what stands for a minute.
    """

    def __init__(
        self, per_recipient: Mapping[str, float], per_channel: Mapping[str, float], period_s: float = MINUTE_S
    ) -> None:
        self._per_recipient = per_recipient
        self._per_channel = per_channel
        self._period_s = period_s
        self._limiters: OrderedDict[_Key, AsyncLimiter] = OrderedDict()

    def has_room(self, notification: Notification) -> bool:
        """Whether it may go at once."""
        return all(limiter.has_capacity() for limiter in self._of(notification))

    async def take(self, notification: Notification, within_s: float) -> bool:
        """Wait until it may go.

        Returns:
            False when that takes longer than `within_s` seconds.
        """
        try:
            async with asyncio.timeout(within_s):
                for limiter in self._of(notification):
                    await limiter.acquire()
        except TimeoutError:
            return False
        return True

    def _of(self, notification: Notification) -> list[AsyncLimiter]:
        """The recipient's first: one that is flooded takes nothing of what the channel has for the others."""
        channel = notification.channel
        keys = (
            ((channel, f"recipient {notification.address.identity}"), self._per_recipient.get(channel)),
            ((channel, "all"), self._per_channel.get(channel)),
        )
        return [self._limiter(key, rate) for key, rate in keys if rate]

    def _limiter(self, key: _Key, rate: float) -> AsyncLimiter:
        found = self._limiters.get(key)
        if found is None:
            # less than one a minute: one in a longer time
            amount = max(1.0, rate)
            found = self._limiters[key] = AsyncLimiter(amount, self._period_s * amount / rate)
            if len(self._limiters) > REMEMBERED:
                self._limiters.popitem(last=False)
        self._limiters.move_to_end(key)
        return found
