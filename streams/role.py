"""The manifest: which roles there are, and the agent modules of each, as strings (nothing is imported here).

A role is a Faust app of its own, with its own consumer group. An agent whose queue is full stops the delivery of its
whole app, and agents of one app share commits; roles keep a dead store from stopping an alert.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Role:
    """A consumer group with its agents.

    Attributes:
        name: as in ``ALPR_ROLES``.
        modules: agent modules, imported when the role is selected; a module that does not import stops the worker.
        doc: what the role does.
    """

    name: str
    modules: tuple[str, ...]
    doc: str

    @property
    def app_id(self) -> str:
        """Faust app id, and with it the consumer group."""
        return f"alpr-{self.name}"

    def changelog_topic(self, table: str) -> str:
        """Changelog topic of one of the role's tables. Tables are owned by a role; none is shared."""
        return f"{self.app_id}-{table}-changelog"


_MANIFEST = (
    Role("core", ("agents.route", "agents.deduplicate"), "Validate detections, make sightings of them"),
    Role("visits", ("agents.rekey", "agents.visit"), "Follow vehicles from entry to exit of a site"),
    Role(
        "alerts",
        ("agents.correlate", "agents.correlate_groups", "agents.correlate_pairs"),
        "Evaluate the rules, raise alerts",
    ),
    Role("notify", ("agents.notify",), "Deliver alerts to people"),
    Role("timescale", ("agents.index_timescale",), "Keep events in TimescaleDB"),
    Role("opensearch", ("agents.index_opensearch",), "Make events searchable"),
    Role("images", ("agents.index_images",), "Look after images in the object store"),
    Role("dead_letter", ("agents.dead_letter",), "Account for dead letters"),
)
ROLES: dict[str, Role] = {role.name: role for role in _MANIFEST}
