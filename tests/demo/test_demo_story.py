"""The demo's spring as the product shows it, beside what an oracle of its own expects of the same facts, month by month."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from daybook.demo_earlier_work import MISSED_CALL
from daybook.demo_month import facts as mays_own
from daybook.demo_story import APRIL, MARCH, MAY, chapters, write
from schemas.codec import encode, key_of
from schemas.files import read
from tests.demo.played import Home
from tests.oracle.oracle import Expected, Invoiced, expected_after_invoicing
from tests.oracle.posted import posted_from_json
from tests.oracle.rating import Waiting
from tests.oracle.wire import Produced
from tests.system.comparison import Actual, assert_agrees, assert_documents_agree

DOCS = Path(__file__).parents[2] / "docs" / "demo.md"
ADJUSTED = f"time/{MISSED_CALL}"
TAKEN_OFF_MINOR, ITS_TAX_MINOR = -25_00, -5_00
BEYOND_THE_ORACLE = {"charge", "payment"}
"""Kinds of fact that wait in the product and that the oracle does not read: tested below, by hand."""
Documents = list[dict[str, Any]]


def messages(until: date) -> list[Produced]:
    """What had been said by a day, as it lies in a log; a chapter that begins with what is known already repeats it."""
    said = [fact for chapter in chapters() if chapter.day <= until for fact in chapter.facts]
    return [
        Produced(topic, 0, offset, key_of(record, fields), encode(record, fields))
        for offset, (topic, record, fields) in enumerate(said)
    ]


def issued_on(demo: Home, day: date) -> Documents:
    return [document for document in demo.json("invoices") if document["issued_on"] == day.isoformat()]


def as_rated(documents: Documents) -> Documents:
    """The documents without what a person took off, which no fact says."""
    return [{**one, "lines": [line for line in one["lines"] if line["rule"] != "adjustment/v1"]} for one in documents]


def adjusted(answer: Expected) -> Expected:
    """The answer with the billing lead's goodwill as a line beside the work it was for."""
    work = next(line for line in answer.lines if line.item_key == ADJUSTED)
    goodwill = replace(work, quantity=Decimal(-1), unit_price=Decimal(25), net_minor=TAKEN_OFF_MINOR, tax_minor=ITS_TAX_MINOR)
    account = (work.client_id, work.currency)
    net, tax, total = answer.totals[account]
    less = (net + TAKEN_OFF_MINOR, tax + ITS_TAX_MINOR, total + TAKEN_OFF_MINOR + ITS_TAX_MINOR)
    return replace(answer, lines=[*answer.lines, goodwill], totals={**answer.totals, account: less})


@pytest.fixture(scope="module")
def months(demo: Home) -> list[tuple[Documents, Expected]]:
    """March's and April's documents with what the oracle expected of them, knowing what had been issued before."""
    found, invoiced = [], Invoiced()
    for day in (MARCH, APRIL):
        documents = issued_on(demo, day)
        answer = expected_after_invoicing(messages(day), day, invoiced)
        found.append((documents, answer))
        invoiced = invoiced.then(posted_from_json(as_rated(documents)), answer)
    return found


@pytest.fixture(scope="module")
def may(months: list[tuple[Documents, Expected]]) -> Expected:
    """What the oracle expects of the queue of 31 May, after both."""
    invoiced = Invoiced()
    for documents, answer in months:
        invoiced = invoiced.then(posted_from_json(as_rated(documents)), answer)
    return expected_after_invoicing(messages(MAY), MAY, invoiced)


# ---- the figures


def test_march_and_april_were_invoiced_as_the_oracle_says(months: list[tuple[Documents, Expected]]) -> None:
    (march, expected_march), (april, expected_april) = months
    assert (len(march), len(april)) == (15, 15)
    assert_documents_agree(march, expected_march)
    assert_documents_agree(april, adjusted(expected_april))


