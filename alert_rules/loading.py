"""Rule files and folders to a checked set of rules. All or nothing: one broken file refuses the whole set."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from alert_rules import expectations as expect
from alert_rules.document import MAX_FILE_BYTES, Listing, Mapping, Node, Scalar, parse
from alert_rules.errors import Place, Problems, RuleProblem
from alert_rules.reading.actions import ChannelDefaults, read_defaults
from alert_rules.reading.definitions import Definitions, Reading
from alert_rules.reading.existing import read_conditions, read_typed
from alert_rules.reading.native import read_native
from alert_rules.reading.schedules import define_calendars
from alert_rules.reading.zones import GEO_TYPES, define_features, define_zones
from alert_rules.rule import Rule

SUFFIXES = (".yml", ".yaml", ".geojson")
DEFINING_KEYS = ("zones", "calendars")
FILE_KEYS = ("rules", "notifications", "version", *DEFINING_KEYS)
MAX_RULES = 10_000


@dataclass(frozen=True, slots=True)
class RuleSet:
    """Rules that were checked together.

    Attributes:
        rules: in the order of the files; disabled ones too.
        sources: what they were read from.
    """

    rules: tuple[Rule, ...] = ()
    sources: tuple[str, ...] = ()

    @property
    def enabled(self) -> tuple[Rule, ...]:
        """The rules that are on."""
        return tuple(rule for rule in self.rules if rule.enabled)


def load_rules(paths: Iterable[Path]) -> RuleSet:
    """Read rule files, and the files of folders (``*.yml``, ``*.yaml``, ``*.geojson``, not deeper).

    Zones and calendars that a file defines are known in all of them.

    Raises:
        RuleFileError: everything that is wrong in them, each with its place.
    """
    return read_rules(read_texts(paths))


def read_texts(paths: Iterable[Path]) -> dict[str, bytes]:
    """The bytes of rule files by name.

    Raises:
        RuleFileError: a file or folder cannot be read, or there is none.
    """
    texts: dict[str, bytes] = {}
    problems = Problems()
    for path in paths:
        files = rule_files(path)
        if not files:
            reason = "the folder has no rule files (*.yml)" if path.is_dir() else "there is no such file or folder"
            problems.add(RuleProblem(Place(str(path)), reason))
        for file in files:
            try:
                with file.open("rb") as stream:
                    texts[str(file)] = stream.read(MAX_FILE_BYTES + 1)
            except OSError as error:
                problems.add(RuleProblem(Place(str(file)), f"cannot be read: {error.strerror or error}"))
    problems.raise_any()
    return texts


def rule_files(path: Path) -> list[Path]:
    """The rule files of a folder, sorted; a file is itself; nothing where nothing is."""
    if path.is_dir():
        return sorted(file for file in path.iterdir() if file.suffix in SUFFIXES and file.is_file())
    return [path] if path.exists() else []


def read_rules(texts: dict[str, bytes]) -> RuleSet:
    """Rules from texts by name.

    Raises:
        RuleFileError: everything that is wrong in them, each with its place.
    """
    problems = Problems()
    trees: list[Node] = []
    for source, text in texts.items():
        with problems.collect():
            trees.append(parse(text, source))
    read = RuleSet()
    with problems.collect():
        read = read_trees(trees)
    problems.raise_any()
    return RuleSet(read.rules, tuple(texts))


def read_trees(trees: Iterable[Node]) -> RuleSet:
    """Rules from parsed files, without `RuleSet.sources`.

    Raises:
        RuleFileError: everything that is wrong in them, each with its place.
    """
    roots = list(trees)
    problems = Reading(Definitions())
    for root in roots:
        with problems.collect():
            _define(root, problems)
    rules: list[Rule] = []
    for root in roots:
        with problems.collect():
            rules.extend(_read_file(root, problems))
    _check_ids(rules, problems)
    problems.raise_any()
    return RuleSet(tuple(rules))


def _define(root: Node, problems: Reading) -> None:
    """Take in what a file defines, before any rule is read."""
    if not isinstance(root, Mapping):
        return
    if _is_geojson(root):
        define_features(root, problems)
    for key, define in (("zones", define_zones), ("calendars", define_calendars)):
        if key in root.entries:
            with problems.collect():
                define(root.entries[key], problems)


def _is_geojson(root: Mapping) -> bool:
    kind = root.entries.get("type")
    return isinstance(kind, Scalar) and kind.text in GEO_TYPES


def _read_file(root: Node, problems: Problems) -> list[Rule]:
    defaults = ChannelDefaults()
    listed: Node = root
    if isinstance(root, Mapping) and _is_geojson(root):
        return []
    if not isinstance(root, Listing):
        body = expect.mapping(root, "a rule file with 'rules:'")
        expect.known_keys(body, FILE_KEYS, "a rule file", problems)
        if "notifications" in body.entries:
            with problems.collect():
                defaults = read_defaults(body.entries["notifications"], problems)
        if "rules" not in body.entries and any(key in body.entries for key in DEFINING_KEYS):
            return []
        listed = expect.required(body, "rules", "a rule file")
    nodes = expect.items(listed, "rules")
    if len(nodes) > MAX_RULES:
        raise RuleProblem(listed.place, f"{len(nodes):,} rules; a file has at most {MAX_RULES:,}")
    rules = []
    for each in nodes:
        with problems.collect():
            rule = _read_rule(expect.mapping(each, "a rule"), defaults, problems)
            if rule is not None:
                rules.append(rule)
    return rules


def _read_rule(body: Mapping, defaults: ChannelDefaults, problems: Problems) -> Rule | None:
    if "match" in body.entries or "correlation" in body.entries:
        return read_native(body, defaults, problems)
    if "conditions" in body.entries:
        return read_conditions(body, defaults, problems)
    if "type" in body.entries:
        return read_typed(body, defaults, problems)
    raise RuleProblem(
        body.place, "a rule needs 'match' or 'correlation' (or, as in existing files, 'conditions' or 'type')"
    )


def _check_ids(rules: list[Rule], problems: Problems) -> None:
    known: dict[str, list[Rule]] = {}
    for rule in rules:
        for other in known.get(rule.id, ()):
            reason = _clash(rule, other)
            if reason is not None:
                problems.add(RuleProblem(rule.place, f"rule id '{rule.id}' is taken by {other.place}{reason}"))
                break
        known.setdefault(rule.id, []).append(rule)


def _clash(rule: Rule, other: Rule) -> str | None:
    """Why two rules cannot have one id, as the end of a sentence; None where they are versions of one rule."""
    if rule.validity is None or other.validity is None:
        return ""
    if rule.correlation is not None or other.correlation is not None:
        return "; versions of a correlation need ids of their own"
    return " in part of its time" if rule.validity.overlaps(other.validity) else None
