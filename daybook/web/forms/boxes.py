"""Between what a record says and what stands in a form: texts in boxes, both ways.

A box that still holds what it was shown with gives back the very value it was made of, so that nothing is changed by
being looked at: not a line end, not a character that a page may not show.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final
from zoneinfo import available_timezones

from daybook.asked import A_CHARGE, NoAmount, read_minor, without_thousands
from daybook.printing import clean
from daybook.web.forms.fields import ROWS, Field
from domain.contract_terms import is_currency
from domain.money import UnknownCurrency, minor_digits
from schemas.compounds import Field as WireField
from schemas.compounds import Optional, RecordOf
from schemas.scalars import Misfit

Typed = Any
"""What stands in a box or a group of boxes: text, or texts by name, or rows of them."""

_WHOLE: Final = re.compile(r"-?[0-9]{1,19}")
MOST_ROWS: Final = 200
LINES_KINDS: Final = ("list", "emails", "charge_types")
"""Kinds whose box holds several lines."""


def typed(field: Field, value: Any, currency: str) -> Typed:
    """A JSON value as it stands in its boxes; `currency` is that of money in minor units."""
    match field.kind:
        case "flag":
            return "yes" if value else ""
        case "list" | "emails" | "charge_types":
            return "\n".join(value or ())
        case "minor":
            return "" if value is None else _from_minor(value, currency)
        case "prices":
            return [{"currency": code, "amount": amount} for code, amount in (value or {}).items()]
        case "overage":
            own = value if isinstance(value, dict) else {}
            rows = [{"currency": code, "amount": amount} for code, amount in own.items()]
            return {"how": "rates" if isinstance(value, dict) else value or "standard", "rates": rows}
        case "out_of_hours":
            said = value or {}
            code, multiplier = said.get("charge_type"), said.get("multiplier")
            how = "charge_type" if code is not None else "multiplier" if multiplier is not None else ""
            return {"how": how, "charge_type": code or "", "multiplier": multiplier or ""}
        case "tiers" | "milestones":
            return [{one.name: typed(one, row.get(one.name), currency) for one in ROWS[field.kind]} for row in value or ()]
    return "" if value is None else str(value)


def untyped(field: Field, given: Typed, wire: WireField, currency: str) -> Any:
    """The JSON value of what was typed; raises Misfit, its field being the place inside this one."""
    match field.kind:
        case "flag":
            return given == "yes"
        case "list" | "emails" | "charge_types":
            return [line.strip() for line in text_of(given).splitlines() if line.strip()]
        case "prices":
            return _prices(given)
        case "overage":
            how = text_of(group(given).get("how"))
            return _prices(group(given).get("rates")) if how == "rates" else how or "standard"
        case "out_of_hours":
            how = text_of(group(given).get("how"))
            if how not in ("charge_type", "multiplier"):
                return None
            if not text_of(group(given).get(how)).strip():
                raise Misfit("Say which.", how)
            return {how: text_of(group(given).get(how)).strip()}
        case "tiers" | "milestones":
            return [_row(field, row, at, currency) for at, row in enumerate(rows_of(given)) if _filled(row)]
    return _one(field, text_of(given).strip(), isinstance(wire.shape, Optional), currency)


def _one(field: Field, text: str, optional: bool, currency: str) -> Any:
    if not text and (optional or field.kind != "text"):
        if optional:
            return None
        raise Misfit(f"{field.label} is missing: fill it in.")
    match field.kind:
        case "whole":
            return int(text) if _WHOLE.fullmatch(text) else _no(text, "is no whole number such as 15.")
        case "minor":
            return to_minor(text, currency)
        case "decimal":
            return _number(text)
        case "currency" | "country":
            return text.upper()
    return text


def _row(field: Field, row: Mapping[str, Typed], at: int, currency: str) -> dict[str, Any]:
    optional = {"up_to", "flat"}
    found = {}
    for one in ROWS[field.kind]:
        try:
            found[one.name] = _one(one, text_of(row.get(one.name)).strip(), one.name in optional, currency)
        except Misfit as misfit:
            raise Misfit(misfit.problem, f"[{at}].{one.name}") from None
    return found


def _prices(given: Typed) -> dict[str, str]:
    found: dict[str, str] = {}
    for at, row in enumerate(rows_of(given)):
        code, amount = text_of(row.get("currency")).strip().upper(), text_of(row.get("amount")).strip()
        if not code and not amount:
            continue
        if not code:
            raise Misfit("Say the currency, e.g. GBP.", f"[{at}].currency")
        if code in found:
            raise Misfit(f"{code} stands here twice.", f"[{at}].currency")
        if not amount:
            raise Misfit("Say the amount, e.g. 150.00.", f"[{at}].amount")
        try:
            found[code] = without_thousands(amount)
        except NoAmount as error:
            raise Misfit(str(error), f"[{at}].amount") from None
    return found


def _filled(row: Mapping[str, Typed]) -> bool:
    return any(text_of(value).strip() for value in row.values())


def _from_minor(minor: int, currency: str) -> str:
    digits = _digits(currency)
    return f"{Decimal(minor).scaleb(-digits):.{digits}f}"


def to_minor(text: str, currency: str) -> int:
    """Money as typed, in minor units; raises Misfit. An unknown currency is told at its own box: two places meanwhile."""
    try:
        return read_minor(text, currency if is_currency(currency) else "GBP", A_CHARGE)
    except NoAmount as error:
        raise Misfit(str(error)) from None


def _number(text: str) -> str:
    try:
        return without_thousands(text)
    except NoAmount as error:
        raise Misfit(str(error)) from None


def _digits(currency: str) -> int:
    try:
        return minor_digits(currency)
    except UnknownCurrency:
        return 2


def _no(text: str, why: str) -> Any:
    raise Misfit(f"“{clean(text[:20])}” {why}")


def same(field: Field, one: Typed, other: Typed) -> bool:
    """Whether a field's boxes hold the same, as far as a page can show it and a browser sends it back."""
    lines = field.kind in LINES_KINDS
    return bool(_seen(one, lines) == _seen(other, lines))


