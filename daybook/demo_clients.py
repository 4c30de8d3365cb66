"""The demo MSP's clients: fourteen with something due for May 2026, and a few with nothing to invoice yet."""

from datetime import UTC, date, datetime, time
from typing import Any

from daybook.demo_catalogue import MOVED_ON, OFFICE_HOURS, REVERSE_CHARGE, STANDARD, Fact, envelope

OWN_TIME = "lanternbrook"


def clients() -> list[Fact]:
    """Every client as the PSA described it, one of them twice (it moved in May)."""
    return [
        _client("acme", "Acme Corp", "Manchester", "M1 0XX", terms=14),
        _client("buildco", "Buildco Ltd", "Leeds", "LS10 0XX"),
        _client("fenwick", "Fenwick Group", "Newcastle upon Tyne", "NE1 0XX"),
        _client("hollin-bank", "Hollin Bank Dental Group", "Halifax", "HX1 0XX", terms=14),
        _client("thornfield", "Thornfield Hotels Ltd", "Harrogate", "HG1 0XX"),
        _client("marlow-finch", "Marlow & Finch Architects LLP", "Leeds", "LS1 0XX", won_on=date(2026, 4, 28)),
        _client("northmoor", "Northmoor Learning Trust", "Bradford", "BD1 0XX", terms=60, order="NLT-26-0417"),
        _client(
            "swilly-bay",
            "Swilly Bay Seafoods DAC",
            "Buncrana",
            "F93 0XX",
            country="IE",
            time_zone="Europe/Dublin",
            tax_code=REVERSE_CHARGE,
            tax_number="IE0000000AA",
        ),
        _client("peakline", "Peakline Climbing Centres Ltd", "Sheffield", "S1 0XX", terms=14),
        _client("sable-stone", "Sable & Stone Joinery", "Skipton", "BD23 0XX", terms=7),
        _client("tarn", "Tarn Logistics Ltd", "Wakefield", "WF1 0XX"),
        _client("wexcombe", "Wexcombe Legal LLP", "York", "YO1 0XX"),
        _client("yarrow", "Yarrow Community Health CIC", "Huddersfield", "HD1 0XX", working_hours=OFFICE_HOURS),
        _client("coldridge", "Coldridge Veterinary Group", "Ilkley", "LS29 0XX"),
        _client("fellgate", "Fellgate Outdoor Co Ltd", "Kendal", "LA9 0XX"),
        _client(
            "liffey",
            "Liffey Analytics DAC",
            "Dublin",
            "D02 0XX",
            country="IE",
            currency="EUR",
            time_zone="Europe/Dublin",
            tax_code=REVERSE_CHARGE,
            tax_number="IE0000000BB",
        ),
        _client("ferncliffe", "Ferncliffe Opticians Ltd", "Otley", "LS21 0XX", won_on=date(2026, 4, 30)),
        _client(OWN_TIME, "Lanternbrook IT Ltd (own time)", "Leeds", "LS12 0XX"),
        _client("sable-stone", "Sable & Stone Joinery", "Skipton", "BD23 1XX", terms=7, moved=True),
    ]


def _client(
    client_id: str,
    name: str,
    city: str,
    postcode: str,
    *,
    country: str = "GB",
    currency: str = "GBP",
    time_zone: str = "Europe/London",
    tax_code: str = STANDARD,
    tax_number: str | None = None,
    terms: int = 30,
    order: str | None = None,
    working_hours: str | None = None,
    won_on: date | None = None,
    moved: bool = False,
) -> Fact:
    day, revision = (date(2026, 5, 18), 2) if moved else (won_on or date(2026, 2, 25), 1)
    head = envelope("psa", datetime.combine(day, time(10), UTC), "ClientDefined", client_id, revision)
    fields: dict[str, Any] = {
        **head,
        "client_id": client_id,
        "revision": revision,
        "effective_from": day if moved or won_on else MOVED_ON,
        "name": name,
        "currency": currency,
        "time_zone": time_zone,
        "payment_terms_days": terms,
        "country": country,
        "address": ["2 Quarry Yard" if moved else "1 High Street"],
        "city": city,
        "postcode": postcode,
        "region": None,
        "tax_code": tax_code,
        "tax_number": tax_number,
        "billing_emails": [f"accounts@{client_id}.example"],
        "electronic_address": None,
        "purchase_order": order,
        "working_hours": working_hours,
        "invoice_series": None,
        "surcharge_policy": None,
        "autopay": False,
        "use_credit": False,
        "status": "active",
    }
    return "daybook.clients", "ClientDefined", fields
