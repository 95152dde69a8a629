"""The two forms that existing rule files have load unchanged and mean what they meant."""

import pytest

from alert_rules.engine import Engine
from schemas.events import Action
from tests.unit.alert_rules.builders import problems, rules, run, sighting

BY_TYPE = """
rules:
  - name: Stolen Vehicle Alert
    type: plate_match
    plates:
      - ABC123
      - XYZ789
    actions:
      - type: email
        to: security@example.com
      - type: slack
        channel: "#security-alerts"
  - name: High confidence
    type: threshold
    field: plate_confidence
    operator: ">="
    value: 0.95
    actions:
      - type: webhook
        url: https://example.com/webhook
"""

BY_CONDITIONS = """
notifications:
  email:
    enabled: true
    smtp_host: "smtp.example.com"
    smtp_port: 587
    use_tls: true
    username: "alerts@example.com"
    password: "${SMTP_PASSWORD}"
    from_address: "Alerts <alerts@example.com>"
    recipients:
      - "security@example.com"
      - "admin@example.com"
  slack:
    enabled: true
    webhook_url: "${SLACK_WEBHOOK_URL}"
    channel: "#alpr-alerts"
    username: "Bot"
    icon_emoji: ":rotating_light:"
  webhook:
    enabled: false
    url: "https://api.example.com/alpr/webhook"
    method: "POST"
    headers:
      Authorization: "Bearer ${WEBHOOK_TOKEN}"
      Content-Type: "application/json"
    timeout: 10
  sms:
    enabled: true
    twilio_account_sid: "${TWILIO_ACCOUNT_SID}"
    twilio_auth_token: "${TWILIO_AUTH_TOKEN}"
    from_number: "+15551234567"
    to_numbers:
      - "+15559876543"

rules:
  - id: "watchlist_plate"
    name: "Watchlist Plate Detected"
    enabled: true
    priority: "high"
    description: "A plate of the list"
    conditions:
      - field: "plate.normalized_text"
        operator: "in_list"
        value: ["ABC123", "XYZ789"]
      - field: "plate.confidence"
        operator: "greater_than"
        value: 0.5
    notify: ["email", "slack", "sms", "webhook"]
    rate_limit:
      enabled: true
      cooldown_seconds: 300
      dedup_key: "plate.normalized_text"
    message_template: |
      WATCHLIST PLATE

      Plate: {plate.normalized_text} (Confidence: {plate.confidence:.2%})
      Camera: {camera_id}
      Vehicle: {vehicle.type}
      Image: {images.plate_url}
  - id: "off"
    name: "Off"
    enabled: false
    priority: "low"
    conditions:
      - {field: camera_id, operator: contains, value: GATE}
    notify: [slack]
    rate_limit: {enabled: false, cooldown_seconds: 60, dedup_key: track_id}
    message_template: "{plate.text} at {node.site} / {track_id}"
"""


def test_plate_match_fires_for_its_plates_with_its_actions() -> None:
    """A listed plate alerts, with the actions as written; another one does not."""
    engine = Engine(rules(BY_TYPE))
    [alert] = run(engine, [sighting(plate_text="abc-123"), sighting("e2", plate_text="ABC124")])
    assert alert.rule.id == "stolen-vehicle-alert"
    assert alert.rule.name == "Stolen Vehicle Alert"
    assert alert.proof.matched_plate == "ABC123"
    assert alert.actions == (
        Action("email", {"to": "security@example.com"}),
        Action("slack", {"channel": "#security-alerts"}),
    )


@pytest.mark.parametrize(("confidence", "alerts"), [(0.95, 1), (0.96, 1), (0.949, 0)])
def test_threshold_compares_a_field(confidence: float, alerts: int) -> None:
    """The threshold itself counts for >=."""
    engine = Engine(rules(BY_TYPE))
    found = run(engine, [sighting(plate_text="QQQ1", plate_confidence=confidence)])
    assert len(found) == alerts
    assert all(alert.actions == (Action("webhook", {"url": "https://example.com/webhook"}),) for alert in found)


