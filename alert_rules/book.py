"""The rules and watchlists that are in force in a process, kept up to date with their files and topics.

A change is taken whole or not at all: while anything in it is wrong, what was in force stays in force.
"""

from collections.abc import Iterable
from pathlib import Path

from alert_rules.engine import Engine
from alert_rules.errors import Problems
from alert_rules.loading import RuleSet, read_rules, read_texts, rule_files
from alert_rules.watchlist_files import load_watchlists, watchlist_files
from alert_rules.watchlists import Watchlists
from schemas.events import WatchlistEntry

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
        self._from_files: set[tuple[str, str]] = set()
        self._rules_signature: Signature | None = None
        self._watchlists_signature: Signature | None = None
        self.watchlists = Watchlists()
        self.engine = Engine(RuleSet(), self.watchlists)

    def load(self) -> None:
        """Read all files.

        Raises:
            RuleFileError: something in them is wrong; nothing has changed.
        """
        self._rules_signature = _signature(rule_files(self._rules_path))
        self._watchlists_signature = _signature(watchlist_files(self._watchlists_path))
        self._load_watchlists()
        self._load_rules()

    def refresh(self) -> bool:
        """Read the files that have changed since the last look.

        A broken file raises once; it is looked at again when it changes again.

        Returns:
            Whether anything was taken.

        Raises:
            RuleFileError: a changed file is wrong; what was in force stays.
        """
        problems = Problems()
        taken = False
        watchlists = _signature(watchlist_files(self._watchlists_path))
        if watchlists != self._watchlists_signature:
            self._watchlists_signature = watchlists
            with problems.collect():
                self._load_watchlists()
                taken = True
        rules = _signature(rule_files(self._rules_path))
        if rules != self._rules_signature:
            self._rules_signature = rules
            with problems.collect():
                self._load_rules()
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
        self._install(self._texts, documents)
        self._documents = documents

    def _load_rules(self) -> None:
        texts = read_texts([self._rules_path])
        self._install(texts, self._documents)
        self._texts = texts

    def _install(self, texts: dict[str, bytes], documents: dict[str, bytes]) -> None:
        rules = read_rules({**texts, **documents})
        self.engine = Engine(rules, self.watchlists)

    def _load_watchlists(self) -> None:
        entries: list[WatchlistEntry] = load_watchlists([self._watchlists_path])
        for list_id, entry_id in self._from_files:
            self.watchlists.remove(list_id, entry_id)
        for entry in entries:
            self.watchlists.put(entry)
        self._from_files = {(entry.list_id, entry.entry_id) for entry in entries}


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
