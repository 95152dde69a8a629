"""What the files of a rule set define for all of its rules: zones and calendars, by name."""

from dataclasses import dataclass, field

from alert_rules.errors import Place, Problems
from alert_rules.finding import Condition


@dataclass(slots=True)
class Definitions:
    """Named things, with the places where they stand."""

    zones: dict[str, tuple[Condition, Place]] = field(default_factory=dict)
    calendars: dict[str, tuple[frozenset[str], Place]] = field(default_factory=dict)


class Reading(Problems):
    """The problems of a reading, together with what its names stand for.

    Args:
        definitions: of all files; readers look names up in it.
    """

    def __init__(self, definitions: Definitions) -> None:
        super().__init__()
        self.definitions = definitions


def definitions_of(problems: Problems) -> Definitions:
    """What names stand for in a reading; nothing has a name outside of one."""
    return problems.definitions if isinstance(problems, Reading) else Definitions()
