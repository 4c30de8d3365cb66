"""A published record only ever grows: what others send and read keeps its meaning."""

import copy
import json
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from schemas.compatibility import check, unreadable

SCHEMAS = Path(__file__).parent.parent.parent / "schemas"
RATE = {"type": "bytes", "logicalType": "decimal", "precision": 18, "scale": 8}
OLD: dict[str, Any] = {
    "type": "record",
    "name": "R",
    "namespace": "daybook.v1",
    "fields": [
        {"name": "id", "type": "string"},
        {"name": "price", "type": ["null", RATE], "default": None},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["A", "B"]}},
        {"name": "count", "type": "int", "default": 1},
        {
            "name": "parts",
            "type": {"type": "array", "items": {"type": "record", "name": "P", "fields": [{"name": "n", "type": "int"}]}},
        },
    ],
}


def changed(field: str, **change: Any) -> dict[str, Any]:
    new = copy.deepcopy(OLD)
    next(one for one in new["fields"] if one["name"] == field).update(change)
    return new


def grown(**field: Any) -> dict[str, Any]:
    new = copy.deepcopy(OLD)
    new["fields"].append(field)
    return new


def part(*fields: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": {"type": "record", "name": "P", "fields": list(fields)}}


@pytest.mark.parametrize(
    ("new", "problem"),
    [
        (grown(name="more", type="string"), "more: added without a default"),
        (changed("price", type=["null", RATE | {"scale": 2}]), "price: scale changed from 8 to 2"),
        (changed("price", type=["null", RATE | {"precision": 9}]), "price: precision changed from 18 to 9"),
        (changed("price", type=["null", "bytes"]), "price: logicalType changed from decimal to None"),
        (changed("at", type={"type": "long", "logicalType": "timestamp-millis"}), "at: logicalType changed"),
        (changed("at", type="long"), "at: logicalType changed"),
        (changed("id", type="bytes"), "id: type changed from string to bytes"),
        (changed("count", type="string"), "count: type changed from int to string"),
        (changed("count", type="long"), "count: type changed from int to long"),
        (changed("count", name="number"), "count: removed (or renamed)"),
        (changed("id", name="key", aliases=["id"]), "id: removed (or renamed)"),
        (changed("count", default=2), "count: default changed from 1 to 2"),
        (changed("price", type=["null"]), "price: bytes removed from the union"),
        (changed("kind", type={"type": "enum", "name": "Kind", "symbols": ["A"]}), "kind: symbols removed: B"),
        (changed("parts", type=part({"name": "n", "type": "string"})), "parts[].n: type changed from int to string"),
        (changed("parts", type=part({"name": "n", "type": "int"}, {"name": "m", "type": "int"})), "parts[].m: added"),
        (OLD | {"name": "Q"}, "renamed from R to Q"),
        (OLD | {"fields": OLD["fields"][1:]}, "id: removed"),
    ],
)
def test_change_that_breaks_others_is_refused(new: dict[str, Any], problem: str) -> None:
    assert any(problem in found for found in check(OLD, new)), check(OLD, new)


@pytest.mark.parametrize(
    "new",
    [
        OLD,
        OLD | {"doc": "now explained"},
        grown(name="more", type=["null", "string"], default=None),
        changed("id", type=["null", "string"]),
        changed("parts", type=part({"name": "n", "type": "int"}, {"name": "m", "type": "int", "default": 0})),
    ],
)
def test_change_that_only_adds_is_accepted(new: dict[str, Any]) -> None:
    assert check(OLD, new) == []


def test_another_systems_schema_may_leave_out_defaults_send_more_and_use_int_for_long() -> None:
    reader = changed("count", type="long")
    writer = grown(name="colour", type="string")
    writer["fields"] = [field for field in writer["fields"] if field["name"] != "price"]
    assert unreadable(writer, reader) == []
    assert check(writer, reader) != []
    assert unreadable(changed("price", type=["null", RATE | {"scale": 2}]), OLD) != []
    assert unreadable(changed("at", type="long"), OLD) != []


def test_each_published_version_only_adds_to_the_one_before() -> None:
    versions: dict[str, dict[int, Any]] = defaultdict(dict)
    for path in SCHEMAS.glob("*.avsc"):
        record, version, _ = path.name.split(".")
        versions[record][int(version.removeprefix("v"))] = json.loads(path.read_text("utf-8"))
    assert versions
    for record, schemas in versions.items():
        assert sorted(schemas) == list(range(1, len(schemas) + 1)), record
        for older, newer in pairwise(sorted(schemas)):
            assert check(schemas[older], schemas[newer]) == [], f"{record} v{newer}"
