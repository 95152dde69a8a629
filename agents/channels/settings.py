"""Settings of the notifier."""

from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

DAY_S = 86_400.0


class NotifySettings(BaseSettings):
    """How alerts are delivered (environment prefix ``ALPR_NOTIFY_``).

    Addresses and credentials may themselves be ``${NAME}``: they are looked up in the environment at send time, as the
    parameters of a rule's actions are. Mail server and sender are `schemas.endpoints.Endpoints`' ``ALPR_SMTP_*``.
    """

    model_config = SettingsConfigDict(env_prefix="ALPR_NOTIFY_", frozen=True, extra="ignore")

    freshness_s: float = Field(
        900.0, gt=0, description="An alert older than this since its capture is recorded, not sent; rules may say else"
    )
    attempts: int = Field(30, ge=1, description="Most tries of one notification")
    retry_total_s: float = Field(
        900.0, gt=0, description="Seconds after its first try until a notification is given up (or its freshness ends)"
    )
    backoff_first_s: float = Field(1.0, gt=0, description="Bound of the pause after the first failure; it doubles")
    backoff_max_s: float = Field(60.0, gt=0, description="Bound of every pause, unless the receiver asks for more")
    turn_s: float = Field(
        0.1,
        gt=0,
        description="Seconds that the alerts in hand wait for their deliveries before these go on beside them",
    )
    connect_timeout_s: float = Field(3.0, gt=0, description="Seconds to connect to a receiver")
    attempt_timeout_s: float = Field(10.0, gt=0, description="Seconds for one try, all in all")
    concurrency: int = Field(32, ge=1, description="Deliveries under way at a time, per channel")
    destination_concurrency: int = Field(8, ge=1, description="The same per destination (mail server, webhook host)")
    destination_waiting: int = Field(
        1000, ge=1, description="Notifications that may wait for one destination; more become dead letters at once"
    )
    recipient_rates_per_minute: dict[str, float] = Field(
        {"email": 60, "slack": 60, "sms": 20, "apprise": 60},
        description="Most notifications a minute for one recipient, by channel (JSON); beyond it they wait. A channel "
        "that is missing has no limit",
    )
    channel_rates_per_minute: dict[str, float] = Field(
        {}, description="The same for all recipients of a channel together"
    )
    remember_s: float = Field(
        7 * DAY_S, gt=0, description="Seconds after its capture for which a delivered alert is not delivered again"
    )
    time_zone: str = Field("UTC", description="Time zone of the times in messages, such as Europe/Berlin")
    templates: Path | None = Field(
        None, description="Folder whose templates (email.txt, email.html, slack.txt, sms.txt) take the place of ours"
    )
    image_wait_s: float = Field(0.3, ge=0, description="Seconds that a mail waits for its plate image")
    image_max_bytes: int = Field(2 * 1024 * 1024, gt=0, description="A larger plate image is left out of a mail")

    email_to: str = Field("", description="Recipients of e-mail actions that name none, comma-separated")
    slack_token: SecretStr | None = Field(None, description="Slack bot token (xoxb-...) for chat.postMessage")
    slack_webhook_url: SecretStr | None = Field(None, description="Slack incoming webhook, where no token is set")
    slack_channel: str = Field("", description="Slack channel of actions that name none, with a bot token")
    slack_api_url: str = Field("https://slack.com/api", description="Base URL of Slack's Web API")
    webhook_url: str = Field("", description="URL of webhook actions that name none")
    webhook_secret: SecretStr | None = Field(
        None, description="Key of the webhooks' HMAC-SHA256 signature: text, or whsec_ and base64 (Standard Webhooks)"
    )
    sms_to: str = Field("", description="Phone numbers of SMS actions that name none, comma-separated, E.164")
    twilio_account_sid: str = Field("", description="Twilio account SID")
    twilio_auth_token: SecretStr | None = Field(None, description="Twilio auth token")
    twilio_from: str = Field("", description="Twilio sender: a phone number, or a messaging service SID (MG...)")
    twilio_api_url: str = Field("https://api.twilio.com", description="Base URL of Twilio's REST API")

    policy: Path | None = Field(
        None, description="File of the policy: inhibition, groups, escalation (default: alert_rules/notify_policy.yml)"
    )
    digest_s: float = Field(
        3600.0, ge=0, description="Seconds for which stale alerts are collected into one digest a recipient; 0: none"
    )
    apprise_url: SecretStr | None = Field(None, description="Apprise URL of apprise actions that name none")
    mqtt_topic: str = Field(
        "alpr/alerts/{{ alert.rule.id }}", description="MQTT topic of mqtt actions that name none (template)"
    )
    gate_topic: str = Field(
        "alpr/gates/{{ alert.camera_id }}/command", description="MQTT topic of gate actions that name none (template)"
    )

    @field_validator("recipient_rates_per_minute", "channel_rates_per_minute")
    @classmethod
    def _positive(cls, rates: dict[str, float]) -> dict[str, float]:
        if not all(0 < rate <= 1e6 for rate in rates.values()):
            raise ValueError("a rate must be more than 0; leave a channel without a limit out")
        return rates

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(f"no time zone {name!r}; give an IANA name such as Europe/Berlin") from error
        return name


@cache
def notify_settings() -> NotifySettings:
    """The process's settings, read from the environment once (``notify_settings.cache_clear()`` in tests)."""
    return NotifySettings()
