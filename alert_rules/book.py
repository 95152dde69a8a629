"""The rules and watchlists that are in force in a process, kept up to date with their files and topics.

A change is taken whole or not at all: while anything in it is wrong, what was in force stays in force.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from alert_rules.engine import Engine
from alert_rules.entry_table import EntryTable
from alert_rules.errors import Problems, RuleFileError
from alert_rules.loading import RuleSet, read_rules, read_texts, rule_files
from alert_rules.watchlist_files import load_table, watchlist_files
from alert_rules.watchlists import Watchlists

Signature = tuple[tuple[str, int, int], ...]


class RuleBook:
    """Rules from files and from rule documents of the topic; watchlists likewise.

    Args:
        rules_path: rule file or folder.
        watchlists_path: watchlist file or folder; may be missing.

    Attributes:
        engine: the engine of what is in force; replaced by each change of rules.
        watchlists: shared by all engines; entries of the topic go in and out here.
    """

    def __init__(self, rules_path: Path, watchlists_path: Path) -> None:
        self._rules_path = rules_path
        self._watchlists_path = watchlists_path
        self._texts: dict[str, bytes] = {}
        self._documents: dict[str, bytes] = {}
        self._rules_signature: Signature | None = None
        self._watchlists_signature: Signature | None = None
        self.watchlists = Watchlists()
        self.engine = Engine(RuleSet(), self.watchlists)

    def load(self) -> None:
        """Read all files.

        Raises:
            RuleFileError: something in them is wrong; nothing has changed.
        """
        change = self.look()
        if change.problems is not None:
            raise change.problems
        self.take(change)

    def refresh(self) -> bool:
        """`look` and `take` in one.

        Raises:
            RuleFileError: as `take`.
        """
        return self.take(self.look())

    def look(self) -> "Change":
        """Read the files that have changed since the last `take`. Changes nothing, so it may run in a thread."""
        change = Change(_signature(rule_files(self._rules_path)), _signature(watchlist_files(self._watchlists_path)))
        problems = Problems()
        if change.watchlists_signature != self._watchlists_signature:
            with problems.collect():
                change.entries = load_table([self._watchlists_path])
        if change.rules_signature != self._rules_signature:
            with problems.collect():
                texts, documents = read_texts([self._rules_path]), self._documents
                change.engine = self._engine(texts, documents)
                change.texts, change.documents = texts, documents
        if problems.found:
            change.problems = RuleFileError(problems.found)
        return change

    def take(self, change: "Change") -> bool:
        """Put what `look` has read in force.

        A broken file raises once; it is looked at again when it changes again.

        Returns:
            Whether anything was taken.

        Raises:
            RuleFileError: a changed file is wrong; what was in force stays.
        """
        self._rules_signature, self._watchlists_signature = change.rules_signature, change.watchlists_signature
        problems = Problems()
        if change.problems is not None:
            with problems.collect():
                raise change.problems
        taken = False
        if change.entries is not None:
            self.watchlists.install(change.entries)
            taken = True
        if change.texts is not None:
            with problems.collect():
                current = change.engine if change.documents is self._documents else None
                self.engine = current or self._engine(change.texts, self._documents)
                self._texts = change.texts
                taken = True
        problems.raise_any()
        return taken

    def put_document(self, name: str, text: bytes | None) -> None:
        """Take a rule document of the topic; None withdraws it.

        Raises:
            RuleFileError: it is wrong, or together with the others; what was in force stays.
        """
        documents = {key: value for key, value in self._documents.items() if key != name}
        if text is not None:
            documents[name] = text
        self.engine = self._engine(self._texts, documents)
        self._documents = documents

    def _engine(self, texts: dict[str, bytes], documents: dict[str, bytes]) -> Engine:
        return Engine(read_rules({**texts, **documents}), self.watchlists)


@dataclass(slots=True)
class Change:
    """What a look at the files has found: what is None has not changed, or is wrong.

    Attributes:
        engine: of `texts` together with `documents`, those of the topic at that time.
    """

    rules_signature: Signature
    watchlists_signature: Signature
    entries: EntryTable | None = None
    texts: dict[str, bytes] | None = None
    documents: dict[str, bytes] | None = None
    engine: Engine | None = None
    problems: RuleFileError | None = None


def _signature(files: Iterable[Path]) -> Signature:
    """Names, sizes and times of files: equal while nothing has changed."""
    found = []
    for file in files:
        try:
            stat = file.stat()
        except OSError:
            continue
        found.append((str(file), stat.st_mtime_ns, stat.st_size))
    return tuple(found)
