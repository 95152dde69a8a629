"""Commands of ``faust -A streams`` that know about roles. Importing this module puts them in place of Faust's own."""

from collections.abc import Sequence
from inspect import cleandoc
from operator import attrgetter
from typing import Any

from faust.cli import agents as faust_agents
from faust.cli import reset as faust_reset
from faust.cli import tables as faust_tables
from faust.types import AgentT, AppT

from streams.role_app import RoleApp


def _apps(app: AppT) -> list[RoleApp]:
    assert isinstance(app, RoleApp)
    return [app, *app.companions]


class agents(faust_agents.agents):  # noqa: N801 - the class name is the command's name
    """List the agents of all roles."""

    headers = ["name", "role", "topic", "help"]  # noqa: RUF012 - Faust declares it so

    def agents(self, *, local: bool = False) -> list[AgentT[Any]]:
        """Agents of all roles, by role and name."""
        return [
            agent
            for app in _apps(self.app)
            for agent in sorted(app.agents.values(), key=attrgetter("name"))
            if self._maybe_topic(agent) or local
        ]

    def agent_to_row(self, agent: AgentT[Any]) -> Sequence[str]:
        """A row of the list."""
        assert isinstance(agent.app, RoleApp)
        return [self._name(agent), agent.app.role.name, self._topic(agent), self._help(agent)]

    def _help(self, agent: AgentT[Any]) -> str:
        return cleandoc(agent.help or "no description").partition("\n")[0]


class tables(faust_tables.tables):  # noqa: N801 - the class name is the command's name
    """List the tables of all roles."""

    async def run(self) -> None:
        """Print them."""
        rows = [
            (table.name, app.role.name, table.changelog_topic_name, table.help or "no description")
            for app in _apps(self.app)
            for table in app.tables.values()
        ]
        self.say(self.tabulate(rows, title=self.title, headers=["name", "role", "changelog", "help"]))


class reset(faust_reset.reset):  # noqa: N801 - the class name is the command's name
    """Delete the local state of all roles; the changelogs in Kafka give it back at the next start."""

    async def reset_tables(self) -> None:
        """Delete the RocksDB files of every table."""
        for app in _apps(self.app):
            for table in app.tables.values():
                self.say(f"removing {app.role.name}/{table.name} ({table.data.label})")
                table.reset_state()
