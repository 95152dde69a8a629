"""Where downloads, data and state live: outside the checkout, by the XDG base directory specification.

Source: https://specifications.freedesktop.org/basedir-spec/latest/
"""

import os
from pathlib import Path


def cache_dir() -> Path:
    """Downloaded and built servers, one folder per artifact and version; safe to delete when nothing runs."""
    return _xdg("XDG_CACHE_HOME", ".cache") / "alpr" / "stack"


def stacks_dir() -> Path:
    """State, data and logs of every stack, one folder per stack name."""
    return _xdg("XDG_STATE_HOME", ".local/state") / "alpr" / "stacks"


def stack_dir(name: str) -> Path:
    """The folder of one stack.

    Args:
        name: stack name, of letters, digits, `-`, `_` and `.` (it becomes a folder name).

    Raises:
        ValueError: the name would leave the stacks' folder or is not printable as one word.
    """
    if not name or name.startswith(".") or not all(c.isalnum() or c in "-_." for c in name):
        raise ValueError(f"stack name {name!r}: use letters, digits, '-', '_' and '.'")
    return stacks_dir() / name


def _xdg(variable: str, default: str) -> Path:
    """The base folder that `variable` names; a relative value is ignored, as the specification asks."""
    value = os.environ.get(variable, "")
    return Path(value) if value.startswith("/") else Path.home() / default
