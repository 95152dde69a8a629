"""Settings of `alpr dlq`."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class DeadLetterSettings(BaseSettings):
    """How dead letters are sent back (environment prefix ``ALPR_DLQ_``)."""

    model_config = SettingsConfigDict(env_prefix="ALPR_DLQ_", frozen=True, extra="ignore")

    max_retries: int = Field(5, ge=0, description="A record that was replayed this often is not replayed any more")
    replay_rate_per_s: float = Field(200.0, gt=0, description="Records a second that a replay sends")
