"""What a rule file must have where: typed readings of the located tree. Each failure says what was expected there."""

import math
import re
from collections.abc import Iterable, Sequence

from alert_rules.document import Listing, Mapping, Node, Scalar
from alert_rules.errors import Problems, RuleProblem, nearest, shown

TRUE = frozenset({"true", "yes", "on"})
FALSE = frozenset({"false", "no", "off"})
_DURATION = re.compile(r"(?:(\d{1,6}(?:\.\d{1,6})?)(ms|s|m|h|d|w))")
_UNIT_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
MAX_DURATION_S = 366 * 86_400.0
_NUMBER = re.compile(r"[+-]?(\d{1,18}(\.\d{0,18})?|\.\d{1,18})([eE][+-]?\d{1,3})?")


def mapping(node: Node, what: str) -> Mapping:
    """The node as a mapping.

    Raises:
        RuleProblem: it is something else.
    """
    if not isinstance(node, Mapping):
        raise RuleProblem(node.place, f"expected {what} (a mapping), found {found(node)}")
    return node


def known_keys(node: Mapping, known: Sequence[str], what: str, problems: Problems) -> None:
    """Note each key that the language does not know, with the nearest one that it does."""
    for key in node.entries:
        if key not in known:
            problems.add(RuleProblem(node.place_of(key), f"{what} has no '{key[:60]}'{nearest(key, known)}"))


def required(node: Mapping, key: str, what: str) -> Node:
    """The value of a key that must be there.

    Raises:
        RuleProblem: it is not.
    """
    if key not in node.entries:
        raise RuleProblem(node.place, f"{what} needs '{key}'")
    return node.entries[key]


def items(node: Node, what: str, *, single: bool = False) -> list[Node]:
    """The items of a list; with `single` a lone value counts as a list of one.

    Raises:
        RuleProblem: it is something else.
    """
    if isinstance(node, Listing):
        return node.items
    if single and not (isinstance(node, Scalar) and node.is_null):
        return [node]
    raise RuleProblem(node.place, f"expected {what} (a list), found {found(node)}")


def text(node: Node, what: str, *, limit: int = 1000, empty: bool = False) -> str:
    """The text of a scalar, as written: 0123 stays 0123.

    Raises:
        RuleProblem: no scalar, nothing, or too long.
    """
    if not isinstance(node, Scalar) or (node.is_null and not empty):
        raise RuleProblem(node.place, f"expected {what} (text), found {found(node)}")
    if not node.text.strip() and not empty:
        raise RuleProblem(node.place, f"expected {what}, found empty text")
    if len(node.text) > limit:
        raise RuleProblem(node.place, f"{what} has {len(node.text):,} characters; at most {limit:,} are allowed")
    if "\x00" in node.text or not _encodable(node.text):
        raise RuleProblem(node.place, f"{what} holds characters that are not valid text")
    return node.text


def optional_text(node: Mapping, key: str, what: str, *, limit: int = 1000) -> str | None:
    """The text of a key; None where the key is missing or null."""
    value = node.entries.get(key)
    if value is None or (isinstance(value, Scalar) and value.is_null):
        return None
    return text(value, what, limit=limit)


def number(node: Node, what: str) -> float:
    """A finite number, quoted or not.

    Raises:
        RuleProblem: it is something else.
    """
    if isinstance(node, Scalar) and _NUMBER.fullmatch(node.text.strip()):
        value = float(node.text)
        if math.isfinite(value):
            return value
    raise RuleProblem(node.place, f"expected {what} (a number), found {found(node)}")


def number_between(node: Node, what: str, low: float, high: float) -> float:
    """A number within bounds, both included.

    Raises:
        RuleProblem: it is something else.
    """
    value = number(node, what)
    if not low <= value <= high:
        raise RuleProblem(node.place, f"{what} must lie between {low:g} and {high:g}, not {value:g}")
    return value


def whole_number(node: Node, what: str, low: int, high: int) -> int:
    """A whole number within bounds, both included.

    Raises:
        RuleProblem: it is something else.
    """
    value = number_between(node, what, low, high)
    if value != int(value):
        raise RuleProblem(node.place, f"expected {what} (a whole number), found {found(node)}")
    return int(value)


def flag(node: Node, what: str) -> bool:
    """Read true or false (or yes, no, on, off).

    Raises:
        RuleProblem: it is something else.
    """
    if isinstance(node, Scalar):
        lowered = node.text.lower()
        if lowered in TRUE:
            return True
        if lowered in FALSE:
            return False
    raise RuleProblem(node.place, f"expected {what} (true or false), found {found(node)}")


def optional_flag(node: Mapping, key: str, default: bool) -> bool:
    """A flag that may be missing."""
    return flag(node.entries[key], f"'{key}'") if key in node.entries else default


def choice(node: Node, what: str, known: Iterable[str]) -> str:
    """One of a few words, in any case.

    Raises:
        RuleProblem: it is something else.
    """
    names = list(known)
    word = text(node, what)
    lowered = {name.lower(): name for name in names}
    if word.strip().lower() not in lowered:
        raise RuleProblem(node.place, f"{shown(word)} is no {what}{nearest(word, names)}")
    return lowered[word.strip().lower()]


def duration_s(node: Node, what: str) -> float:
    """A time span: ``10m``, ``1h30m``, ``45s``, ``500ms``, ``2d``; a bare number means seconds.

    Raises:
        RuleProblem: it is something else, negative, or longer than a year.
    """
    if not isinstance(node, Scalar):
        raise RuleProblem(node.place, f"expected {what} such as 10m, 90s or 1h30m, found {found(node)}")
    seconds = parse_duration_s(node.text)
    if seconds is None:
        raise RuleProblem(node.place, f"expected {what} such as 10m, 90s or 1h30m, found {found(node)}")
    if seconds > MAX_DURATION_S:
        raise RuleProblem(node.place, f"{what} is longer than a year")
    return seconds


def parse_duration_s(written: str) -> float | None:
    """Seconds of a time span as `duration_s` reads it; None for anything else."""
    compact = written.replace(" ", "").lower()
    if not compact or len(compact) > 60:
        return None
    if re.fullmatch(r"\d{1,9}(\.\d{1,6})?", compact):
        return float(compact)
    parts = list(_DURATION.finditer(compact))
    if "".join(part.group() for part in parts) != compact:
        return None
    return sum(float(part[1]) * _UNIT_S[part[2]] for part in parts)


def show_duration(seconds: float) -> str:
    """The shortest way to write a time span: ``1h30m``."""
    if seconds != int(seconds):
        return f"{seconds:g}s"
    rest, words = int(seconds), ""
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)):
        count, rest = divmod(rest, size)
        words += f"{count}{unit}" if count else ""
    return words or "0s"


def found(node: Node) -> str:
    """The node in words, for messages."""
    if isinstance(node, Scalar):
        return "nothing" if node.is_null else shown(node.text)
    return node.kind


def _encodable(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
