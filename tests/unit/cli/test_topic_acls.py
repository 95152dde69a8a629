"""Rights in Kafka: the least that each process needs, and nothing that an agent does is forgotten."""

import ast
import json
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.main import main
from cli.topic_rights import PROCESSES, Right, rights
from schemas import topics
from schemas.topics import CATALOGUE, DLQ, Topic
from streams.role import ROLES
from streams.roles import role_app


def named_topics(module: str, seen: set[str]) -> set[str]:
    """Catalogue topics that a module of agents names, with the agents' modules that it imports."""
    if module in seen:
        return set()
    seen.add(module)
    spec = find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    found = set()
    for node in ast.walk(ast.parse(Path(spec.origin).read_text())):
        if not isinstance(node, ast.ImportFrom) or node.module is None:
            continue
        if node.module == "schemas.topics":
            constants = [getattr(topics, alias.name) for alias in node.names]
            found |= {constant.name for constant in constants if isinstance(constant, Topic)}
        elif node.module.startswith("agents."):
            found |= named_topics(node.module, seen)
    return found


@pytest.mark.parametrize("name", ROLES)
def test_a_role_may_read_what_its_agents_read(name: str) -> None:
    """A new agent's topic must be in the list, and one that is no longer read must not."""
    for module in ROLES[name].modules:
        import_module(module)
    assert {topic.name for topic in PROCESSES[name].reads} == role_app(name).source_topics()


@pytest.mark.parametrize("name", ROLES)
def test_a_role_may_use_every_topic_that_its_code_names(name: str) -> None:
    """A topic that an agent imports is one that it reads or writes."""
    named = set().union(*(named_topics(module, set()) for module in ROLES[name].modules))
    needs = PROCESSES[name]
    assert named <= {topic.name for topic in (*needs.reads, *needs.writes)}


def test_every_role_may_write_dead_letters() -> None:
    """A record that cannot be handled must not stop its partition for want of a right."""
    assert all(DLQ in PROCESSES[name].writes for name in ROLES)


def test_every_topic_has_a_writer() -> None:
    """Nobody but the operator needs rights for a topic that the operator alone fills."""
    written = {topic.name for name, needs in PROCESSES.items() if name != "operator" for topic in needs.writes}
    by_operator = {"alpr.cameras", "alpr.rules", "alpr.watchlists", "alpr.dlq.actions"}
    assert written | by_operator >= {topic.name for topic in CATALOGUE}


def test_a_role_owns_its_group_and_its_changelogs() -> None:
    """The prefix holds for all changelogs of the role and for no other role's."""
    found = rights(PROCESSES["core"])
    assert Right("group", "alpr-core", "Read") in found
    own = [right.name for right in found if right.is_prefix]
    assert set(own) == {"alpr-core-"}
    assert ROLES["core"].changelog_topic("passes").startswith("alpr-core-")


def test_a_camera_may_only_write() -> None:
    """A stolen camera's login reads no plate."""
    found = rights(PROCESSES["edge"])
    assert {right.operation for right in found} == {"Write"}
    assert {right.name for right in found} == {"alpr.plates.detected", "alpr.metrics"}


def test_commands_can_be_pasted() -> None:
    """One kafka-acls command for each resource, with the principal asked for."""
    done = CliRunner().invoke(main, ["topics", "acls", "--for", "images", "--principal", "User:CN={}"])
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert lines[0] == "# images"
    assert all(line.startswith("kafka-acls.sh --bootstrap-server ") for line in lines[1:])
    assert all("--allow-principal User:CN=images " in line for line in lines[1:])
    assert any(line.endswith("--topic alpr-images- --resource-pattern-type prefixed") for line in lines)
    assert any(line.endswith("--operation Read --group alpr-images") for line in lines)


def test_json_has_every_right() -> None:
    """For those who keep their rights in code."""
    done = CliRunner().invoke(main, ["topics", "acls", "--json"])
    found = json.loads(done.output)
    assert len(found) == sum(len(rights(needs)) for needs in PROCESSES.values())
    assert {entry["principal"] for entry in found} == {f"User:alpr-{name}" for name in PROCESSES}
