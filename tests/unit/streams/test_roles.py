"""Roles, the manifest, and what the ``faust`` command sees."""

import subprocess
import sys
from pathlib import Path

import pytest
from faust.cli.base import cli
from faust.exceptions import ImproperlyConfigured

import streams.commands  # noqa: F401 - it registers itself
from schemas.errors import ConfigError
from streams.role import ROLES
from streams.roles import lead, role_app
from tests.unit.streams.doubles import make_app


def test_every_agent_belongs_to_one_role() -> None:
    """The manifest names each agent module once."""
    modules = [module for role in ROLES.values() for module in role.modules]
    assert len(modules) == len(set(modules))
    assert {module.partition(".")[0] for module in modules} == {"agents"}


def test_groups_and_changelogs_are_named_by_role() -> None:
    """Moving a role to another worker keeps its offsets and tables."""
    assert ROLES["core"].app_id == "alpr-core"
    assert ROLES["core"].changelog_topic("passes") == "alpr-core-passes-changelog"


def test_an_app_is_made_once_per_role() -> None:
    """Agent modules of a role bind to the same app."""
    assert role_app("opensearch") is role_app("opensearch")
    assert role_app("opensearch").conf.id == "alpr-opensearch"
    with pytest.raises(ConfigError, match="core"):
        role_app("nope")


def test_each_role_has_its_own_folder(tmp_path: Path) -> None:
    """Two roles of a worker do not share RocksDB files."""
    folders = [make_app(tmp_path, name).conf.datadir for name in ("one", "two")]
    assert folders == [tmp_path / "one", tmp_path / "two"]


def test_the_table_owns_an_explicit_compacted_changelog(tmp_path: Path) -> None:
    """The changelog's name, partitions and compaction do not hang on Faust's defaults."""
    changelog = make_app(tmp_path).run_table("passes", partitions=6).changelog_topic
    assert changelog.get_topic_name() == "alpr-test-passes-changelog"
    assert (changelog.partitions, changelog.compacting, changelog.deleting) == (6, True, False)


def test_more_than_one_instance_of_an_agent_is_refused(tmp_path: Path) -> None:
    """Runs of a partition are finished in order, so an agent is one task."""
    app = make_app(tmp_path)
    with pytest.raises(ImproperlyConfigured, match="concurrency=1"):
        app.agent(app.runs("reads"), concurrency=2)


def test_source_topics_are_those_that_must_exist(tmp_path: Path) -> None:
    """The worker knows what it reads before it starts: agents' topics and broadcasts."""
    app = make_app(tmp_path)
    app.run_table("passes", partitions=1)
    app.broadcast("cameras")

    @app.agent(app.runs("reads"))
    async def deduplicate(runs):  # type: ignore[no-untyped-def]  # Faust's stream type is its own
        """Nothing."""

    assert app.source_topics() == {"reads", "cameras"}


def test_runs_wait_for_broadcasts(tmp_path: Path) -> None:
    """No run is delivered before the state that it is judged by is complete."""
    app = make_app(tmp_path)
    assert app.may_deliver
    broadcast = app.broadcast("cameras")
    assert not app.may_deliver
    broadcast._caught_up.set()
    assert app.may_deliver


def test_the_first_app_leads(tmp_path: Path) -> None:
    """The others are its companions, and the pages are on the first."""
    apps = [make_app(tmp_path, name) for name in ("one", "two", "three")]
    assert lead(apps) is apps[0]
    assert apps[0].companions == apps[1:]
    assert set(apps[0].web.views) >= {"/metrics", "/health", "/ready"}


def test_the_commands_know_about_roles() -> None:
    """``agents`` and ``tables`` of the faust command are ours."""
    for name in ("agents", "tables"):
        command = cli.commands[name]
        assert command.callback is not None
        assert "all roles" in (command.help or "")


def test_importing_a_module_builds_no_app() -> None:
    """`import streams.run` neither builds Faust apps nor connects anywhere."""
    code = "import streams.run, sys; assert 'streams.roles' not in sys.modules; assert 'faust.app' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_the_codec_of_runs_is_known_before_anybody_asks_for_one() -> None:
    """Extensions that Faust is still loading are missing to other threads: ours must not be one of them."""
    code = (
        "import streams.role_app; from faust.serializers import codecs; "
        "assert not codecs._extensions_finalized; assert type(codecs.codecs['run']).__name__ == 'RunCodec'"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
