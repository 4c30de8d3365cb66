"""Turns a published schema into the shape its messages are read and written by, once for every message."""

from typing import Any, Final

from schemas.compounds import Field, ListOf, MapOf, OneOf, Optional, RecordOf, Shape
from schemas.scalars import Blob, Day, Flag, Instant, Rate, Text, Whole

_SCALARS: Final[dict[tuple[Any, Any], Shape]] = {
    ("string", None): Text(),
    ("int", None): Whole(32),
    ("long", None): Whole(64),
    ("boolean", None): Flag(),
    ("bytes", None): Blob(),
    ("int", "date"): Day(),
    ("long", "timestamp-micros"): Instant(),
}


def shape_of(schema: Any, namespace: str = "", known: dict[str, Shape] | None = None) -> Shape:
    """The shape of a schema; ValueError for what the wire contract does not use (floats, enums, recursion)."""
    known = {} if known is None else known
    if isinstance(schema, list):
        members = [shape_of(member, namespace, known) for member in schema if member != "null"]
        inner = members[0] if len(members) == 1 else OneOf(members)
        return Optional(inner) if "null" in schema else inner
    if isinstance(schema, str):
        schema = {"type": schema}
    kind, logical = schema["type"], schema.get("logicalType")
    match kind, logical:
        case "record", _:
            return _record_of(schema, namespace, known)
        case "array", _:
            return ListOf(shape_of(schema["items"], namespace, known))
        case "map", _:
            return MapOf(shape_of(schema["values"], namespace, known))
        case "bytes", "decimal":
            return Rate(schema["precision"], schema.get("scale", 0))
        case _ if (kind, logical) in _SCALARS:
            return _SCALARS[kind, logical]
        case str(), None:
            full_name = kind if "." in kind or not namespace else f"{namespace}.{kind}"
            if full_name in known:
                return known[full_name]
    raise ValueError(f"the wire contract has no {kind} with logical type {logical}")


def _record_of(schema: dict[str, Any], namespace: str, known: dict[str, Shape]) -> RecordOf:
    namespace = schema.get("namespace", namespace)
    full_name = f"{namespace}.{schema['name']}" if namespace else schema["name"]
    fields = [
        Field(
            field["name"],
            shape_of(field["type"], namespace, known),
            (field["default"],) if "default" in field else None,
        )
        for field in schema["fields"]
    ]
    record = RecordOf(full_name, fields)
    # Known only once complete: a record inside itself is refused.
    known[full_name] = record
    return record
