"""The demo's own month as files: complete, the same bytes every time, and giving back the facts."""

import json
from pathlib import Path

from daybook.demo_month import facts, write
from schemas.files import read
from schemas.topics import TOPIC_OF

SCHEMAS = Path(__file__).parents[2] / "schemas"
FIELDS_OF = {
    record: {field["name"] for field in json.loads((SCHEMAS / f"{record}.v1.avsc").read_text(encoding="utf-8"))["fields"]}
    for record in {record for _, record, _ in facts()}
}


def test_each_fact_is_complete_and_on_its_topic() -> None:
    for topic, record, fields in facts():
        assert TOPIC_OF[record] == topic
        assert FIELDS_OF[record] == set(fields)


def test_files_give_back_the_facts(tmp_path: Path) -> None:
    paths = write(tmp_path / "demo")
    assert sorted(path.name for path in paths) == [
        "daybook.catalogue.avro",
        "daybook.clients.avro",
        "daybook.contracts.avro",
        "daybook.seats.avro",
        "daybook.time.avro",
    ]
    read_back = [(fact.topic, fact.record, fact.fields) for path in paths for fact in read(path)]  # type: ignore[union-attr]
    assert read_back == facts()


def test_a_second_writing_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = write(tmp_path / "a"), write(tmp_path / "b")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
