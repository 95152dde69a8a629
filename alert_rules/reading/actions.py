"""Reads actions, and the channel defaults of a file's ``notifications``.

Values may hold ``${NAME}``: they stay as they are, on the topic too, and the notifier looks them up when it sends. A
secret that stands in the file in clear is refused, since an alert would carry it through Kafka and into every store.
"""

import re
from collections.abc import Mapping as Dict
from dataclasses import dataclass, field

from alert_rules import expectations as expect
from alert_rules.document import Listing, Mapping, Node, Scalar
from alert_rules.errors import Problems, RuleProblem
from schemas.events import Action

_BROKER = ("host", "port", "username", "password", "tls", "ca_file", "protocol")
CHANNELS: dict[str, tuple[str, ...]] = {
    "email": ("to", "subject", "from", "smtp_host", "smtp_port", "username", "password", "use_tls"),
    "slack": ("channel", "webhook_url", "token", "username", "icon_emoji"),
    "webhook": ("url", "method", "mode", "secret", "headers", "timeout"),
    "sms": ("to", "from", "account_sid", "auth_token"),
    "mqtt": ("topic", "payload", "qos", "retain", *_BROKER),
    "apprise": ("url",),
    "gate": (
        "gate", "topic", "url", "payload", "min_likelihood", "min_margin", "max_age_ms",
        "qos", *_BROKER, "secret", "headers",
    ),
}  # fmt: skip
"""Channel to its parameters. All are optional: the notifier has defaults (``ALPR_NOTIFY_*``)."""

SPELLINGS = {
    "email": {"recipients": "to", "to_addresses": "to", "from_address": "from", "sender": "from"},
    "slack": {"url": "webhook_url", "bot_token": "token"},
    "webhook": {},
    "mqtt": {},
    "apprise": {},
    "gate": {},
    "sms": {
        "recipients": "to", "to_numbers": "to", "phone": "to", "from_number": "from",
        "twilio_account_sid": "account_sid", "twilio_auth_token": "auth_token",
    },
}  # fmt: skip
"""Parameters as existing rule files write them."""

_BOUNDS = {"min_likelihood": (0.0, 1.0), "min_margin": (0.0, 1.0), "max_age_ms": (1.0, 60_000.0)}
"""Least and greatest value of the parameters that are numbers."""
_SECRETS = frozenset({"password", "token", "secret", "auth_token"})
_SECRET_PARTS = frozenset({("apprise", "url")})
_SECRET_HEADERS = re.compile(r"auth|token|key|secret|cookie", re.IGNORECASE)
_VARIABLE = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}")
_LOOKS_LIKE_VARIABLE = re.compile(r"\$\{[^}]*\}?")
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
MAX_VALUE_CHARS = 4000


@dataclass(frozen=True, slots=True)
class ChannelDefaults:
    """A file's ``notifications``: parameters that its actions start from.

    Attributes:
        params: channel to parameters.
        disabled: channels that the file turns off.
    """

    params: Dict[str, Dict[str, str]] = field(default_factory=dict)
    disabled: frozenset[str] = frozenset()

    def action(self, channel: str, params: Dict[str, str]) -> Action | None:
        """An action with the defaults filled in; None for a channel that is turned off."""
        if channel in self.disabled:
            return None
        return Action(channel, {**self.params.get(channel, {}), **params})


def read_defaults(node: Node, problems: Problems) -> ChannelDefaults:
    """``notifications: {email: {...}, slack: {...}, ...}``.

    Raises:
        RuleProblem: it is no mapping.
    """
    body = expect.mapping(node, "'notifications'")
    expect.known_keys(body, tuple(CHANNELS), "'notifications'", problems)
    params: dict[str, dict[str, str]] = {}
    disabled: set[str] = set()
    for channel, each in body.entries.items():
        if channel not in CHANNELS:
            continue
        with problems.collect():
            settings = expect.mapping(each, f"settings of {channel}")
            if not expect.optional_flag(settings, "enabled", True):
                disabled.add(channel)
            params[channel] = _params(settings, channel, ("enabled",), problems)
    return ChannelDefaults(params, frozenset(disabled))


