"""Countries by their two letters (ISO 3166-1), and what a post office abroad reads of them."""

from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Final

# The table is the time zone data's, which says how clocks are told apart; a letter's envelope says these otherwise.
_AS_ON_LETTERS: Final = {
    "AS": "American Samoa", "CD": "Democratic Republic of the Congo", "CG": "Republic of the Congo", "GB": "United Kingdom",
    "KP": "North Korea", "KR": "South Korea", "MF": "Saint Martin", "MM": "Myanmar", "SX": "Sint Maarten", "SZ": "Eswatini",
    "VG": "British Virgin Islands", "VI": "US Virgin Islands", "WS": "Samoa",
}  # fmt: skip


@lru_cache(maxsize=1)
def countries() -> Mapping[str, str]:
    """The English name by the code."""
    text = files("tzdata").joinpath("zoneinfo", "iso3166.tab").read_text("utf-8")
    rows = (line.split("\t") for line in text.splitlines() if line and not line.startswith("#"))
    return {row[0]: row[1] for row in rows} | _AS_ON_LETTERS


def country_name(code: str) -> str:
    """A country's English name; a code that is none stays as it was said."""
    return countries().get(code.strip().upper(), code)
