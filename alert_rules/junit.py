"""Outcomes of rule tests as JUnit XML, which CI servers show.

There is no official schema; this is the part that Jenkins, GitLab and GitHub's reporters all read: a suite a file, with
counts, a case a test, ``failure`` with one line a difference.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from xml.etree import ElementTree

from alert_rules.errors import Place

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, 2.2


@dataclass(frozen=True, slots=True)
class Case:
    """A test that ran.

    Attributes:
        group: what the test is about: a rule's id, or the file for tests of several rules.
        failures: places and what was different there; empty when it passed.
        wall_s: how long it took.
    """

    group: str
    name: str
    place: Place
    failures: tuple[tuple[Place, str], ...] = ()
    wall_s: float = 0.0


def junit_xml(cases: Iterable[Case]) -> bytes:
    """The cases as XML, UTF-8, in their order; one suite a file."""
    by_file: dict[str, list[Case]] = {}
    for case in cases:
        by_file.setdefault(case.place.source, []).append(case)
    everything = [case for group in by_file.values() for case in group]
    root = ElementTree.Element("testsuites", _counts("alpr rules test", everything))
    for source, group in by_file.items():
        suite = ElementTree.SubElement(root, "testsuite", _counts(source, group))
        for case in group:
            element = ElementTree.SubElement(
                suite,
                "testcase",
                {
                    "classname": _clean(case.group),
                    "name": _clean(case.name),
                    "file": _clean(source),
                    "line": str(case.place.line),
                    "time": f"{case.wall_s:.3f}",
                },
            )
            if case.failures:
                lines = [f"{place}: {difference}" for place, difference in case.failures]
                failure = ElementTree.SubElement(element, "failure", {"message": _clean(lines[0])})
                failure.text = _clean("\n".join(lines))
    ElementTree.indent(root)
    text: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def _counts(name: str, cases: list[Case]) -> dict[str, str]:
    return {
        "name": _clean(name),
        "tests": str(len(cases)),
        "failures": str(sum(bool(case.failures) for case in cases)),
        "errors": "0",
        "time": f"{sum(case.wall_s for case in cases):.3f}",
    }


def _clean(text: str) -> str:
    """Without characters that XML cannot hold, not even escaped."""
    return _NOT_XML.sub("\ufffd", text)
