"""The native form: what it takes, and what its errors say."""

# ruff: noqa: E501 - a mistake and its message read best in one line

import pytest

from tests.unit.alert_rules.builders import engine, problems, rule, rules, run, sighting


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("- {id: a, match: {plates: X1}}", "1:26: a condition has no 'plates'; did you mean 'plate'?"),
        ("- {id: a, match: {}}", "1:25: an empty condition; expected one of all, any, not, field"),
        ("- {id: a, match: []}", "1:25: 'all' has no conditions"),
        ("- {id: a, match: {any: []}}", "1:31: 'any' has no conditions"),
        ("- {id: a, match: red}", "1:25: expected a condition (a mapping), found 'red'"),
        ("- {id: a, match: {plate: []}}", "1:33: no plates: nothing could match"),
        ("- {id: a, match: {plate: [X1, '**']}}", "1:38: '**' is no plate: no letter or digit in it"),
        ("- {id: a, match: {plate: {any_of: X1, likelyhood: 1}}}", "1:46: 'plate' has no 'likelyhood'; did you mean 'likelihood'?"),
        ("- {id: a, match: {plate: {any_of: X1, likelihood: 2}}}", "1:58: 'likelihood' must lie between 0 and 1, not 2"),
        ("- {id: a, match: {field: plate_text}}", "1:25: a condition needs 'op'"),
        ("- {id: a, match: {op: equals, value: 1}}", "1:25: a condition needs 'field'"),
        ("- {id: a, match: {field: reads, op: equals}}", "1:25: a condition with 'equals' needs 'value'"),
        ("- {id: a, match: {field: reads, op: equals, value: many}}", "1:59: expected a value for reads (a number), found 'many'"),
        ("- {id: a, match: {field: reads, op: equals, value: .nan}}", "1:59: expected a value for reads (a number), found '.nan'"),
        ("- {id: a, match: {field: reads, op: contains, value: 1}}", "1:44: 'contains' is for text; reads is a number"),
        ("- {id: a, match: {field: vehicle_color, op: '>', value: 1}}", "1:52: '>' compares numbers and times; vehicle_color is text"),
        ("- {id: a, match: {field: is_final, op: equals, value: maybe}}", "1:62: expected a value for is_final (true or false), found 'maybe'"),
        ("- {id: a, match: {field: reads, op: between, value: [1]}}", "1:60: 'between' needs two values [low, high], found 1"),
        ("- {id: a, match: {field: reads, op: between, value: [2, 1]}}", "1:60: the first value of 'between' is the larger one"),
        ("- {id: a, match: {field: camera_id, op: in, value: []}}", "1:59: the list of 'in' is empty: nothing could match"),
        ("- {id: a, match: {field: plate_text, op: equals, value: '--'}}", "1:64: '--' has no letter or digit of a plate"),
        ("- {id: a, match: {field: plate_text, op: regex, value: '(?=a)b'}}", "1:63: not a pattern of RE2"),
        ("- {id: a, match: {field: plate_text, op: regex, value: '(a)\\1'}}", "1:63: not a pattern of RE2"),
        ("- {id: a, match: {field: captured_at, op: '>', value: noon}}", "1:62: expected a value for captured_at (a time such as"),
        ("- {id: a, match: {schedule: {days: [fry]}}}", "1:44: 'fry' is no weekday; did you mean 'fri'?"),
        ("- {id: a, match: {schedule: {from: 22:00}}}", "1:36: 'schedule' needs both 'from' and 'to'"),
        ("- {id: a, match: {schedule: {from: 25:00, to: 1:00}}}", "1:43: expected a time of day such as 22:00, found '25:00'"),
        ("- {id: a, match: {schedule: {days: mon, time_zone: Europe/Berln}}}", "1:59: no time zone 'Europe/Berln'; did you mean 'Europe/Berlin'?"),
        ("- {id: a, match: {schedule: {except: [2026-13-01]}}}", "1:46: expected a date such as 2026-12-25"),
        ("- {id: a, match: {watchlist: []}}", "1:37: no watchlist is named"),
        ("- {id: a b, match: {plate: X1}}", "1:15: id 'a b' may have letters, digits"),
        ("- {match: {plate: X1}}", "1:10: a rule needs 'id'"),
        ("- {id: a}", "1:10: a rule needs 'match' or 'correlation' (or, as in existing files, 'conditions' or 'type')"),
        ("- {id: a, match: {plate: X1}, severity: hihg}", "1:48: 'hihg' is no severity; did you mean 'high'?"),
        ("- {id: a, match: {plate: X1}, enabled: perhaps}", "1:47: expected 'enabled' (true or false), found 'perhaps'"),
        ("- {id: a, match: {plate: X1}, supress: 1m}", "1:38: a rule has no 'supress'; did you mean 'suppress'?"),
        ("- {id: a, match: {plate: X1}, suppress: soon}", "1:48: expected 'suppress' such as 10m, 90s or 1h30m, found 'soon'"),
        ("- {id: a, match: {plate: X1}, suppress: {by: plate}}", "1:48: 'suppress' needs 'for'"),
        ("- {id: a, match: {plate: X1}, suppress: {for: 1m, of: plate}}", "1:58: 'suppress' has no 'of'"),
        ("- {id: a, match: {plate: X1}, suppress: 99999d}", "1:48: 'suppress' is longer than a year"),
        ("- {id: a, match: {plate: X1}, group_by: camra_id}", "1:48: unknown field 'camra_id'; did you mean 'camera_id'?"),
        ("- {id: a, match: {plate: X1}, actions: {type: email}}", "1:47: expected actions (a list), found a mapping"),
        ("- {id: a, match: {plate: X1}, actions: [{type: mail}]}", "1:55: 'mail' is no action type; did you mean 'email'?"),
        ("- {id: a, match: {plate: X1}, actions: [{to: x}]}", "1:48: an action needs 'type'"),
        ("- {id: a, match: {plate: X1}, actions: [{type: email, too: x}]}", "1:62: 'email' has no 'too'; did you mean 'to'?"),
        ("- {id: a, match: {plate: X1}, actions: [{type: webhook, url: 'https://x/${TO KEN}'}]}", "1:69: '${TO KEN}' is no variable; write ${NAME}"),
        ("- {id: a, match: {plate: X1}, actions: [{type: slack, token: xoxb-1}]}", "1:69: 'token' is a secret; write ${NAME}"),
        ("- {id: a, match: {plate: X1}, message: 'x {plate_txt}'}", "1:47: in the message: unknown field 'plate_txt'; did you mean 'plate_text'?"),
        ("- {id: a, match: {plate: X1}, message: 'x { y'}", "1:47: in the message: a lone {"),
        ("- {id: a, match: {plate: X1}, message: '{plate_text:.2f}'}", "1:47: in the message: format '.2f' is for numbers; plate_text is plate"),
        ("- {id: a, match: {plate: X1}, message: '{reads:9999d}'}", "1:47: in the message: format '9999d' is not understood"),
        ("- {id: a, match: {plate: X1}, tests: [{events: []}]}", "1:46: a test needs 'alerts'"),
        ("- {id: a, match: {plate: X1}, tests: [{events: [{plate_txt: X1}], alerts: 0}]}", "1:57: an event has no 'plate_txt'; did you mean 'plate_text'?"),
        ("- {id: a, match: {plate: X1}, tests: [{events: [{at: noon}], alerts: 0}]}", "1:61: expected a time span such as 5m, or an ISO time, found 'noon'"),
        ("- {id: a, match: {plate: X1}, tests: [{events: [], alerts: -1}]}", "1:67: alerts (a list, or how many) must lie between 0 and"),
        ("- {id: a, match: {plate: X1}, tests: [{events: [], alerts: [{mesage: x}]}]}", "1:69: an expected alert has no 'mesage'; did you mean 'message'?"),
        ("- {id: a, match: {plate: X1}}\n- {id: a, match: {plate: X2}}", "2:3: rule id 'a' is taken by f:1:10"),
    ],
)  # fmt: skip
def test_mistakes(line: str, message: str) -> None:
    """Each mistake has its line and column, what was expected, and the nearest name."""
    found = problems(_as_flow(line))
    assert found[0].startswith(message), found


