"""`alpr rules test`: runs the tests inside rule files and those in files of their own."""

from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

import click

from alert_rules.errors import Problems, RuleFileError
from alert_rules.inline_tests import run_tests
from alert_rules.junit import Case, junit_xml
from alert_rules.loading import RuleSet, read_rules, read_texts
from alert_rules.settings import rule_settings
from alert_rules.suites import SuiteTest, is_suite, read_suite, run_suite
from cli.errors import CommandError
from cli.rule_inputs import PATHS, refused


@click.command()
@PATHS
@click.option("--verbose", "-v", is_flag=True, help="Also name the tests that passed")
@click.option(
    "--junit", "junit_path", type=click.Path(dir_okay=False, path_type=Path), help="Write the outcomes as JUnit XML too"
)
def test(paths: tuple[Path, ...], verbose: bool, junit_path: Path | None) -> None:
    """Run the tests that stand in rule files, and test files (those with 'rule_files:').

    Files and folders may be of either kind; the default is $ALPR_RULES_PATH. Exit code 1 when a test fails.
    """
    rules, suite_tests = _read(paths or (rule_settings().rules_path,))
    cases: list[Case] = []
    for case in _cases(rules, suite_tests):
        cases.append(case)
        if case.failures:
            click.echo(f"FAILED  {case.group}: {case.name}")
            for place, difference in case.failures:
                click.echo(f"        {place}: {difference}")
        elif verbose:
            click.echo(f"ok      {case.group}: {case.name}")
    failed = sum(bool(case.failures) for case in cases)
    untested = [rule.id for rule in rules.rules if not rule.tests]
    click.echo(
        f"{len(cases) - failed} passed, {failed} failed"
        + (f"; without a test: {', '.join(untested)}" if untested else "")
    )
    if junit_path is not None:
        try:
            junit_path.write_bytes(junit_xml(cases))
        except OSError as error:
            raise CommandError(f"{junit_path}: cannot be written: {error.strerror or error}") from error
    if failed:
        raise SystemExit(1)


def _read(paths: tuple[Path, ...]) -> tuple[RuleSet, list[SuiteTest]]:
    problems = Problems()
    rules = RuleSet()
    suite_tests: list[SuiteTest] = []
    with problems.collect():
        texts = read_texts(paths)
        suites = {source: text for source, text in texts.items() if is_suite(text, source)}
        for source, text in suites.items():
            with problems.collect():
                suite_tests += read_suite(text, source)
        rules = read_rules({source: text for source, text in texts.items() if source not in suites})
    if problems.found:
        raise refused(RuleFileError(problems.found))
    return rules, suite_tests


def _cases(rules: RuleSet, suite_tests: list[SuiteTest]) -> Iterator[Case]:
    began = perf_counter()
    for outcome in run_tests(rules):
        ended = perf_counter()
        yield Case(outcome.rule.id, outcome.test.name, outcome.test.place, outcome.failures, ended - began)
        began = perf_counter()
    for suite_outcome in run_suite(suite_tests):
        test_, ended = suite_outcome.test, perf_counter()
        yield Case(test_.place.source, test_.name, test_.place, suite_outcome.failures, ended - began)
        began = perf_counter()
