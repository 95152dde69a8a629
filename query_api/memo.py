"""Answers that are dear to compute, kept for a moment."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from time import monotonic
from typing import Generic, TypeVar

Value = TypeVar("Value")
MAX_KEYS = 64


class Memo(Generic[Value]):
    """Keeps values for a time. Callers that ask while a value is made wait for it instead of making another one.

    Args:
        ttl_s: how long a value is good.
    """

    def __init__(self, ttl_s: float) -> None:
        self._ttl_s = ttl_s
        self._kept: dict[Hashable, tuple[float, Value]] = {}
        self._lock = asyncio.Lock()

    async def get(self, key: Hashable, make: Callable[[], Awaitable[Value]]) -> Value:
        """The value of the key, made now if there is none that is fresh. What `make` raises is not kept."""
        async with self._lock:
            kept = self._kept.get(key)
            if kept is not None and kept[0] > monotonic():
                return kept[1]
            value = await make()
            if len(self._kept) >= MAX_KEYS:
                self._kept.clear()
            self._kept[key] = (monotonic() + self._ttl_s, value)
            return value
