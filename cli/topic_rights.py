"""What each process of the platform may do in Kafka: the least that it needs, from the topic catalogue and the roles.

A worker role reads what its agents read and owns its consumer group, and every topic that begins with its name: the
changelogs of its tables, which it makes itself. A test holds this list against what the agents really read and name.
"""

from dataclasses import dataclass
from types import MappingProxyType

from schemas import topics
from schemas.topics import Topic
from streams.role import Role


@dataclass(frozen=True, slots=True)
class Needs:
    """What a process does with topics of the catalogue.

    Attributes:
        reads: consumed.
        writes: produced to.
        group: consumer group; None: it uses none.
        prefix: of topics that are its own; None: it has none.
        manages: makes and changes every topic of the catalogue.
    """

    reads: tuple[Topic, ...] = ()
    writes: tuple[Topic, ...] = ()
    group: str | None = None
    prefix: str | None = None
    manages: bool = False


@dataclass(frozen=True, slots=True, order=True)
class Right:
    """One allowed operation, as an ACL has it.

    Attributes:
        kind: ``topic``, ``group`` or ``cluster``.
        name: of the resource.
        operation: in Kafka's words.
        is_prefix: whether it holds for all names that begin so.
    """

    kind: str
    name: str
    operation: str
    is_prefix: bool = False


def _role(name: str, reads: tuple[Topic, ...], writes: tuple[Topic, ...] = ()) -> Needs:
    app_id = Role(name, (), "").app_id
    # the hyphen keeps alpr-core's right from holding for a role alpr-core2
    return Needs(reads, (*writes, topics.DLQ), group=app_id, prefix=f"{app_id}-")


PROCESSES: MappingProxyType[str, Needs] = MappingProxyType(
    {
        "core": _role(
            "core",
            reads=(topics.DETECTED, topics.ROUTED, topics.CAMERAS),
            writes=(topics.ROUTED, topics.SIGHTINGS, topics.VEHICLES, topics.METRICS),
        ),
        "visits": _role(
            "visits",
            reads=(topics.SIGHTINGS, topics.CAMERAS, topics.REKEYED_SITE),
            writes=(topics.REKEYED_SITE, topics.VISITS, topics.METRICS),
        ),
        "alerts": _role(
            "alerts",
            reads=(topics.SIGHTINGS, topics.REKEYED_GROUP, topics.REKEYED_PAIR, topics.RULES, topics.WATCHLISTS),
            writes=(topics.ALERTS, topics.REKEYED_GROUP, topics.REKEYED_PAIR),
        ),
        "notify": _role(
            "notify",
            reads=(topics.ALERTS, topics.ALERT_ACTIONS, topics.NOTIFICATION_WAKES),
            writes=(topics.NOTIFICATIONS, topics.NOTIFICATION_WAKES),
        ),
        "timescale": _role(
            "timescale",
            reads=(
                *(topics.SIGHTINGS, topics.VEHICLES, topics.VISITS, topics.METRICS, topics.ALERTS),
                *(topics.ALERT_ACTIONS, topics.NOTIFICATIONS, topics.DLQ),
            ),
        ),
        "opensearch": _role("opensearch", reads=(topics.SIGHTINGS, topics.ALERTS)),
        "images": _role("images", reads=(topics.SIGHTINGS,)),
        "dead_letter": _role("dead_letter", reads=(topics.DLQ,)),
        "edge": Needs(writes=(topics.DETECTED, topics.METRICS)),
        "api": Needs(writes=(topics.DETECTED, topics.ALERT_ACTIONS)),
        # `alpr topics`, `cameras` and `dlq`, whose replay goes back to whatever topic a letter came from
        "operator": Needs(topics.CATALOGUE, topics.CATALOGUE, group="alpr-cli", manages=True),
    }
)
"""Every process that logs in to Kafka; worker roles go by the names that ALPR_ROLES has."""


def rights(needs: Needs) -> list[Right]:
    """The needs as single rights, in order. Describe comes with Read and Write, and a producer needs no more."""
    found = {Right("topic", topic.name, "Read") for topic in needs.reads}
    found |= {Right("topic", topic.name, "Write") for topic in needs.writes}
    if needs.group is not None:
        found.add(Right("group", needs.group, "Read"))
    if needs.prefix is not None:
        found |= {Right("topic", needs.prefix, what, is_prefix=True) for what in ("Create", "Read", "Write")}
    if needs.manages:
        names = [topic.name for topic in topics.CATALOGUE]
        operations = ("Create", "Alter", "AlterConfigs", "DescribeConfigs")
        found |= {Right("topic", name, operation) for name in names for operation in operations}
    return sorted(found)
