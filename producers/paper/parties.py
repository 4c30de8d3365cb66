"""Whom a document is from and to, as it stands at its head: names, addresses in the order of their country, tax numbers."""

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any, Final

from domain.catalogue import ProviderDefined
from domain.client_account import ClientDefined
from producers.paper import figures
from producers.paper.countries import country_name

Read = Callable[[str | None], str]
"""How personal text is read: decrypted for those who may, "(forgotten)" where its key is gone."""

A_PART: Final = 36
CITY_FIRST: Final = frozenset({"AU", "CA", "GB", "IE", "NZ", "US"})
"""Where the postcode follows the city; elsewhere it stands before it."""
LETTER_PAPER: Final = frozenset({"CA", "CL", "CO", "MX", "PH", "US", "VE"})
VAT: Final = frozenset(
    {
        "AT", "BE", "BG", "CH", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GB", "GR", "HR", "HU", "IE", "IS", "IT",
        "LI", "LT", "LU", "LV", "MT", "NL", "NO", "PL", "PT", "RO", "SE", "SI", "SK"
    }
)  # fmt: skip
"""Where a tax number is called a VAT number."""


def sender_of(provider: ProviderDefined | None, client: ClientDefined | None) -> dict[str, Any]:
    """The provider; its country is named on a letter that leaves it."""
    if provider is None:
        return {"name": "", "lines": []}
    country = provider.country if client is not None and client.country not in (None, provider.country) else None
    lines = _address(provider.address, provider.city, None, provider.postcode, provider.country, country)
    return {"name": provider.name, "lines": [*lines, *_tax_number(provider.tax_number, provider.country)]}


def recipient_of(client: ClientDefined | None, client_id: str, provider: ProviderDefined | None, read: Read) -> dict[str, Any]:
    """The client, as this reader may see it; by its id where nobody has said who it is."""
    if client is None:
        return {"name": client_id, "lines": []}
    country = client.country if provider is None or provider.country != client.country else None
    lines = _address(
        [read(line) for line in client.address], read(client.city), client.region, read(client.postcode), client.country, country
    )
    tax_number = _tax_number(read(client.tax_number), client.country)
    # A reader who may not see it sees once that there is something, not once a line.
    return {"name": client.name, "lines": [line for line, _ in groupby([*lines, *tax_number])]}


def bank_of(provider: ProviderDefined | None) -> list[str]:
    """Where to pay to, line by line."""
    bank = provider.bank.splitlines() if provider is not None and provider.bank else []
    return [_parted_at_commas(line) for line in bank if line.strip()]


def paper_of(provider: ProviderDefined | None) -> str:
    """The size of paper in the provider's country."""
    return "us-letter" if provider is not None and provider.country in LETTER_PAPER else "a4"


def _address(
    street: Sequence[str], city: str | None, region: str | None, postcode: str | None, country: str | None, foreign: str | None
) -> list[str]:
    """The lines of an address in the order of its country; the country itself only on a letter that leaves it."""
    place = [city, region, postcode] if country is None or country in CITY_FIRST else [postcode, city, region]
    town = " ".join(dict.fromkeys(part for part in place if part))
    return [line for line in (*street, town, country_name(foreign) if foreign else None) if line]


def _tax_number(number: str | None, country: str | None) -> list[str]:
    return [f"{'VAT' if country in VAT else 'Tax'} number {number}"] if number else []


def _parted_at_commas(text: str) -> str:
    """Bank details that are not parted inside an account number or a sort code."""
    parts = [part.replace(" ", figures.NO_BREAK_SPACE) if len(part) <= A_PART else part for part in text.split(", ")]
    return ", ".join(parts)