def test_the_queue_of_may_is_as_the_oracle_says(demo: Home, may: Expected) -> None:
    assert demo.json("dead-letters") == []
    waiting = [row for row in demo.json("waiting") if row["what"] not in BEYOND_THE_ORACLE]
    assert_agrees(
        Actual(
            recorded=list(may.recorded_at.items()),  # places in the log are compared in tests/system
            dead=[],
            waiting=[Waiting(row["client_id"], row["what"], row["id"], row["reason"]) for row in waiting],
            queue=demo.json("queue"),
            lines=demo.json("queue", "--lines"),
        ),
        may,
    )


def test_the_worked_figures_hold_with_two_months_of_history(demo: Home) -> None:
    rows = {row["client_name"]: row for row in demo.json("queue") if row["lines"]}
    shown = {name: (" + ".join(row["types"]), row["hours"], row["net_minor"]) for name, row in rows.items()}
    assert shown["Acme Corp"] == ("Remote Support", "12.5", 1_875_00)
    assert shown["Buildco Ltd"] == ("Managed Services", "0", 3_200_00)
    assert shown["Fenwick Group"] == ("On-Site + Overage", "8", 2_140_00)
    assert (len(rows), sum(row["net_minor"] for row in rows.values())) == (14, 31_640_00)


def test_seats_are_the_worked_example(demo: Home) -> None:
    """Under the snapshot policy, in arrears: 48 x 65 = 3,120; 52 x 65 = 3,380 (four devices more); 3,380."""
    lines = [line for document in demo.json("invoices") for line in document["lines"]] + demo.json("queue", "--lines")
    seats = sorted(
        (line["service_from"], Decimal(line["quantity"]), line["net_minor"])
        for line in lines
        if line["rule"] == "seats-snapshot/v1"
    )
    assert seats == [
        ("2026-03-01", 48, 3_120_00),
        ("2026-04-01", 52, 3_380_00),
        ("2026-05-01", 52, 3_380_00),
    ]


# ---- what is corrected


def test_what_came_late_is_a_line_of_its_own_that_leaves_the_total_of_may(demo: Home) -> None:
    lines = [line for line in demo.json("queue", "--lines") if line["service_from"] < "2026-05-01"]
    shown = {(line["client_id"], line["service_from"], line["net_minor"], bool(line["corrects"])) for line in lines}
    assert shown == {("swilly-bay", "2026-03-24", 75_00, False), ("swilly-bay", "2026-04-01", -75_00, True)}
    # Five workplaces fewer for 15 of April's 30 days: worked out here by hand.
    assert Fraction(-5 * 15, 30) * 30 * 100 == -75_00


def test_an_over_billed_march_is_credited_in_april(demo: Home) -> None:
    by_number = {document["number"]: document for document in demo.json("invoices")}
    credit = by_number["CN-000001"]
    assert (credit["client_id"], credit["total_minor"], credit["issued_on"]) == ("sable-stone", -135_00, "2026-04-30")
    assert [line["corrects"]["number"] for line in credit["lines"]] == ["INV-000010"]
    corrections = {
        (document["client_id"], line["net_minor"])
        for document in by_number.values()
        for line in document["lines"]
        if line["corrects"]
    }
    assert corrections == {("sable-stone", -112_50), ("wexcombe", -120_00), ("peakline", -112_50)}


def test_what_was_waived_does_not_come_back_to_the_queue(demo: Home) -> None:
    credit = next(document for document in demo.json("invoices") if document["number"] == "CN-000002")
    [line] = credit["lines"]
    assert (credit["client_id"], credit["issued_on"], line["corrects"]["number"]) == ("peakline", "2026-05-29", "INV-000024")
    assert line["item_key"] not in {one["item_key"] for one in demo.json("queue", "--lines")}


# ---- the money


def statuses(demo: Home) -> dict[str, str]:
    return {document["number"]: document["status"] for document in demo.json("invoices")}


