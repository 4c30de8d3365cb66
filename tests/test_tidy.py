"""What a reader would otherwise have to remember."""

import ast
import dataclasses
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec
import pytest

from consumers.reading import event_state, event_topic, read
from consumers.source import Polled, Record
from domain.contract import LINE_TYPES
from domain.facts import FACTS, PERSONAL
from domain.rated import REASONS
from ledger.database import Database
from ledger.event_codec import EVENTS, UnknownTopic, decode, encode
from ledger.keyring import PREFIX, Keyring
from projections import decisions, receivables, seats, terms, time_entries, work
from schemas.codec import decode as decode_wire
from schemas.codec import key_of
from schemas.topics import INBOUND, RECORDS_ON, TOPIC_OF

ROOT = Path(__file__).parent.parent
ROOMS = ("domain", "schemas", "ledger", "projections", "consumers", "runs", "producers", "daybook")
DOMAIN = sorted((ROOT / "domain").glob("*.py"))
SAMPLES = ROOT / "tests" / "samples"
MOST_LINES = 400
LONGER = {"tests/domain/test_cases.py": 640}
"""Files that are longer for a reason, and how long they may be: a table of published cases."""


def tracked() -> list[str]:
    """What git has, or would have."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return listed.stdout.splitlines()


# ---- the domain is pure

IMPURE_MODULES = {
    "asyncio", "io", "locale", "logging", "os", "pathlib", "random", "secrets", "shutil", "socket", "subprocess", "sys",
    "tempfile", "threading", "time",
}  # fmt: skip
IMPURE_NAMES = {"input", "now", "open", "print", "today", "utcnow", "uuid1", "uuid4"}


@pytest.mark.parametrize("path", DOMAIN, ids=lambda path: path.name)
def test_domain_has_no_clock_no_chance_and_no_io(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        match node:
            case ast.Import(names=names):
                assert not {alias.name.split(".")[0] for alias in names} & IMPURE_MODULES
            case ast.ImportFrom(module=module, names=names):
                assert (module or "").split(".")[0] not in IMPURE_MODULES
                assert not {alias.name for alias in names} & IMPURE_NAMES
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
                assert name not in IMPURE_NAMES, f"{path.name}:{node.lineno}"


@pytest.mark.parametrize("path", DOMAIN, ids=lambda path: path.name)
def test_domain_has_no_float(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        match node:
            case ast.Constant(value=float()):
                raise AssertionError(f"{path.name}:{node.lineno} has a float literal")
            case ast.Name(id="float"):
                raise AssertionError(f"{path.name}:{node.lineno} names float")


# ---- events


def test_every_event_has_a_hand_written_topic_of_its_own() -> None:
    topics = [cls.__dict__["TOPIC"] for cls in EVENTS]
    assert len(set(topics)) == len(topics)
    for topic in topics:
        assert re.fullmatch(r"[a-z_]+\.[a-z_]+\.v[0-9]+", topic)


def test_every_event_of_the_domain_is_in_the_allow_list() -> None:
    written = {
        (path.stem, node.name)
        for path in DOMAIN
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ClassDef)
        and any(isinstance(part, ast.AnnAssign) and ast.unparse(part.target) == "TOPIC" for part in node.body)
    }
    assert written == {(cls.__module__.split(".")[1], cls.__name__) for cls in EVENTS}
    with pytest.raises(UnknownTopic):
        decode("os.system.v1", b"{}")


KEPT_ONLY = {
    "WorkingHoursDefined", "ExchangeRateSet", "SurchargePolicySet", "ReminderPolicySet", "ChargeWithdrawn", "ChargeApproved",
    "ChargeRejected", "UsageReported", "PaymentFailed", "PayoutSettled", "CardSaved", "CardRemoved",
}  # fmt: skip
"""Facts that the book keeps whole and that no view folds yet: the row goes when its fold comes."""


def test_every_event_has_a_fold_or_is_named_as_only_kept() -> None:
    views = (decisions, time_entries, seats, receivables)
    folded = {topic for view in views for topic in view.TOPICS}
    folded |= {*terms.CATALOGUE_TOPICS, *terms.CLIENT_TOPICS, *work._NOT_YET}
    assert {cls.__name__ for cls in EVENTS if cls.TOPIC not in folded} == KEPT_ONLY


def example(kind: Any, name: str = "") -> Any:
    """A value of a type, every optional part of it filled in."""
    origin, args = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return example(args[0], name)
    if origin is tuple:
        return (example(args[0], name), example(args[0], name))
    if origin is dict:
        return {"GBP": Decimal("93.03"), "JPY": Decimal("0.00000001")}
    if dataclasses.is_dataclass(kind):
        hints = get_type_hints(kind)
        made = {f.name: example(hints[f.name], f.name) for f in dataclasses.fields(kind) if f.name != "type"}
        return kind(**made)  # type: ignore[operator]
    simple: dict[Any, Any] = {
        str: f"{name} é\n\"1\"", int: 7, bool: True, bytes: b"\x00\xff", Decimal: Decimal("12345.00000001"),
        date: date(2026, 5, 31), datetime: datetime(2026, 5, 31, 23, 59, 59, 125, tzinfo=UTC),
    }  # fmt: skip
    return simple[kind]


@pytest.mark.parametrize("cls", EVENTS, ids=lambda cls: cls.__name__)
def test_every_event_survives_the_book(cls: type[Any]) -> None:
    event = example(cls)
    if cls.__name__ == "ContractDefined":
        event = dataclasses.replace(event, lines=tuple(example(line) for line in LINE_TYPES.values()))
    again = decode(cls.TOPIC, encode(event))
    assert again == event
    assert encode(again) == encode(event)
    json.loads(encode(event))  # readable by `jsonb`: plain JSON, and no NUL


INBOUND_SAMPLES = sorted(path for path in SAMPLES.glob("*.bin") if TOPIC_OF[path.name.split(".")[0]] in INBOUND)


@pytest.mark.parametrize("path", INBOUND_SAMPLES, ids=lambda path: path.stem)
def test_what_the_book_keeps_of_a_message_is_the_domains_event(path: Path, keyring: Keyring) -> None:
    message = decode_wire(path.read_bytes())
    fields = {**message.fields, "event_id": "0b1f2a3c-4d5e-4f60-8172-93a4b5c6d7e8"}
    record = Record(0, key_of(message.record, fields), path.read_bytes(), (), 0)
    batch = read([Polled(TOPIC_OF[message.record], 0, [record])])
    (fact,) = batch.facts
    kept = decode(event_topic(fact.kind), event_state(fact, keyring))
    assert type(kept) is FACTS[message.record]
    # Field by field in plain values, so that no reading of ours stands on both sides.
    plain = as_said(msgspec.to_builtins(kept, builtin_types=(Decimal, date, datetime, bytes)))
    assert plain.keys() == message.fields.keys()
    for name, said in message.fields.items():
        value = plain[name]
        if name in PERSONAL.get(message.record, ()):
            assert PREFIX in str(value)
            value = keyring.decrypt(value) if isinstance(value, str) else [*map(keyring.decrypt, value)]
        assert value == said, name


def as_said(value: Any) -> Any:
    """The domain's tuples as the wire's lists."""
    match value:
        case list() | tuple():
            return [*map(as_said, value)]
        case dict():
            return {name: as_said(one) for name, one in value.items()}
    return value


def test_every_inbound_record_is_a_fact_with_a_sample() -> None:
    inbound = {record for topic in INBOUND for record in RECORDS_ON[topic]}
    assert inbound == set(FACTS)
    assert inbound == {path.name.split(".")[0] for path in INBOUND_SAMPLES}


# ---- personal text

FREE_TEXT = {"note", "reason", "billing_emails", "electronic_address"}
OF_THE_CLIENT = {"address", "city", "postcode"}
NOT_OF_A_PERSON = {("ProviderDefined", name) for name in OF_THE_CLIENT}
"""The provider's own address is printed on every invoice."""


