"""Documents to print, and what a PDF says."""

import io
import re
import unicodedata
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from pypdf import PdfReader

from domain.money import amount_minor, minor_digits, tax_minor
from domain.terms import catalogue_of
from projections.invoice_list import Parties
from tests.saying import say

LATIN_GREEK_CYRILLIC = re.compile(r"[^!-~\u00a1-\u024f\u0370-\u04ff]+")


def line(number: int = 1, *, percent: str = "20", currency: str = "GBP", **given: Any) -> dict[str, Any]:
    """A line as `projections.documents` gives it, by default of 1 h 15 at 150; its amounts follow from what is given."""
    found = {
        "line_no": number, "item_key": f"time/e{number}", "description": "Remote Support", "charge_type": "REMOTE",
        "service_from": date(2026, 5, 20), "service_to": date(2026, 5, 20), "quantity": Decimal("1.25"), "unit": "hour",
        "unit_price": Decimal("150"), "tax_code": "STD", "tax_percent": Decimal(percent), "corrects": None, **given,
    }  # fmt: skip
    found.setdefault("net_minor", amount_minor(found["quantity"], found["unit_price"], currency))
    found.setdefault("tax_minor", tax_minor(found["net_minor"], found["tax_percent"]))
    return found


def document(lines: Sequence[dict[str, Any]], **given: Any) -> dict[str, Any]:
    """An issued document of some lines."""
    net, tax = sum(one["net_minor"] for one in lines), sum(one["tax_minor"] for one in lines)
    return {
        "number": "INV-000012", "kind": "invoice" if net + tax >= 0 else "credit_note", "client_id": "acme", "currency": "GBP",
        "issued_on": date(2026, 5, 31), "due_on": date(2026, 6, 30), "net_minor": net, "tax_minor": tax,
        "total_minor": net + tax, "status": "open", "lines": list(lines), **given,
    }  # fmt: skip


def parties(client: dict[str, Any] | None = None, provider: dict[str, Any] | None = None, **tax: Any) -> Parties:
    """A client and a provider with all that can stand on paper; `client`, `provider` and `tax` say what is different."""
    at_leeds = {"address": ["Unit 4, Canal Mills"], "city": "Leeds", "postcode": "LS12 0XX", "tax_number": "GB000000000"}
    at_manchester = {"address": ["1 High Street"], "city": "Manchester", "postcode": "M1 0XX", "country": "GB"}
    return Parties(
        client=say("ClientDefined", **{**at_manchester, "purchase_order": "PO-4711", **(client or {})}),
        catalogue=catalogue_of(
            [
                say("ProviderDefined", **{**at_leeds, "bank": "Example Bank\nsort code 00-00-00", **(provider or {})}),
                say("ChargeTypeDefined"),
                say("TaxCodeDefined", **tax),
            ]
        ),
    )


def clear(text: str | None) -> str:
    """Reads personal text that was never encrypted."""
    return text or ""


def said(pdf: bytes) -> str:
    """The text of a PDF with plain blanks and a hyphen for a minus."""
    pages = [page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages]
    return "\n".join(pages).replace("\u00a0", " ").replace("\u200b", "").replace("\u2212", "-")


def core(text: str) -> str:
    """A text in its composed form, without blanks and without letters that the typeface may lack."""
    return LATIN_GREEK_CYRILLIC.sub("", unicodedata.normalize("NFC", text).replace("ﬁ", "fi"))


def minor(text: str, currency: str) -> int:
    """A printed amount in minor units."""
    return int(Decimal(text.replace(",", "")).scaleb(minor_digits(currency)))


def assert_says(pdf: bytes, issued: dict[str, Any]) -> None:
    """What is printed is the document, to the last unit: each line in its order, the sums, and the tax by code."""
    text, currency = said(pdf), issued["currency"]
    rows = re.findall(r"([\d.,]+) %(?: [A-Z]\w*)? (-?[\d,.]+)$", text, re.MULTILINE)
    assert [(Decimal(percent), minor(net, currency)) for percent, net in rows] == [
        (Decimal(one["tax_percent"]), one["net_minor"]) for one in issued["lines"]
    ]
    (net,) = re.findall(r"^Net (-?[\d,.]+)$", text, re.MULTILINE)
    (tax,) = re.findall(r"^Tax (-?[\d,.]+)$", text, re.MULTILINE)
    ((code, total),) = re.findall(r"^Total(?: credit)? ([A-Z]{3}) (-?[\d,.]+)$", text, re.MULTILINE)
    printed = [minor(one, currency) for one in (net, tax, total)]
    assert printed == [issued[name] for name in ("net_minor", "tax_minor", "total_minor")]
    assert code == currency
    taxes = re.findall(r"([\d.]+) % (-?[\d,.]+) (-?[\d,.]+)$", text, re.MULTILINE)
    assert sum(minor(one, currency) for _, one, _ in taxes) == issued["net_minor"]
    assert sum(minor(one, currency) for _, _, one in taxes) == issued["tax_minor"]
    for one in (f"Number {issued['number']}", f"{'Credit note' if issued['kind'] == 'credit_note' else 'Invoice'}\n"):
        assert one in text