def read_actions(node: Node, defaults: ChannelDefaults, problems: Problems) -> tuple[Action, ...]:
    """``actions: [{type: email, to: ...}, ...]``.

    Raises:
        RuleProblem: it is no list.
    """
    actions: dict[tuple[str, tuple[tuple[str, str], ...]], Action] = {}
    for each in expect.items(node, "actions"):
        with problems.collect():
            body = expect.mapping(each, "an action")
            channel = expect.choice(expect.required(body, "type", "an action"), "action type", CHANNELS)
            action = defaults.action(channel, _params(body, channel, ("type",), problems))
            if action is not None:
                actions[channel, tuple(sorted(action.params.items()))] = action
    return tuple(actions.values())


def read_notify(node: Node, defaults: ChannelDefaults, problems: Problems) -> tuple[Action, ...]:
    """``notify: [email, slack]``: channels with the file's defaults.

    Raises:
        RuleProblem: it is no list.
    """
    channels: list[str] = []
    for each in expect.items(node, "channels", single=True):
        with problems.collect():
            channels.append(expect.choice(each, "channel", CHANNELS))
    found = (defaults.action(channel, {}) for channel in dict.fromkeys(channels))
    return tuple(action for action in found if action is not None)


def _params(body: Mapping, channel: str, others: tuple[str, ...], problems: Problems) -> dict[str, str]:
    spellings = SPELLINGS[channel]
    known = (*CHANNELS[channel], *spellings, *others)
    params: dict[str, str] = {}
    for written, node in body.entries.items():
        if written in others:
            continue
        if written not in known:
            expect.known_keys(Mapping({written: node}, body.place, body.key_places), known, f"'{channel}'", problems)
            continue
        with problems.collect():
            name = spellings.get(written, written)
            if name == "headers":
                params |= _headers(node)
            else:
                params[name] = _value(name, node)
                if (channel, name) in _SECRET_PARTS:
                    _refuse_clear_secret(f"'{name}' of {channel}", node)
    return params


def _headers(node: Node) -> dict[str, str]:
    headers = {}
    for name, value in expect.mapping(node, "'headers'").entries.items():
        if not _HEADER_NAME.fullmatch(name):
            raise RuleProblem(value.place, f"'{name[:60]}' is no header name")
        if _SECRET_HEADERS.search(name):
            _refuse_clear_secret(f"header {name}", value)
        headers[f"header.{name}"] = _value(name, value)
    return headers


def _value(name: str, node: Node) -> str:
    nodes = node.items if isinstance(node, Listing) else [node]
    if name != "to" and isinstance(node, Listing):
        raise RuleProblem(node.place, f"expected '{name}' (text), found a list")
    if not nodes:
        raise RuleProblem(node.place, f"'{name}' is empty")
    value = ", ".join(expect.text(each, f"'{name}'", limit=MAX_VALUE_CHARS).strip() for each in nodes)
    for found in _LOOKS_LIKE_VARIABLE.finditer(value):
        if not _VARIABLE.fullmatch(found.group()):
            raise RuleProblem(node.place, f"'{found.group()[:40]}' is no variable; write ${{NAME}}")
    if name in _BOUNDS and not _VARIABLE.search(value):
        expect.number_between(node, f"'{name}'", *_BOUNDS[name])
    if name in _SECRETS:
        _refuse_clear_secret(f"'{name}'", node)
    return value


def _refuse_clear_secret(what: str, node: Node) -> None:
    if isinstance(node, Scalar) and not _VARIABLE.search(node.text):
        raise RuleProblem(node.place, f"{what} is a secret; write ${{NAME}} and set NAME where the notifier runs")
