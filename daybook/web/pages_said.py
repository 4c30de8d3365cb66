"""What an event says, as people read it: money with its currency, days and instants as elsewhere on the pages."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final

from daybook import printing
from domain.money import UnknownCurrency

FIRST: Final = (
    "time_entry_id", "ticket_id", "worked_on", "worked_minutes", "deducted_minutes", "billable_minutes", "charge_type",
    "agent_id", "approver_id", "by", "note", "reason", "name", "amount_minor", "net_minor", "tax_minor", "total_minor",
)  # fmt: skip
"""What a reader looks for, in this order; the rest follows by name."""
NOT_TOLD: Final = frozenset({"event_id", "source", "client_id", "lines", "adjustment_id", "logo"})
"""What the page says elsewhere, or nobody reads."""


def said(event: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(label, text) of everything an event says; personal text is still cipher text, one part at a time."""
    order = {name: index for index, name in enumerate(FIRST)}
    names = sorted(event.keys() - NOT_TOLD, key=lambda name: (order.get(name, len(order)), name))
    return [
        (_label(name), text) for name in names for text in _texts(name, event[name], str(event.get("currency") or "")) if text
    ]


def _label(name: str) -> str:
    return name.removesuffix("_minor").removesuffix("_id").replace("_", " ")


def _texts(name: str, value: Any, currency: str) -> list[str]:
    match value:
        case None:
            return []
        case bool():
            return ["yes" if value else "no"]
        case int() if name.endswith("_minor"):
            return [_money(value, currency)]
        case list():
            return [str(part) for part in value]
        case dict():
            return [", ".join(f"{key} {part}" for key, part in sorted(value.items()))]
        case str() if name.endswith(("_on", "_from", "_until", "_at")):
            return [_time(value)]
    return [str(value)]


def _money(minor: int, currency: str) -> str:
    try:
        return printing.money(minor, currency)
    except UnknownCurrency:
        return f"{minor} minor units"


def _time(text: str) -> str:
    try:
        if "T" not in text:
            return f"{date.fromisoformat(text):%-d %b %Y}"
        return f"{datetime.fromisoformat(text):%-d %b %Y %H:%M} UTC"
    except ValueError:
        return text
