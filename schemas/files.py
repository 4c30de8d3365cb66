"""Facts from files: Avro container files and JSON lines, read by the same rules as messages from Kafka."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import fastavro

from schemas.compatibility import unreadable
from schemas.envelope import check_envelope, key_of
from schemas.json_lines import parse
from schemas.message import Message, Reason, WireError
from schemas.registry import Writer, published, read_body
from schemas.safety import UnsafeSchema
from schemas.scalars import Misfit
from schemas.topics import INBOUND, TOPIC_OF

_AVRO_MAGIC: Final = b"Obj\x01"
_LONGEST_LINE: Final = 1024 * 1024


class FileError(ValueError):
    """A file that cannot be read at all; the text names it, says why, and what to do."""


class Fact(NamedTuple):
    """One fact of a file, its envelope already checked; `where` tells a person which line or record it was."""

    topic: str
    record: str
    fields: dict[str, Any]
    where: str


class BadFact(NamedTuple):
    """One line or record that cannot be taken in: set it aside with its reason and go on with the rest."""

    where: str
    error: str
    raw: bytes
    reason: Reason


def read(path: Path) -> Iterator[Fact | BadFact]:
    """Every fact of a file, in its order.

    A line or record that is wrong comes as a BadFact in its place, and the rest still comes: the caller sets it
    aside or refuses the file. FileError is raised where nothing more can be read: no such file, not a Daybook file.
    """
    try:
        with path.open("rb") as file:
            start = file.read(len(_AVRO_MAGIC))
            file.seek(0)
            yield from _avro(file, path.name) if start == _AVRO_MAGIC else _lines(file, path.name)
    except OSError as error:
        raise FileError(f"{path}: cannot be read ({error.strerror or error}); check the name and its rights") from error


def count(path: Path) -> int:
    """How many facts a file holds, without reading them, for a progress bar."""
    try:
        with path.open("rb") as file:
            start = file.read(len(_AVRO_MAGIC))
            file.seek(0)
            if start != _AVRO_MAGIC:
                return sum(1 for line in file if line.strip())
            return sum(block.num_records for block in fastavro.block_reader(file))
    except OSError as error:
        raise FileError(f"{path}: cannot be read ({error.strerror or error}); check the name and its rights") from error
    except Exception:  # a broken file is told of by read(), record by record
        return 0


def _lines(file: io.BufferedReader, name: str) -> Iterator[Fact | BadFact]:
    number = 0
    # One byte more than allowed tells a line that is too long without holding all of it.
    while line := file.readline(_LONGEST_LINE + 1):
        number += 1
        where = f"{name} line {number}"
        if len(line) > _LONGEST_LINE and not line.endswith(b"\n"):
            _skip_line(file)
            yield BadFact(where, f"{where}: longer than {_LONGEST_LINE} bytes; split it", line[:1024], "too_large")
            continue
        text = line.removeprefix(b"\xef\xbb\xbf").strip() if number == 1 else line.strip()
        if text:
            yield _line(text, where)


def _skip_line(file: io.BufferedReader) -> None:
    while (rest := file.readline(_LONGEST_LINE)) and not rest.endswith(b"\n"):
        pass


def _line(text: bytes, where: str) -> Fact | BadFact:
    try:
        topic, record, fields = parse(text)
    except ValueError as error:
        return BadFact(where, f"{where}: {error}; correct the line and ingest it again", text, "undecodable")
    return _checked(topic, record, fields, where, text)


def _checked(topic: str, record: str, fields: dict[str, Any], where: str, raw: bytes) -> Fact | BadFact:
    try:
        check_envelope(topic, key_of(record, fields), Message(record, 0, 0, fields))
    except WireError as error:
        return BadFact(where, f"{where}: {error.detail}; correct it and ingest it again", raw, error.reason)
    return Fact(topic, record, fields, where)


def _avro(file: io.BufferedReader, name: str) -> Iterator[Fact | BadFact]:
    try:
        blocks = fastavro.block_reader(file)
        # Not blocks.writer_schema, which fastavro has already rewritten.
        schema = json.loads(blocks.metadata["avro.schema"])
        writers = _writers(schema, name)
    except FileError:
        raise
    except Exception as error:
        raise FileError(f"{name}: not a readable Avro container file ({error}); write it again") from error
    number = 0
    while True:
        try:
            block = next(blocks, None)
        except Exception as error:
            if isinstance(error, ValueError) and "codec" in str(error):
                raise FileError(f"{name}: packed in a way not read here ({error}); write it with deflate") from error
            where = f"{name} after record {number}"
            yield BadFact(where, f"{where}: cut short or damaged ({error}); send the file again", b"", "undecodable")
            return
        if block is None:
            return
        data: bytes = block.bytes_.getvalue()  # type: ignore[attr-defined]
        yield from _block(data, block.num_records, writers, f"{name} record", number, union=isinstance(schema, list))
        number += block.num_records


def _block(
    data: bytes, records: int, writers: list[Writer], name: str, before: int, *, union: bool
) -> Iterator[Fact | BadFact]:
    body = io.BytesIO(data)
    for index in range(records):
        where = f"{name} {before + index + 1}"
        start = body.tell()
        try:
            # A union of one record says which, all the same.
            writer = writers[_branch(body)] if union else writers[0]
            raw = read_body(writer, body)
        except Exception as error:
            # Where a record ends is only known by reading it: the rest of its block is lost, the next block is not.
            lost = f"; {records - index - 1} records after it are lost too" if index + 1 < records else ""
            problem = f"{where}: undecodable ({type(error).__name__}: {error}){lost}; write the file again"
            yield BadFact(where, problem, data[start:], "undecodable")
            return
        try:
            fields = writer.fields(raw)
        except Misfit as misfit:
            problem = f"{where}: {writer.record}.{misfit}; correct it and ingest it again"
            yield BadFact(where, problem, data[start : body.tell()], "undecodable")
            continue
        yield _checked(TOPIC_OF[writer.record], writer.record, fields, where, data[start : body.tell()])
    if body.tell() != len(data):
        where = f"{name} {before + records}"
        problem = f"{where}: bytes follow the record; write the file again"
        yield BadFact(where, problem, data[body.tell() :], "trailing_bytes")


def _branch(body: io.BytesIO) -> int:
    """Which record of the union follows."""
    branch = fastavro.schemaless_reader(body, "long", None)
    if not isinstance(branch, int) or branch < 0:
        raise ValueError("the union has no such record")
    return branch


def _writers(schema: Any, name: str) -> list[Writer]:
    """One reader for each record the file may hold; FileError where one is not of the wire contract."""
    members = schema if isinstance(schema, list) else [schema]
    return [_writer(member, name) for member in members]


def _writer(schema: Any, name: str) -> Writer:
    record = str(schema.get("name", "")).rpartition(".")[2] if isinstance(schema, dict) else str(schema)
    if TOPIC_OF.get(record) not in INBOUND:
        raise FileError(f"{name}: holds {record[:80]}, which is not a record Daybook takes in; see schemas/")
    reader = published().readers[record]
    problems = unreadable(schema, reader.schema)
    if problems:
        raise FileError(f"{name}: its {record} differs from ours: {problems[0]}; write it with {record}.v1.avsc")
    try:
        return Writer(schema, 0, 0, reader)
    except UnsafeSchema as error:
        raise FileError(f"{name}: {error}; write it with the schema in schemas/") from error