def test_personal_fields_are_all_there_are() -> None:
    found = {
        (record, field.name)
        for record, cls in FACTS.items()
        for field in dataclasses.fields(cls)
        if field.name in FREE_TEXT | OF_THE_CLIENT or re.search("mail|phone|note|comment|contact", field.name)
    }
    assert found - NOT_OF_A_PERSON == {(record, name) for record, names in PERSONAL.items() for name in names}


# ---- reasons

WAITING = """`awaiting_approval`, `rejected`, `amended_after_invoicing`, `client_changed`, `unknown_client`,
`unknown_charge_type`, `unknown_tax_code`, `unknown_value`, `which_contract`, `contract_not_in_force`, `no_rate`,
`impossible_value`, `ambiguous_line`, `depends_on_dead_letter`, `not_yet_supported`, `unmatched_payment`, `wrong_currency`,
`entry_not_seen`"""
DEAD = {"unknown_schema", "undecodable", "trailing_bytes", "too_large", "invalid_envelope", "idempotency_conflict"}


def test_reasons_are_those_of_the_wire_contract() -> None:
    assert tuple(re.findall("`(.+?)`", WAITING)) == REASONS
    page = (ROOT / "docs" / "wire.md").read_text("utf-8").split("## What waits")[1].split("\n## ")[0]
    documented = [name for row in re.findall(r"^\| (`.+?) \|", page, re.MULTILINE) for name in re.findall("`(.+?)`", row)]
    assert sorted(documented) == sorted(REASONS)
    said = "\n".join((ROOT / path).read_text("utf-8") for path in ("schemas/message.py", "consumers/deciding.py"))
    assert all(f'"{reason}"' in said for reason in DEAD)