def test_payments_name_invoices_of_their_own_client(demo: Home) -> None:
    clients = {document["number"]: document["client_id"] for document in demo.json("invoices")}
    named = [(f["client_id"], number) for f in of("PaymentReceived", "PaymentFailed") for number in f["invoice_numbers"]]
    assert len(named) > 20
    assert [(client_id, number) for client_id, number in named if clients[number] != client_id] == []


def test_money_leaves_every_invoice_as_the_page_says(demo: Home) -> None:
    shown = statuses(demo)
    assert Counter(shown.values()) == {"settled": 17, "open": 9, "partly_paid": 4, "written_off": 1}
    told = re.findall(r"^\| (INV-\d+|CN-\d+) \| [^|]+ \| [^|]+ \| ([a-z_]+) \|", DOCS.read_text("utf-8"), re.MULTILINE)
    assert dict(told) == shown


def test_balances_of_31_may(demo: Home) -> None:
    owed = {
        (row["client_id"], row["currency"]): (row["outstanding_minor"], row["overdue_minor"], row["unapplied_minor"])
        for row in demo.json("balances")
    }
    assert {account: figures for account, figures in owed.items() if any(figures)} == {
        ("fellgate", "GBP"): (756_00, 756_00, 0),  # paid nothing, or is the payer whom nobody can place
        ("fenwick", "GBP"): (1_152_00, 1_152_00, 0),  # its direct debit did not go through
        ("liffey", "EUR"): (360_00, 360_00, 0),
        ("liffey", "GBP"): (0, 0, 312_40),  # pounds for an invoice in euros
        ("northmoor", "GBP"): (1_656_00, 0, 0),  # sixty days: not due yet
        ("peakline", "GBP"): (708_00, 708_00, 0),  # its bank took March back; of April, a line was waived
        ("sable-stone", "GBP"): (0, 0, 135_00),  # the credit note came after the payment
        ("swilly-bay", "GBP"): (1_020_00, 1_020_00, 0),
        ("thornfield", "GBP"): (1_704_00, 1_704_00, 0),
        ("wexcombe", "GBP"): (2_263_60, 2_263_60, 0),
        ("yarrow", "GBP"): (54_00, 54_00, 54_00),  # it took its own credit off, which use_credit does not do by itself
    }  # fmt: skip


def test_money_and_charges_that_wait_say_why(demo: Home) -> None:
    rows = [(row["client_id"], row["what"], row["reason"]) for row in demo.json("waiting") if row["what"] in BEYOND_THE_ORACLE]
    assert sorted(rows) == [
        ("?", "payment", "unmatched_payment"),
        ("fenwick", "charge", "not_yet_supported"),
        ("liffey", "payment", "wrong_currency"),
        ("wexcombe", "charge", "not_yet_supported"),
    ]


# ---- the mails


def test_mails_follow_the_policies(demo: Home) -> None:
    mails = demo.mails()
    assert {mail[-1] for mail in mails} == {"sent"}
    assert len(demo.outbox()) == len(mails)
    assert "peakline" not in {client_id for _, client_id, *_ in mails}, "it opted out"
    new = {(day, numbers[0]) for day, _, kind, _, numbers, *_ in mails if kind == "new_invoice"}
    issued = {
        (date.fromisoformat(one["issued_on"]), one["number"]) for one in demo.json("invoices") if one["client_id"] != "peakline"
    }
    assert new == issued
    statements = {(client_id, rule) for _, client_id, kind, rule, *_ in mails if kind == "statement"}
    assert {client_id for client_id, rule in statements if rule == "statement/weekday/5"} == {"hollin-bank"}
    assert {rule for _, rule in statements} == {"statement/weekday/5", "statement/day/31"}


