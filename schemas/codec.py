"""Reads and writes messages in Confluent's wire format: zero, the schema's id in four bytes, then Avro."""

import io
from typing import Any, Final

import fastavro

from schemas.envelope import check_envelope, key_of
from schemas.message import Message, WireError
from schemas.registry import FRAME_BYTES, Registry, Writer, published, read_body
from schemas.scalars import Misfit

__all__ = ["MAX_BYTES", "Message", "WireError", "check_envelope", "decode", "encode", "key_of", "schema_id_of"]

MAX_BYTES: Final = 1024 * 1024
"""No message is larger; a larger one is not looked into."""


def decode(value: bytes | None, registry: Registry | None = None) -> Message:
    """What a message says; WireError with the dead-letter reason where it cannot be read."""
    if value is None:
        raise WireError("undecodable", "the message has no value")
    if len(value) > MAX_BYTES:
        raise WireError("too_large", f"{len(value)} bytes, and at most {MAX_BYTES} are read")
    writer = (registry or published()).writers.get(value[:FRAME_BYTES])
    if writer is None:
        raise _unreadable(value, registry or published())
    fields = writer.flat(value) if writer.flat is not None else None
    if fields is None:
        fields = _decode_slowly(writer, value)
    return Message(writer.record, writer.version, writer.schema_id, fields)


def encode(record: str, fields: dict[str, Any], registry: Registry | None = None) -> bytes:
    """A record's newest version as a message; ValueError naming the field that does not fit.

    Equal fields give equal bytes: absent fields are written as their defaults and maps in order of their names.
    """
    reader = (registry or published()).reader(record)
    try:
        raw = reader.shape.to_wire(fields)
    except Misfit as misfit:
        raise ValueError(f"{record}.{misfit}") from misfit
    body = io.BytesIO()
    body.write(reader.frame)
    fastavro.schemaless_writer(body, reader.plain, raw)
    value = body.getvalue()
    if len(value) > MAX_BYTES:
        raise ValueError(f"{record}: takes {len(value)} bytes, and a message at most {MAX_BYTES}")
    return value


def schema_id_of(value: bytes | None) -> int | None:
    """The schema id a message claims, for the dead-letter header; None where it claims none."""
    if value is None or len(value) < FRAME_BYTES or value[0] != 0:
        return None
    return int.from_bytes(value[1:FRAME_BYTES], "big")


def _decode_slowly(writer: Writer, value: bytes) -> dict[str, Any]:
    body = io.BytesIO(value)
    body.seek(FRAME_BYTES)
    try:
        raw = read_body(writer, body)
    # fastavro raises EOFError, UnicodeDecodeError, ValueError, IndexError, OverflowError and more on bad bytes.
    except Exception as error:
        raise WireError("undecodable", f"not a {writer.record}: {_summary(error)}") from error
    if body.tell() != len(value):
        raise WireError("trailing_bytes", f"{len(value) - body.tell()} bytes follow the {writer.record}")
    try:
        return writer.fields(raw)
    except Misfit as misfit:
        raise WireError("undecodable", f"{writer.record}.{misfit}") from misfit


def _unreadable(value: bytes, registry: Registry) -> WireError:
    schema_id = schema_id_of(value)
    if len(value) < FRAME_BYTES:
        return WireError("undecodable", f"{len(value)} bytes, too few for a schema id")
    if schema_id is None:
        return WireError("undecodable", f"begins with byte {value[0]:#04x} instead of 0x00")
    if schema_id in registry.refused:
        return WireError("undecodable", f"schema {schema_id} is refused: {registry.refused[schema_id]}")
    return WireError("unknown_schema", f"schema {schema_id} is not in the registry")


def _summary(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:200]
