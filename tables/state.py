"""Typed tables: an agent reads the states of a run's keys at once, decides, and hands the changes over with the run."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Generic, TypeVar

from streams.role_app import RoleApp
from streams.run import Run
from streams.table import RunTable
from tables.serde import Serde

Key = TypeVar("Key")
State = TypeVar("State")


class StateTable(Generic[Key, State]):
    """A table of a role, with types. Partitioned like the topic whose runs change it.

    Args:
        app: the role that owns it.
        name: plural noun; the changelog is ``alpr-<role>-<name>-changelog``.
        keys: of the keys.
        states: of the values.
        partitions: of the topic whose runs change it.
        help: what it holds, for ``faust -A streams tables``.
    """

    def __init__(
        self,
        app: RoleApp,
        name: str,
        keys: Serde[Key],
        states: Serde[State],
        *,
        partitions: int,
        help: str,
    ) -> None:
        self.name = name
        self.keys = keys
        self.states = states
        self.table: RunTable = app.run_table(name, partitions=partitions, help=help)

    def get_many(self, run: Run, keys: Iterable[Key]) -> dict[Key, State | None]:
        """States of the keys in the run's partition, with one read; None for a key that has none.

        What earlier runs changed is seen at once, before it is durable.
        """
        encode, decode = self.keys.encode, self.states.decode
        wanted = {encode(key): key for key in keys}
        found = self.table.get_many(run, wanted)
        return {key: None if (data := found[raw]) is None else decode(data) for raw, key in wanted.items()}

    def scan(self, run: Run, start: bytes = b"", stop: bytes | None = None) -> Iterator[tuple[Key, State]]:
        """Keys and states of the run's partition in the order of the key bytes, `start` up to `stop` (not included).

        For timers: make the time the head of the key (`tables.serde.ordered_int`) and scan up to now.
        """
        for key, data in self.table.scan(run, start, stop):
            yield self.keys.decode(key), self.states.decode(data)


class Changes(Mapping[RunTable, Mapping[bytes, bytes | None]]):
    """Changes of tables by one run, for ``await run.finish(changes, outputs)``. The last change of a key stands."""

    def __init__(self) -> None:
        self._tables: dict[RunTable, dict[bytes, bytes | None]] = {}

    def put(self, table: StateTable[Key, State], key: Key, state: State) -> None:
        """Set the state of a key."""
        self._tables.setdefault(table.table, {})[table.keys.encode(key)] = table.states.encode(state)

    def put_many(self, table: StateTable[Key, State], states: Mapping[Key, State | None]) -> None:
        """Set many states; None deletes."""
        changes = self._tables.setdefault(table.table, {})
        encode_key, encode = table.keys.encode, table.states.encode
        for key, state in states.items():
            changes[encode_key(key)] = None if state is None else encode(state)

    def delete(self, table: StateTable[Key, State], key: Key) -> None:
        """Delete a key."""
        self._tables.setdefault(table.table, {})[table.keys.encode(key)] = None

    def __getitem__(self, table: RunTable) -> Mapping[bytes, bytes | None]:
        return self._tables[table]

    def __iter__(self) -> Iterator[RunTable]:
        return iter(self._tables)

    def __len__(self) -> int:
        return len(self._tables)