def test_reminders_go_to_who_owes_on_their_days_and_never_after_payment(demo: Home) -> None:
    reminders = [
        (str(day), client_id, numbers[0], rule)
        for day, client_id, kind, rule, numbers, *_ in demo.mails()
        if kind == "due_reminder"
    ]
    march = [("fellgate", "INV-000004"), ("fenwick", "INV-000005"), ("tarn", "INV-000012"), ("wexcombe", "INV-000014")]
    april = [("fellgate", "INV-000019"), ("fenwick", "INV-000020"), ("swilly-bay", "INV-000025"), ("wexcombe", "INV-000028")]
    assert sorted(reminders) == sorted(
        [
            *(("2026-04-30", *one, "due/-3") for one in march),
            *(("2026-05-01", *one, "due/+1") for one in march),
            *(("2026-05-31", *one, "due/+1") for one in april),
            # Fenwick and Tarn have paid March by then; Thornfield wants a reminder seven days late only; a person looks at
            # Liffey's pounds first; and Yarrow's 54.00 of credit leave it nothing to pay.
            ("2026-05-31", "fellgate", "INV-000004", "due/+28"),
            ("2026-05-31", "wexcombe", "INV-000014", "due/+28"),
        ]
    )


# ---- the facts


def of(*records: str) -> list[dict[str, Any]]:
    return [fields for chapter in chapters() for _, record, fields in chapter.facts if record in records]


def _days(chapter_facts: Iterable[Any]) -> Iterator[date]:
    for _, _, fields in chapter_facts:
        yield fields["occurred_at"].date()


def test_a_chapter_knows_nothing_that_was_said_after_its_month() -> None:
    march, april, may = chapters()
    assert (march.day, april.day, may.day) == (date(2026, 3, 31), date(2026, 4, 30), date(2026, 5, 31))
    assert max(_days(march.facts)) <= MARCH < min(_days(april.facts))
    assert max(_days(april.facts)) <= APRIL < min(_days(may.facts[len(mays_own()) :]))


def test_two_systems_disagree_and_one_corrects_itself() -> None:
    last = {
        f["system"]: f["quantity"]
        for f in sorted(of("SeatCountReported"), key=lambda f: f["as_of"])
        if f["client_id"] == "thornfield"
    }
    assert last == {"rmm": 52, "intune": 54, "entra": 55}
    corrected = Counter((f["client_id"], f["system"], f["as_of"]) for f in of("SeatCountReported"))
    assert sum(count == 2 for count in corrected.values()) == 3
    back_dated = [f for f in of("SeatCountReported") if (f["occurred_at"] - f["as_of"]).days > 7]
    assert {(f["client_id"], f["quantity"]) for f in back_dated} == {("swilly-bay", 24)}


def test_reminders_have_a_policy_for_all_and_three_exceptions() -> None:
    policies = {f["client_id"]: f for f in of("ReminderPolicySet")}
    assert set(policies) == {"*", "thornfield", "hollin-bank", "peakline"}
    assert None not in (policies["*"][name] for name in ("new_invoice", "statement", "due_offsets_days", "opted_out"))
    assert [client_id for client_id, policy in policies.items() if policy["opted_out"]] == ["peakline"]


def test_the_page_counts_all_facts(demo: Home) -> None:
    total = sum(len(chapter.facts) for chapter in chapters())
    assert f"{total} facts" in DOCS.read_text("utf-8")
    again = demo.played()
    assert f"{total} facts read, 0 recorded, {total} repeats" in " ".join(again.split())


def test_files_give_back_the_chapters_and_are_the_same_bytes_again(tmp_path: Path) -> None:
    first, second = write(tmp_path / "a"), write(tmp_path / "b")
    for chapter, files in zip(chapters(), first, strict=True):
        read_back = [(fact.topic, fact.record, fact.fields) for path in files.paths for fact in read(path)]  # type: ignore[union-attr]
        assert sorted(read_back, key=_order) == sorted(chapter.facts, key=_order)
    assert [path.read_bytes() for one in first for path in one.paths] == [p.read_bytes() for one in second for p in one.paths]


def _order(fact: Any) -> tuple[str, str]:
    return fact[1], str(sorted(fact[2].items(), key=lambda pair: pair[0]))
