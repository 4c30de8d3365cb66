"""Polls that repeat a count: seen and kept aside, and whatever comes later ends in the same state as with all of them booked."""

import random
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from consumers import polls
from domain import seat_polls
from domain.readings import SeatCountReported
from domain.seat_polls import repeats
from runs.open_day import open_day
from tests.budget import budget
from tests.evidence import saw
from tests.oracle.story import NOON, Story
from tests.oracle.world import Said
from tests.projections.office import Hashes, Office, differing

ORDERS = budget("permutations", "orders")
MAY = date(2026, 5, 31)
MIDNIGHT = datetime(2026, 5, 10, tzinfo=UTC)
NewOffice = Callable[[], Office]


def agreed(story: Story, policy: str = "daily", zone: str = "America/New_York") -> Story:
    """A client whose midnight is not UTC's, with a contract that bills the seats of `m365`."""
    return story.client("acme", time_zone=zone, revision=2).contract({**_seat_line(), "policy": policy})


def _seat_line() -> dict[str, Any]:
    return {
        "type": "SeatLine", "line_id": "S1", "description": "Seats", "account": "210", "tax_code": "GB20", "product": "m365",
        "systems": ["csp", "rmm"], "unit_price": Decimal(22), "policy": "daily", "timing": "arrears",
    }  # fmt: skip


def poll(number: int, minutes: int, quantity: int, *, system: str = "csp", revision: int = 1, later: int = 0) -> Said:
    """A count so many minutes after a midnight of UTC; its id is given by its number."""
    at = MIDNIGHT + timedelta(minutes=minutes)
    fields = {
        "event_id": str(UUID(int=number + 10_000, version=4)), "source": "csp", "occurred_at": at + timedelta(minutes=later),
        "client_id": "acme", "product": "m365", "system": system, "quantity": quantity, "as_of": at, "revision": revision,
    }  # fmt: skip
    return Said(at, "SeatCountReported", fields)


def ledger_size(office: Office) -> tuple[int, int]:
    """(counts in the book, polls kept aside)."""
    (booked,) = office.rows("SELECT count(*) FROM ledger.daybook_events WHERE topic = 'seat_count.reported.v1'")[0]
    (aside,) = office.rows("SELECT count(*) FROM ledger.seat_polls WHERE state IS NOT NULL")[0]
    return booked, aside


def took(office: Office, messages: Sequence[Said]) -> Office:
    open_day(office.book, MAY, NOON)
    for message in messages:
        office.take([message])
    return office


# ---- what is kept of a day


def test_a_day_of_polls_that_repeat_is_one_event(office: Office) -> None:
    quarter_hours = [poll(n, 15 * n, 48) for n in range(96 * 2)]
    took(office, agreed(Story()).said)
    office.take(quarter_hours)
    assert ledger_size(office) == (2, 190), "one a day of UTC"
    assert office.loop.totals.kept_aside == 190
    office.assert_settled()
    assert office.rows("SELECT as_of FROM seat_counts ORDER BY 1") == [(MIDNIGHT,), (MIDNIGHT + timedelta(days=1),)]
    assert office.rows("SELECT quantity, segment_start, segment_end FROM seat_charges WHERE quantity > 0") == [
        (48, date(2026, 5, 9), date(2026, 6, 1))
    ]


def test_a_bounce_within_a_day_is_kept_whole(office: Office) -> None:
    took(office, [poll(n, 60 * n, quantity) for n, quantity in enumerate((48, 48, 52, 52, 48, 48, 52))])
    assert ledger_size(office) == (4, 3)


def test_a_count_that_lands_before_a_repeat_makes_it_an_event_first(office: Office) -> None:
    first, repeat, late = poll(0, 60, 48), poll(1, 600, 48), poll(2, 300, 52)
    took(office, [*agreed(Story()).said, first, repeat])
    assert ledger_size(office) == (1, 1)
    office.take([late])
    assert ledger_size(office) == (3, 0)
    told = office.rows(
        "SELECT event_id::text, source_offset FROM ledger.daybook_events WHERE topic = 'seat_count.reported.v1'"
        " ORDER BY notification_id"
    )
    assert [event_id for event_id, _ in told] == [one.fields["event_id"] for one in (first, repeat, late)]
    assert [offset for _, offset in told] == sorted(offset for _, offset in told), "each with the message it came from"
    office.assert_settled()


