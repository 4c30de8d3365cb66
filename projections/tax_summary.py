"""What a document's lines come to under each tax code and percent, with the wording the law asks for."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from domain.terms import Catalogue


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxSum:
    """What a document's lines come to under one tax code and percent."""

    code: str
    percent: Decimal
    name: str
    wording: str
    net_minor: int
    tax_minor: int


def tax_sums(document: dict[str, Any], catalogue: Catalogue) -> list[TaxSum]:
    """The tax summary of a document as `projections.documents` gives it: net and tax by code and percent, in that order."""
    groups: dict[tuple[str, Decimal], list[dict[str, Any]]] = {}
    for line in document["lines"]:
        groups.setdefault((line["tax_code"], line["tax_percent"]), []).append(line)
    found = []
    for (code, percent), lines in sorted(groups.items()):
        states = catalogue.tax_codes.get(code)
        state = states.first_or_on(document["issued_on"]) if states is not None else None
        found.append(
            TaxSum(
                code=code,
                percent=percent,
                name=state.name if state is not None else code,
                wording=(state.wording or "") if state is not None else "",
                net_minor=sum(line["net_minor"] for line in lines),
                tax_minor=sum(line["tax_minor"] for line in lines),
            )
        )
    return found
