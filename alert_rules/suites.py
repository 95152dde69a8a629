"""Tests in files of their own, as promtool has them: which rule files, what is seen, what each rule raises then.

    rule_files: [../rules/*.yml]
    tests:
      - name: a stolen car at the depot
        rules: [stolen-at-the-depot]
        watchlists: {stolen: [AB0123]}
        events: [{at: 22h, site_id: depot, plate_text: ABO123}]
        until: 1h
        alerts: {stolen-at-the-depot: [{at: 22h, matched_plate: AB0123}]}

Unlike the tests inside a rule file these see the rules together. A rule that ``alerts`` does not name must be silent.
Paths are relative to the test file; ``*`` and ``?`` stand for what they do in a shell. The method is that of
Prometheus: https://prometheus.io/docs/prometheus/latest/configuration/unit_testing_rules/.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from alert_rules import expectations as expect
from alert_rules.correlations.offline import Correlations
from alert_rules.document import Mapping, Node, parse
from alert_rules.engine import Engine
from alert_rules.errors import Place, Problems, RuleFileError, RuleProblem, nearest, shown
from alert_rules.inline_tests import differences
from alert_rules.loading import RuleSet, load_rules
from alert_rules.reading.rule_tests import (
    BASE_US,
    read_events,
    read_expected,
    read_name,
    read_until,
    read_watchlists,
)
from alert_rules.rule import ExpectedAlert
from alert_rules.watchlists import Watchlists
from schemas.events import Alert, Sighting, WatchlistEntry

FILE_KEYS = ("rule_files", "tests", "version")
TEST_KEYS = ("name", "rules", "watchlists", "events", "until", "alerts")
MAX_FILES = 10_000


@dataclass(frozen=True, slots=True)
class SuiteTest:
    """One test of a suite.

    Attributes:
        rules: that take part, switched on; None for all that are on.
        alerts: rule id to what it raises, with the place of the expectation; other rules raise nothing.
        until_us: how far time goes on after the last event.
    """

    name: str
    rules: RuleSet
    events: tuple[Sighting, ...]
    alerts: dict[str, tuple[Place, tuple[ExpectedAlert, ...] | int]]
    watchlists: tuple[WatchlistEntry, ...]
    place: Place
    until_us: int = 0


@dataclass(frozen=True, slots=True)
class SuiteOutcome:
    """The outcome of one test of a suite.

    Attributes:
        failures: places and what was different there; empty when the test passed.
    """

    test: SuiteTest
    failures: tuple[tuple[Place, str], ...]


def is_suite(text: bytes, source: str) -> bool:
    """Whether a file is one of tests, by its ``rule_files``; a file that is no YAML is left to the reader of rules."""
    try:
        root = parse(text, source)
    except RuleFileError:
        return False
    return isinstance(root, Mapping) and "rule_files" in root.entries


def read_suite(text: bytes, source: str) -> tuple[SuiteTest, ...]:
    """The tests of a file, with the rules that they are about.

    Raises:
        RuleFileError: everything that is wrong in the file or in the rule files that it names.
    """
    problems = Problems()
    tests: list[SuiteTest] = []
    with problems.collect():
        root = expect.mapping(parse(text, source), "a test file with 'rule_files:' and 'tests:'")
        expect.known_keys(root, FILE_KEYS, "a test file", problems)
        rules = load_rules(_rule_files(expect.required(root, "rule_files", "a test file"), Path(source).parent))
        nodes = expect.items(expect.required(root, "tests", "a test file"), "tests")
        for number, node in enumerate(nodes, start=1):
            with problems.collect():
                tests.append(_test(expect.mapping(node, "a test"), number, rules, problems))
    problems.raise_any()
    return tuple(tests)


def run_suite(tests: Iterable[SuiteTest]) -> Iterator[SuiteOutcome]:
    """Run the tests; each begins with an empty memory."""
    for test in tests:
        raised: dict[str, list[Alert]] = {rule.id: [] for rule in test.rules.rules}
        for alert in _run(test):
            raised[alert.rule.id].append(alert)
        failures: list[tuple[Place, str]] = []
        for rule_id, alerts in raised.items():
            place, expected = test.alerts.get(rule_id, (test.place, 0))
            failures += [
                (where, f"{rule_id}: {difference}") for where, difference in differences(expected, place, alerts)
            ]
        yield SuiteOutcome(test, tuple(failures))


def _run(test: SuiteTest) -> Iterator[Alert]:
    watchlists = Watchlists(test.watchlists)
    engine = Engine(test.rules, watchlists)
    correlations = Correlations(test.rules.rules, watchlists)
    times = [event.captured_at for event in test.events]
    correlations.advance(min([BASE_US, *times]) - 1)
    memory: dict[bytes, bytes | None] = {}
    for sighting in test.events:
        decision = engine.evaluate(sighting, memory)
        memory.update(decision.changes)
        yield from decision.alerts
        yield from correlations.take(sighting).alerts
    yield from correlations.advance(max(times, default=BASE_US) + test.until_us).alerts


def _rule_files(node: Node, folder: Path) -> list[Path]:
    files: list[Path] = []
    for each in expect.items(node, "rule files", single=True):
        written = expect.text(each, "the path of a rule file").strip()
        try:
            found = sorted(folder.glob(written)) if any(sign in written for sign in "*?[") else [folder / written]
        except (NotImplementedError, ValueError) as error:  # pathlib: an absolute pattern, or one with a bad **
            raise RuleProblem(each.place, f"{shown(written)} is no pattern of paths: {error}") from None
        if not found or not all(file.exists() for file in found):
            raise RuleProblem(each.place, f"no rule file {shown(written)} beside the test file")
        files += [file for file in found if file not in files]
        if len(files) > MAX_FILES:
            raise RuleProblem(each.place, f"more than {MAX_FILES:,} rule files")
    return files


def _test(body: Mapping, number: int, rules: RuleSet, problems: Problems) -> SuiteTest:
    expect.known_keys(body, TEST_KEYS, "a test", problems)
    known = {rule.id: rule for rule in rules.rules}
    taking_part = rules.enabled
    if "rules" in body.entries:
        named = [_known(node, known) for node in expect.items(body.entries["rules"], "rule ids", single=True)]
        taking_part = tuple(replace(known[rule_id], enabled=True) for rule_id in dict.fromkeys(named))
    ids = [rule.id for rule in taking_part]
    alerts: dict[str, tuple[Place, tuple[ExpectedAlert, ...] | int]] = {}
    expected = expect.mapping(expect.required(body, "alerts", "a test"), "alerts by rule id")
    for rule_id, node in expected.entries.items():
        if rule_id not in ids:
            why = "is switched off; name it in 'rules'" if rule_id in known else f"is not there{nearest(rule_id, ids)}"
            problems.add(RuleProblem(expected.place_of(rule_id), f"rule {shown(rule_id)} {why}"))
            continue
        with problems.collect():
            alerts[rule_id] = (expected.place_of(rule_id), read_expected(node, problems))
    return SuiteTest(
        name=read_name(body, number),
        rules=RuleSet(taking_part, rules.sources),
        events=read_events(body, problems),
        alerts=alerts,
        watchlists=read_watchlists(body, problems),
        place=body.place,
        until_us=read_until(body),
    )


def _known(node: Node, known: Iterable[str]) -> str:
    rule_id = expect.text(node, "a rule id")
    if rule_id not in known:
        raise RuleProblem(node.place, f"no rule {shown(rule_id)}{nearest(rule_id, known)}")
    return rule_id
