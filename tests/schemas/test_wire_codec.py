"""Good messages say what was sent; bad ones become dead letters with the right reason, quickly, and nothing else."""

import contextlib
import io
import json
import time
import tracemalloc
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wire_values import EVENT_ID, example, values

from schemas.codec import MAX_BYTES, Message, WireError, check_envelope, decode, encode, key_of, schema_id_of
from schemas.envelope import MAX_ID_LENGTH
from schemas.json_lines import dump, event_fields
from schemas.registry import Registry, RegistryError, fingerprint, frame, published
from schemas.topics import INBOUND, TOPIC_OF

RECORDS = sorted(published().readers)
TIME = encode("TimeEntryLogged", example("TimeEntryLogged"))


def reason_of(value: bytes | None, registry: Registry | None = None) -> str:
    with pytest.raises(WireError) as caught:
        decode(value, registry)
    assert caught.value.detail
    return caught.value.reason


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_record_survives_avro_and_json(data: st.DataObject) -> None:
    record = data.draw(st.sampled_from(RECORDS))
    fields = data.draw(values(published().reader(record).shape))
    message = decode(encode(record, fields))
    assert message.fields == fields
    assert event_fields(record, json.loads(dump(record, fields))["event"]) == fields


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_quick_reading_says_the_same_as_fastavro(data: st.DataObject) -> None:
    flat = [writer for writer in published().writers.values() if writer.flat]
    writer = data.draw(st.sampled_from(flat))
    value = bytearray(encode(writer.record, data.draw(values(writer.reader.shape))))
    for place, byte in data.draw(st.lists(st.tuples(st.integers(5, len(value) - 1), st.integers(0, 255)), max_size=2)):
        value[place] = byte
    quick = writer.flat and writer.flat(bytes(value))
    if quick is not None:
        writer.__dict__["flat"] = None
        try:
            assert decode(bytes(value)).fields == quick
        finally:
            del writer.__dict__["flat"]


def test_time_entries_are_read_quickly() -> None:
    assert published().writers[TIME[:5]].flat is not None


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(RECORDS), st.data())
def test_mutated_bytes_are_read_or_refused_but_never_crash(record: str, data: st.DataObject) -> None:
    value = bytearray(encode(record, example(record)))
    for place, byte in data.draw(st.lists(st.tuples(st.integers(0, len(value) - 1), st.integers(0, 255)), max_size=4)):
        value[place] = byte
    cut = data.draw(st.integers(0, len(value)))
    try:
        message = decode(bytes(value[:cut]) + data.draw(st.binary(max_size=8)))
    except WireError:
        return
    encode(message.record, message.fields)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 60))
def test_random_bytes_are_read_or_refused_but_never_crash(body: bytes, schema_id: int) -> None:
    for value in (body, frame(schema_id) + body):
        with contextlib.suppress(WireError):
            decode(value)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "undecodable"),
        (b"", "undecodable"),
        (b"\0\0\0\0", "undecodable"),
        (b"\1" + TIME[1:], "undecodable"),
        (b"\0\xff\xff\xff\xff", "unknown_schema"),
        (frame(0) + TIME[5:], "unknown_schema"),
        (TIME[:-1], "undecodable"),
        (TIME[:5], "undecodable"),
        (TIME + b"\0", "trailing_bytes"),
        (bytes(MAX_BYTES + 1), "too_large"),
        (b"\xff" * (MAX_BYTES + 1), "too_large"),
        (bytes(MAX_BYTES), "unknown_schema"),
    ],
)
def test_unreadable_message_has_its_reason(value: bytes | None, reason: str) -> None:
    assert reason_of(value) == reason


@pytest.mark.parametrize("record", ["TimeEntryLogged", "ContractDefined"])
def test_nul_character_anywhere_is_undecodable(record: str) -> None:
    value = encode(record, example(record))
    for place in range(5, len(value)):
        if value[place : place + 2] == "é".encode():
            with pytest.raises(WireError) as caught:
                decode(value[:place] + b"\0\0" + value[place + 2 :])
            assert caught.value.reason == "undecodable"
            assert "NUL" in caught.value.detail


def test_nul_in_a_map_key_and_half_a_surrogate_are_undecodable() -> None:
    rates = encode("ChargeTypeDefined", example("ChargeTypeDefined"))
    assert reason_of(rates.replace(b"EUR", b"E\0R")) == "undecodable"
    assert reason_of(TIME.replace("é".encode(), b"\xed\xa0", 1)) == "undecodable"


