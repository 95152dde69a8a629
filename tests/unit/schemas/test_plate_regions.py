"""Formats of number plates: what a text may be, and when a region may be concluded."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import ConfigError
from schemas.identity import MAX_PLATE_CHARS, normalise
from schemas.plate_regions import plate_formats, read_formats, region_of, sole_region


@pytest.mark.parametrize("region", list(plate_formats()))
def test_every_series_fits_its_own_example(region: str) -> None:
    """An example of each series is found by the region's formats, and by the very pattern beside it."""
    formats = plate_formats()[region]
    assert formats.source
    for pattern, example in zip(formats.patterns, formats.examples, strict=True):
        text = normalise(example)
        assert pattern.fullmatch(text), (pattern.pattern, text)
        assert region in region_of(text)
        assert region in region_of(text, region)


def test_there_are_many_countries() -> None:
    """At least fifteen."""
    assert len({formats.country for formats in plate_formats().values()}) >= 15


@pytest.mark.parametrize(
    ("text", "hint", "expected"),
    [
        ("AB12CDE", None, ("at", "gb", "ro")),
        ("AB123CD", "it", ("it",)),
        ("AB123CD", "fr", ("fr",)),
        ("AB123CD", "de", ()),
        ("BAB1234", "DE", ("de",)),
        ("MUCAB1234", "de", ()),  # nine characters: eight are the most
        ("HHAB123E", "de", ("de",)),
        ("AU123CD", "fr", ()),  # no U in the French series
        ("AO123CD", "it", ()),
        ("1234BCA", "es", ()),
        ("ABC1234", "us-ca", ("us-ny", "us-tx")),
        ("ABC1234", "us", ("us-ny", "us-tx")),
        ("AB12CDE", "xx", ()),
        ("", None, ()),
        ("AB12CDE\n", None, ()),
        ("ab12cde", None, ()),
        ("AB１２CDE", None, ()),
        ("A" * 5000, None, ()),
    ],
)
def test_candidates(text: str, hint: str | None, expected: tuple[str, ...]) -> None:
    """The hint's country alone counts; texts that are not normalised fit nothing."""
    assert region_of(text, hint) == expected


def test_shared_formats_give_all_their_countries() -> None:
    """France, Italy and Argentina share the letters and digits of their newest series."""
    assert {"ar", "fr", "it"} <= set(region_of("AB123CD"))


@pytest.mark.parametrize(
    ("text", "country", "expected"),
    [
        ("AB12CDE", "gb", "gb"),
        ("XX", "gb", None),
        ("ABC1234", "us", None),  # two states
        ("1ABC234", "us", None),  # one state of those listed; others are not
        ("AB12CDE", "", None),
    ],
)
def test_region_is_concluded_only_from_one_fit_of_a_complete_country(
    text: str, country: str, expected: str | None
) -> None:
    """Doubt concludes nothing."""
    assert sole_region(text, country) == expected


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=MAX_PLATE_CHARS))
def test_any_text_has_candidates_or_none(text: str) -> None:
    """No exception whatever was read, and a hint never adds candidates."""
    everywhere = set(region_of(normalise(text)))
    for country in ("de", "gb", "cn", "in"):
        assert set(region_of(normalise(text), country)) <= everywhere


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: {", "no YAML"),
        ("[1]", "quotes"),
        ("no: {}", "quotes"),  # YAML 1.1 takes it for false
        ("de: 1", "de"),
        ("de: {name: G, source: s, series: [{pattern: Q3, example: x}]}", "Q3"),
        ("de: {name: G, source: s, series: [{pattern: L2}]}", "example"),
        ("de: {name: G, series: []}", "source"),
    ],
)
def test_wrong_file_is_refused_with_the_place(text: str, message: str) -> None:
    """Whoever adds a country learns what is wrong with the entry."""
    with pytest.raises(ConfigError, match=message):
        read_formats(text)
