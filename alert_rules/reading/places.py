"""Reads ``cameras: [gate-1, "exit-*"]`` and ``sites: depot``."""

from collections.abc import Callable

from alert_rules import expectations as expect
from alert_rules.conditions.comparison import Comparison
from alert_rules.document import Node
from alert_rules.errors import Problems, RuleProblem
from alert_rules.fields import find_field
from alert_rules.patterns import PatternError, compile_pattern, wildcard_regex


def read_places(field_name: str) -> Callable[[Node, Problems], Comparison]:
    """A reader of names, wildcards allowed, that a field is compared with."""

    def read(node: Node, _problems: Problems) -> Comparison:
        names = expect.items(node, f"{field_name}s, wildcards allowed", single=True)
        if not names:
            raise RuleProblem(node.place, f"no {field_name} is named")
        values = tuple(expect.text(name, f"a {field_name}", limit=200) for name in names)
        wild = any("*" in value or "?" in value for value in values)
        if wild:
            for value, name in zip(values, names, strict=True):
                try:
                    compile_pattern(wildcard_regex(value))
                except PatternError as error:
                    raise RuleProblem(name.place, str(error)) from None
        return Comparison(find_field(field_name), "like" if wild else "in", values)

    return read
