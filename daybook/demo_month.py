"""The demo's own month: one MSP's May 2026 as its systems would have sent it, the same on every run.

As of 31 May 2026 the ready-for-invoicing queue made of them is fourteen clients, GBP 31,640.00 net; `docs/demo.md`
says how each figure comes about and what is waiting.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import fastavro

import schemas
from daybook.demo_catalogue import Fact, Fields, catalogue
from daybook.demo_clients import clients
from daybook.demo_contracts import contracts
from daybook.demo_seats import may_counts
from daybook.demo_time import time_facts
from schemas.topics import RECORDS_ON

__all__ = ["Fact", "facts", "write"]


def facts() -> list[Fact]:
    """Every fact as (topic, record, fields), in order of arrival within its topic; repeats are in it as they came."""
    return [*catalogue(), *clients(), *contracts(), *time_facts(), *may_counts()]


def write(folder: Path, given: Sequence[Fact] | None = None) -> list[Path]:
    """Writes one Avro container file a topic into `folder`, e.g. `daybook.time.avro`, and gives their paths.

    The facts are the month's, or those given.
    """
    folder.mkdir(parents=True, exist_ok=True)
    by_topic: dict[str, list[tuple[str, Fields]]] = {}
    for topic, record, fields in facts() if given is None else given:
        by_topic.setdefault(topic, []).append((record, fields))
    return [_write_container(folder / f"{topic}.avro", topic, rows) for topic, rows in by_topic.items()]


def _write_container(path: Path, topic: str, rows: list[tuple[str, Fields]]) -> Path:
    union = [_schema(record) for record in sorted(RECORDS_ON[topic])]
    # A container's sync marker is random unless given: with it derived, the same facts are the same bytes.
    sync_marker = hashlib.blake2b(topic.encode(), digest_size=16).digest()
    with path.open("wb") as out:
        records = [(f"daybook.v1.{record}", _tagged(fields)) for record, fields in rows]
        fastavro.writer(out, fastavro.parse_schema(union), records, sync_marker=sync_marker)
    return path


def _schema(record: str) -> Any:
    (room,) = schemas.__path__
    return fastavro.schema.load_schema(str(Path(room) / f"{record}.v1.avsc"))


def _tagged(fields: Fields) -> Fields:
    """Contract lines as fastavro wants members of a union: (full name, fields) pairs."""
    if "lines" not in fields:
        return fields
    lines = [
        (f"daybook.v1.{line['type']}", {name: value for name, value in line.items() if name != "type"})
        for line in fields["lines"]
    ]
    return {**fields, "lines": lines}
