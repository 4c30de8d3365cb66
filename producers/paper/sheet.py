"""What stands on an invoice or credit note, as plain text in the places that the template prints it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import groupby
from typing import Any, Final
from urllib.parse import urlsplit

from domain.catalogue import ProviderDefined
from domain.client_account import ClientDefined
from producers.paper import figures
from producers.paper.parties import Read, bank_of, paper_of, recipient_of, sender_of
from producers.paper.pictures import logo_of, qr_of
from projections.invoice_list import Parties
from projections.tax_summary import TaxSum, tax_sums

Line = dict[str, Any]
"""A line as `projections.documents` gives it."""

LONGEST_UNIT: Final = 16
LONGEST_CODE: Final = 8
"""What is longer stands under the line's description."""
FITS: Final = {"served": 40, "quantity": 12, "price": 9, "rate": 5, "net": 13}
"""So many letters fit the columns as they usually are; beyond, they are as wide as what is in them."""
MOST_OF_A_LINK: Final = 48
"""So many letters of an address stand on one line."""
NOTHING: Final = "There is nothing to pay."
KEPT: Final = 2
"""So many rows stay on one page with the totals, that these never stand alone."""
MOST_TAXES: Final = 8
A_FEW_LINES: Final = 900
"""What is longer may be parted by the end of a page: kept together it might be longer than one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """One document as its template reads it: `content` is what is printed, `pictures` what is drawn or linked to."""

    content: dict[str, Any]
    pictures: dict[str, Any]
    issued_on: date
    template: str = "invoice.typ"


def sheet_of(
    document: dict[str, Any],
    parties: Parties,
    read: Read,
    pay_url: str | None = None,
    voided_by: str | None = None,
    stands_on: date | None = None,
) -> Sheet:
    """The sheet of an issued document (`projections.documents`) between the parties of its day.

    `pay_url` is where the client can pay it online: printed as a link with a QR code, on invoices only. Of one that was
    voided, `voided_by` is the credit note that took it back. A document is printed as it was issued but for two things that
    happen to it later: one that was voided or written off says so, and asks for nothing. With a day, `stands_on`, what is to
    be paid is as it stands on that day (`outstanding_minor`, less `covered_minor` of it that credit covers): so it is
    printed for a mail, which must not ask for what was paid. Its figures stay what was issued.
    """
    credit = document["kind"] == "credit_note"
    currency = document["currency"]
    provider, client = parties.catalogue.provider, parties.client
    taxes = tax_sums(document, parties.catalogue)
    rows = list(_rows(document, parties, _ambiguous(taxes)))
    to_pay = document["total_minor"] if stands_on is None else _left(document)
    closing = _closing(document, provider, credit, voided_by, stands_on)
    wordings = list(dict.fromkeys(one.wording for one in taxes if one.wording))
    name = "Credit note" if credit else "Invoice"
    content = {
        "name": name,
        "number": document["number"],
        "title": f"{name} {document['number']}",
        "from": sender_of(provider, client),
        "to": recipient_of(client, document["client_id"], provider, read),
        "facts": _facts(document, client, credit, voided_by),
        "currency": currency,
        "rows": rows,
        "kept": _kept(rows),
        "wide": any(len(row.get(name, "")) > most for row in rows for name, most in FITS.items()),
        "totals": [
            ["Net", figures.amount(document["net_minor"], currency)],
            ["Tax", figures.amount(document["tax_minor"], currency)],
        ],
        "total": ["Total credit" if credit else "Total", figures.money(document["total_minor"], currency)],
        "taxes": [_tax(one, currency) for one in taxes],
        "wordings": wordings,
        "closing": closing,
        "together": len(taxes) <= MOST_TAXES and _letters([closing, wordings]) <= A_FEW_LINES,
    }
    asks = document["total_minor"] > 0 and to_pay > 0 and voided_by is None and not _is_given_up(document)
    payable = asks and pay_url is not None and _is_web_address(pay_url)
    pictures = {
        "paper": paper_of(provider),
        "logo": logo_of(provider.logo) if provider is not None and provider.logo else None,
        "pay": {"url": pay_url, "lines": _lines_of(pay_url), "qr": qr_of(pay_url)} if pay_url is not None and payable else None,
    }
    return Sheet(content=content, pictures=pictures, issued_on=document["issued_on"])


# ---- facts and lines ----


def _facts(document: dict[str, Any], client: ClientDefined | None, credit: bool, voided_by: str | None) -> list[list[str]]:
    found = [["Number", document["number"]], ["Issued (tax point)", figures.day(document["issued_on"])]]
    if voided_by is not None:
        found.append(["Voided by", voided_by])
    elif not credit:
        found.append(["Due", figures.day(document["due_on"])])
    if client is not None and client.purchase_order:
        found.append(["Your order", client.purchase_order])
    return found


def _rows(document: dict[str, Any], parties: Parties, ambiguous: set[Decimal]) -> Iterator[dict[str, Any]]:
    """The lines, and behind those of one charge type their sum where there is anything else on the document."""
    lines: list[Line] = document["lines"]
    groups = [(kind, list(members)) for kind, members in groupby(lines, key=lambda line: line["charge_type"])]
    for kind, members in groups:
        yield from (_row(line, document["currency"], ambiguous) for line in members)
        if kind is not None and len(members) > 1 and len(groups) > 1:
            yield _sum(_charge_type(kind, parties), members, document["currency"])


def _charge_type(code: str, parties: Parties) -> str:
    states = parties.catalogue.charge_types.get(code)
    return states.states[-1].name if states is not None else code


def _row(line: Line, currency: str, ambiguous: set[Decimal]) -> dict[str, Any]:
    net, tax, unit = line["net_minor"], line["tax_minor"], line["unit"]
    gross = _holds_tax(line, currency)
    bills = net + tax if gross else net
    corrected = f"{line['corrects']['number']} line {line['corrects']['line_no']}" if line["corrects"] else ""
    # A correction's own words mostly say it already.
    notes = [f"corrects {corrected}"] if corrected and f"correction of {corrected}" not in line["description"] else []
    if len(unit) > LONGEST_UNIT:
        notes.append(f"Unit: {unit}")
        unit = "period"
    rate, code = figures.percent(line["tax_percent"]), line["tax_code"]
    if line["tax_percent"] in ambiguous and len(code) > LONGEST_CODE:
        notes.append(f"Tax: {code}")
    elif line["tax_percent"] in ambiguous:
        rate += figures.NO_BREAK_SPACE + code
    return {
        "no": str(line["line_no"]),
        "text": line["description"],
        "notes": notes,
        "served": figures.days(line["service_from"], line["service_to"]),
        "quantity": figures.quantity(line["quantity"], unit, line["unit_price"], currency, bills),
        "price": figures.price(line["unit_price"], currency) if _multiplies(line, currency, bills) else "",
        "price-notes": ["incl. tax"] if gross else [],
        "rate": rate,
        "net": figures.amount(net, currency),
    }


def _holds_tax(line: Line, currency: str) -> bool:
    """Whether the price holds the tax (product M8): quantity times price is then net and tax together, not the net."""
    gross = line["net_minor"] + line["tax_minor"]
    nearer = abs(_misses(line, currency, gross)) < abs(_misses(line, currency, line["net_minor"]))
    return nearer and _multiplies(line, currency, gross)


def _multiplies(line: Line, currency: str, minor: int) -> bool:
    """Whether quantity times price is an amount, as far as the quantity's places can tell."""
    exact = line["unit"] == "hour" or figures.places_of(line["quantity"]) <= figures.EXACT_PLACES
    return abs(_misses(line, currency, minor)) <= (0 if exact else figures.ENOUGH_OF_A_CENT)


