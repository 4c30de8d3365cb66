"""A client's month in which every text that another system can send is a payload: which texts there are, the schemas say."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from schemas.compounds import ListOf, MapOf, OneOf, Optional, RecordOf
from schemas.registry import published
from schemas.scalars import Text
from schemas.topics import INBOUND, RECORDS_ON, TOPIC_OF
from tests.saying import _USUAL, line
from tests.web.payloads import MOST_ID, NOT_AN_ID

Put = Callable[[str, str, Any], Any]
"""What stands in a text field: given its record, its place in it, and what stands there otherwise."""

SAMPLES: Final = Path(__file__).parents[1] / "samples"
TAG: Final = re.compile(r"z\d+q\d+z")
RECORDS: Final = tuple(sorted(record for topic in INBOUND for record in RECORDS_ON[topic]))

STEERS: Final = frozenset(
    {
        "event_id", "currency", "base_currency", "time_zone", "rounding", "rounding_scope", "restart", "document", "frequency",
        "timing", "policy", "tier_mode", "per", "overage", "aggregation", "tax_rounding", "kind", "status", "start", "end",
        "systems", "system", "method", "countries", "country", "brands", "funding", "brand", "subdivision", "last4", "expires",
        "provider",
    }
)  # fmt: skip
"""Fields that are no text but one of a few words; what becomes of a payload in one is a test of its own."""

_SAME: Final = {
    "ChargeTypeDefined.code": "charge_type", "TaxCodeDefined.code": "tax_code", "InvoiceSeriesDefined.code": "invoice_series",
    "WorkingHoursDefined.code": "working_hours", "SurchargePolicySet.code": "surcharge_policy",
}  # fmt: skip
_JOINS: Final = frozenset(
    {"client_id", "contract_id", "time_entry_id", "project_id", "charge_id", "payment_id", "ticket_id", *_SAME.values()}
)
"""Ids by which records of a client belong together: one text in all of them."""
_VALUES: Final[dict[str, dict[str, Any]]] = {
    "ClientDefined": {
        "tax_number": "GB1",
        "surcharge_policy": None,
        "autopay": False,
        "use_credit": False,
        "country": "GB",
        "status": "active",
    },
    "ContractDefined": {"anchor_month": None, "ends_on": None, "prices_include_tax": False},
    "ChargeTypeDefined": {"out_of_hours": None, "project": False},
    "InvoiceSeriesDefined": {},
    "TimeEntryLogged": {"started_at": None, "ended_at": None, "deducted_minutes": 0, "project_id": None},
    "TimeEntryAmended": {"started_at": None, "ended_at": None, "deducted_minutes": 0, "project_id": None, "revision": 2},
    "TimeEntryApproved": {"billable_minutes": None},
}


def sample(record: str) -> dict[str, Any]:
    """A record with every field said, in values that can be billed where it is one that is."""
    text = (SAMPLES / f"{record}.v1.json").read_text(encoding="utf-8")
    event = {**json.loads(text)["event"], "revision": 1, **_USUAL.get(record, {}), **_VALUES.get(record, {})}
    known = {field.name for field in published().reader(record).shape.fields}
    return {name: value for name, value in event.items() if name in known} | {"occurred_at": "2026-05-20T09:00:00Z"}


def texts(record: str) -> list[str]:
    """Where a record holds text, e.g. `lines.RecurringLine.description`: all of it, as its schema says."""
    found: list[str] = []

    def note(_: str, where: str, value: Any) -> Any:
        found.append(where)
        return value

    filled(record, sample(record) | ({"lines": every_line()} if record == "ContractDefined" else {}), note)
    return sorted(set(found))


def every_line() -> list[dict[str, Any]]:
    """A contract's lines, one of each kind."""
    found: list[dict[str, Any]] = json.loads((SAMPLES / "ContractDefined.v1.json").read_text(encoding="utf-8"))["event"]["lines"]
    return found


