"""`alpr`, `alpr stack` and `alpr doctor` as a person meets them."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner
from pydantic import SecretStr

from cli.main import COMMANDS, Lazy, main
from compose.local.artifacts import Artifact
from compose.local.service import Place
from compose.local.services import chosen
from compose.local.stack import Stack
from compose.local.tools import Tool
from schemas.endpoints import Endpoints
from tests.unit.compose.conftest import Toy

pytestmark = pytest.mark.thorough


@pytest.fixture
def alpr(toy: Toy) -> Iterator[CliRunner]:
    """Runs commands; the toy stack is gone afterwards."""
    yield CliRunner()
    Stack("toys").destroy()


def test_only_commands_that_exist_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command whose module is absent is neither listed nor found."""
    monkeypatch.setattr("cli.main.COMMANDS", {"stack": COMMANDS["stack"], "dream": Lazy("cli.dream:dream", "?")})
    runner = CliRunner()
    assert main.list_commands(click.Context(main)) == ["stack"]
    assert runner.invoke(main, ["dream"]).exit_code == 2
    assert "Start, stop and look" in runner.invoke(main, ["--help"]).output


def test_help_imports_no_command() -> None:
    """The list of commands is there even where a command's packages are not."""
    code = (
        "import sys; sys.modules['psycopg'] = sys.modules['faust'] = None; from cli.main import main; main(['--help'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "stack" in done.stdout


def test_missing_package_of_a_command_is_said_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """A light install gets the package's name instead of a traceback."""

    def refuse(_name: str) -> None:
        raise ModuleNotFoundError("No module named 'faust'", name="faust")

    monkeypatch.setattr("cli.main.importlib.import_module", refuse)
    result = CliRunner().invoke(main, ["stack"])
    assert result.exit_code == 1
    assert "needs the package faust" in result.output
    assert "pip install 'alpr-platform[stack]'" in result.output


def test_up_status_env_and_down(alpr: CliRunner) -> None:
    """The life of a stack by commands: healthy, exported, stopped, and status 1 when it is not up."""
    up = alpr.invoke(main, ["stack", "up", "--name", "toys", "--only", "toy", "--free-ports"])
    assert up.exit_code == 0, up.output
    assert "toy 1: healthy on port" in up.output
    status = alpr.invoke(main, ["stack", "status", "--name", "toys"])
    assert status.exit_code == 0
    assert "healthy" in status.output
    settings = json.loads(alpr.invoke(main, ["stack", "env", "--name", "toys", "--json"]).output)
    lines = alpr.invoke(main, ["stack", "env", "--name", "toys"]).output
    assert lines == f"export ALPR_TOY_URL={settings['ALPR_TOY_URL']}\n"
    assert alpr.invoke(main, ["stack", "down", "--name", "toys"]).output == "toy: stopped\n"
    gone = alpr.invoke(main, ["stack", "status", "--name", "toys"])
    assert gone.exit_code == 1
    assert "alpr stack up --name toys" in gone.output


def test_status_of_a_dead_server_is_1(alpr: CliRunner, toy: Toy) -> None:
    """A server that should run and does not is shown in the table."""
    it = Stack("toys", services=[toy])
    it.start(free_ports=True)
    it._state().services["toy"].process.kill()
    result = alpr.invoke(main, ["stack", "status", "--name", "toys"])
    assert result.exit_code == 1
    assert "has ended" in " ".join(result.output.split())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["stack", "up", "--only", "kafak"], "no service kafak"),
        (["stack", "up", "--name", "../x"], "stack name"),
        (["stack", "env", "--name", "nobody"], "is not running"),
        (["stack", "logs", "kafka", "--name", "nobody"], "was never started"),
    ],
)
def test_mistakes_are_answered_in_a_line(arguments: list[str], words: str) -> None:
    """Wrong names give a message and exit code 1, no traceback."""
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 1
    assert words in result.output
    assert "Traceback" not in result.output


def test_doctor_names_what_lacks_and_how_to_mend_it(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing program fails the check, with the exact command; it is not asked for once the artifact is cached."""
    spring = Tool("spring", lambda: None, (), (1,), "apt-get install -y spring", "winds the toy")
    artifact = Artifact("toy", "1", "winding", (spring,), lambda _folder: None)
    monkeypatch.setattr(Toy, "artifacts", lambda _self: (artifact,))
    monkeypatch.setattr("cli.doctor.chosen", lambda **_: (toy,))
    result = CliRunner().invoke(main, ["doctor"])
    assert result.exit_code == 1
    assert "spring: not found (winds the toy, once)" in result.output
    assert "mend it with: apt-get install -y spring" in result.output
    artifact.folder.mkdir(parents=True)
    result = CliRunner().invoke(main, ["doctor"])
    assert result.exit_code == 0, result.output
    assert "spring" not in result.output


def test_doctor_names_who_holds_a_port(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    """A usual port that somebody else has is a finding; our own stack's is not."""
    it = Stack("toys", services=[toy])
    it.start(free_ports=True)
    monkeypatch.setattr(Toy, "usual_ports", it.services()[0].ports)
    monkeypatch.setattr("cli.doctor.chosen", lambda **_: (toy,))
    try:
        assert CliRunner().invoke(main, ["doctor", "--name", "toys"]).exit_code == 0
        other = CliRunner().invoke(main, ["doctor", "--name", "others"])
    finally:
        it.destroy()
    assert other.exit_code == 1
    assert "wanted by toy, held by pid" in other.output
    assert "alpr stack up --free-ports" in other.output


def test_settings_of_the_default_services_are_what_the_platform_defaults_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On the usual ports every setting has the value that `Endpoints` has without any environment."""
    for variable in [name for name in os.environ if name.startswith("ALPR_")]:
        monkeypatch.delenv(variable)
    defaults = Endpoints()
    for service in chosen():
        place = Place(folder=Stack("x").folder, ports=dict(service.usual_ports))
        for variable, value in service.environment(place).items():
            default = getattr(defaults, variable.removeprefix("ALPR_").lower())
            plain = default.get_secret_value() if isinstance(default, SecretStr) else str(default)
            assert value == plain.replace("localhost", "127.0.0.1"), variable