def _misses(line: Line, currency: str, minor: int) -> int:
    return figures.misses(line["quantity"], line["unit"], line["unit_price"], currency, minor)


def _sum(name: str, lines: Sequence[Line], currency: str) -> dict[str, Any]:
    """The sum of one charge type's lines: with a unit price only where hours times price is the net (product M2)."""
    net = sum(line["net_minor"] for line in lines)
    found = {"sum": name, "count": f"{len(lines)} lines", "quantity": "", "price": "", "net": figures.amount(net, currency)}
    if any(line["unit"] != "hour" for line in lines):
        return found
    hours = sum((Decimal(round(line["quantity"] * 60)) for line in lines), Decimal()) / 60
    found["quantity"] = f"{figures.hours(hours)}{figures.NO_BREAK_SPACE}h"
    prices = {line["unit_price"] for line in lines}
    if len(prices) == 1 and figures.misses(hours, "hour", lines[0]["unit_price"], currency, net) == 0:
        found["price"] = figures.price(prices.pop(), currency)
    return found


def _kept(rows: Sequence[dict[str, Any]]) -> int:
    """How many of the last rows stay with the totals: none that could be longer than a page."""
    last = rows[-KEPT:]
    return len(last) if all(_letters(row) <= A_FEW_LINES for row in last) else 0


