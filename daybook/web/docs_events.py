"""The facts that POST /api/v1/events takes, for OpenAPI: made from the published schemas, so that a new field is in it too."""

from typing import Any, Final

from schemas.compounds import ListOf, MapOf, OneOf, Optional, RecordOf
from schemas.envelope import MAX_ID_LENGTH
from schemas.registry import published
from schemas.scalars import Blob, Day, Flag, Instant, Rate, Text, Whole
from schemas.topics import INBOUND, RECORDS_ON

_DECIMAL: Final = r"^-?[0-9]{1,10}(\.[0-9]{1,8})?$"  # decimal(18, 8), as every rate and quantity of the contract
_UUID: Final = "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"


def event_schemas() -> dict[str, Any]:
    """A schema for each line and `Event`, which is one of them."""
    lines = {f"{record}Event": _line(topic, record) for topic in sorted(INBOUND) for record in sorted(RECORDS_ON[topic])}
    mapping = {record.removesuffix("Event"): f"#/components/schemas/{record}" for record in lines}
    return {
        **lines,
        "Event": {
            "description": "One fact as in a JSON-lines file; docs/wire.md says what it may hold.",
            "oneOf": [{"$ref": ref} for ref in mapping.values()],
            "discriminator": {"propertyName": "type", "mapping": mapping},
        },
    }


def _line(topic: str, record: str) -> dict[str, Any]:
    event = _schema(published().reader(record).shape)
    for name, schema in event["properties"].items():
        if name.endswith("_id") and name != "event_id":
            (schema["anyOf"][0] if "anyOf" in schema else schema)["maxLength"] = MAX_ID_LENGTH
    event["properties"]["event_id"]["pattern"] = _UUID
    return {
        "type": "object",
        "properties": {"topic": {"const": topic}, "type": {"const": record}, "event": event},
        "required": ["topic", "type", "event"],
        "additionalProperties": False,
    }


def _schema(shape: Any) -> dict[str, Any]:
    match shape:
        case Text():
            return {"type": "string", "pattern": r"^[^\x00]*$"}
        case Whole():
            return {"type": "integer", "minimum": -(2 ** (shape.bits - 1)), "maximum": 2 ** (shape.bits - 1) - 1}
        case Flag():
            return {"type": "boolean"}
        case Blob():
            return {"type": "string", "contentEncoding": "base64", "pattern": "^([A-Za-z0-9+/]{4})*$"}
        case Day():
            return {"type": "string", "format": "date"}
        case Instant():
            return {"type": "string", "format": "date-time"}
        case Rate():
            return {"type": "string", "pattern": _DECIMAL, "examples": ["150.00"]}
        case ListOf():
            return {"type": "array", "items": _schema(shape.item)}
        case MapOf():
            return {"type": "object", "additionalProperties": _schema(shape.value)}
        case Optional():
            return {"anyOf": [_schema(shape.inner), {"type": "null"}]}
        case OneOf():
            plain = [_schema(one) for one in (shape.text, shape.map) if one is not None]
            return {"anyOf": [*plain, *(_typed(record) for record in shape.records.values())]}
        case RecordOf():
            return {
                "type": "object",
                "properties": {field.name: _schema(field.shape) for field in shape.fields},
                "required": [field.name for field in shape.fields if field.required],
                "additionalProperties": False,
            }
    raise TypeError(f"no JSON schema for {type(shape).__name__}")


def _typed(record: RecordOf) -> dict[str, Any]:
    schema = _schema(record)
    return {
        **schema,
        "properties": {"type": {"const": record.name}, **schema["properties"]},
        "required": ["type", *schema["required"]],
    }
