"""What was once published decodes to the same values for ever, and the registry says what was published."""

import json
from pathlib import Path

import pytest

from schemas.codec import decode, encode
from schemas.json_lines import dump, event_fields, parse
from schemas.registry import fingerprint, published
from schemas.topics import ALL_TOPICS, INBOUND, OUTBOUND, RECORDS_ON, TOPIC_OF

SAMPLES = Path(__file__).parent.parent / "samples"
SCHEMAS = Path(__file__).parent.parent.parent / "schemas"
ENTRIES = json.loads((SCHEMAS / "registry.json").read_text("utf-8"))
NAMES = [f"{entry['record']}.v{entry['version']}" for entry in ENTRIES.values()]


@pytest.mark.parametrize("name", NAMES)
def test_every_published_version_has_a_sample_that_decodes_to_the_same_values(name: str) -> None:
    line = json.loads((SAMPLES / f"{name}.json").read_text("utf-8"))
    message = decode((SAMPLES / f"{name}.bin").read_bytes())
    assert f"{message.record}.v{message.version}" == name
    assert message.fields == event_fields(message.record, line["event"])


@pytest.mark.parametrize("record", sorted(published().readers))
def test_json_line_survives_the_way_through_avro_and_back(record: str) -> None:
    version = published().readers[record].version
    line = (SAMPLES / f"{record}.v{version}.json").read_text("utf-8").strip()
    fields = event_fields(record, json.loads(line)["event"])
    if TOPIC_OF[record] in INBOUND:
        assert parse(line) == (TOPIC_OF[record], record, fields)
    value = encode(record, fields)
    assert value == (SAMPLES / f"{record}.v{version}.bin").read_bytes()
    assert dump(record, decode(value).fields) == line


def test_registry_names_each_file_once_with_its_sha256() -> None:
    for schema_id, entry in ENTRIES.items():
        assert set(entry) == {"record", "version", "file", "sha256"}
        assert schema_id == str(int(schema_id))
        assert entry["file"] == f"{entry['record']}.v{entry['version']}.avsc"
        assert fingerprint(json.loads((SCHEMAS / entry["file"]).read_text("utf-8"))) == entry["sha256"]
    assert sorted(entry["file"] for entry in ENTRIES.values()) == sorted(file.name for file in SCHEMAS.glob("*.avsc"))


def test_no_schema_id_is_written_twice() -> None:
    pairs = json.loads((SCHEMAS / "registry.json").read_text("utf-8"), object_pairs_hook=list)
    ids = [schema_id for schema_id, _ in pairs]
    assert len(ids) == len(set(ids))


def test_no_published_schema_is_refused() -> None:
    assert published().refused == {}


def test_every_record_has_one_topic_and_every_topic_a_direction() -> None:
    assert set(TOPIC_OF) == {entry["record"] for entry in ENTRIES.values()}
    assert sum(len(records) for records in RECORDS_ON.values()) == len(TOPIC_OF)
    assert set(ALL_TOPICS) == INBOUND | OUTBOUND
    assert not INBOUND & OUTBOUND
    assert set(RECORDS_ON) | {"daybook.dead-letters"} == set(ALL_TOPICS)


def test_every_schema_is_complete_in_itself_and_in_the_namespace() -> None:
    for entry in ENTRIES.values():
        schema = json.loads((SCHEMAS / entry["file"]).read_text("utf-8"))
        assert (schema["name"], schema["namespace"]) == (entry["record"], "daybook.v1")
