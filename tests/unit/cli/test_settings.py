"""Settings are documented: the page is current, and nothing on it lacks a meaning."""

from pathlib import Path

from cli.settings import CLASSES, groups, markdown

ROOT = Path(__file__).parents[3]


def test_page_is_current() -> None:
    """docs/settings.md is what `alpr settings --markdown` prints."""
    assert (ROOT / "docs" / "settings.md").read_text() == markdown()


def test_every_setting_says_what_it_means() -> None:
    """Each variable has a description and a name of the platform."""
    for title, found in groups():
        assert found, title
        assert all(setting.description and setting.name.startswith("ALPR_") for setting in found), title


def test_every_settings_class_is_listed() -> None:
    """A new settings class must be put on the page."""
    sources = [path for room in ROOT.iterdir() if (room / "__init__.py").is_file() for path in room.rglob("*.py")]
    declared = {
        line.split("class ")[1].split("(")[0]
        for path in sources
        for line in path.read_text().splitlines()
        if line.startswith("class ") and "(BaseSettings)" in line
    }
    assert declared == {where.partition(":")[2] for _, where in CLASSES}
