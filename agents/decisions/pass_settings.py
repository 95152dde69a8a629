"""Settings of deduplication."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from schemas.topics import MIB


class DeduplicationSettings(BaseSettings):
    """How reads become passes (environment prefix ``ALPR_DEDUPLICATE_``)."""

    model_config = SettingsConfigDict(env_prefix="ALPR_DEDUPLICATE_", frozen=True, extra="ignore")

    gap_s: float = Field(30.0, ge=0, description="Reads of a plate further apart than this are two passes")
    lateness_s: float = Field(10.0, ge=0, description="How long after newer reads of the camera a read may still come")
    early_hold_s: float = Field(
        3600.0, ge=0, description="How long, in event time, the final message of an early one is waited for"
    )
    reopen_hold_s: float = Field(
        86_400.0,
        ge=0,
        description="How long after its end, by the clock, a pass of an idle camera is found by a read of its gap",
    )
    track_likelihood: float = Field(
        0.05, gt=0, le=1, description="A read of the same track joins a pass if its plate is at least this likely"
    )
    max_passes: int = Field(256, ge=1, description="Most open passes of a camera; the one untouched longest is closed")
    tick_s: float = Field(1.0, gt=0, description="Seconds between two clock records and ticks")
    quiet_tick_s: float = Field(
        5.0, gt=0, description="The same while no detection comes; not more often than with detections"
    )
    full_tick_s: float = Field(60.0, ge=0, description="Seconds between two ticks that list all cameras")
    max_ids: int = Field(64, ge=2, description="Most event ids that a pass remembers; the oldest is forgotten")
    max_cached_bytes: int = Field(
        32 * MIB, ge=0, description="Table bytes of the cameras whose passes are kept decoded between runs"
    )
    max_tracks: int = Field(16, ge=1, description="Most track ids that a pass remembers; the oldest is forgotten")
