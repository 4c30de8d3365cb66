"""Values for every record of the wire contract: one fixed example of each, and any that hypothesis can think of."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from schemas.compounds import ListOf, MapOf, OneOf, Optional, RecordOf, Shape
from schemas.registry import published
from schemas.scalars import Blob, Day, Flag, Instant, Rate, Text, Whole

EVENT_ID = "0b1f2a3c-4d5e-4f60-8172-93a4b5c6d7e8"

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)


def example(record: str) -> dict[str, Any]:
    """A full record: every optional field filled, every list with each kind of item."""
    fields: dict[str, Any] = _example(published().reader(record).shape, record, 1)
    return fields | {"event_id": EVENT_ID} if "event_id" in fields else fields


def _example(shape: Shape, name: str, number: int) -> Any:
    match shape:
        case Text():
            return f"{name} é{number}"
        case Whole():
            return 7 * number
        case Flag():
            return True
        case Blob():
            return b"\x00\xff" * number
        case Day():
            return date(2026, 5, number)
        case Instant():
            return datetime(2026, 5, number, 9, 30, 0, 125_000, tzinfo=UTC)
        case Rate():
            return Decimal(f"-{number}50.00000001") if number % 2 == 0 else Decimal("150.5")
        case Optional():
            return _example(shape.inner, name, number)
        case ListOf(item=OneOf() as union):
            members = enumerate(union.records.values(), start=1)
            return [{"type": member.name, **_example(member, member.name, place)} for place, member in members]
        case ListOf():
            return [_example(shape.item, name, number), _example(shape.item, name, number + 1)]
        case MapOf():
            return {"EUR": _example(shape.value, name, number), "GBP": _example(shape.value, name, number + 1)}
        case OneOf():
            return "standard" if number % 2 else {"EUR": Decimal("150")}
        case RecordOf():
            return {field.name: _example(field.shape, field.name, number) for field in shape.fields}
    raise AssertionError(shape)


def values(shape: Shape) -> st.SearchStrategy[Any]:
    """Any value a shape can hold."""
    match shape:
        case Text():
            return TEXT
        case Whole():
            return st.integers(-(1 << shape.bits - 1), (1 << shape.bits - 1) - 1)
        case Flag():
            return st.booleans()
        case Blob():
            return st.binary(max_size=20)
        case Day():
            return st.dates()
        case Instant():
            return st.datetimes(timezones=st.just(UTC))
        case Rate():
            return st.integers(-(10**18) + 1, 10**18 - 1).map(lambda unscaled: Decimal(unscaled).scaleb(-8))
        case Optional():
            return st.none() | values(shape.inner)
        case ListOf():
            return st.lists(values(shape.item), max_size=3)
        case MapOf():
            return st.dictionaries(TEXT, values(shape.value), max_size=3)
        case OneOf():
            members: list[st.SearchStrategy[Any]] = [_typed(member) for member in shape.records.values()]
            members += [values(member) for member in (shape.text, shape.map) if member is not None]
            return st.one_of(members)
        case RecordOf():
            return st.fixed_dictionaries({field.name: values(field.shape) for field in shape.fields})
    raise AssertionError(shape)


def _typed(member: RecordOf) -> st.SearchStrategy[Any]:
    return values(member).map(lambda fields: {"type": member.name, **fields})
