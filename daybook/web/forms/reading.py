"""From a form to the record that upstream would send: the wire's own shapes judge it, each fault beside its field."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from daybook.printing import clean
from daybook.web.forms.boxes import Typed, group, rows_of, same, text_of, typed, untyped, wire_fields
from daybook.web.forms.fields import LINES, RECORDS, ROWS, Field
from domain.contract_terms import is_currency
from domain.terms import zone_of
from producers.mail.addresses import address_of
from producers.paper.countries import countries
from schemas.compounds import RecordOf
from schemas.registry import published
from schemas.scalars import Misfit

_PLACE: Final = re.compile(r"\[([^\]]*)\]")
Json = dict[str, Any]


@dataclass(slots=True)
class Draft:
    """A form as it was filled in: the record it makes, and by place what is wrong with it."""

    event: Json
    faults: dict[str, str] = field(default_factory=dict)


def tree_of(record: str, event: Json) -> dict[str, Typed]:
    """A record as it stands in its form."""
    currency = str(event.get("currency") or "")
    tree = {one.name: typed(one, event.get(one.name), currency) for one in RECORDS[record]}
    if record == "ContractDefined":
        tree["lines"] = [line_tree(line, currency, at) for at, line in enumerate(event.get("lines") or ())]
    return tree


def line_tree(line: Json, currency: str, at: int | None) -> dict[str, Typed]:
    """A contract line as it stands in its form; `at` is its place in the contract that is changed."""
    _, fields = LINES[line["type"]]
    own = {one.name: typed(one, line.get(one.name), currency) for one in fields}
    return {"type": line["type"], "was": "" if at is None else str(at), **own}


def empty_line(kind: str, currency: str) -> dict[str, Typed]:
    """A line just added: the wire's defaults."""
    shape = line_shape(kind)
    line = shape.to_json({one.name: _blank(one) for one in shape.fields})
    tree = line_tree({**line, "type": kind}, currency, None)
    _, fields = LINES[kind]
    required = {one.name for one in shape.fields if one.required}
    blank = {one.name: typed(one, None, currency) for one in fields if one.name in required}
    rows = {one.name: [dict.fromkeys((c.name for c in ROWS[one.kind]), "")] for one in fields if one.kind == "prices"}
    return {**tree, **blank, **rows}


def _blank(wire: Any) -> Any:
    try:
        return wire.default()
    except Misfit:
        empty: dict[str, Any] = {"Rate": 0, "Whole": 0, "ListOf": [], "MapOf": {}, "Flag": False}
        return empty.get(type(wire.shape).__name__)


def line_shape(kind: str) -> RecordOf:
    """The wire's shape of one kind of contract line."""
    lines: Any = wire_fields(published().reader("ContractDefined").shape)["lines"].shape
    shape: RecordOf = lines.item.records[kind]
    return shape


def read(record: str, tree: Mapping[str, Typed], base: Json) -> Draft:
    """The record that a form makes of a base: what the form does not show is carried over as it is."""
    currency = text_of(tree.get("currency")).strip().upper()
    draft = Draft(dict(base))
    _read_into(draft.event, draft.faults, "", RECORDS[record], published().reader(record).shape, tree, base, currency)
    if record == "ContractDefined":
        draft.event["lines"] = list(_lines(draft, rows_of(tree.get("lines")), base, currency))
    return draft


def _lines(draft: Draft, rows: Iterable[Mapping[str, Typed]], base: Json, currency: str) -> Iterable[Json]:
    before = base.get("lines") or []
    used: set[str] = set()
    for at, row in enumerate(rows):
        kind = text_of(row.get("type"))
        if kind not in LINES:
            draft.faults[f"lines.{at}"] = "This is no kind of line."
            continue
        was = text_of(row.get("was"))
        old = before[int(was)] if was.isascii() and was.isdigit() and len(was) < 5 and int(was) < len(before) else {}
        old = old if old.get("type") == kind else {}
        line: Json = {**old, "type": kind}
        _read_into(line, draft.faults, f"lines.{at}.", LINES[kind][1], line_shape(kind), row, old, currency)
        if not line.get("line_id"):
            line["line_id"] = free(slug(str(line.get("description") or ""), "line"), used)
            draft.faults.pop(f"lines.{at}.line_id", None)
        used.add(str(line["line_id"]))
        yield line


def _read_into(
    found: Json,
    faults: dict[str, str],
    prefix: str,
    fields: Iterable[Field],
    shape: RecordOf,
    tree: Mapping[str, Typed],
    base: Json,
    currency: str,
) -> None:
    wires = wire_fields(shape)
    for one in fields:
        given, place = tree.get(one.name, ""), prefix + one.name
        # Money in minor units means something else in another currency: it is read anew then.
        moved = one.kind in ("minor", "milestones") and base.get("currency", currency) != currency
        if one.name in base and not moved and same(one, given, typed(one, base[one.name], currency)):
            found[one.name] = base[one.name]
            continue
        try:
            value = untyped(one, given, wires[one.name], currency)
        except Misfit as misfit:
            faults[_place(place, one, misfit, given)] = misfit.problem
            continue
        try:
            wires[one.name].shape.from_json(value)
        except Misfit as misfit:
            what = f"“{clean(given.strip()[:20])}”" if isinstance(given, str) else "This"
            faults[_place(place, one, misfit, given)] = f"{what} {misfit.problem}."
            continue
        fault = _judged(one, value, wires[one.name].required)
        if fault:
            faults[place] = fault
        found[one.name] = value


def _place(place: str, one: Field, misfit: Misfit, given: Typed) -> str:
    """Where a fault belongs in the form: `[1].flat` of tiers is `tiers.1.flat`; `[GBP]` of prices is that row's amount."""
    inside = misfit.field
    if one.kind in ("prices", "overage"):
        rows = rows_of(group(given).get("rates")) if one.kind == "overage" else rows_of(given)
        for at, row in enumerate(rows):
            if inside == f"[{text_of(row.get('currency')).strip().upper()}]":
                inside = f"[{at}].amount"
        place = f"{place}.rates" if one.kind == "overage" and inside else place
    return f"{place}.{_PLACE.sub(lambda m: m[1], inside)}" if inside else place


def _judged(one: Field, value: Any, required: bool) -> str:
    """What the wire would take and every reader would stumble over."""
    if required and value == "" and one.name != "line_id":
        return f"{one.label} is missing: fill it in."
    if one.kind == "currency" and not is_currency(value):
        return f"“{value[:20]}” is no currency: write three letters such as GBP."
    if one.kind == "prices" and (unknown := next((code for code in value if not is_currency(code)), None)):
        return f"“{unknown[:20]}” is no currency: write three letters such as GBP."
    if one.kind == "zone" and zone_of(value) is None:
        return f"“{value[:40]}” is no time zone: write one such as Europe/London."
    if one.kind == "country" and value and value not in countries():
        return f"“{clean(value[:40])}” is no country: write its two letters, such as GB for the United Kingdom."
    if one.kind == "emails" and (bad := next((text for text in value if address_of(text) is None), None)):
        return f"“{clean(bad[:40])}” is no e-mail address: write one a line, such as accounts@example.com."
    return ""


def slug(text: str, otherwise: str) -> str:
    """A plain id made of a name: Müller & Sons -> muller-sons."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:60] or otherwise


def free(wanted: str, taken: Iterable[str]) -> str:
    """The id itself, or with the first number behind it that makes it new."""
    known = set(taken)
    number = 2
    found = wanted
    while found in known:
        found, number = f"{wanted}-{number}", number + 1
    return found
