"""The revisions of a thing: what each changed, from what to what, in people's words."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from daybook.web.forms.fields import LINES, RECORDS, Field
from daybook.web.forms.reading import Json
from daybook.web.forms.things import ENVELOPE


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """One value that a revision changed; empty text where there was none, or is none any more."""

    where: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One state of a thing, said by `source` at an instant; `counts` where it is in force on some day."""

    event_id: str
    revision: int
    source: str
    occurred_at: datetime
    effective_from: date | None
    counts: bool
    changes: tuple[Changed, ...]
    first: bool


def history(record: str, said: Sequence[tuple[Any, Json]], counting: Iterable[str]) -> list[Revision]:
    """The revisions of a thing, the newest first, each against the one before it."""
    in_force = set(counting)
    found = []
    before: Json | None = None
    for state, json in said:
        found.append(
            Revision(
                event_id=state.event_id,
                revision=state.revision,
                source=state.source,
                occurred_at=state.occurred_at,
                effective_from=state.effective_from,
                counts=state.event_id in in_force,
                changes=tuple(differences(record, before, json)) if before is not None else (),
                first=before is None,
            )
        )
        before = json
    return found[::-1]


def differences(record: str, before: Json, after: Json) -> Iterable[Changed]:
    """What two states of one thing say differently."""
    labels = {one.name: one.label for one in RECORDS[record]}
    for name in after:
        if name not in (*ENVELOPE, "lines") and before.get(name) != after[name]:
            yield Changed(where=labels.get(name, _plain(name)), before=words(before.get(name)), after=words(after[name]))
    if record == "ContractDefined":
        yield from _lines(before["lines"], after["lines"])


def _lines(before: Sequence[Json], after: Sequence[Json]) -> Iterable[Changed]:
    old, new = _by_id(before), _by_id(after)
    for line_id in [*new, *(line_id for line_id in old if line_id not in new)]:
        one, other = old.get(line_id), new.get(line_id)
        if one is None or other is None or one["type"] != other["type"]:
            yield Changed(where="Line", before=_line(one), after=_line(other))
            continue
        labels = {field.name: field.label for field in fields_of(other["type"])}
        for name in other:
            if one.get(name) != other[name]:
                where = f"{other['description']}: {labels.get(name, _plain(name))}"
                yield Changed(where=where, before=words(one.get(name)), after=words(other[name]))


def _by_id(lines: Sequence[Json]) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for line in lines:
        id_ = line["line_id"]
        while id_ in found:
            id_ += "'"  # two lines of one id: told apart by their order
        found[id_] = line
    return found


def _line(line: Json | None) -> str:
    if line is None:
        return ""
    kind = LINES[line["type"]][0]
    price = line.get("unit_price") or line.get("price") or words(line.get("rates"))
    return f"{kind}: {line['description']}" + (f", {price}" if price else "")


def fields_of(kind: str) -> tuple[Field, ...]:
    """The fields of one kind of contract line."""
    return LINES[kind][1]


def _plain(name: str) -> str:
    return name.removesuffix("_minor").replace("_", " ").capitalize()


def words(value: Any) -> str:
    """A JSON value as a person reads it."""
    match value:
        case None | "" | [] | {}:
            return ""
        case bool():
            return "yes" if value else "no"
        case dict():
            return ", ".join(f"{name} {words(inner)}" for name, inner in value.items() if inner is not None)
        case list():
            return "; ".join(words(one) for one in value)
    return str(value)
