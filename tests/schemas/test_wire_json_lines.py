"""A line of JSON says exactly what a message says, and a wrong one says what is wrong with it."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wire_values import EVENT_ID, example

from schemas.codec import MAX_BYTES
from schemas.json_lines import dump, parse
from schemas.topics import TOPIC_OF

TIME: dict[str, Any] = {
    "event_id": EVENT_ID,
    "source": "psa",
    "occurred_at": "2026-05-04T09:30:00Z",
    "client_id": "C-1",
    "time_entry_id": "TE-1",
    "agent_id": "A-1",
    "charge_type": "STD",
    "worked_on": "2026-05-04",
    "worked_minutes": 30,
}
CHARGE = json.loads(dump("ChargeLogged", example("ChargeLogged")))["event"]


def line(record: str, event: Any) -> str:
    return json.dumps({"topic": TOPIC_OF.get(record, "?"), "type": record, "event": event})


def complaint(text: str | bytes) -> str:
    with pytest.raises(ValueError, match=r"\w") as caught:
        parse(text)
    return str(caught.value)


def test_absent_fields_take_their_defaults() -> None:
    topic, record, fields = parse(line("TimeEntryLogged", TIME))
    assert (topic, record) == ("daybook.time", "TimeEntryLogged")
    assert (fields["revision"], fields["deducted_minutes"], fields["note"]) == (1, 0, "")
    assert fields["ticket_id"] is None
    assert fields["worked_on"] == date(2026, 5, 4)


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        ("2026-05-04T09:30:00Z", 0),
        ("2026-05-04T09:30Z", 0),
        ("2026-05-04T09:30:00.125Z", 125_000),
        ("2026-05-04T11:30:00+02:00", 0),
        ("2026-05-03T23:30:00.000001-10:00", 1),
    ],
)
def test_instant_is_utc_however_it_is_written(text: str, micros: int) -> None:
    fields = parse(line("TimeEntryLogged", TIME | {"occurred_at": text}))[2]
    assert fields["occurred_at"] == datetime(2026, 5, 4, 9, 30, 0, micros, tzinfo=UTC)
    assert fields["occurred_at"].tzinfo is UTC


@pytest.mark.parametrize(
    "text", ["2026-05-04T09:30:00", "2026-05-04", "2026-05-04 09:30:00Z", "20260504T093000Z", "now", 1, None, "",
             "2026-02-30T00:00:00Z", "0001-01-01T00:00:00+14:00", "2026-05-04T09:30:00.1234567Z", "2026-05-04T09:30:00Z\n"]
)  # fmt: skip
def test_instant_without_its_zone_or_in_another_form_is_refused(text: Any) -> None:
    said = complaint(line("TimeEntryLogged", TIME | {"occurred_at": text}))
    assert said.startswith("TimeEntryLogged.occurred_at: must be an instant")


@pytest.mark.parametrize("text", ["2026-5-4", "20260504", "2026-02-30", "04/05/2026", "2026-W19-1", 20260504, "٢٠٢٦-05-04"])
def test_day_in_another_form_is_refused(text: Any) -> None:
    said = complaint(line("TimeEntryLogged", TIME | {"worked_on": text}))
    assert said.startswith("TimeEntryLogged.worked_on: must be a day")


@pytest.mark.parametrize(
    ("text", "value"),
    [("1", "1"), ("1.50", "1.5"), ("-0.00000001", "-0.00000001"), ("9999999999.99999999", "9999999999.99999999"),
     ("100", "100"), ("0.00", "0"), ("-0", "0"), ("007", "7")],
)  # fmt: skip
def test_decimal_is_exact_and_has_one_writing(text: str, value: str) -> None:
    quantity = parse(line("ChargeLogged", CHARGE | {"quantity": text}))[2]["quantity"]
    assert quantity == Decimal(text)
    assert (
        json.loads(dump("ChargeLogged", parse(line("ChargeLogged", CHARGE | {"quantity": text}))[2]))["event"]["quantity"]
        == value
    )


@pytest.mark.parametrize(
    "value", [1.5, 1, True, None, "1e3", "1.5E+2", "", " 1", "1,5", "+1", ".5", "1.", "NaN", "Infinity", "1_000", "٣",
              "1.000000001", "12345678901", "1" * 100, ["1"]]
)  # fmt: skip
def test_decimal_as_number_with_exponent_or_too_long_is_refused(value: Any) -> None:
    assert complaint(line("ChargeLogged", CHARGE | {"quantity": value})).startswith("ChargeLogged.quantity: ")


def test_unknown_and_missing_fields_are_named() -> None:
    assert complaint(line("TimeEntryLogged", TIME | {"minutes": 3})) == (
        "TimeEntryLogged.minutes: is not a field of TimeEntryLogged"
    )
    without = {name: value for name, value in TIME.items() if name != "worked_minutes"}
    assert complaint(line("TimeEntryLogged", without)) == "TimeEntryLogged.worked_minutes: is required"


def test_contract_line_names_its_type_and_the_complaint_names_the_line() -> None:
    event = json.loads(dump("ContractDefined", example("ContractDefined")))["event"]
    assert [part["type"] for part in parse(line("ContractDefined", event))[2]["lines"]][:2] == ["RecurringLine", "SeatLine"]
    event["lines"][1]["tiers"][0]["unit_price"] = 1.5
    assert complaint(line("ContractDefined", event)).startswith("ContractDefined.lines[1](SeatLine).tiers[0].unit_price: ")
    event["lines"][1] = {"type": "GiftLine"}
    assert complaint(line("ContractDefined", event)).startswith("ContractDefined.lines[1].type: must be one of Recurring")
    event["lines"][1] = {"line_id": "1"}
    assert complaint(line("ContractDefined", event)).startswith("ContractDefined.lines[1].type: must be one of Recurring")
    event["lines"][1] = "RecurringLine"
    assert complaint(line("ContractDefined", event)) == "ContractDefined.lines[1]: must be an object, not text"


@pytest.mark.parametrize(
    ("said", "meant"),
    [("standard", "standard"), ({"GBP": "150.00"}, {"GBP": Decimal(150)}), ({}, {})],
)
def test_overage_is_standard_or_a_rate_for_each_currency(said: Any, meant: Any) -> None:
    event = json.loads(dump("ContractDefined", example("ContractDefined")))["event"]
    event["lines"] = [part | {"overage": said} for part in event["lines"] if part["type"] == "BlockLine"]
    fields = parse(line("ContractDefined", event))[2]
    assert fields["lines"][0]["overage"] == meant
    assert parse(dump("ContractDefined", fields))[2] == fields


@pytest.mark.parametrize("said", [3, None, ["standard"]])
def test_overage_of_another_kind_is_refused(said: Any) -> None:
    event = json.loads(dump("ContractDefined", example("ContractDefined")))["event"]
    event["lines"][2]["overage"] = said
    assert "lines[2](AllowanceLine).overage: must be text or an object" in complaint(line("ContractDefined", event))


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (None, None),
        ({"charge_type": "OOH"}, {"charge_type": "OOH", "multiplier": None}),
        ({"multiplier": "1.5"}, {"charge_type": None, "multiplier": Decimal("1.5")}),
    ],
)
def test_out_of_hours_is_another_charge_type_or_a_multiplier(said: Any, meant: Any) -> None:
    event = json.loads(dump("ChargeTypeDefined", example("ChargeTypeDefined")))["event"]
    assert parse(line("ChargeTypeDefined", event | {"out_of_hours": said}))[2]["out_of_hours"] == meant


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        ("\ud800", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('{"a": NaN}', "not JSON"),
        ("[]", "must be {"),
        ("{}", "must be {"),
        (line("TimeEntryLogged", TIME)[:-1] + ', "more": 1}', "must be {"),
        (line("InvoiceIssued", {}), "not a record Daybook takes in"),
        (line("Nonsense", {}), "not a record Daybook takes in"),
        (line("TimeEntryLogged", TIME).replace("daybook.time", "daybook.usage"), "belongs on daybook.time"),
        (line("TimeEntryLogged", []), "must be an object, not a list"),
        (line("TimeEntryLogged", TIME | {"note": "a\0b"}), "note: holds a NUL character"),
        (line("TimeEntryLogged", TIME | {"worked_minutes": 30.0}), "worked_minutes: must be a whole number"),
        (line("TimeEntryLogged", TIME | {"worked_minutes": 2**40}), "worked_minutes: is out of range"),
        (line("TimeEntryLogged", TIME | {"worked_minutes": 10**400}), "worked_minutes: "),
        (line("TimeEntryLogged", TIME | {"note": "x" * MAX_BYTES}), "longer than"),
    ],
)
def test_wrong_line_says_what_is_wrong(text: str | bytes, said: str) -> None:
    assert said in complaint(text)


@settings(max_examples=200, deadline=None)
@given(
    st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists), st.sampled_from(sorted(CHARGE))
)
def test_any_value_in_any_field_is_taken_or_refused_but_never_crashes(value: Any, field: str) -> None:
    text = line("ChargeLogged", CHARGE | {field: value})
    try:
        topic, record, fields = parse(text)
    except ValueError:
        return
    assert parse(dump(record, fields)) == (topic, record, fields)
