"""Reads ``correlation: {type: sequence, steps: [...]}``.

steps:
  - {name: in, match: {cameras: "in-*"}}
  - {not: {cameras: office}}
  - {name: out, match: {cameras: "out-*"}, times: {gte: 1, lte: 3}, within: 20m, contiguity: followed_by}
"""

from alert_rules import expectations as expect
from alert_rules.correlations.sequence import (
    CONTIGUITY,
    FOLLOWED_BY,
    MAX_STEPS,
    MAX_TIMES,
    NEXT,
    PAST_LAST,
    SKIPS,
    Sequence,
    Step,
)
from alert_rules.document import Mapping, Node
from alert_rules.errors import RuleProblem
from alert_rules.finding import Condition
from alert_rules.reading.correlation import Made, Parameters, positive_us
from alert_rules.reading.match import read_match

KEYS = ("steps", "after_match")
STEP_KEYS = ("name", "match", "times", "optional", "contiguity", "within", "not")


def read_sequence(given: Parameters) -> Made:
    """A sequence.

    Raises:
        RuleProblem: a step cannot be read, or the whole can never match.
    """
    node = given.required("steps")
    nodes = expect.items(node, "steps")
    if not 1 <= len(nodes) <= MAX_STEPS:
        raise RuleProblem(node.place, f"a sequence has 1 to {MAX_STEPS} steps, found {len(nodes)}")
    conditions: list[tuple[str, Condition]] = []
    steps: list[Step] = []
    forbidden: list[int] = []
    for each in nodes:
        with given.problems.collect():
            body = expect.mapping(each, "a step")
            expect.known_keys(body, STEP_KEYS, "a step", given.problems)
            tag = len(conditions)
            if "not" in body.entries:
                if not steps or len(body.entries) > 1:
                    raise RuleProblem(each.place, "'not' stands alone, between two steps or after the last")
                conditions.append(("not", read_match(body.entries["not"], given.problems)))
                forbidden.append(tag)
                continue
            name = expect.optional_text(body, "name", "'name'", limit=60) or f"step {len(steps) + 1}"
            match = read_match(expect.required(body, "match", "a step"), given.problems)
            steps.append(_step(body, name, tag, tuple(forbidden), first=not steps))
            conditions.append((name, match))
            forbidden = []
    after_match = PAST_LAST
    if "after_match" in given.body.entries:
        after_match = expect.choice(given.body.entries["after_match"], "'after_match'", SKIPS)
    if steps and all(step.least == 0 for step in steps):
        raise RuleProblem(node.place, "a sequence needs a step that is not optional")
    if steps and steps[-1].least == 0:
        raise RuleProblem(nodes[-1].place, "the last step cannot be optional: the match is complete before it")
    if len(steps) == 1 and steps[0].least == 1 and not forbidden:
        raise RuleProblem(node.place, "one step alone is no sequence")
    operator = Sequence(tuple(steps), given.timespan_us(), after_match, tuple(forbidden))
    # only where the very next event counts does it matter that others came
    only_tagged = all(step.contiguity != NEXT for step in steps)
    return Made((operator,), tuple(conditions), only_tagged=only_tagged)


def _step(body: Mapping, name: str, tag: int, forbidden: tuple[int, ...], *, first: bool) -> Step:
    least, most = _times(body.entries["times"]) if "times" in body.entries else (1, 1)
    if expect.optional_flag(body, "optional", False):
        least = 0
    if first:
        for key in ("contiguity", "within"):
            if key in body.entries:
                raise RuleProblem(body.place_of(key), f"the first step has nothing before it for '{key}'")
    contiguity = FOLLOWED_BY
    if "contiguity" in body.entries:
        contiguity = expect.choice(body.entries["contiguity"], "contiguity", CONTIGUITY)
    within = positive_us(body.entries["within"], "'within'") if "within" in body.entries else None
    return Step(name, tag, least, most, contiguity, forbidden, within)


def _times(node: Node) -> tuple[int, int]:
    """``times: 3``, or ``{gte: 2, lte: 5}``."""
    if not isinstance(node, Mapping):
        number = expect.whole_number(node, "'times'", 1, MAX_TIMES)
        return number, number
    unknown = [key for key in node.entries if key not in ("gte", "lte")]
    if unknown or not node.entries:
        raise RuleProblem(node.place, "'times' is a number, or has gte and lte")
    least = expect.whole_number(node.entries["gte"], "'gte'", 0, MAX_TIMES) if "gte" in node.entries else 1
    most = expect.whole_number(node.entries["lte"], "'lte'", 1, MAX_TIMES) if "lte" in node.entries else MAX_TIMES
    if least > most:
        raise RuleProblem(node.place, "'gte' of times is larger than 'lte'")
    return least, most
