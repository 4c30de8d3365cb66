"""Any order and any repeat of the same facts ends in the same state hashes, whatever the pace of polls and views."""

import random
from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from functools import partial

import pytest

from daybook import demo_month
from domain.time_entry import Decision, Said
from projections import work
from runs.open_day import open_day
from schemas.codec import encode, key_of
from tests.budget import budget
from tests.evidence import saw
from tests.oracle.generator import Message, facts, place
from tests.oracle.story import NOON, Story, recurring
from tests.oracle.wire import read
from tests.projections.office import Hashes, Office, differing
from tests.projections.storm import Storm

MAY = date(2026, 5, 31)
ORDERS = budget("permutations", "orders")

NewOffice = Callable[[], Office]


def state_of(office: Office, messages: Sequence[Message], seed: int) -> Hashes:
    """The state after the messages in a random order, some of them twice, the day opened at a random moment."""
    rng = random.Random(seed)
    shuffled = [*messages, *rng.choices(messages, k=len(messages) // 20)]
    rng.shuffle(shuffled)
    opened_after = rng.randrange(len(shuffled))
    office.take_at_random(shuffled[:opened_after], rng)
    open_day(office.book, MAY, NOON)
    office.take_at_random(shuffled[opened_after:], rng)
    return office.live()


def in_one_go(office: Office, messages: Sequence[Message]) -> Hashes:
    """The state after the messages as they were produced, in one batch, views last."""
    open_day(office.book, MAY, NOON)
    office.take(messages)
    return office.live()


def one_by_one(office: Office, messages: Sequence[Message]) -> Hashes:
    """The state with one fact a batch, the views after each."""
    open_day(office.book, MAY, NOON)
    for message in messages:
        office.take([message])
        office.views.follow()
    return office.live()


def without_conflicts(messages: Sequence[Message]) -> list[Message]:
    """The messages but those whose event id comes with a second body: of these the first wins, so order matters."""
    placed = place(messages)
    dead = {letter[:3] for letter in read(placed).dead if letter.reason == "idempotency_conflict"}
    return [message for message, at in zip(messages, placed, strict=True) if at[:3] not in dead]


def demo() -> list[Message]:
    """The demo month as messages."""
    return [(topic, key_of(record, fields), encode(record, fields)) for topic, record, fields in demo_month.facts()]


def storm(seed: int) -> list[Message]:
    """Few things, said in every way there is."""
    storm = Storm(seed)
    return [said.message() for said in [*storm.opening(), *storm.facts(30)]]


SOURCES: dict[str, Callable[[], list[Message]]] = {
    "generated": lambda: without_conflicts(facts(17, budget("permutations", "facts"), clients=10)),
    "demo": demo,
    **{f"storm {seed}": partial(storm, seed) for seed in (1, 2, 3, 4)},
}


@pytest.mark.parametrize("source", SOURCES)
def test_any_order_of_arrival_ends_in_the_same_state(new_office: NewOffice, source: str) -> None:
    messages = SOURCES[source]()
    first = new_office()
    expected = in_one_go(first, messages)
    assert source.startswith("storm") or first.rows("SELECT count(*) FROM charges WHERE rated_minor <> 0")[0][0] > 0
    for seed in range(ORDERS):
        assert differing(state_of(new_office(), messages, seed), expected) == [], f"order {seed}"
    saw(f"permutations: {source}, {len(messages)} messages in {ORDERS} shuffled orders with repeats: one set of state hashes")


def test_a_second_delivery_of_everything_changes_nothing(office: Office) -> None:
    messages = demo()
    before = in_one_go(office, messages)
    batches = office.rows("SELECT max(last_id) FROM ledger.batches")
    office.loop = office.new_loop()
    assert state_of(office, messages, 1) == before
    assert office.rows("SELECT max(last_id) FROM ledger.batches") == batches


# ---- stories in which order could matter


def approval_before_entry() -> Story:
    return Story().decide("Approved", "e").entry("e", 50, approve=False).decide("Rejected", "f").entry("f", 20, approve=False)


def withdrawal_before_log() -> Story:
    return Story().say("TimeEntryWithdrawn", client_id="acme", time_entry_id="e", revision=2).entry("e", 50)


def two_clients_claim_one_id() -> Story:
    other = Story().client("other").entry("e", 50).entry("e", 20, client_id="other", at=NOON, approve=False)
    return other.decide("Approved", "e", client_id="other")


def contract_after_entries() -> Story:
    lines = [recurring("310"), {"type": "RateLine", "line_id": "R", "charge_type": "REMOTE", "rates": {"GBP": Decimal(80)}}]
    return Story().entry("e", 50).entry("f", 20, ticket_id="t").contract(*lines)


def tax_code_last() -> Story:
    return Story().entry("e", 50).charge_type("ODD", tax_code="LATE").entry("f", 50, charge_type="ODD").tax_code("LATE", "5")


def charge_type_back_dated() -> Story:
    story = Story().entry("e", 50).entry("f", 50, worked_on=date(2026, 5, 4))
    return story.charge_type("REMOTE", "130", revision=2, effective_from=date(2026, 5, 10))


def scope_moves_from_entry_to_ticket() -> Story:
    story = Story(minimum_minutes=60).entry("e", 20, ticket_id="t").entry("f", 20, ticket_id="t")
    return story.charge_type("REMOTE", revision=2, rounding_scope="ticket", minimum_minutes=60)


def entries_move_between_tickets() -> Story:
    story = Story(rounding_scope="ticket", minimum_minutes=60)
    for name, ticket in (("a", "t1"), ("b", "t1"), ("c", "t2")):
        story.entry(name, 25, ticket_id=ticket)
    story.entry("a", 25, ticket_id="t2", revision=2).entry("c", 30, ticket_id="t1", revision=2)
    return story.entry("b", 25, ticket_id=None, revision=2)


def client_defined_last() -> Story:
    return Story().entry("e", 50, client_id="new").decide("Approved", "e", client_id="new").client("new")


def three_revisions_and_their_decisions() -> Story:
    story = Story().entry("e", 10).entry("e", 20, revision=2).entry("e", 30, revision=3, approve=False)
    return story.decide("Rejected", "e", 3, at=NOON).decide("Approved", "e", 3, at=NOON).decide("Approved", "e", 9)


def two_starts_of_one_contract() -> Story:
    story = Story().contract(recurring("310"))
    for revision, starts_on in ((2, date(2026, 2, 1)), (3, date(2026, 3, 1))):
        story.contract(recurring("290"), revision=revision, starts_on=starts_on, effective_from=starts_on)
    return story


def charge_in_two_currencies() -> Story:
    charge = {
        "client_id": "acme", "charge_id": "c", "description": "switch", "charged_on": date(2026, 5, 4),
        "quantity": Decimal(1), "unit": "each", "unit_price": Decimal(90), "account": "300", "at": NOON,
    }  # fmt: skip
    story = Story().say("ChargeLogged", revision=1, currency="GBP", **charge)
    return story.say("ChargeAmended", revision=2, currency="EUR", **charge)


STORIES = (
    approval_before_entry, withdrawal_before_log, two_clients_claim_one_id, contract_after_entries, tax_code_last,
    charge_type_back_dated, scope_moves_from_entry_to_ticket, entries_move_between_tickets, client_defined_last,
    three_revisions_and_their_decisions, two_starts_of_one_contract, charge_in_two_currencies,
)  # fmt: skip


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_no_order_of_a_story_matters(new_office: NewOffice, story: Callable[[], Story]) -> None:
    told = [said.message() for said in story().said]
    expected = in_one_go(new_office(), told)
    assert differing(one_by_one(new_office(), told), expected) == []
    assert differing(one_by_one(new_office(), told[::-1]), expected) == []
    for seed in range(max(2, ORDERS // 4)):
        assert differing(state_of(new_office(), told, seed), expected) == [], f"order {seed}"


def test_whose_entry_it_is_does_not_depend_on_who_came_first(new_office: NewOffice) -> None:
    told = [said.message() for said in two_clients_claim_one_id().said]
    for messages in (told, list(reversed(told))):
        office = new_office()
        in_one_go(office, messages)
        assert office.rows("SELECT client_id, reason FROM waiting") == [("acme", "client_changed")]
        assert office.rows("SELECT client_id, item_key FROM charges") == [("other", "time/e")]


# ---- would these tests notice?


def outranked_by_arrival(decision: Decision, other: Decision) -> bool:
    return True


def last_word_wins(said: Said, other: Said | None) -> bool:
    return True


@pytest.mark.parametrize(
    ("story", "planted"),
    [
        (three_revisions_and_their_decisions, (Decision, "outranks", outranked_by_arrival)),
        (entries_move_between_tickets, (Said, "outranks", last_word_wins)),
        (two_clients_claim_one_id, (work, "_newly_said", lambda entries: [])),
        (entries_move_between_tickets, (work, "_tickets", lambda entries, keys: set())),
    ],
    ids=["last decision", "last statement", "claims not looked at", "old tickets not looked at"],
)
def test_a_fold_that_depends_on_order_is_caught(
    new_office: NewOffice, monkeypatch: pytest.MonkeyPatch, story: Callable[[], Story], planted: tuple[object, str, object]
) -> None:
    monkeypatch.setattr(*planted)
    with pytest.raises(AssertionError):
        test_no_order_of_a_story_matters(new_office, story)


def test_difference_is_told_by_view(new_office: NewOffice) -> None:
    told = [said.message() for said in contract_after_entries().said]
    whole, part = in_one_go(new_office(), told), in_one_go(new_office(), told[:-1])
    assert differing(whole, part) == ["charges", "due_lines", "invoicing_queue", "terms"]
    assert differing(whole, dict(whole)) == []
