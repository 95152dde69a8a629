"""What a rule makes of one sighting, in words: its match, and for a correlation the groups that it counts for."""

from alert_rules.correlations.plan import Plan
from alert_rules.facts import Facts
from alert_rules.finding import Finding
from alert_rules.rule import Rule


def explain_rule(rule: Rule, facts: Facts) -> Finding:
    """The finding of a rule's match; of a correlation also what it looks for, and in which group.

    Args:
        rule: any rule.
        facts: the sighting.
    """
    match = rule.match.explain(facts)
    if rule.correlation is None:
        return match
    tagged = [
        (name, condition.explain(facts)) for name, condition in rule.correlation.conditions if condition.holds(facts)
    ]
    groups = Plan((rule,)).groups(rule, facts)
    counts = bool(groups) and (bool(tagged) or not rule.correlation.only_tagged) and facts.sighting.merged_into is None
    sought = ", then ".join(operator.describe() for operator in rule.correlation.operators)
    observed = f"counts for {', '.join(groups)}" if counts else "does not count"
    names = f" as {', '.join(name for name, _ in tagged)}" if tagged and counts else ""
    correlation = Finding(counts, rule.correlation.type, "looks for", sought, observed + names)
    return Finding(None if match.holds is None else bool(match.holds and counts), "", "all", parts=(match, correlation))