@pytest.mark.parametrize("kept_aside", [False, True], ids=["booked", "kept aside"])
def test_a_poll_heard_again_is_a_repeat_and_with_another_body_a_conflict(office: Office, kept_aside: bool) -> None:
    first, second = poll(0, 60, 48), poll(1, 120, 48)
    office.take([first, second])
    size = ledger_size(office)
    told = second if kept_aside else first
    for loop in (office.loop, office.new_loop()):
        office.loop = loop
        before = office.loop.totals.repeats
        office.take([told, told])
        assert office.loop.totals.repeats - before == 2
        office.take([Said(told.at, told.record, {**told.fields, "quantity": 52})])
    assert ledger_size(office) == size
    assert office.rows("SELECT reason FROM ledger.dead_letters") == [("idempotency_conflict",)] * 2


def test_an_id_kept_aside_is_not_free_for_another_product(office: Office) -> None:
    office.take([poll(0, 60, 48), poll(1, 120, 48)])
    other = poll(1, 120, 48)
    office.take([Said(other.at, other.record, {**other.fields, "product": "backup"})])
    assert office.rows("SELECT reason FROM ledger.dead_letters") == [("idempotency_conflict",)]


def test_an_id_taken_elsewhere_meanwhile_does_not_stop_the_poll_kept_aside(office: Office) -> None:
    office.take([poll(0, 60, 48), poll(1, 600, 48)])
    entry = Story().entry("e", 50).said[-1]
    stolen = {**entry.fields, "event_id": poll(1, 0, 0).fields["event_id"]}
    office.take([Said(entry.at, entry.record, stolen)])
    office.take([poll(2, 300, 52)])
    assert ledger_size(office) == (3, 0)
    assert office.rows("SELECT count(*) FROM ledger.dead_letters") == [(0,)]


def test_a_correction_of_the_same_instant_is_kept_with_what_it_corrects(office: Office) -> None:
    took(office, [poll(0, 60, 48), poll(1, 120, 48), poll(2, 120, 52, revision=2), poll(3, 180, 52)])
    assert ledger_size(office) == (3, 1)


def test_what_cannot_be_is_kept_and_no_repeat_is_measured_by_it(office: Office) -> None:
    took(office, [poll(0, 60, 48), poll(1, 120, -1), poll(2, 180, -1), poll(3, 240, 48)])
    assert ledger_size(office) == (3, 1)


# ---- no order of arrival matters


def day_of_polls(rng: random.Random) -> list[Said]:
    """Polls of two systems around a local midnight: repeats, bounces, corrections, and what cannot be, at few instants."""
    found = []
    for number in range(rng.randint(6, 16)):
        found.append(
            poll(
                number, 60 * rng.randrange(-3, 36), rng.choice((48, 48, 48, 48, 52, -1)),
                system=rng.choice(("csp", "csp", "rmm")), revision=rng.choice((1, 1, 1, 2)), later=rng.choice((0, 5)),
            )
        )  # fmt: skip
    return found


def state_of(office: Office, messages: Sequence[Said], rng: random.Random) -> Hashes:
    shuffled = [*messages, *rng.choices(messages, k=2)]
    rng.shuffle(shuffled)
    open_day(office.book, MAY, NOON)
    office.take_at_random([one.message() for one in shuffled], rng)
    return office.live()


def no_repeats(_: Any) -> set[str]:
    return set()


