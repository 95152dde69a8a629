"""YAML to a tree that knows its places.

Scalars keep the text that the author wrote: a plate 0123 is not octal, ``NO`` is Norway and not false, 22:00 is a time
and not 1320 (YAML 1.1 says otherwise). What a scalar means is decided where it is used (`expectations`).

The tree is built from parser events with an explicit stack, so hostile files (deep nesting, alias bombs, huge ones)
cost neither recursion nor memory: size, depth and the number of nodes after alias expansion are bounded.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from alert_rules.errors import Place, Problems, RuleFileError, RuleProblem, nearest

MAX_FILE_BYTES = 1024 * 1024
MAX_DEPTH = 40
MAX_NODES = 100_000

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml where PyYAML has it
_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # YAML 1.1, 4.1.1
_CORE_TAGS = frozenset(f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "seq", "map"))


@dataclass(frozen=True, slots=True)
class Scalar:
    """A scalar as it was written.

    Attributes:
        plain: without quotes, so that ``null`` and ``true`` may be words of the language.
    """

    text: str
    place: Place
    plain: bool = True

    kind = "a value"

    @property
    def is_null(self) -> bool:
        """Whether nothing stands there."""
        return self.plain and self.text in ("", "~", "null", "Null", "NULL")


@dataclass(frozen=True, slots=True)
class Listing:
    """A sequence."""

    items: "list[Node]"
    place: Place

    kind = "a list"


@dataclass(frozen=True, slots=True)
class Mapping:
    """A mapping with text keys, in the order of the file."""

    entries: "dict[str, Node]"
    place: Place
    key_places: dict[str, Place] = field(default_factory=dict)

    kind = "a mapping"

    def place_of(self, key: str) -> Place:
        """Where a key stands."""
        return self.key_places.get(key, self.place)


Node = Scalar | Listing | Mapping


def parse(data: bytes, source: str) -> Node:
    """Read one YAML document.

    Args:
        data: the file's bytes.
        source: name for messages.

    Raises:
        RuleFileError: with every duplicate key, or the one place where it stops being YAML.
    """
    if len(data) > MAX_FILE_BYTES:
        raise _error(Place(source), f"the file has {len(data):,} bytes; a rule file has at most {MAX_FILE_BYTES:,}")
    text = _decode(data, source)
    builder = _Builder(source)
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(source) if mark is None else _place_of(mark, text, source)
        raise _error(place, _plain_words(error)) from error
    except yaml.YAMLError as error:
        raise _error(Place(source), f"not YAML: {error}") from error
    except RuleProblem as problem:
        raise RuleFileError([problem]) from None
    return builder.finish()


def _decode(data: bytes, source: str) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8", "replace")
        message = f"byte 0x{data[error.start]:02x} is not UTF-8; save the file as UTF-8"
        raise _error(_place_in(before, len(before), source), message) from error
    found = _FORBIDDEN.search(text)
    if found:
        message = f"character U+{ord(found.group()):04X} is not allowed in YAML"
        raise _error(_place_in(text, found.start(), source), message)
    return text


def _place_in(text: str, index: int, source: str) -> Place:
    start = text.rfind("\n", 0, index) + 1
    return Place(source, text.count("\n", 0, index) + 1, index - start + 1)


def _place_of(mark: Any, text: str, source: str) -> Place:
    """The place of a mark; libyaml puts the end of a text that has no last line break on the line after it."""
    lines = f"{text}.".splitlines()
    if mark.line < len(lines):
        return Place(source, mark.line + 1, mark.column + 1)
    return Place(source, len(lines), len(lines[-1]))


def _error(place: Place, message: str) -> RuleFileError:
    return RuleFileError([RuleProblem(place, message)])


def _plain_words(error: yaml.MarkedYAMLError) -> str:
    problem = error.problem or "unreadable"
    if "nesting depth" in problem:  # newer versions of libyaml have a bound of their own, and scan ahead of its events
        return f"nested deeper than {MAX_DEPTH} levels"
    if "cannot start any token" in problem:
        problem += " (a tab? indent with spaces; or a sign such as @ or % that needs quotes)"
    return f"not YAML: {problem} ({error.context})" if error.context else f"not YAML: {problem}"


@dataclass(slots=True)
class _Open:
    """A collection whose end has not come yet."""

    node: Listing | Mapping
    anchor: str | None
    key: Scalar | None = None
    size: int = 1
    height: int = 1


class _Builder:
    """Puts the tree together from parser events."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._open: list[_Open] = []
        self._root: Node | None = None
        self._anchors: dict[str, tuple[Node, int, int]] = {}
        self._problems = Problems()

    def take(self, event: Any) -> None:
        """Take one event.

        Raises:
            RuleProblem: the file cannot be read on.
        """
        if isinstance(event, yaml.ScalarEvent):
            self._check_tag(event)
            self._add(Scalar(event.value, self._place(event), bool(event.implicit[0])), event.anchor)
        elif isinstance(event, yaml.SequenceStartEvent):
            self._begin(Listing([], self._place(event)), event)
        elif isinstance(event, yaml.MappingStartEvent):
            self._begin(Mapping({}, self._place(event)), event)
        elif isinstance(event, yaml.SequenceEndEvent | yaml.MappingEndEvent):
            done = self._open.pop()
            self._add(done.node, done.anchor, done.size, done.height)
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event)
        elif isinstance(event, yaml.DocumentStartEvent) and self._root is not None:
            raise RuleProblem(self._place(event), "a second document starts here; a rule file has one")

    def finish(self) -> Node:
        """The tree.

        Raises:
            RuleFileError: duplicate keys, or an empty file.
        """
        self._problems.raise_any()
        if self._root is None or (isinstance(self._root, Scalar) and self._root.is_null):
            raise _error(Place(self._source), "the file is empty; expected a mapping with 'rules:'")
        return self._root

    def _place(self, event: Any) -> Place:
        return Place(self._source, event.start_mark.line + 1, event.start_mark.column + 1)

    def _begin(self, node: Listing | Mapping, event: Any) -> None:
        self._check_tag(event)
        if len(self._open) >= MAX_DEPTH:
            raise RuleProblem(node.place, f"nested deeper than {MAX_DEPTH} levels")
        self._open.append(_Open(node, event.anchor))

    def _check_tag(self, event: Any) -> None:
        if event.tag is not None and event.tag != "!" and event.tag not in _CORE_TAGS:
            raise RuleProblem(self._place(event), f"tag {event.tag[:60]!r} is not part of the rule language")

    def _alias(self, event: Any) -> None:
        place = self._place(event)
        if event.anchor not in self._anchors:
            known = nearest(event.anchor, self._anchors)
            raise RuleProblem(place, f"alias *{event.anchor[:60]} has no finished anchor before it{known}")
        node, size, height = self._anchors[event.anchor]
        if len(self._open) + height > MAX_DEPTH:
            raise RuleProblem(place, f"nested deeper than {MAX_DEPTH} levels, aliases counted")
        self._add(node, None, size, height)

    def _add(self, node: Node, anchor: str | None, size: int = 1, height: int = 0) -> None:
        if anchor is not None:
            self._anchors[anchor] = (node, size, height)
        if not self._open:
            self._root = node
            return
        parent = self._open[-1]
        parent.height = max(parent.height, height + 1)
        parent.size += size  # aliases count with what they stand for: no bomb goes off later
        if parent.size > MAX_NODES:
            raise RuleProblem(node.place, f"more than {MAX_NODES:,} values, aliases counted")
        if isinstance(parent.node, Listing):
            parent.node.items.append(node)
        elif parent.key is None:
            parent.key = self._key(node)
        else:
            self._put(parent.node, parent.key, node)
            parent.key = None

    def _key(self, node: Node) -> Scalar:
        if not isinstance(node, Scalar):
            raise RuleProblem(node.place, f"{node.kind} cannot be a key")
        if node.plain and node.text == "<<":
            raise RuleProblem(node.place, "merge keys (<<) are not part of the rule language; write the keys out")
        return node

    def _put(self, mapping: Mapping, key: Scalar, node: Node) -> None:
        if key.text in mapping.entries:
            first = mapping.key_places[key.text]
            self._problems.add(
                RuleProblem(key.place, f"'{key.text[:60]}' stands twice; the first is at {first.line}:{first.column}")
            )
            return
        mapping.entries[key.text] = node
        mapping.key_places[key.text] = key.place


def walk(node: Node) -> Iterator[Node]:
    """The node and all below it. Bounded by `MAX_NODES`, aliases counted."""
    stack = [node]
    while stack:
        current = stack.pop()
        yield current
        if isinstance(current, Listing):
            stack.extend(reversed(current.items))
        elif isinstance(current, Mapping):
            stack.extend(reversed(current.entries.values()))
