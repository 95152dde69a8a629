"""``${NAME}`` in parameters and settings: looked up at send time, so that secrets travel on no topic."""

import re
from collections.abc import Mapping

from schemas.errors import ConfigError

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


class SettingMissing(ConfigError):
    """Something that a delivery needs is not set. Trying again cannot help before the operator sets it."""


def resolve(text: str, environment: Mapping[str, str]) -> str:
    """The text with its variables replaced. A value is taken as it is: it is not searched for variables again.

    Raises:
        SettingMissing: a variable is not set, or is empty.
    """

    def value(match: re.Match[str]) -> str:
        found = environment.get(match[1])
        if not found:
            raise SettingMissing(f"{match[1]} is not set")
        return found

    return _VARIABLE.sub(value, text)


def resolve_all(params: Mapping[str, str], environment: Mapping[str, str]) -> dict[str, str]:
    """`resolve` for each value; a value that stays empty is left out."""
    resolved = {name: resolve(value, environment).strip() for name, value in params.items()}
    return {name: value for name, value in resolved.items() if value}


def variable_values(texts: Mapping[str, str], environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that occur in the values, with what they stand for: candidates for redaction."""
    names = {match[1] for text in texts.values() for match in _VARIABLE.finditer(text)}
    return {name: environment[name] for name in names if environment.get(name)}


def first(params: Mapping[str, str], *names: str) -> str:
    """The first of several spellings of a parameter that is there, or the empty text."""
    return next((params[name] for name in names if params.get(name)), "")