def _letters(content: Any) -> int:
    """How much text there is in a part of a sheet."""
    match content:
        case str():
            return len(content)
        case dict():
            return sum(map(_letters, content.values()))
        case list():
            return sum(map(_letters, content))
    return 0


# ---- taxes and payment ----


def _ambiguous(taxes: Sequence[TaxSum]) -> set[Decimal]:
    """Percents that do not say which tax is meant, since several codes have them."""
    percents = [one.percent for one in taxes]
    return {percent for percent in percents if percents.count(percent) > 1}


def _tax(one: TaxSum, currency: str) -> dict[str, str]:
    return {
        "name": one.name,
        "code": one.code if one.code != one.name else "",
        "rate": figures.percent(one.percent),
        "net": figures.amount(one.net_minor, currency),
        "tax": figures.amount(one.tax_minor, currency),
    }


def _closing(
    document: dict[str, Any], provider: ProviderDefined | None, credit: bool, voided_by: str | None, stands_on: date | None
) -> dict[str, Any]:
    """What is to be done about the document: pay it and how, or nothing."""
    none: dict[str, Any] = {"heading": "", "text": [], "bank": [], "reference": ""}
    if credit:
        credited = figures.money(-document["total_minor"], document["currency"])
        return {**none, "heading": "Credit", "text": [f"{credited} is credited to your account.", NOTHING]}
    if voided_by is not None:
        return {**none, "heading": "Voided", "text": [f"Voided by {voided_by}.", NOTHING]}
    if _is_given_up(document):
        return {**none, "heading": "Written off", "text": ["What was still open of this invoice was written off.", NOTHING]}
    if document["total_minor"] == 0:
        return {**none, "heading": "Payment", "text": [NOTHING]}
    if stands_on is not None and _left(document) <= 0:
        return {**none, "heading": "Payment", "text": [*_standing(document, stands_on), NOTHING]}
    to_pay = document["total_minor"] if stands_on is None else _left(document)
    text = f"Please pay {figures.money(to_pay, document['currency'])} by {figures.day(document['due_on'])}."
    return {
        "heading": "Payment",
        "text": [text] if stands_on is None else [*_standing(document, stands_on), text],
        "bank": bank_of(provider),
        "reference": document["number"],
    }


def _left(document: dict[str, Any]) -> int:
    """What is still to be paid of it, once credit beside it is counted."""
    return int(document["outstanding_minor"] - document.get("covered_minor", 0))


def _standing(document: dict[str, Any], on: date) -> list[str]:
    """How it stands on a day, where that is not as it was issued."""
    total, outstanding, covered = document["total_minor"], document["outstanding_minor"], document.get("covered_minor", 0)
    if outstanding == total and not covered:
        return []

    def money(minor: int) -> str:
        return figures.money(minor, document["currency"])

    said = f"Outstanding on {figures.day(on)}: {money(outstanding)} of {money(total)}."
    return [said, f"Your credit covers {money(covered)} of it."] if covered else [said]


def _is_given_up(document: dict[str, Any]) -> bool:
    return bool(document["status"] == "written_off")


def _is_web_address(url: str) -> bool:
    return urlsplit(url).scheme in ("https", "http") and url.isascii() and url.isprintable()


def _lines_of(url: str) -> list[str]:
    """An address over several lines, none with anything in it but the address, so that it can be copied."""
    lines = []
    while url:
        end = len(url) if len(url) <= MOST_OF_A_LINK else url.rfind("/", 10, MOST_OF_A_LINK) + 1 or MOST_OF_A_LINK
        lines.append(url[:end])
        url = url[end:]
    return lines