def test_conditions_must_all_hold() -> None:
    """Plate and confidence together fire; one alone does not."""
    engine = Engine(rules(BY_CONDITIONS))
    alerts = run(
        engine,
        [
            sighting("e1", plate_text="ABC 123", plate_confidence=0.4),
            sighting("e2", plate_text="ABC 999", plate_confidence=0.9),
            sighting("e3", plate_text="ABC 123", plate_confidence=0.9, vehicle_type="car"),
        ],
    )
    assert [alert.proof.event_ids for alert in alerts] == [("e3",)]
    assert alerts[0].severity == "high"
    assert alerts[0].message == (
        "WATCHLIST PLATE\n\nPlate: ABC123 (Confidence: 90.00%)\nCamera: gate\nVehicle: car\nImage: unknown"
    )
    assert [(proof.field, proof.observed) for proof in alerts[0].proof.conditions] == [
        ("plate.normalized_text", "ABC123"),
        ("plate.confidence", "0.9"),
    ]


def test_channels_take_the_file_s_defaults_and_keep_their_variables() -> None:
    """Channels of notify take parameters from `notifications`, secrets stay ${NAME}, disabled ones are left out."""
    [rule, _] = rules(BY_CONDITIONS).rules
    by_type = {action.type: action.params for action in rule.actions}
    assert list(by_type) == ["email", "slack", "sms"]
    assert by_type["email"]["to"] == "security@example.com, admin@example.com"
    assert by_type["email"]["password"] == "${SMTP_PASSWORD}"
    assert by_type["email"]["from"] == "Alerts <alerts@example.com>"
    assert by_type["slack"]["webhook_url"] == "${SLACK_WEBHOOK_URL}"
    assert by_type["sms"] == {
        "account_sid": "${TWILIO_ACCOUNT_SID}", "auth_token": "${TWILIO_AUTH_TOKEN}", "from": "+15551234567",
        "to": "+15559876543",
    }  # fmt: skip


def test_headers_become_parameters() -> None:
    """Headers of a webhook travel as header.NAME."""
    [rule, _] = rules(BY_CONDITIONS.replace("webhook:\n    enabled: false", "webhook:\n    enabled: true")).rules
    webhook = next(action for action in rule.actions if action.type == "webhook")
    assert webhook.params["header.Authorization"] == "Bearer ${WEBHOOK_TOKEN}"
    assert webhook.params["timeout"] == "10"


def test_rate_limit_is_a_suppression_in_event_time() -> None:
    """Within the cool-down the same plate is held back, misread or not; another plate is not."""
    engine = Engine(rules(BY_CONDITIONS))
    events = [("e1", 0, "ABC123"), ("e2", 299, "A8C123"), ("e3", 299, "XYZ789"), ("e4", 300, "ABC123")]
    alerts = run(engine, [sighting(name, at, plate_text=text) for name, at, text in events])
    # A8C123 is not in the list by its text: in_list compares, it does not guess
    assert [(alert.proof.event_ids[0], alert.proof.suppressed) for alert in alerts] == [("e1", 0), ("e3", 0), ("e4", 0)]


def test_switched_off_means_off() -> None:
    """enabled: false loads, and does not fire; a disabled rate limit is none."""
    loaded = rules(BY_CONDITIONS)
    assert [rule.id for rule in loaded.enabled] == ["watchlist_plate"]
    assert loaded.rules[1].suppress is None


def test_a_secret_in_clear_is_refused() -> None:
    """A password that stands in the file would travel with every alert."""
    [problem] = problems(BY_CONDITIONS.replace('"${SMTP_PASSWORD}"', '"hunter2"').lstrip())
    assert "'password' is a secret" in problem
    [problem] = problems(BY_CONDITIONS.replace('"Bearer ${WEBHOOK_TOKEN}"', '"Bearer abc"').lstrip())
    assert "header Authorization is a secret" in problem


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('"in_list"', '"inlist"'), "unknown operator 'inlist'; did you mean 'in_list'?"),
        (('"plate.confidence"', '"plate.confidense"'), "unknown field 'plate.confidense'; did you mean 'plate.conf"),
        (('"sms", "webhook"]', '"telegraph"]'), "'telegraph' is no channel"),
        (("cooldown_seconds: 300", "cooldown: 300"), "'rate_limit' has no 'cooldown'; did you mean 'cooldown_s"),
        (("value: 0.5", "value: high"), "expected a value for plate.confidence (a number), found 'high'"),
        (("{camera_id}", "{camera}x{camra_id}"), "in the message: unknown field 'camra_id'; did you mean 'camera_id'?"),
        (("  email:\n", "  emial:\n"), "'notifications' has no 'emial'; did you mean 'email'?"),
    ],
)  # fmt: skip
def test_mistakes_are_named_with_the_nearest_name(change: tuple[str, str], message: str) -> None:
    """A misspelt word is an error that says what was meant."""
    assert message in problems(BY_CONDITIONS.replace(*change))[0]
