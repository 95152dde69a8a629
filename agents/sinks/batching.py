"""What every batch needs: the newest version of each key, and the bad record found without its neighbours."""

from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from typing import TypeVar

from schemas.errors import SinkRejected

Item = TypeVar("Item")
Refused = dict[int, SinkRejected]
"""index of an item -> why it was refused"""


def newest(
    items: Mapping[int, Item], key: Callable[[Item], Hashable], version: Callable[[Item], int]
) -> dict[int, Item]:
    """The item with the highest version of each key; of equal versions the first one (the next ones change nothing)."""
    best: dict[Hashable, tuple[int, int]] = {}
    for index, item in items.items():
        at, number = key(item), version(item)
        if at not in best or number > best[at][0]:
            best[at] = (number, index)
    return {index: items[index] for _, index in best.values()}


async def write_newest(
    items: Mapping[int, Item],
    *,
    key: Callable[[Item], Hashable],
    version: Callable[[Item], int],
    write: Callable[[dict[int, Item]], Awaitable[Refused]],
) -> Refused:
    """Write the newest version of each key; where that is refused, the next lower one gets its turn.

    So a batch ends in the state that writing its records one by one would have ended in, and costs one write.

    Args:
        items: index to item.
        key: what an item replaces.
        version: higher replaces lower.
        write: writes items with distinct keys and returns the refused ones.

    Returns:
        All refusals.
    """
    refused: Refused = {}
    waiting = dict(items)
    while waiting:
        failed = await write(newest(waiting, key, version))
        refused.update(failed)
        again = {key(waiting[index]) for index in failed}
        waiting = {index: item for index, item in waiting.items() if index not in failed and key(item) in again}
    return refused


async def bisect(items: Mapping[int, Item], write: Callable[[Sequence[Item]], Awaitable[None]]) -> Refused:
    """Write all at once; where that is refused, halves, until the bad ones stand alone.

    One bad record in n costs about 2 log2(n) more writes. `write` must be all or nothing.

    Args:
        items: index to item.
        write: raises `SinkRejected` when any of its items cannot be written.

    Returns:
        The refused items.
    """
    if not items:
        return {}
    try:
        await write(list(items.values()))
    except SinkRejected as error:
        if len(items) == 1:
            return dict.fromkeys(items, error)
    else:
        return {}
    entries = list(items.items())
    half = len(entries) // 2
    return {**await bisect(dict(entries[:half]), write), **await bisect(dict(entries[half:]), write)}
