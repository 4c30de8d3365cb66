"""Every schema ever published, by the id it keeps for ever."""

import hashlib
import io
import json
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Final

import fastavro

from schemas.compatibility import unreadable
from schemas.compounds import RecordOf, complete
from schemas.flat import Reading, flat_reader
from schemas.safety import UnsafeSchema, refuse_unsafe
from schemas.shapes import shape_of

FRAME_BYTES: Final = 5


class RegistryError(Exception):
    """The published schemas are not as they were published: restore them before going on."""


def fingerprint(schema: Any) -> str:
    """The sha256 of a schema's JSON with sorted keys and no white space.

    Not Avro's canonical form, which drops logical types: a decimal and bare bytes would be the same.
    """
    return hashlib.sha256(json.dumps(schema, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def frame(schema_id: int) -> bytes:
    """The five bytes before every message: zero, then the schema's id."""
    return b"\0" + schema_id.to_bytes(4, "big")


def without_logic(schema: Any) -> Any:
    """The same bytes, read 2.4 times faster: a copy without logical types, documentation and defaults' meaning."""
    if isinstance(schema, list):
        return [without_logic(branch) for branch in schema]
    if not isinstance(schema, dict):
        return schema
    dropped = {"logicalType", "precision", "scale", "doc"}
    return {
        key: value if key == "default" else [without_logic(part) for part in value] if key == "fields"
        else without_logic(value)
        for key, value in schema.items()
        if key not in dropped
    }  # fmt: skip


class Reader:
    """A record as Daybook understands it today: the newest version of its schema."""

    def __init__(self, schema: Any, schema_id: int, version: int) -> None:
        self.schema = schema
        self.record: str = schema["name"]
        self.version = version
        self.frame = frame(schema_id)
        refuse_unsafe(schema)
        shape = shape_of(schema)
        if not isinstance(shape, RecordOf):
            raise UnsafeSchema(f"{self.record} is not a record")
        self.shape = shape

    @cached_property
    def plain(self) -> Any:
        return fastavro.parse_schema(without_logic(self.schema))


class Writer:
    """A record as its sender wrote it, with what it takes to read it as Daybook understands it today."""

    def __init__(self, schema: Any, schema_id: int, version: int, reader: Reader) -> None:
        self.schema_id = schema_id
        self.version = version
        self.record = reader.record
        self.reader = reader
        refuse_unsafe(schema)
        self._schema = schema

    # Not in __init__: parsing 39 schemas takes long enough to be felt at the command line.
    @cached_property
    def plain(self) -> Any:
        """What fastavro reads the bytes by."""
        if self._schema is self.reader.schema:
            return self.reader.plain
        plain = fastavro.parse_schema(without_logic(self._schema))
        return self.reader.plain if _same_bytes(plain, self.reader.plain) else plain

    @cached_property
    def resolved(self) -> Any:
        """The reader's schema where it differs from the writer's; resolving costs a quarter of the decoding."""
        return None if self.plain is self.reader.plain else self.reader.plain

    @cached_property
    def flat(self) -> Reading | None:
        """The quick way, for a flat record written by the newest schema."""
        return None if self.resolved is not None else flat_reader(self.reader.shape, self.plain)

    def fields(self, raw: Any) -> dict[str, Any]:
        """The decoded values as Python's; Misfit naming the field that means nothing."""
        shape = self.reader.shape
        return shape.from_wire(raw if self.resolved is None else complete(shape, raw))


class Registry:
    """The published schemas of one folder: `registry.json` and the files it names.

    A schema that is unsafe to decode by is kept out and listed in `refused` (its messages are undecodable), so that
    one bad schema does not stop every good one. A changed file raises RegistryError: published is published.
    """

    def __init__(self, folder: Path) -> None:
        self.writers: dict[bytes, Writer] = {}
        self.readers: dict[str, Reader] = {}
        self.refused: dict[int, str] = {}
        self.entries: dict[str, dict[str, Any]] = json.loads((folder / "registry.json").read_text("utf-8"))
        published = [
            (int(schema_id), entry["version"], _published(folder, schema_id, entry)) for schema_id, entry in self.entries.items()
        ]
        # Newest first: an older version is read as the newest.
        for schema_id, version, schema in sorted(published, key=lambda one: -one[1]):
            self.learn(schema, schema_id, version)

    def learn(self, schema: Any, schema_id: int, version: int) -> None:
        """Takes in one schema; also the way in for one fetched from a Confluent-compatible registry."""
        record = schema["name"]
        try:
            reader = self.readers.get(record) or Reader(schema, schema_id, version)
            problems = unreadable(schema, reader.schema)
            if problems:
                raise UnsafeSchema(f"{record} version {version} cannot be read as {reader.version}: {problems[0]}")
            self.writers[frame(schema_id)] = Writer(schema, schema_id, version, reader)
            self.readers[record] = reader
        except ValueError as unsafe:
            self.refused[schema_id] = str(unsafe)

    def reader(self, record: str) -> Reader:
        """The newest version of a record; ValueError naming it if the contract has none."""
        try:
            return self.readers[record]
        except KeyError:
            raise ValueError(f"{record} is no record of the wire contract") from None


def _same_bytes(one: Any, other: Any) -> bool:
    return bool(_layout(one) == _layout(other))


def _layout(schema: Any) -> Any:
    """What decides the bytes: names, types and order, not documentation and defaults."""
    if isinstance(schema, list):
        return [_layout(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    return {key: _layout(schema[key]) for key in ("name", "type", "fields", "items", "values") if key in schema}


def _published(folder: Path, schema_id: str, entry: dict[str, Any]) -> Any:
    path = folder / entry["file"]
    schema = json.loads(path.read_text("utf-8"))
    if fingerprint(schema) != entry["sha256"]:
        raise RegistryError(
            f"{path.name} (schema {schema_id}) is not what was published: restore it, and publish a change "
            "as a new version under a new id"
        )
    if schema["name"] != entry["record"]:
        raise RegistryError(f"{path.name} defines {schema['name']}, but schema {schema_id} is {entry['record']}")
    return schema


@lru_cache(maxsize=1)
def published() -> Registry:
    """Daybook's own schemas: those beside this file."""
    return Registry(Path(__file__).parent)


def read_body(writer: Writer, body: io.BytesIO) -> Any:
    """One record's raw values, by the writer's schema, resolved to the newest; any exception means undecodable."""
    return fastavro.schemaless_reader(
        body, writer.plain, writer.resolved, return_record_name=True, return_record_name_override=True
    )
