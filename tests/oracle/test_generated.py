"""Generated histories: the same for a seed, every oddity in them, no order that matters, and no bug that hides."""

import random
import time
from collections import Counter
from dataclasses import replace
from datetime import date

import pytest

from .generator import facts, murmur2, place
from .oracle import Expected, Invoiced, Produced, expected, expected_after_invoicing
from .poison import KINDS
from .posted import posted_from_lines
from .rules import PRODUCT

MAY = date(2026, 5, 31)


@pytest.fixture(scope="module")
def heap() -> list[Produced]:
    """A small generated history in 12 partitions."""
    return place(facts(3, 4_000))


@pytest.fixture(scope="module")
def answer(heap: list[Produced]) -> Expected:
    """What is expected of it."""
    return expected(heap, MAY)


def test_the_generator_is_deterministic_and_exact() -> None:
    assert facts(5, 2_000) == facts(5, 2_000) != facts(6, 2_000)
    assert len(facts(5, 2_000)) == 2_000


def test_every_poison_kind_is_dead_for_its_reason(heap: list[Produced], answer: Expected) -> None:
    counted = Counter(letter.reason for letter in answer.dead)
    assert counted.keys() == set(KINDS.values())
    assert len(heap) == 4_000
    assert not any("POISON" in item_key for _, item_key in answer.items)
    assert sum(message.value is None for message in heap) == 2


def test_the_generator_reaches_every_reason_and_kind_of_item() -> None:
    answer = expected(place(facts(1, 20_000)), MAY)
    reached = {row.reason for row in answer.waiting}
    assert {"awaiting_approval", "rejected", "client_changed", "unknown_client", "unknown_charge_type"} <= reached
    assert {"unknown_tax_code", "unknown_value", "which_contract", "contract_not_in_force"} <= reached
    assert {"no_rate", "impossible_value", "not_yet_supported", "ambiguous_line"} <= reached
    assert {item_key.split("/")[0] for _, item_key in answer.items} == {"time", "ticket", "line"}


def test_no_order_of_arrival_changes_the_answer(heap: list[Produced], answer: Expected) -> None:
    order = random.Random(1)
    conflicts = {(d.topic, d.partition, d.offset) for d in answer.dead if d.reason == "idempotency_conflict"}
    rest = [message for message in heap if message[:3] not in conflicts]
    for _ in range(3):
        order.shuffle(rest)
        shuffled = expected(place([(m.topic, m.key, m.value) for m in rest]), MAY)
        assert shuffled.lines == answer.lines
        assert shuffled.waiting == answer.waiting
        assert shuffled.queue == answer.queue
        assert shuffled.recorded == answer.recorded


def test_total_billed_does_not_depend_on_when_runs_were_made(heap: list[Produced], answer: Expected) -> None:
    half = [m for m in heap if m.topic != "daybook.time"] + [m for m in heap if m.topic == "daybook.time"][:1_500]
    first = expected(half, date(2026, 4, 30))
    invoiced = Invoiced().then(posted_from_lines(first.lines, date(2026, 4, 30)), first)
    second = expected_after_invoicing(heap, MAY, invoiced)
    invoiced = invoiced.then(posted_from_lines(second.lines, MAY), second)
    assert expected_after_invoicing(heap, MAY, invoiced).lines == []
    undecided = {
        item
        for row in second.waiting
        if row.reason == "amended_after_invoicing"
        for item in invoiced.items_of(row.client_id, row.id)
    }
    posted: Counter[tuple[str, str]] = Counter()
    for line in invoiced.lines:
        posted[line.client_id, line.item_key] += line.net_minor
    for key in {*posted, *answer.items} - undecided:
        assert posted[key] == (answer.items[key].net_minor if key in answer.items else 0), key


BUGS = {
    "half": "even",
    "recurring_rounding": "each",
    "nonstandard_client_code_wins": False,
    "contract_currency_wins": False,
    "rate_day": "as_of",
    "state_order": ("revision", "effective_from", "occurred_at", "event_id"),
    "month_end": "drift",
    "part_period_days": "part",
    "last_day_served": False,
    "closed_opens_no_period": False,
    "minimum_for_zero": True,
    "minimum_first": False,
    "ticket_rounding": "entry",
    "fixed_minutes_as_they_are": False,
    "tie_wins": "TimeEntryApproved",
    "decision_belongs_to_revision": False,
    "only_one_contract_is_enough": False,
    "unapproved_currency": "client",
}


@pytest.fixture(scope="module")
def large() -> tuple[list[Produced], Expected]:
    """Enough history to meet every rule."""
    messages = place(facts(2, 12_000))
    return messages, expected(messages, MAY)


@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_changes_the_answer(bug: str, large: tuple[list[Produced], Expected]) -> None:
    messages, right = large
    wrong = expected(messages, MAY, replace(PRODUCT, **{bug: BUGS[bug]}))
    assert (wrong.lines, wrong.waiting, wrong.queue) != (right.lines, right.waiting, right.queue)


def test_keys_land_where_kafka_puts_them() -> None:
    known = {b"21": -973932308, b"foobar": -790332482, b"a-little-bit-long-string": -985981536}
    assert {key: murmur2(key) - (1 << 32) if murmur2(key) >> 31 else murmur2(key) for key in known} == known


def test_fifty_thousand_messages_take_less_than_twenty_seconds() -> None:
    began = time.process_time()
    answer = expected(place(facts(1, 50_000)), MAY)
    assert time.process_time() - began < 20
    assert len(answer.recorded) == 47_000