def _as_flow(lines: str) -> str:
    """Rules of a flow sequence in the line of ``rules:``, so that columns are easy to count."""
    rows = [line.removeprefix("- ") for line in lines.split("\n")]
    return "rules: [ " + ",\n  ".join(rows) + "]\n"


def test_all_mistakes_of_a_file_are_shown_in_order() -> None:
    """An author mends a file once, not mistake by mistake."""
    found = problems("""\
        rules:
          - id: a
            match:
              all:
                - {field: plate_txt, op: equals, value: X}
                - {field: reads, op: biggerthan, value: 3}
            colour: red
          - id: b
            match: {plate: X1}
            severity: worst
            message: |
              First line
              {nothing} here
        notification: {}
        """)
    assert [line.split(": ")[0] for line in found] == ["5:19", "6:30", "7:5", "10:15", "13:1", "14:1"]


def test_what_the_native_form_takes() -> None:
    """Durations, grouping, runbook and the rest land in the rule."""
    made = rule(
        "{plate: X1}", name="N", severity="LOW", enabled="no", description="D", runbook="R", group_by="[plate, site_id]",
        suppress="{for: 1h30m, by: camera_id}", freshness="90", notify="[email, slack]", message="'{key}'",
    )  # fmt: skip
    assert (made.name, made.severity, made.enabled, made.description, made.runbook) == ("N", "low", False, "D", "R")
    assert made.suppress is not None
    assert made.suppress.for_us == 5_400_000_000
    assert made.suppress.by.canonical() == ["camera_id"]
    assert made.group_by.canonical() == ["plate", "site_id"]
    assert made.freshness_s == 90.0
    assert [action.type for action in made.actions] == ["email", "slack"]


def test_plates_are_text_however_they_look() -> None:
    """What YAML takes for octal, a time, false, a float or a date is a plate here."""
    made = engine("{plate: [0123, 12:30, NO, 1e5, 2026-01-01, ~1, 0x1F]}")
    texts = ["0123", "1230", "NO", "1E5", "20260101", "1", "0X1F"]
    alerts = run(made, [sighting(f"e{n}", plate_text=text) for n, text in enumerate(texts)])
    assert [alert.plate_text for alert in alerts] == texts


def test_a_file_may_be_a_bare_list_and_use_anchors() -> None:
    """The top level may be the list of rules; an alias stands for its anchor."""
    loaded = rules("""
        - {id: a, match: &red {field: vehicle_color, op: equals, value: red}}
        - {id: b, match: {not: *red}}
        """)
    assert [each.id for each in loaded.rules] == ["a", "b"]
    assert loaded.rules[1].match.canonical() == ["not", loaded.rules[0].match.canonical()]


def test_durations_of_every_unit() -> None:
    """From ms to weeks, together and with spaces; a bare number means seconds."""
    for written, micros in (("500ms", 500_000), ("1m 30s", 90_000_000), ("1w", 604_800_000_000), ("'2'", 2_000_000)):
        made = rule("{plate: X1}", suppress=written)
        assert made.suppress is not None
        assert made.suppress.for_us == micros
    assert rule("{plate: X1}", suppress="0s").suppress is None