def raw_message(record: str, **changed: Any) -> bytes:
    """A message whose raw values nobody checked, as a careless sender might write it."""
    reader = published().reader(record)
    body = io.BytesIO()
    body.write(reader.frame)
    fastavro.schemaless_writer(body, reader.plain, reader.shape.to_wire(example(record)) | changed)
    return body.getvalue()


@pytest.mark.parametrize(
    ("record", "changed"),
    [
        ("TimeEntryLogged", {"worked_on": 2**31 - 1}),
        ("TimeEntryLogged", {"worked_on": -(2**31)}),
        ("TimeEntryLogged", {"occurred_at": 2**63 - 1}),
        ("TimeEntryLogged", {"started_at": -(2**63)}),
        ("ChargeLogged", {"quantity": b""}),
        ("ChargeLogged", {"quantity": (10**18).to_bytes(9, "big")}),
        ("ChargeLogged", {"unit_price": b"\x7f" * 500_000}),
    ],
)
def test_value_without_meaning_is_undecodable_and_named(record: str, changed: dict[str, Any]) -> None:
    with pytest.raises(WireError) as caught:
        decode(raw_message(record, **changed))
    assert caught.value.reason == "undecodable"
    assert f"{record}.{next(iter(changed))}" in caught.value.detail


def test_decoded_values_are_plain_python() -> None:
    fields = decode(encode("ChargeLogged", example("ChargeLogged") | {"quantity": Decimal("1.50")})).fields
    assert str(fields["quantity"]) == "1.5"
    assert fields["charged_on"] == date(2026, 5, 1)
    assert fields["occurred_at"] == datetime(2026, 5, 1, 9, 30, 0, 125_000, tzinfo=UTC)
    assert fields["occurred_at"].tzinfo is UTC


