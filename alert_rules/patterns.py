"""Regular expressions that cannot hang: RE2 runs in time linear in the text, whatever the pattern.

RE2 (Cox, "Regular Expression Matching in the Wild", 2010) has no look-around and no back-references; a pattern that
asks for them is refused when the rule is read.
"""

from functools import lru_cache
from typing import Any

import re2  # type: ignore[import-untyped]  # it has no stubs

from schemas.errors import ConfigError

MAX_PATTERN_CHARS = 500
_MAX_MEMORY_BYTES = 1 << 20


class PatternError(ConfigError):
    """A pattern that RE2 does not take."""


@lru_cache(maxsize=4096)
def compile_pattern(pattern: str, *, ignore_case: bool = True) -> Any:
    """A compiled RE2 pattern.

    Raises:
        PatternError: it is too long, too costly, or uses what RE2 leaves out.
    """
    if len(pattern) > MAX_PATTERN_CHARS:
        raise PatternError(f"the pattern has {len(pattern)} characters; at most {MAX_PATTERN_CHARS} are allowed")
    options = re2.Options()
    options.case_sensitive = not ignore_case
    options.log_errors = False
    options.max_mem = _MAX_MEMORY_BYTES
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0] if error.args else "?"
        words = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        hint = " (look-around and back-references do not exist here)" if "(?" in pattern or "escape" in words else ""
        raise PatternError(f"not a pattern of RE2: {words}{hint}") from error


def literal_regex(text: str) -> str:
    """The regular expression of a text as it stands."""
    return str(re2.escape(text))


def wildcard_regex(pattern: str) -> str:
    """The regular expression of a text with ``?`` (one character) and ``*`` (any run), each as a group."""
    return "".join({"?": "(.)", "*": "(.*)"}.get(char) or re2.escape(char) for char in pattern)
