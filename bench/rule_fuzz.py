"""Broken rule files by the thousand: none may crash the reader or hold it up, and each mistake must have its place.

    python -m bench.rule_fuzz --files 10000 --seed 1

Files are made from the shipped rules: one rule with what its file defines, then a few changes of bytes, words, lines
and indentation, so that most files are nearly right. The same seed makes the same files.
"""

import argparse
import random
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from time import process_time

from alert_rules.errors import RuleFileError
from alert_rules.loading import load_rules, read_rules, rule_files
from alert_rules.settings import RuleSettings

SLOW_S = 1.0
FOLDERS = ("", "cookbook", "correlations")
_WORDS = (
    "~", "null", "true", "-1", "0", "1e999", "NaN", "99999999999999999999", "''", "[]", "{}", "*", "?", "[[", "}}",
    "&a", "*a", "!!python/object:os.system", "|", ">", "%", "@", "`", "\t", "\u0000", "\ud7ff", "🚗", "AB123",
    "2026-02-30", "25:61", "1000000d", "Europe/Nowhere", "{plate", "(((((a+)+)+)+)+)+$", "extras.x",
    "$" "{HOME}", "a" * 300,
)  # fmt: skip


@dataclass(slots=True)
class Report:
    """What reading the files led to.

    Attributes:
        outcomes: ``read``, ``refused``, ``unplaced``, ``slow``.
        bad: number of the file and what was wrong with the reader there.
        slowest_s: CPU time of the slowest file.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    bad: list[tuple[int, str]] = field(default_factory=list)
    slowest_s: float = 0.0


def files(seed: int, count: int) -> Iterator[bytes]:
    """The files of a seed."""
    chooser = random.Random(seed)
    whole = list(single_rules())
    for _ in range(count):
        text = chooser.choice(whole)
        for _ in range(chooser.choice((1, 1, 2, 3, 8))):
            text = chooser.choice(_CHANGES)(chooser, text)
        data = bytearray(text.encode("utf-8", "surrogatepass"))
        if data and chooser.random() < 0.1:
            data[chooser.randrange(len(data))] = chooser.randrange(256)
        yield bytes(data)


def check(seed: int, count: int) -> Report:
    """Read the files of a seed; anything that the reader raises but `RuleFileError` ends it, with the file's number."""
    report = Report()
    for number, data in enumerate(files(seed, count)):
        started = process_time()
        finished = False
        try:
            outcome, detail = _read(data)
            finished = True
        finally:
            if not finished:
                sys.stderr.write(f"the reader crashed on file {number} of seed {seed}\n")
        spent_s = process_time() - started
        report.slowest_s = max(report.slowest_s, spent_s)
        if spent_s > SLOW_S:
            outcome, detail = "slow", f"{spent_s:.1f} s"
        report.outcomes[outcome] += 1
        if outcome not in ("read", "refused"):
            report.bad.append((number, f"{outcome}: {detail}"))
    return report


def _read(data: bytes) -> tuple[str, str]:
    lines = data.count(b"\n") + data.count(b"\r") + data.count(b"\xc2\x85") + data.count(b"\xe2\x80") + 1
    try:
        read_rules({"f": data})
    except RuleFileError as error:
        wrong = [
            str(each)
            for each in error.problems
            if each.place.source != "f"
            or not 1 <= each.place.line <= lines
            or each.place.column < 1
            or not each.message
        ]
        return ("unplaced", wrong[0]) if wrong or not error.problems else ("refused", "")
    return "read", ""


def single_rules() -> Iterator[str]:
    """Each shipped rule in a file of its own, with its file's zones and calendars."""
    for folder in FOLDERS:
        for file in rule_files(RuleSettings().rules_path / folder):
            head, _, body = file.read_text(encoding="utf-8").partition("rules:\n")
            starts = [rule.place.line for rule in load_rules([file]).rules]
            lines = (head + "rules:\n" + body).splitlines(keepends=True)
            for start, end in zip(starts, [*starts[1:], len(lines) + 1], strict=True):
                yield head + "rules:\n" + "".join(lines[start - 1 : end - 1])


def _replace_word(chooser: random.Random, text: str) -> str:
    words = text.split(" ")
    words[chooser.randrange(len(words))] = chooser.choice((*_WORDS, chooser.choice(words)))
    return " ".join(words)


def _drop_line(chooser: random.Random, text: str) -> str:
    lines = text.splitlines(keepends=True) or [""]
    del lines[chooser.randrange(len(lines))]
    return "".join(lines)


def _repeat_line(chooser: random.Random, text: str) -> str:
    lines = text.splitlines(keepends=True) or [""]
    lines.insert(chooser.randrange(len(lines)), chooser.choice(lines))
    return "".join(lines)


def _indent_line(chooser: random.Random, text: str) -> str:
    lines = text.splitlines(keepends=True) or [""]
    index = chooser.randrange(len(lines))
    lines[index] = chooser.choice((f"  {lines[index]}", lines[index].lstrip(), f"\t{lines[index]}"))
    return "".join(lines)


def _insert(chooser: random.Random, text: str) -> str:
    at = chooser.randrange(len(text) + 1)
    return text[:at] + chooser.choice((*_WORDS, ",", ":", "}", "]", "{", "[", "'", '"', "\n", "#")) + text[at:]


def _delete(chooser: random.Random, text: str) -> str:
    at = chooser.randrange(len(text) + 1)
    return text[:at] + text[at + chooser.choice((1, 1, 2, 10, 100)) :]


_CHANGES = (_replace_word, _replace_word, _drop_line, _repeat_line, _indent_line, _insert, _delete)


def main() -> int:
    """Read the files, print what came out; 1 where the reader did something that it must not."""
    parser = argparse.ArgumentParser(description="Broken rule files by the thousand")
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    report = check(given.seed, given.files)
    counts = ", ".join(f"{count} {outcome}" for outcome, count in sorted(report.outcomes.items()))
    sys.stdout.write(f"{given.files} files of seed {given.seed}: {counts}; slowest {report.slowest_s:.2f} s of CPU\n")
    for number, what in report.bad[:20]:
        sys.stdout.write(f"file {number}: {what}\n")
    return 1 if report.bad else 0


if __name__ == "__main__":
    sys.exit(main())
