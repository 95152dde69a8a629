"""Where rules and watchlists are."""

from functools import cache
from importlib import resources
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


def _packaged(folder: str) -> Path:
    return Path(str(resources.files("alert_rules").joinpath(folder)))


class RuleSettings(BaseSettings):
    """Settings of the rule engine (environment prefix ``ALPR_``)."""

    model_config = SettingsConfigDict(env_prefix="ALPR_", frozen=True, extra="ignore")

    rules_path: Path = Field(
        default_factory=lambda: _packaged("rules"),
        description="Rule file, or folder of rule files (*.yml); default: the rules that come with the platform",
    )
    watchlists_path: Path = Field(
        default_factory=lambda: _packaged("watchlists"),
        description="Watchlist file, or folder of them (*.csv, *.txt, *.yml; the file's name is the list's)",
    )
    rules_reload_s: float = Field(
        2.0, gt=0, description="Seconds between two looks at whether rule or watchlist files have changed"
    )


@cache
def rule_settings() -> RuleSettings:
    """The process's settings, read from the environment once (``rule_settings.cache_clear()`` in tests)."""
    return RuleSettings()
