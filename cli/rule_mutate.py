"""`alpr rules mutate`: would the tests of the rules notice if a rule were a little different?"""

from pathlib import Path

import click

from alert_rules.document import parse
from alert_rules.errors import RuleFileError
from alert_rules.inline_tests import run_tests
from alert_rules.loading import read_rules, read_texts
from alert_rules.mutation import mutants
from alert_rules.settings import rule_settings
from cli.errors import CommandError
from cli.rule_inputs import PATHS, refused


@click.command()
@PATHS
@click.option("--verbose", "-v", is_flag=True, help="Also show the changes that were noticed")
def mutate(paths: tuple[Path, ...], verbose: bool) -> None:
    """Change each rule (default: $ALPR_RULES_PATH) a little, one change at a time, and run its tests.

    Conditions are left out or turned round, operators flipped, bounds and time spans moved. A change that no test
    notices is shown with its place: a test is missing there. Exit code 1 when there is one.
    """
    try:
        texts = read_texts(paths or (rule_settings().rules_path,))
        rules = read_rules(texts)
        trees = [parse(text, source) for source, text in texts.items()]
    except RuleFileError as error:
        raise refused(error) from error
    broken = sorted({outcome.rule.id for outcome in run_tests(rules) if not outcome.passed})
    if broken:
        raise CommandError(f"tests fail as the rules are: {', '.join(broken)} ('alpr rules test' says why)")
    tried = unnoticed = 0
    for mutant in mutants(trees, rules):
        tried += 1
        if not mutant.noticed:
            unnoticed += 1
            click.echo(f"UNNOTICED  {mutant.place}: {mutant.rule_id}: {mutant.change}")
        elif verbose:
            click.echo(f"noticed    {mutant.place}: {mutant.rule_id}: {mutant.change}")
    untested = [rule.id for rule in rules.rules if not rule.tests]
    click.echo(
        f"{tried} changes, {unnoticed} unnoticed" + (f"; without a test: {', '.join(untested)}" if untested else "")
    )
    if unnoticed:
        raise SystemExit(1)
