"""The book keeps rules and watchlists up to date, and takes a change whole or not at all."""

import os
from pathlib import Path

import pytest

from alert_rules.book import RuleBook
from alert_rules.errors import RuleFileError
from tests.unit.alert_rules.builders import entry, run, sighting

GOOD = "rules: [{id: listed, match: {watchlist: stolen}}]\n"
BETTER = "rules: [{id: listed, match: {watchlist: stolen}}, {id: all, match: {field: reads, op: '>', value: 0}}]\n"
BROKEN = "rules: [{id: listed, match: {watchlst: stolen}}]\n"


class Files:
    """A folder of rules and one of watchlists, and the book of them."""

    def __init__(self, folder: Path) -> None:
        self.rules = folder / "rules"
        self.lists = folder / "lists"
        self._clock_ns = 1_700_000_000_000_000_000
        self.write("rules/a.yml", GOOD)
        self.write("lists/stolen.txt", "AB1\n")
        self.book = RuleBook(self.rules, self.lists)

    def write(self, name: str, text: str) -> None:
        """Write a file with a time of its own, so that a change shows however fast the test is."""
        file = self.rules.parent / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
        self._clock_ns += 1_000_000_000
        os.utime(file, ns=(self._clock_ns, self._clock_ns))

    def fired(self, plate: str) -> list[str]:
        """Ids of the rules that fire for a plate."""
        return [alert.rule.id for alert in run(self.book.engine, [sighting(plate_text=plate)])]


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """Rules and lists, not loaded yet."""
    return Files(tmp_path)


def test_a_broken_file_stops_the_start(files: Files) -> None:
    """Loading raises with the place."""
    files.write("rules/b.yml", BROKEN)
    with pytest.raises(RuleFileError, match=r"b\.yml:1:30: a condition has no 'watchlst'; did you mean 'watchlist'\?"):
        files.book.load()


def test_no_rules_stop_the_start(tmp_path: Path) -> None:
    """A path that is not there, or a folder without rule files, is a mistake of the operator."""
    with pytest.raises(RuleFileError, match="there is no such file or folder"):
        RuleBook(tmp_path / "none", tmp_path).load()
    with pytest.raises(RuleFileError, match="the folder has no rule files"):
        RuleBook(tmp_path, tmp_path).load()


def test_changed_files_are_taken(files: Files) -> None:
    """New rules, new files, removed files and new watchlist entries are in force after the next look."""
    files.book.load()
    assert files.book.refresh() is False
    assert (files.fired("AB1"), files.fired("CD2")) == (["listed"], [])
    files.write("rules/a.yml", BETTER)
    files.write("lists/stolen.txt", "CD2\n")
    assert files.book.refresh() is True
    assert (files.fired("AB1"), files.fired("CD2")) == (["all"], ["listed", "all"])
    files.write("rules/b.yml", "rules: [{id: b, match: {plate: AB1}}]")
    assert files.book.refresh() is True
    assert files.fired("AB1") == ["all", "b"]
    (files.rules / "b.yml").unlink()
    assert files.book.refresh() is True
    assert files.fired("AB1") == ["all"]


def test_a_broken_change_is_refused_whole_and_named_once(files: Files) -> None:
    """The old rules stay; the next look is quiet until the file changes again; other files are taken."""
    files.book.load()
    files.write("rules/a.yml", BROKEN)
    files.write("rules/b.yml", "rules: [{id: b, match: {plate: AB1}}]")
    files.write("lists/stolen.txt", "CD2\n")
    with pytest.raises(RuleFileError, match="did you mean 'watchlist'"):
        files.book.refresh()
    assert (files.fired("AB1"), files.fired("CD2")) == ([], ["listed"])
    assert files.book.refresh() is False
    files.write("rules/a.yml", GOOD)
    assert files.book.refresh() is True
    assert files.fired("AB1") == ["b"]


def test_a_broken_watchlist_is_refused_whole(files: Files) -> None:
    """Not one entry of it is taken, and none of the old ones lost."""
    files.book.load()
    files.write("lists/stolen.txt", "CD2\n***\n")
    with pytest.raises(RuleFileError, match=r"stolen\.txt:2:1"):
        files.book.refresh()
    assert (files.fired("AB1"), files.fired("CD2")) == (["listed"], [])


def test_entries_of_the_topic_outlive_a_reload(files: Files) -> None:
    """Files replace what files brought, nothing else."""
    files.book.load()
    files.book.watchlists.put(entry("EF3"))
    files.write("lists/stolen.txt", "CD2\n")
    files.book.refresh()
    assert (files.fired("AB1"), files.fired("CD2"), files.fired("EF3")) == ([], ["listed"], ["listed"])


def test_documents_join_the_files(files: Files) -> None:
    """A document of the topic adds rules, is replaced and withdrawn; a broken or clashing one changes nothing."""
    files.book.load()
    files.book.put_document("doc", b"rules: [{id: d, match: {plate: CD2}}]")
    assert files.fired("CD2") == ["d"]
    for broken, message in ((BROKEN, "did you mean"), (GOOD, "rule id 'listed' is taken")):
        with pytest.raises(RuleFileError, match=message):
            files.book.put_document("doc", broken.encode())
        assert files.fired("CD2") == ["d"]
    files.write("rules/a.yml", BETTER)
    files.book.refresh()
    assert files.fired("CD2") == ["all", "d"]
    files.book.put_document("doc", None)
    files.book.put_document("never", None)
    assert files.fired("CD2") == ["all"]


def test_a_look_changes_nothing_until_it_is_taken(files: Files) -> None:
    """Files may be read in a thread; a document that comes meanwhile is in force with them."""
    files.book.load()
    files.write("rules/a.yml", BETTER)
    files.write("lists/stolen.txt", "CD2\n")
    change = files.book.look()
    assert (files.fired("AB1"), files.fired("CD2")) == (["listed"], [])
    files.book.put_document("doc", b"rules: [{id: d, match: {plate: CD2}}]")
    assert files.book.take(change) is True
    assert (files.fired("AB1"), files.fired("CD2")) == (["all"], ["listed", "all", "d"])


def test_files_that_clash_with_a_document_of_meanwhile_are_refused(files: Files) -> None:
    """What came first stays, and the files are named; their watchlists are taken all the same."""
    files.book.load()
    files.write("rules/b.yml", "rules: [{id: d, match: {plate: AB1}}]")
    files.write("lists/stolen.txt", "CD2\n")
    change = files.book.look()
    files.book.put_document("doc", b"rules: [{id: d, match: {plate: CD2}}]")
    with pytest.raises(RuleFileError, match="rule id 'd' is taken"):
        files.book.take(change)
    assert (files.fired("AB1"), files.fired("CD2")) == ([], ["listed", "d"])
