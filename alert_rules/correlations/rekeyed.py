"""A record of the re-keyed streams: an event of a rule, under the key of its group."""

import json
from dataclasses import dataclass

from alert_rules.correlations.event import Seen, to_text
from schemas.errors import SchemaError


@dataclass(frozen=True, slots=True)
class Rekeyed:
    """An event that counts for a group which another partition has.

    Attributes:
        rule_id, number: the operator that it is for.
        meaning: of the rule when it was sent; another one's events are passed over.
        group: the Kafka key, so that a group is in one partition.
    """

    rule_id: str
    number: int
    meaning: str
    group: str
    event: Seen

    def encode(self) -> bytes:
        """As JSON."""
        head = to_text([self.rule_id, self.number, self.meaning, self.group])
        return f"{head[:-1]},{self.event.text()}]".encode()

    @classmethod
    def decode(cls, value: bytes) -> "Rekeyed":
        """From JSON.

        Raises:
            SchemaError: it is no such record.
        """
        try:
            rule_id, number, meaning, group, event = json.loads(value)
            return cls(str(rule_id), int(number), str(meaning), str(group), Seen.decode(event))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise SchemaError(f"no re-keyed event: {error}") from error
