"""From an alert to the words that people read: Jinja2 templates in a sandbox, with the facts laid out for them."""

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import quote
from zoneinfo import ZoneInfo

from jinja2 import ChoiceLoader, FileSystemLoader, StrictUndefined, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from agents.channels.port import Notification
from schemas.clock import to_datetime, to_iso
from schemas.errors import SinkRejected
from schemas.events import Alert

TEMPLATES = Path(__file__).parent / "templates"
MAX_SUBJECT_CHARS = 150
_SEVERITY_COLORS = {"critical": "#b00020", "high": "#d9480f", "medium": "#b58900", "low": "#2b6cb0", "info": "#4a5568"}
# controls, and the marks that turn the writing direction for the rest of a line (Unicode UAX 9: embeddings, isolates)
_UNSAFE_IN_A_LINE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")

_NO_LEVEL = re.compile(r"[/+#\x00]")


@dataclass(frozen=True, slots=True)
class Fact:
    """A line of the table in a message."""

    label: str
    value: str


class Messages:
    """Renders messages.

    Args:
        api_url: base of the links to events.
        time_zone: IANA name; times are shown in it.
        overrides: folder of the operator's own templates.
    """

    def __init__(self, api_url: str, time_zone: str = "UTC", overrides: Path | None = None) -> None:
        self._api_url = api_url.rstrip("/")
        self._zone = ZoneInfo(time_zone)
        folders = [overrides, TEMPLATES] if overrides is not None else [TEMPLATES]
        loader = ChoiceLoader([FileSystemLoader(folder) for folder in folders])
        self._environment = ImmutableSandboxedEnvironment(
            loader=loader,
            autoescape=lambda name: name is not None and name.endswith(".html"),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._topics = ImmutableSandboxedEnvironment(undefined=StrictUndefined, finalize=_one_level)

    def subject(self, notification: Notification) -> str:
        """One line of at most `MAX_SUBJECT_CHARS`; the action's ``subject`` (a template) where it has one."""
        alert = notification.alert
        own = notification.address.params.get("subject")
        if own:
            return one_line(self.text(own, notification, "the action's subject"))
        where = f" at {alert.camera_id}" if alert.camera_id else ""
        plate = f": {alert.plate_text}" if alert.plate_text else ""
        return one_line(f"[{alert.severity}] {alert.rule.name}{plate}{where}")

    def render(self, template: str, notification: Notification, **extra: object) -> str:
        """A template file's text.

        Raises:
            SinkRejected: the template (an operator's own) is wrong.
        """
        try:
            return self._environment.get_template(template).render(self._context(notification), **extra)
        except (TemplateError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as error:
            raise SinkRejected(f"template {template}: {error}") from error

    def text(self, template: str, notification: Notification, what: str) -> str:
        """The text of a template that stands in an action.

        Args:
            template: Jinja2 over the alert and its context.
            notification: gives both.
            what: names the template in errors.

        Raises:
            SinkRejected: the template is wrong.
        """
        return _rendered(self._environment, template, notification.alert, what)

    def topic(self, template: str, notification: Notification) -> str:
        """As `text`, for a topic: what takes the place of an expression has no level separator and no wildcard."""
        return _rendered(self._topics, template, notification.alert, "the action's topic")

    def link(self, alert: Alert) -> str | None:
        """The web address of the sighting that made the alert fire."""
        events = alert.proof.event_ids
        return f"{self._api_url}/events/{quote(events[-1], safe='')}" if events else None

    def facts(self, alert: Alert) -> list[Fact]:
        """What is known, most telling first; nothing that is not."""
        context = alert.context
        vehicle = " ".join(context.get(name, "") for name in ("vehicle_color", "vehicle_make", "vehicle_model"))
        vehicle = " ".join(
            [*vehicle.split(), *([f"({context['vehicle_type']})"] if context.get("vehicle_type") else [])]
        )
        proof = alert.proof
        likelihood = f"{proof.likelihood:.1%}" if proof.likelihood is not None else ""
        rows = (
            ("Plate", alert.plate_text or ""),
            ("Listed as", proof.matched_plate or ""),
            ("Likelihood", likelihood),
            ("Vehicle", vehicle),
            ("Camera", alert.camera_id or ""),
            ("Site", alert.site_id or ""),
            ("Captured", self._time(alert.captured_at)),
            ("Rule", alert.rule.name),
            ("Severity", alert.severity),
            ("Held back before", str(proof.suppressed) if proof.suppressed else ""),
        )
        return [Fact(label, value) for label, value in rows if value]

    def _context(self, notification: Notification) -> dict[str, object]:
        alert = notification.alert
        return {
            "alert": alert,
            "subject": self.subject(notification),
            "facts": self.facts(alert),
            "link": self.link(alert),
            "color": _SEVERITY_COLORS.get(alert.severity, _SEVERITY_COLORS["info"]),
            "notification_id": notification.notification_id,
        }

    def _time(self, micros: int) -> str:
        try:
            moment: datetime = to_datetime(micros).astimezone(self._zone)
        except (OverflowError, ValueError):
            return to_iso(micros)
        return f"{moment:%Y-%m-%d %H:%M:%S} {moment.tzname()}"


def _rendered(environment: ImmutableSandboxedEnvironment, template: str, alert: Alert, what: str) -> str:
    try:
        return environment.from_string(template).render(**{**alert.context, "alert": alert})
    except (TemplateError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise SinkRejected(f"{what}: {error}") from error


def _one_level(value: object) -> object:
    return _NO_LEVEL.sub("_", value) if isinstance(value, str) else value


def one_line(text: str, limit: int = MAX_SUBJECT_CHARS) -> str:
    """The text without anything that could end a line or turn its direction, shortened.

    A mail header or title made of it can carry no further header (CWE-93).
    """
    text = _UNSAFE_IN_A_LINE.sub(" ", text.encode("utf-8", "replace").decode())
    return shorten(" ".join(text.split()), limit)


def shorten(text: str, limit: int) -> str:
    """At most `limit` characters, with an ellipsis where something is missing."""
    return text if len(text) <= limit else text[: limit - 1] + "…"