# ---- the house


def test_no_file_is_too_long() -> None:
    found = {
        path: lines
        for path in tracked()
        if path.endswith((".py", ".sql"))
        and (ROOT / path).is_file()
        and (lines := len((ROOT / path).read_text("utf-8").splitlines())) > LONGER.get(path, MOST_LINES)
    }
    assert found == {}


def test_no_link_is_tracked() -> None:
    listed = subprocess.run(["git", "ls-files", "-s"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert [line for line in listed.splitlines() if line.startswith("120000")] == []


def calls(path: Path, name: str) -> Iterator[int]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name:
            yield node.lineno


def test_only_the_command_line_prints() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for room in ROOMS
        for path in (ROOT / room).rglob("*.py")
        if path.name != "printing.py"
        for line in calls(path, "print")
    ]
    assert found == []


IMPORTS_EACH_FIRST = """
import importlib, sys
for name in sys.argv[1:]:
    for loaded in [one for one in sys.modules if one.split(".")[0] == "daybook"]:
        del sys.modules[loaded]
    importlib.import_module(name)
"""


def test_every_module_of_the_front_door_can_be_imported_first() -> None:
    """A command's module that imports the package which puts all commands together can be imported only behind it."""
    paths = [path.relative_to(ROOT).with_suffix("") for path in sorted((ROOT / "daybook").rglob("*.py"))]
    names = [".".join(path.parts) for path in paths if path.stem not in ("__init__", "__main__")]
    command = [sys.executable, "-c", IMPORTS_EACH_FIRST, *names]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert len(names) > 40
    assert done.returncode == 0, done.stderr


def test_every_migration_has_a_number_of_its_own() -> None:
    numbers = [path.name[:4] for room in ROOMS for path in (ROOT / room).rglob("migrations/*.sql")]
    assert len(numbers) >= 5
    assert len(set(numbers)) == len(numbers)


def test_there_is_a_changelog_with_what_is_to_come() -> None:
    assert "## [Unreleased]" in (ROOT / "CHANGELOG.md").read_text("utf-8")


# ---- what outsiders hold on to

PROMISED_VIEWS = {
    "invoicing_queue", "time_entries", "seat_charges", "usage", "invoices", "invoice_lines", "payments", "allocations",
    "balances", "ageing", "journal", "notices", "charges", "waiting", "holds", "dead_letters", "ledger_batches", "leakage",
}  # fmt: skip


def test_reporting_views_have_the_columns_that_are_documented(database: Database) -> None:
    page = (ROOT / "docs" / "reporting.md").read_text("utf-8")
    views, to_come = page.split("## To come")
    documented = {
        part.split("`")[0]: re.findall(r"^\| `(\w+)` \| \S", part, re.MULTILINE) for part in views.split("## `reporting.")[1:]
    }
    with database.owner() as connection:
        rows = connection.execute(
            "SELECT table_name, array_agg(column_name::text ORDER BY ordinal_position) FROM information_schema.columns"
            " WHERE table_schema = 'reporting' GROUP BY 1"
        ).fetchall()
    assert documented == dict(rows)
    assert documented.keys() | set(re.findall(r"`(\w+)`", to_come)) >= PROMISED_VIEWS