def _seen(value: Typed, lines: bool) -> Typed:
    if isinstance(value, Mapping):
        # No rows, or an empty box: a browser sends nothing of the one and may leave the other out.
        return {name: seen for name, inner in value.items() if (seen := _seen(inner, lines))}
    if isinstance(value, list | tuple):
        return [_seen(inner, lines) for inner in value] or ""
    text = str(value)
    return [clean(line) for line in text.replace("\r\n", "\n").split("\n")] if lines else clean(text)


def is_day(text: str) -> bool:
    """Whether a box for days can hold it."""
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def in_any(faults: Mapping[str, str], fields: Sequence[Field], prefix: str) -> bool:
    """Whether any of some fields has a fault: then they are not left folded away."""
    return any(place == prefix + one.name or place.startswith(f"{prefix}{one.name}.") for place in faults for one in fields)


@lru_cache(maxsize=1)
def zones() -> tuple[str, ...]:
    """The time zones to choose from."""
    return tuple(
        sorted(name for name in available_timezones() if "/" in name and not name.startswith(("Etc/", "posix", "right")))
    )


def text_of(value: Typed) -> str:
    """A box's text; nothing where there is a group in its place, which only a stranger's form has."""
    return value if isinstance(value, str) else ""


def group(value: Typed) -> Mapping[str, Typed]:
    """Boxes by name."""
    return value if isinstance(value, Mapping) else {}


def rows_of(value: Typed) -> list[Mapping[str, Typed]]:
    """Rows of boxes, in order."""
    return [group(row) for row in value] if isinstance(value, list) else []


def nested(pairs: list[tuple[str, str]]) -> dict[str, Typed]:
    """Posted names such as `lines.0.tiers.1.up_to` as groups and rows; rows are closed up, in order of their numbers."""
    tree: dict[str, Any] = {}
    for name, text in pairs:
        parts = name.split(".")
        if len(parts) > 6:
            continue
        at = tree
        for part in parts[:-1]:
            inner = at.setdefault(part, {})
            if not isinstance(inner, dict):
                break
            at = inner
        else:
            at.setdefault(parts[-1], text.replace("\0", ""))
    return {name: _closed(value) for name, value in tree.items()}


def _closed(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if value and all(name.isascii() and name.isdigit() and len(name) < 6 for name in value):
        return [_closed(value[name]) for name in sorted(value, key=int)[:MOST_ROWS]]
    return {name: _closed(inner) for name, inner in value.items()}


def wire_fields(shape: RecordOf) -> dict[str, WireField]:
    """A record's wire fields by name."""
    return {field.name: field for field in shape.fields}
