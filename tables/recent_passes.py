"""Decoded states of the cameras that were seen lately, so that a run need not decode what the run before it encoded."""

from collections import OrderedDict

from tables.pass_contents import LoadContents
from tables.passes import CameraPasses


class RecentPasses:
    """Keeps each state with the table value that it stands for, and gives it only for that very value.

    So a state is never older or newer than the table: after a run that was not kept, a rebalance or a replay the values
    differ, and the state is decoded again.

    Args:
        load: as for `CameraPasses.decode`.
        max_bytes: most bytes of values together; the cameras not seen for longest go first. A decoded state takes a
            small multiple of its value.
    """

    def __init__(self, load: LoadContents, max_bytes: int) -> None:
        self._load = load
        self._max_bytes = max_bytes
        self._bytes = 0
        self._kept: OrderedDict[bytes, tuple[bytes, CameraPasses]] = OrderedDict()

    def take(self, camera: bytes, value: bytes | None) -> CameraPasses:
        """The state of a table value, for the caller to change: it is not kept until `put`.

        Raises:
            ValueError: the value is of another layout.
        """
        found = self._kept.pop(camera, None)
        if found is not None:
            self._bytes -= len(found[0])
            if found[0] == value:
                return found[1]
        return CameraPasses.decode(value, self._load)

    def peek(self, camera: bytes, value: bytes) -> CameraPasses:
        """The state of a table value, to look at: what is kept stays kept."""
        found = self._kept.get(camera)
        return found[1] if found is not None and found[0] == value else CameraPasses.decode(value, self._load)

    def put(self, camera: bytes, value: bytes, state: CameraPasses) -> None:
        """Keep a state that the caller no longer changes, under what it was encoded to."""
        replaced = self._kept.pop(camera, None)
        if replaced is not None:
            self._bytes -= len(replaced[0])
        self._kept[camera] = (value, state)
        self._bytes += len(value)
        while self._bytes > self._max_bytes:
            _, (dropped, _) = self._kept.popitem(last=False)
            self._bytes -= len(dropped)