def test_absent_fields_are_written_as_their_defaults() -> None:
    fields = {"event_id": EVENT_ID, "source": "psa", "occurred_at": datetime(2026, 5, 1, tzinfo=UTC), "client_id": "c"}
    fields |= {"contract_id": "k", "effective_from": date(2026, 5, 1), "name": "n", "currency": "EUR"}
    line = {"type": "AllowanceLine", "line_id": "l", "description": "d", "account": "4000", "included_minutes": 60}
    fields |= {"starts_on": date(2026, 5, 1), "lines": [line | {"price": Decimal("99")}]}
    read = decode(encode("ContractDefined", fields)).fields
    assert (read["frequency"], read["ends_on"], read["revision"]) == ("monthly", None, 0)
    assert read["lines"][0]["overage"] == "standard"
    assert read["lines"][0]["type"] == "AllowanceLine"
    assert read["lines"][0]["charge_types"] == []


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"worked_minutes": "30"}, "TimeEntryLogged.worked_minutes: must be a whole number, not text"),
        ({"worked_minutes": True}, "TimeEntryLogged.worked_minutes: must be a whole number, not true/false"),
        ({"worked_minutes": 2**31}, "TimeEntryLogged.worked_minutes: is out of range"),
        ({"note": "a\0b"}, "TimeEntryLogged.note: holds a NUL character"),
        ({"note": "\ud800"}, "TimeEntryLogged.note: holds half a surrogate pair"),
        ({"note": None}, "TimeEntryLogged.note: must be text, not null"),
        ({"occurred_at": datetime(2026, 5, 1)}, "TimeEntryLogged.occurred_at: must be an instant with its zone"),  # noqa: DTZ001
        ({"worked_on": datetime(2026, 5, 1, tzinfo=UTC)}, "TimeEntryLogged.worked_on: must be a date"),
        ({"colour": 1}, "TimeEntryLogged.colour: is not a field of TimeEntryLogged"),
        ({"note": "x" * MAX_BYTES}, "TimeEntryLogged: takes"),
    ],
)
def test_value_that_does_not_fit_is_not_written_and_is_named(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        encode("TimeEntryLogged", example("TimeEntryLogged") | changed)


def test_missing_field_and_unknown_record_are_named() -> None:
    fields = example("TimeEntryLogged")
    del fields["agent_id"]
    with pytest.raises(ValueError, match=r"TimeEntryLogged\.agent_id: is required"):
        encode("TimeEntryLogged", fields)
    with pytest.raises(ValueError, match="Nonsense is no record"):
        encode("Nonsense", {})


def test_equal_maps_give_equal_bytes() -> None:
    fields = example("ChargeTypeDefined")
    turned = fields | {"rates": dict(reversed(fields["rates"].items()))}
    assert encode("ChargeTypeDefined", turned) == encode("ChargeTypeDefined", fields)


def test_schema_id_is_told_of_any_framed_bytes() -> None:
    assert schema_id_of(b"\0\0\0\1\0rest") == 256
    assert schema_id_of(b"\1\0\0\1\0") is None
    assert schema_id_of(b"\0\0") is None
    assert schema_id_of(None) is None


# ---- registries of other folders ----


def registry_of(folder: Path, *schemas: dict[str, Any]) -> Registry:
    entries = {}
    for number, schema in enumerate(schemas, start=1):
        name = f"{schema['name']}.v{number}.avsc"
        (folder / name).write_text(json.dumps(schema))
        entries[str(number)] = {
            "record": schema["name"], "version": number, "file": name, "sha256": fingerprint(schema)
        }  # fmt: skip
    (folder / "registry.json").write_text(json.dumps(entries))
    return Registry(folder)


def record_of(**types: Any) -> dict[str, Any]:
    fields = [{"name": name, "type": kind} for name, kind in types.items()]
    return {"type": "record", "name": "R", "namespace": "daybook.v1", "fields": fields}


NOTHING = {"type": "record", "name": "Nothing", "fields": []}
FREE = [
    {"type": "array", "items": "null"},
    {"type": "map", "values": "null"},
    {"type": "array", "items": NOTHING},
    {"type": "array", "items": {"type": "fixed", "name": "Zero", "size": 0}},
    {"type": "array", "items": record_of(a="null", b=NOTHING) | {"name": "Hollow"}},
    ["null", {"type": "array", "items": {"type": "null"}}],
    {"type": "array", "items": {"type": "array", "items": "null"}},
]


@pytest.mark.parametrize("bomb", FREE)
def test_schema_whose_items_take_no_bytes_is_refused_and_its_message_costs_nothing(tmp_path: Path, bomb: Any) -> None:
    registry = registry_of(tmp_path, record_of(bomb=bomb))
    assert "take no bytes" in registry.refused[1]
    tracemalloc.start()
    began = time.perf_counter()
    # Six bytes that say 200 million items: 1.5 GB and 9 s in fastavro.
    assert reason_of(frame(1) + b"\x80\x88\xde\xbe\x01\x00", registry) == "undecodable"
    assert time.perf_counter() - began < 0.05
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


def test_record_inside_itself_is_refused(tmp_path: Path) -> None:
    registry = registry_of(tmp_path, record_of(next=["null", "R"]))
    assert "holds itself" in registry.refused[1]
    assert reason_of(frame(1) + b"\x02" * 1_000_000 + b"\0", registry) == "undecodable"


def test_kind_of_value_the_contract_does_not_use_is_refused(tmp_path: Path) -> None:
    registry = registry_of(tmp_path, record_of(price="double"))
    assert reason_of(frame(1) + bytes(8), registry) == "undecodable"


@pytest.mark.parametrize("record", RECORDS)
def test_no_count_of_items_makes_a_short_message_large(record: str) -> None:
    for place in range(5, 40):
        value = encode(record, example(record))[:place] + b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01" * 3
        began = time.perf_counter()
        with pytest.raises(WireError):
            decode(value)
        assert time.perf_counter() - began < 0.2


def test_older_message_is_read_as_the_newest_version(tmp_path: Path) -> None:
    old = record_of(name="string", dropped="long")
    part = {"type": "record", "name": "Part", "fields": [{"name": "n", "type": "int", "default": 3}]}
    rate = {"type": "bytes", "logicalType": "decimal", "precision": 18, "scale": 8}
    new = record_of(name="string")
    new["fields"] += [
        {"name": "tags", "type": {"type": "array", "items": "string"}, "default": ["a"]},
        {"name": "rate", "type": rate, "default": "\u000b\u00eb\u00c2\u0000"},
        {"name": "part", "type": part, "default": {}},
        {"name": "day", "type": ["null", {"type": "int", "logicalType": "date"}], "default": None},
    ]
    registry = registry_of(tmp_path, old, new)
    for _ in range(2):  # the defaults of one message are not those of the next
        message = decode(frame(1) + b"\x02x\x04", registry)
        assert (message.version, message.schema_id) == (1, 1)
        assert message.fields == {"name": "x", "tags": ["a"], "rate": Decimal(2), "part": {"n": 3}, "day": None}
        message.fields["tags"].append("mine")
        message.fields["part"]["n"] = 4
    assert encode("R", {"name": "x"}, registry)[:5] == frame(2)


def test_changed_schema_file_is_not_accepted(tmp_path: Path) -> None:
    registry_of(tmp_path, record_of(name="string"))
    (tmp_path / "R.v1.avsc").write_text(json.dumps(record_of(name="bytes")))
    with pytest.raises(RegistryError, match="not what was published"):
        Registry(tmp_path)


# ---- the envelope ----


def sent(record: str, **changed: Any) -> Message:
    return Message(record, 1, 1, example(record) | changed)


def refusal(message: Message, topic: str | None = None, key: bytes | None = b"") -> str:
    key = key_of(message.record, message.fields) if key == b"" else key
    with pytest.raises(WireError) as caught:
        check_envelope(topic or TOPIC_OF[message.record], key, message)
    assert caught.value.reason == "invalid_envelope"
    return caught.value.detail


@pytest.mark.parametrize("record", [record for record in RECORDS if TOPIC_OF[record] in INBOUND])
def test_true_envelope_of_every_inbound_record_is_trusted(record: str) -> None:
    message = sent(record)
    check_envelope(TOPIC_OF[record], key_of(record, message.fields), message)


@pytest.mark.parametrize("record", [record for record in RECORDS if TOPIC_OF[record] not in INBOUND])
def test_own_announcements_are_not_taken_in(record: str) -> None:
    assert "does not belong" in refusal(sent(record))


@pytest.mark.parametrize(
    ("changed", "detail"),
    [
        ({"event_id": ""}, "event_id"),
        ({"event_id": "0b1f2a3c4d5e4f60817293a4b5c6d7e8"}, "event_id"),
        ({"event_id": EVENT_ID + "\n"}, "event_id"),
        ({"event_id": EVENT_ID.replace("0", "٠")}, "event_id"),
        ({"occurred_at": datetime(1969, 12, 31, tzinfo=UTC)}, "occurred_at"),
        ({"occurred_at": datetime(9999, 1, 1, tzinfo=UTC)}, "occurred_at"),
        ({"client_id": ""}, "client_id is empty"),
        ({"agent_id": ""}, "agent_id is empty"),
        ({"time_entry_id": "x" * (MAX_ID_LENGTH + 1)}, "time_entry_id has 129"),
        ({"ticket_id": "T\n1"}, "ticket_id holds a control character"),
        ({"source": "\x7f"}, "source holds a control character"),
    ],
)
def test_envelope_that_cannot_be_trusted_is_refused(changed: dict[str, Any], detail: str) -> None:
    assert detail in refusal(sent("TimeEntryLogged", **changed))


@pytest.mark.parametrize("key", [None, b"another client", b"client_id \xff"])
def test_key_of_another_client_is_refused(key: bytes | None) -> None:
    assert "key" in refusal(sent("TimeEntryLogged"), key=key)


@pytest.mark.parametrize("topic", ["daybook.payments", "daybook.invoices", "elsewhere"])
def test_record_on_a_topic_not_its_own_is_refused(topic: str) -> None:
    assert "does not belong" in refusal(sent("TimeEntryLogged"), topic)


def test_event_id_in_capitals_is_the_same_event() -> None:
    message = sent("TimeEntryLogged", event_id=EVENT_ID.upper())
    check_envelope("daybook.time", key_of(message.record, message.fields), message)
    assert message.fields["event_id"] == EVENT_ID


def test_long_printable_ids_together_and_odd_spaces_are_trusted() -> None:
    wide = "x" * MAX_ID_LENGTH
    message = sent("TimeEntryLogged", client_id=wide, agent_id=wide, ticket_id="", project_id="a\u00a0b")
    check_envelope("daybook.time", wide.encode(), message)


def test_keys_are_as_the_contract_notes() -> None:
    assert key_of("ProviderDefined", {}) == b"provider"
    assert key_of("TaxCodeDefined", {"code": "VAT"}) == b"VAT"
    assert key_of("ExchangeRateSet", {"currency": "USD", "base_currency": "EUR"}) == b"USD/EUR"
    assert key_of("PayoutSettled", {"client_id": "*"}) == b"*"
    assert key_of("PublisherCursor", {"publisher": "invoices"}) == b"invoices"
