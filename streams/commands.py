"""Commands of ``faust -A streams`` that know about roles. Importing this module puts them in place of Faust's own."""

from collections.abc import Sequence
from inspect import cleandoc
from operator import attrgetter
from typing import Any, ClassVar

from faust.cli import agents as faust_agents
from faust.cli import tables as faust_tables
from faust.types import AgentT

from streams.role_app import RoleApp


def _apps(app: RoleApp) -> list[RoleApp]:
    return [app, *app.companions]


class agents(faust_agents.agents):  # type: ignore[misc]  # noqa: N801 - the class name is the command's name
    """List the agents of all roles."""

    headers: ClassVar[Sequence[str]] = ["name", "role", "topic", "help"]

    def agents(self, *, local: bool = False) -> list[AgentT]:
        """Agents of all roles, by role and name."""
        return [
            agent
            for app in _apps(self.app)
            for agent in sorted(app.agents.values(), key=attrgetter("name"))
            if self._maybe_topic(agent) or local
        ]

    def agent_to_row(self, agent: AgentT) -> Sequence[str]:
        """A row of the list."""
        return [self._name(agent), agent.app.role.name, self._topic(agent), self._help(agent)]

    def _help(self, agent: AgentT) -> str:
        return cleandoc(agent.help or "no description").partition("\n")[0]


class tables(faust_tables.tables):  # type: ignore[misc]  # noqa: N801 - the class name is the command's name
    """List the tables of all roles."""

    async def run(self, *args: Any, **kwargs: Any) -> None:
        """Print them."""
        rows = [
            (table.name, app.role.name, table.changelog_topic_name, table.help or "no description")
            for app in _apps(self.app)
            for table in app.tables.values()
        ]
        self.say(self.tabulate(rows, title=self.title, headers=["name", "role", "changelog", "help"]))
