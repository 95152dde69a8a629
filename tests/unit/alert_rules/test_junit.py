"""JUnit XML: suites, cases, failures, and text that XML cannot hold."""

from xml.etree import ElementTree

from alert_rules.errors import Place
from alert_rules.junit import Case, junit_xml

PASSED = Case("listed", "fires", Place("r.yml", 5), wall_s=0.25)
FAILED = Case("red", 'is <silent> & "calm"', Place("r.yml", 9), ((Place("r.yml", 9, 3), "1 fired: \x00\ud800"),), 0.5)


def test_counts_and_places() -> None:
    """Each file is a suite with its counts; cases have their rule, file and line."""
    root = ElementTree.fromstring(junit_xml([PASSED, FAILED, Case("s.yml", "both", Place("s.yml"))]))
    assert (root.get("tests"), root.get("failures"), root.get("time")) == ("3", "1", "0.750")
    assert [(each.get("name"), each.get("tests"), each.get("failures")) for each in root] == [
        ("r.yml", "2", "1"),
        ("s.yml", "1", "0"),
    ]
    passed = root[0][0]
    assert passed.attrib == {"classname": "listed", "name": "fires", "file": "r.yml", "line": "5", "time": "0.250"}
    assert len(passed) == 0


def test_a_failure_says_what_was_different() -> None:
    """Signs are escaped, and characters that XML does not have are replaced."""
    case = ElementTree.fromstring(junit_xml([FAILED]))[0][0]
    assert case.get("name") == 'is <silent> & "calm"'
    assert case[0].tag == "failure"
    assert case[0].text == "r.yml:9:3: 1 fired: \ufffd\ufffd"


def test_no_tests_are_no_error() -> None:
    """An empty run is a document too."""
    assert ElementTree.fromstring(junit_xml([])).get("tests") == "0"
