"""Files are read by the rules of messages: one bad line or record is set aside, and the rest still comes."""

import copy
import io
import json
from pathlib import Path
from typing import Any

import fastavro
import pytest
from wire_values import EVENT_ID, example

from schemas.files import BadFact, Fact, FileError, count, read
from schemas.json_lines import dump

SCHEMAS = Path(__file__).parent.parent.parent / "schemas"


def schema_of(record: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((SCHEMAS / f"{record}.v1.avsc").read_text("utf-8"))
    return schema


def entry(number: int) -> dict[str, Any]:
    return example("TimeEntryLogged") | {"event_id": EVENT_ID[:-4] + f"{number:04x}"}


def container(path: Path, schema: Any, records: list[Any], **options: Any) -> Path:
    with path.open("wb") as file:
        fastavro.writer(file, schema, records, **options)
    return path


def bad(fact: Fact | BadFact) -> BadFact:
    assert isinstance(fact, BadFact)
    return fact


def test_container_of_one_record_gives_each_fact(tmp_path: Path) -> None:
    path = container(tmp_path / "time.avro", schema_of("TimeEntryLogged"), [entry(1), entry(2)], codec="deflate")
    facts = list(read(path))
    assert [fact[:3] for fact in facts] == [("daybook.time", "TimeEntryLogged", entry(number)) for number in (1, 2)]
    assert [fact.where for fact in facts] == ["time.avro record 1", "time.avro record 2"]
    assert count(path) == 2


@pytest.mark.parametrize("codec", ["null", "deflate", "bzip2", "lz4"])
def test_container_of_a_union_keeps_its_order(tmp_path: Path, codec: str) -> None:
    union = [schema_of("TimeEntryLogged"), schema_of("ChargeLogged"), schema_of("ClientDefined")]
    sent = [(name, example(name)) for name in ("ClientDefined", "ChargeLogged", "TimeEntryLogged", "ClientDefined")]
    records = [(f"daybook.v1.{name}", fields) for name, fields in sent]
    facts = list(read(container(tmp_path / "all.avro", union, records, codec=codec)))
    assert [fact[1:3] for fact in facts] == sent


def test_every_kind_of_contract_line_survives_a_container(tmp_path: Path) -> None:
    fields = example("ContractDefined")
    written = copy.deepcopy(fields)
    written["lines"] = [(f"daybook.v1.{line.pop('type')}", line) for line in written["lines"]]
    path = container(tmp_path / "contracts.avro", schema_of("ContractDefined"), [written])
    assert [fact[2] for fact in read(path)] == [fields]


def test_anothers_schema_without_optional_fields_and_with_more_is_read(tmp_path: Path) -> None:
    schema = schema_of("TimeEntryLogged")
    schema["fields"] = [field for field in schema["fields"] if field["name"] not in {"note", "ticket_id"}]
    schema["fields"].append({"name": "colour", "type": "string"})
    path = container(tmp_path / "time.avro", schema, [entry(1) | {"colour": "red"}])
    (fact,) = read(path)
    assert fact[2] == entry(1) | {"note": "", "ticket_id": None}


@pytest.mark.parametrize(
    ("field", "kind", "said"),
    [
        ("occurred_at", {"type": "long", "logicalType": "timestamp-millis"}, "occurred_at: logicalType changed"),
        ("worked_on", "int", "worked_on: logicalType changed"),
        ("note", {"type": "array", "items": "null"}, "note: type changed"),
    ],
)
def test_schema_that_means_something_else_is_refused(tmp_path: Path, field: str, kind: Any, said: str) -> None:
    schema = schema_of("TimeEntryLogged")
    changed = next(one for one in schema["fields"] if one["name"] == field)
    changed["type"] = kind
    changed.pop("default", None)
    with pytest.raises(FileError, match=r"time\.avro: its TimeEntryLogged differs from ours: " + said):
        list(read(container(tmp_path / "time.avro", schema, [])))


def test_bomb_in_a_container_is_refused(tmp_path: Path) -> None:
    schema = schema_of("TimeEntryLogged")
    schema["fields"].append({"name": "bomb", "type": {"type": "array", "items": "null"}})
    with pytest.raises(FileError, match="take no bytes"):
        list(read(container(tmp_path / "time.avro", schema, [])))


def test_own_announcements_and_strangers_are_refused(tmp_path: Path) -> None:
    stranger = {"type": "record", "name": "Stranger", "fields": []}
    for schema in (schema_of("NoticeSent"), stranger, "string"):
        with pytest.raises(FileError, match="not a record Daybook takes in"):
            list(read(container(tmp_path / "x.avro", schema, [])))


def test_record_that_means_nothing_is_set_aside_and_the_next_still_comes(tmp_path: Path) -> None:
    records = [entry(1), entry(2) | {"client_id": ""}, entry(3) | {"note": "a\0b"}, entry(4)]
    first, empty, nul, last = read(container(tmp_path / "time.avro", schema_of("TimeEntryLogged"), records))
    assert isinstance(first, Fact)
    assert isinstance(last, Fact)
    assert bad(empty).reason == "invalid_envelope"
    assert "time.avro record 2: client_id is empty" in bad(empty).error
    assert bad(nul).reason == "undecodable"
    assert "time.avro record 3: TimeEntryLogged.note: holds a NUL" in bad(nul).error
    body = io.BytesIO(bad(nul).raw)
    assert fastavro.schemaless_reader(body, schema_of("TimeEntryLogged"), None) == records[2]


def test_damaged_record_loses_its_block_but_not_the_next(tmp_path: Path) -> None:
    path = tmp_path / "time.avro"
    with path.open("wb") as file:
        writer = fastavro.write.Writer(file, schema_of("TimeEntryLogged"), sync_interval=1)
        for number in (1, 2, 3):
            writer.write(entry(number))
        writer.flush()
    whole = path.read_bytes()
    second = whole.index(entry(2)["event_id"].encode())
    path.write_bytes(whole[:second] + b"\xff" + whole[second + 1 :])
    first, broken, last = read(path)
    assert isinstance(first, Fact)
    assert isinstance(last, Fact)
    assert "time.avro record 2: undecodable" in bad(broken).error


def test_file_cut_short_says_after_which_record(tmp_path: Path) -> None:
    path = container(tmp_path / "time.avro", schema_of("TimeEntryLogged"), [entry(1)])
    whole = path.read_bytes()
    path.write_bytes(whole + whole[-60:-20])
    first, broken = read(path)
    assert isinstance(first, Fact)
    assert "after record 1: cut short or damaged" in bad(broken).error


def test_packing_this_installation_cannot_read_is_named(tmp_path: Path) -> None:
    path = container(tmp_path / "time.avro", schema_of("TimeEntryLogged"), [entry(1)], codec="deflate")
    path.write_bytes(path.read_bytes().replace(b"\x0edeflate", b"\x08pkzp"))
    with pytest.raises(FileError, match=r"time\.avro: .*codec"):
        list(read(path))


@pytest.mark.parametrize("length", [4, 10, 60])
def test_container_without_its_beginning_is_no_container(tmp_path: Path, length: int) -> None:
    path = container(tmp_path / "time.avro", schema_of("TimeEntryLogged"), [entry(1)])
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(FileError, match="not a readable Avro container"):
        list(read(path))
    assert count(path) == 0


def test_bad_lines_are_set_aside_and_the_rest_still_comes(tmp_path: Path) -> None:
    good = dump("TimeEntryLogged", entry(1)).encode()
    lines = [b"\xef\xbb\xbf" + good, b"", b"not json", b"x" * 2_000_000, good.replace(b'"source": ', b'"sauce": '), good]
    path = tmp_path / "facts.jsonl"
    path.write_bytes(b"\r\n".join(lines))
    facts = list(read(path))
    assert [type(fact) for fact in facts] == [Fact, BadFact, BadFact, BadFact, Fact]
    assert [fact.where for fact in facts] == [f"facts.jsonl line {number}" for number in (1, 3, 4, 5, 6)]
    assert [fact.reason for fact in facts if isinstance(fact, BadFact)] == ["undecodable", "too_large", "undecodable"]
    assert bad(facts[1]).raw == b"not json"
    assert count(path) == 5


def test_envelope_of_a_line_is_checked(tmp_path: Path) -> None:
    path = tmp_path / "facts.ndjson"
    path.write_text(dump("TimeEntryLogged", entry(1) | {"event_id": "1"}) + "\n", "utf-8")
    (fact,) = read(path)
    assert bad(fact).reason == "invalid_envelope"
    assert "event_id is not a UUID" in bad(fact).error


def test_missing_file_and_folder_are_told_apart_from_bad_ones(tmp_path: Path) -> None:
    for path in (tmp_path / "none.jsonl", tmp_path):
        with pytest.raises(FileError, match="cannot be read"):
            list(read(path))


def test_empty_file_holds_no_facts(tmp_path: Path) -> None:
    path = tmp_path / "empty.jsonl"
    path.write_bytes(b"")
    assert list(read(path)) == []
    assert count(path) == 0


def test_container_of_a_union_of_one_record_is_read_too(tmp_path: Path) -> None:
    path = container(tmp_path / "one.avro", [schema_of("TimeEntryLogged")], [("daybook.v1.TimeEntryLogged", entry(1))])
    assert [fact[2] for fact in read(path)] == [entry(1)]
