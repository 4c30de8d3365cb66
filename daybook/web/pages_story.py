"""The timeline's lines: what an event was about, what it came to, who said so and why, with the addresses that lead on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

from daybook import printing
from daybook.web.pages_render import query
from daybook.web.pages_words import event_name
from domain.money import UnknownCurrency
from projections.client_story import Recorded

_ABOUT: Final = (
    "number", "invoice_number", "item_key", "time_entry_id", "charge_id", "payment_id", "refund_id", "contract_id", "product",
    "meter", "milestone_id", "payment_method_ref", "name",
)  # fmt: skip
"""What an event may be about, the nearest first."""
_WHO: Final = ("by", "approver_id", "agent_id")
_WHY: Final = ("reason", "note")
MOST_SIGNS: Final = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One event for people; `why` may be cipher text, `links` are (text, address)."""

    event_id: str
    what: str
    about: str
    links: tuple[tuple[str, str], ...]
    figures: tuple[str, ...]
    who: str
    why: str | None
    occurred_at: datetime | None
    recorded_at: datetime
    decided: bool
    place: str


def story_lines(found: Sequence[Recorded]) -> list[Line]:
    """The lines of some events, in their order."""
    return [_line(one) for one in found]


def _line(one: Recorded) -> Line:
    said = one.said
    links = tuple(_links(one))
    about = next((str(said[name]) for name in _ABOUT if said.get(name)), "")
    decided = one.topic is None
    place = "a decision made in Daybook" if decided else f"{one.topic} partition {one.partition} offset {one.offset}"
    return Line(
        event_id=one.event_id,
        what=_capital(event_name(one.event)),
        about=about if about not in {text for text, _ in links} else "",
        links=links,
        figures=tuple(_figures(said)),
        who=next((str(said[name]) for name in _WHO if said.get(name)), str(said.get("source") or "Daybook")),
        why=next((str(said[name]) for name in _WHY if said.get(name)), None),
        occurred_at=_instant(said.get("occurred_at")),
        recorded_at=one.recorded_at,
        decided=decided,
        place=f"batch {one.batch}, {place}",
    )


def _links(one: Recorded) -> list[tuple[str, str]]:
    said = one.said
    client_id = str(said.get("client_id") or "")
    found: list[tuple[str, str]] = []
    number = said.get("number") or said.get("invoice_number")
    numbers = [number] if isinstance(number, str) else []
    numbers += [other for other in said.get("invoice_numbers") or () if isinstance(other, str)]
    found += [(text, f"/invoices/{quote(text, safe='')}") for text in dict.fromkeys(numbers) if text]
    if one.event.startswith("payment.") and said.get("payment_id"):
        asked = query({"client_id": client_id, "payment_id": said["payment_id"]})
        found.insert(0, (str(said["payment_id"]), f"/payments/one?{asked}"))
    text = str(said.get("time_entry_id") or said.get("charge_id") or said.get("item_key") or "")
    if one.item_key is not None and text:
        found.append((text, f"/queue/item?{query({'client_id': client_id, 'item': one.item_key})}"))
    return found


def _figures(said: Mapping[str, Any]) -> list[str]:
    """What it came to: money, time, counts."""
    found = []
    currency = str(said.get("currency") or "")
    for name in ("total_minor", "amount_minor", "written_off_minor"):
        if isinstance(said.get(name), int):
            found.append(_money(said[name], currency))
            break
    for name, unit in (("worked_minutes", "worked"), ("billable_minutes", "billable")):
        minutes = said.get(name)
        if isinstance(minutes, int):
            found.append(f"{minutes // 60}:{minutes % 60:02d} h {unit}")
    if said.get("quantity") is not None:
        found.append(f"quantity {said['quantity']}")
    if isinstance(said.get("revision"), int) and said["revision"] > 1:
        found.append(f"revision {said['revision']}")
    return found


def _money(minor: int, currency: str) -> str:
    try:
        return printing.money(minor, currency).replace(" ", "\N{NO-BREAK SPACE}")
    except UnknownCurrency:
        return f"{minor} minor units of {currency[:10] or 'its payment’s currency'}"


def _instant(text: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