def filled(record: str, event: dict[str, Any], put: Put) -> dict[str, Any]:
    """An event with each text replaced by what `put` gives."""

    def walk(shape: Any, value: Any, where: str) -> Any:
        match shape:
            case Text():
                return put(record, where, value)
            case Optional():
                inner = shape.inner
                return walk(inner, value, where) if value is not None or isinstance(inner, Text) else None
            case ListOf():
                return [walk(shape.item, one, where) for one in value]
            case MapOf():
                return value  # its names are currencies
            case OneOf() if isinstance(value, dict) and "type" in value:
                return {"type": value["type"], **walk(shape.records[value["type"]], value, f"{where}.{value['type']}")}
            case OneOf():
                return put(record, where, value) if isinstance(value, str) else value
            case RecordOf():
                dot = f"{where}." if where else ""
                return {
                    field.name: walk(field.shape, value[field.name], f"{dot}{field.name}")
                    for field in shape.fields
                    if field.name in value
                }
        return value

    result: dict[str, Any] = walk(published().reader(record).shape, event, "")
    return result


class Story:
    """One payload in every text of one client's facts; `said` has each text by its tag, with the fields it stands in."""

    def __init__(self, number: int, payload: str) -> None:
        self.number = number
        self.payload = payload
        self.said: dict[str, str] = {}
        self.fields: dict[str, set[str]] = {}
        self._tags: dict[str, str] = {}
        self._events = 0

    @property
    def is_an_id(self) -> bool:
        """Whether the payload may be the id of something."""
        return len(self.payload) <= MOST_ID - 20 and not NOT_AN_ID.search(self.payload)

    def text(self, name: str, *, is_id: bool = False) -> str:
        """The story's text of a name."""
        tag = self._tags.setdefault(name, f"z{self.number}q{len(self._tags)}z")
        self.said[tag] = tag if is_id and not self.is_an_id else self.payload + tag
        return self.said[tag]

    def typed(self, name: str) -> str:
        """What a person types into a field of a form, as it is kept: without blanks around it."""
        text = self.text(name)
        self.fields.setdefault(TAG.findall(text)[0], set()).add(name)
        self.said[TAG.findall(text)[0]] = text.strip()
        return text

    def put(self, record: str, where: str, value: Any) -> Any:
        """Every text but those that steer."""
        name = where.rpartition(".")[2]
        if name in STEERS:
            return value
        name = _SAME.get(f"{record}.{where}", name)
        is_id = name in _JOINS or name in ("source", "code", "prefix") or name.endswith("_id")
        text = self.text(name if name in _JOINS else f"{record}.{where}", is_id=is_id)
        [tag] = TAG.findall(text)
        self.fields.setdefault(tag, set()).add(f"{record}.{where}")
        return text

    def say(self, record: str, **given: Any) -> dict[str, Any]:
        """One fact as POST /api/v1/events takes it."""
        self._events += 1
        event = filled(record, {**sample(record), **given}, self.put)
        event["event_id"] = str(UUID(int=(self.number + 1) * 10_000 + self._events, version=4))
        return {"topic": TOPIC_OF[record], "type": record, "event": event}

    def facts(self) -> Iterator[dict[str, Any]]:
        """Every record that another system sends, and enough of them in order for an invoice to come of it."""
        project = {"type": "RateLine", **{k: v for k, v in line("RateLine", charge_type="none").items() if k != "type"}}
        for record in RECORDS:
            match record:
                case "ContractDefined":
                    yield self.say(record, lines=[line("RecurringLine"), project])
                    yield self._other(record, "contract_id", "every line", lines=every_line(), is_default=False)
                case "TimeEntryLogged":
                    yield self.say(record)
                    yield self._other(record, "time_entry_id", "unapproved")
                case "TimeEntryApproved":
                    yield self.say(record, revision=2)
                case "TimeEntryRejected" | "TimeEntryWithdrawn":
                    yield self._other("TimeEntryLogged", "time_entry_id", record)
                    yield self._other(record, "time_entry_id", record)
                case _:
                    yield self.say(record)

    def _other(self, record: str, own: str, name: str, **given: Any) -> dict[str, Any]:
        """The same about another entry or contract."""
        said = self.say(record, **given)
        said["event"][own] = self.text(f"{own} {name}", is_id=True)
        return said