@pytest.mark.parametrize("policy", ["daily", "peak", "ratchet"])
def test_any_order_ends_as_if_all_had_been_booked(new_office: NewOffice, monkeypatch: pytest.MonkeyPatch, policy: str) -> None:
    spared = 0
    for seed in range(ORDERS):
        rng = random.Random(f"{policy} {seed}")
        messages = [*agreed(Story(), policy).said, *day_of_polls(rng)]
        with monkeypatch.context() as patched:
            patched.setattr(polls, "repeats", no_repeats)
            all_booked = new_office()
            expected = state_of(all_booked, messages, rng)
        assert ledger_size(all_booked)[1] == 0
        for _ in range(3):
            office = new_office()
            assert differing(state_of(office, messages, rng), expected) == [], f"seed {seed}"
            assert differing(office.live(), office.fresh()) == []
            spared += ledger_size(office)[1]
    assert spared > 0, "nothing was kept aside: the test would prove nothing"
    told = f"{ORDERS} random days under {policy}, each in 3 orders: as if all were booked"
    saw(f"polls that repeat: {told}; {spared} kept aside")


def first_of_each_day(reports: Any) -> set[str]:
    """What a naive rule would keep aside: every repeat of the count that came first, without looking what lies between."""
    first: dict[Any, Any] = {}
    for one in reports:
        first.setdefault((one.system, seat_polls.poll_day(one.as_of), one.quantity), one)
    return {one.event_id for one in reports} - {one.event_id for one in first.values()}


def test_a_rule_that_forgets_what_lies_between_is_caught(new_office: NewOffice, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polls, "repeats", first_of_each_day)
    messages = [*agreed(Story()).said, poll(0, 60, 48), poll(1, 300, 52), poll(2, 600, 48)]
    naive = took(new_office(), messages).live()
    monkeypatch.undo()
    assert differing(took(new_office(), messages).live(), naive) != []


# ---- a count rates again only what it touches, by all that it takes to do so


def test_a_line_that_billed_another_product_before_is_rated_by_the_counts_of_both(office: Office) -> None:
    changed = {"product": "backup", "policy": "daily"}
    story = agreed(Story())
    story.contract({**_seat_line(), **changed}, effective_from=date(2026, 5, 16), revision=2)
    took(office, [*story.said, poll(0, 60, 48)])
    office.views.follow()
    other = poll(1, 60 * 24 * 10, 7)
    office.take([Said(other.at, other.record, {**other.fields, "product": "backup"})])
    office.assert_settled()
    assert office.rows("SELECT quantity, (segment_end - segment_start) FROM seat_charges WHERE quantity > 0") == [
        (48, 7),
        (7, 13),
    ]


def test_a_ratchet_looks_back_to_its_renewal_however_much_was_counted_since(office: Office) -> None:
    story = Story().client("acme", revision=2).contract({**_seat_line(), "policy": "ratchet", "term_months": 36},
                                                        starts_on=date(2024, 1, 1), effective_from=date(2024, 1, 1))  # fmt: skip
    day = 60 * 24
    took(office, [*story.said, poll(0, -800 * day, 90), poll(1, -799 * day, 5)])
    office.views.follow()
    for number in range(3):
        office.take([poll(2 + number, number * day, 6 + number)])
        office.views.follow()
    office.assert_settled()
    assert office.rows("SELECT DISTINCT quantity FROM seat_charges WHERE period_start = '2026-05-01'") == [(90,)]


# ---- the rule itself


def count(id_: str, hour: int, quantity: int, revision: int = 1) -> SeatCountReported:
    at = MIDNIGHT + timedelta(hours=hour)
    return SeatCountReported(
        event_id=id_, source="", occurred_at=at, client_id="acme", product="m365", system="csp", quantity=quantity, as_of=at,
        revision=revision,
    )  # fmt: skip


def test_what_repeats_is_the_same_whichever_repeats_are_at_hand() -> None:
    rng = random.Random(5)
    for _ in range(3_000):
        told = [count(str(n), rng.randrange(30), rng.choice((1, 1, 2, -1)), rng.choice((1, 2))) for n in range(rng.randrange(14))]
        again = repeats(told)
        some = [one for one in told if one.event_id not in again or rng.random() < 0.5]
        rng.shuffle(some)
        assert {one.event_id for one in some} - repeats(some) == {one.event_id for one in told} - again
