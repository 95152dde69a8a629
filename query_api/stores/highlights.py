"""Marks in a found document what the query's words matched. Pure.

The index searches one field that holds the words of all others, so it cannot tell which of them matched; this can.
"""

import html
import re
from collections.abc import Iterable, Mapping
from typing import Any

from schemas.identity import fold, normalise

FIELDS = (
    *("plate_text", "plate_normalized_text", "resolved_text", "previous_text", "plate_region"),
    *("camera_id", "site_id", "vehicle_type", "vehicle_make", "vehicle_model", "vehicle_color", "direction"),
)
PLATE_FIELDS = frozenset({"plate_text", "plate_normalized_text", "resolved_text", "previous_text"})
MAX_VALUE_CHARS = 400
_WORDS = re.compile(r"\w+")
_STARTS = re.compile(r"(\w+)\*")
_NEGATED = re.compile(r'(?:^|\s)-(?:"[^"]*"?|\S+)')


def highlights(source: Mapping[str, Any], text: str) -> dict[str, list[str]]:
    """Field name to the value, as HTML, with ``<em>`` around what matched; fields without a match are left out.

    Args:
        source: the document, with flat names and `extras`.
        text: the query as it was typed.
    """
    positive = _NEGATED.sub(" ", text).casefold()
    words, starts = set(_WORDS.findall(positive)), tuple(_STARTS.findall(positive))
    plate = fold(normalise(text))
    found: dict[str, list[str]] = {}
    for name, value in _texts(source):
        if name in PLATE_FIELDS and plate and fold(normalise(value)) == plate:
            found[name] = [f"<em>{html.escape(value)}</em>"]
        elif marked := _marked(value[:MAX_VALUE_CHARS], words, starts):
            found[name] = [marked]
    return found


def _texts(source: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    for name in FIELDS:
        if isinstance(value := source.get(name), str):
            yield name, value
    extras = source.get("extras")
    for name, value in extras.items() if isinstance(extras, dict) else ():
        yield f"extras.{name}", str(value)


def _marked(value: str, words: set[str], starts: tuple[str, ...]) -> str | None:
    parts: list[str] = []
    end = 0
    for match in _WORDS.finditer(value):
        word = match[0].casefold()
        if word in words or word.startswith(starts):
            parts += [html.escape(value[end : match.start()]), f"<em>{html.escape(match[0])}</em>"]
            end = match.end()
    return "".join([*parts, html.escape(value[end:])]) if parts else None
