"""Broken rule files: the reader neither crashes nor hangs, and every mistake has a place in the file."""

import pytest

from alert_rules.loading import read_rules
from bench.rule_fuzz import check, files, single_rules
from tests.unit.alert_rules.builders import problems

FILES = 400


def test_the_same_seed_makes_the_same_files() -> None:
    """What was found once can be found again."""
    assert list(files(7, 20)) == list(files(7, 20))
    assert list(files(7, 20)) != list(files(8, 20))


def test_files_are_whole_before_they_are_broken() -> None:
    """Each begins as one shipped rule that can be read by itself."""
    whole = list(single_rules())
    assert len(whole) > 40
    assert all(len(read_rules({"f": text.encode()}).rules) == 1 for text in whole)


@pytest.mark.thorough
@pytest.mark.parametrize("seed", [1, 2])
def test_broken_files_are_refused_with_places(seed: int) -> None:
    """As `python -m bench.rule_fuzz` does with many more."""
    report = check(seed, FILES)
    assert report.bad == []
    assert report.outcomes["refused"] > FILES // 2
    assert report.outcomes["read"] > 0


def test_a_file_that_ends_too_soon_is_told_at_its_end() -> None:
    """Not on a line that it does not have."""
    assert problems(b"rules: [{id: a,\n  match: {") == [
        "2:11: not YAML: did not find expected node content (while parsing a flow node)"
    ]
