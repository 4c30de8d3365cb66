"""Published cases of seats: one that is reproduced by rating a seat line, and those whose convention is another."""

from datetime import date
from typing import Any

from given import Given, usual

from tests.saying import line, said

_FLAT_ONCE = "prices a change in the tier it enters and owes a flat whole once reached; S3 is days x f(quantity), with its flat"
LISTED = {
    **dict.fromkeys(
        [
            f"lago-prorated-graduated-{name}"
            for name in ("5-5-10-m6", "2-5-10-m6", "back-to-zero", "5-m2", "4-2-m3", "5-2-m4-10", "one-unit")
        ],
        _FLAT_ONCE,
    ),
    "lago-volume-prorated": _FLAT_ONCE,
}


def seats_added(g: dict[str, Any]) -> dict[str, Any]:
    """Billed in advance: after the change the current month has a stub, and the next its full count."""
    before, after = g["seats_before"], g["seats_before"] + g["added"]
    books = Given(usual(), said("ContractDefined", lines=[line("SeatLine", timing="advance", unit_price="1")]))
    counted = (("2026-01-01T09:00:00Z", before), ("2026-03-17T09:00:00Z", after))
    books.also(said("SeatCountReported", as_of=as_of, quantity=quantity) for as_of, quantity in counted)
    items = books.rated(date(2026, 4, 1))
    stub = items["line/C1/S1/2026-03-01"].segments[-1]
    full = items["line/C1/S1/2026-04-01"].segments
    assert [(one.quantity, one.segment_start.day) for one in full] == [(after, 1)]
    return {
        "april_full_seats": full[0].quantity,
        "stub_seats": stub.quantity - before,
        "stub_days_inclusive": (stub.segment_end - stub.segment_start).days,
        "stub_denominator": (stub.period_end - stub.period_start).days,
    }
