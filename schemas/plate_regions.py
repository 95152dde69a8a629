"""Which countries' plates a text may be, by the formats in ``data/plate_formats.yml``.

A format that fits is a hint, not evidence: many countries share formats. So nothing is refused for not fitting, and
nobody concludes a region unless exactly one of the camera's own country fits.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import yaml

from schemas.errors import ConfigError

FORMATS_FILE = "data/plate_formats.yml"
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
DIGITS = "0123456789"
_PART = re.compile(r"(?:(?P<kind>[LDX])|\[(?P<set>[^\]\s]+)\]|\((?P<texts>[^)\s]+)\))(?P<low>\d+)?(?:-(?P<high>\d+))?")


@dataclass(frozen=True, slots=True)
class RegionFormats:
    """The series of one country or country-region.

    Attributes:
        region: ``de`` or ``us-ca``.
        name: for people.
        source: where the series are described.
        patterns: one for each series; they match whole normalised texts.
        examples: one text as people write it for each series.
        complete: whether the country's regions are all listed.
    """

    region: str
    name: str
    source: str
    patterns: tuple[re.Pattern[str], ...]
    examples: tuple[str, ...]
    complete: bool = True

    @property
    def country(self) -> str:
        """The part of the region before the hyphen."""
        return country_of(self.region)

    def fits(self, normalized_text: str) -> bool:
        """Whether the text follows one of the series."""
        for pattern in self.patterns:  # noqa: SIM110 - no generator: this runs for each detection
            if pattern.fullmatch(normalized_text):
                return True
        return False


def country_of(region: str) -> str:
    """``us`` of ``us-ca``; case does not matter."""
    return region.strip().lower().partition("-")[0]


def region_of(normalized_text: str, hint: str | None = None) -> tuple[str, ...]:
    """The regions whose formats the text follows, in alphabetical order.

    Args:
        normalized_text: see `schemas.identity.normalise`.
        hint: a country or region (that of the camera): only formats of this country count. A plate of another region of
            the same country passes as easily, so a region in the hint does not narrow it further.

    Returns:
        Candidates; empty for an unreadable text and for one that follows none. A hint that names no listed country
        gives none.
    """
    candidates = plate_formats().values() if hint is None else _by_country().get(country_of(hint), ())
    return tuple(one.region for one in candidates if one.fits(normalized_text))


def sole_region(normalized_text: str, country: str) -> str | None:
    """The one region of a country that the text can be from.

    None where none or several fit, and where regions of the country are missing from the file.
    """
    found = region_of(normalized_text, country)
    return found[0] if len(found) == 1 and plate_formats()[found[0]].complete else None


@cache
def plate_formats() -> Mapping[str, RegionFormats]:
    """All formats by region, in alphabetical order; read once."""
    text = resources.files("schemas").joinpath(FORMATS_FILE).read_text(encoding="utf-8")
    return read_formats(text)


@cache
def _by_country() -> Mapping[str, tuple[RegionFormats, ...]]:
    """The same by country."""
    found: dict[str, tuple[RegionFormats, ...]] = {}
    for formats in plate_formats().values():
        found[formats.country] = (*found.get(formats.country, ()), formats)
    return found


def read_formats(text: str) -> Mapping[str, RegionFormats]:
    """Read formats from YAML; the file's head describes the form.

    Raises:
        ConfigError: what is wrong, and where.
    """
    try:
        body = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"plate formats: no YAML: {error}") from error
    if not isinstance(body, dict) or not all(isinstance(region, str) for region in body):
        raise ConfigError('plate formats: regions must be texts: write "no" in quotes')
    return {region: _region(region, entry) for region, entry in sorted(body.items())}


def _region(region: str, entry: Any) -> RegionFormats:
    try:
        series = entry["series"]
        return RegionFormats(
            region,
            entry["name"],
            entry["source"],
            tuple(_compile(one["pattern"], one.get("letters", LETTERS), one.get("max_chars")) for one in series),
            tuple(one["example"] for one in series),
            complete=entry.get("complete", True),
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ConfigError(f"plate formats: {region}: {error!r}") from error


def _compile(pattern: str, letters: str, max_chars: int | None) -> re.Pattern[str]:
    kinds = {"L": letters, "D": DIGITS, "X": letters + DIGITS}
    parts = [rf"(?=.{{1,{int(max_chars)}}}\Z)"] if max_chars is not None else []
    for part in pattern.split():
        match = _PART.fullmatch(part)
        if match is None:
            raise ValueError(f"{part!r} in {pattern!r} is no part of a pattern")
        if match["texts"] is not None:
            one = "(?:" + "|".join(re.escape(text) for text in match["texts"].split("|")) + ")"
        else:
            one = f"[{re.escape(match['set'] or kinds[match['kind']])}]"
        low = match["low"] or "1"
        parts.append(f"{one}{{{low},{match['high'] or low}}}")
    return re.compile("".join(parts))
