"""Which of several states counts on a day (product D5), and when a contract's terms can be read."""

from datetime import UTC, date, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest

from domain.contract_terms import charge_type_fault, client_fault, contract_of_entry, contract_period, serving
from domain.repeats import Heard, hear
from domain.terms import catalogue_of, client_effective_from, client_terms, latest
from tests.saying import say

NOON = datetime(2026, 5, 20, 12, tzinfo=UTC)


def revision(number: int, since: str, at: datetime = NOON, event_id: str | None = None, **given: Any) -> Any:
    return say("ClientDefined", revision=number, effective_from=since, at=at, event_id=event_id, **given)


def test_greatest_effective_day_by_then_counts_whatever_was_sent_later() -> None:
    march, january = revision(1, "2026-03-01", name="March"), revision(2, "2026-01-01", name="January")
    for order in permutations([march, january]):
        states = client_terms("acme", order).states
        assert [states.first_or_on(date(2026, m, 1)).name for m in (1, 2, 3, 4)] == ["January", "January", "March", "March"]
        assert states.on(date(2025, 12, 31)) is None
        assert states.first_or_on(date(2025, 12, 31)).name == "January", "the first counts from ever"


@pytest.mark.parametrize(
    ("less", "more"),
    [
        (revision(1, "2026-01-01", NOON + timedelta(days=9)), revision(2, "2026-01-01", NOON)),
        (revision(1, "2026-01-01", NOON), revision(1, "2026-01-01", NOON + timedelta(seconds=1))),
        (
            revision(1, "2026-01-01", event_id="00000000-0000-4000-8000-0000000000aa"),
            revision(1, "2026-01-01", event_id="00000000-0000-4000-8000-0000000000ab"),
        ),
    ],
)
def test_from_one_day_on_revision_then_instant_then_id_decide(less: Any, more: Any) -> None:
    for order in ([less, more], [more, less]):
        assert client_terms("acme", order).states.states == (more,)
        assert latest(order) is more


def test_name_and_terms_are_the_last_revisions_whenever_it_counts_from() -> None:
    terms = client_terms("acme", [revision(2, "2027-01-01", name="New"), revision(1, "2026-01-01", name="Old")])
    assert terms.latest is not None
    assert terms.latest.name == "New"


@pytest.mark.parametrize(("zone", "day"), [("Europe/London", 20), ("Pacific/Auckland", 21), ("No/Where", 20)])
def test_state_without_a_day_counts_from_the_local_day_it_was_said(zone: str, day: int) -> None:
    state = say("ClientDefined", effective_from=None, time_zone=zone, at=NOON + timedelta(hours=2))
    assert client_effective_from(state) == date(2026, 5, day)


def test_catalogue_depends_on_no_order() -> None:
    said = [
        say("ProviderDefined"), say("ProviderDefined", revision=2), say("ChargeTypeDefined"),
        say("ChargeTypeDefined", revision=2, effective_from="2026-05-01"), say("TaxCodeDefined"), say("InvoiceSeriesDefined"),
    ]  # fmt: skip
    assert all(catalogue_of(order) == catalogue_of(said) for order in permutations(said))


def contract(**given: Any) -> Any:
    return say("ContractDefined", **given)


@pytest.mark.parametrize(
    ("state", "first", "last"),
    [
        ({}, date(2026, 1, 1), None),
        ({"starts_on": "2026-02-10"}, date(2026, 2, 10), None),
        ({"effective_from": "2026-03-01"}, date(2026, 3, 1), None),
        ({"ends_on": "2026-04-30"}, date(2026, 1, 1), date(2026, 4, 30)),
    ],
)
def test_contract_serves_from_its_first_to_its_last_day(state: dict[str, Any], first: date, last: date | None) -> None:
    states = client_terms("acme", [contract(**state)]).contracts["C1"]
    assert serving(states, first - timedelta(days=1)) is None
    assert serving(states, first) is not None
    if last is not None:
        assert serving(states, last) is not None
        assert serving(states, last + timedelta(days=1)) is None


def test_entry_without_a_name_takes_the_default_the_only_one_or_none() -> None:
    day = date(2026, 5, 20)
    assert contract_of_entry(client_terms("acme", []), None, day) is None
    assert contract_of_entry(client_terms("acme", []), "C1", day) == "contract_not_in_force"
    two = [contract(contract_id="A", is_default=False), contract(contract_id="B", is_default=False)]
    assert contract_of_entry(client_terms("acme", two), None, day) == "which_contract"
    found = contract_of_entry(client_terms("acme", [*two, contract(contract_id="C")]), None, day)
    assert getattr(found, "contract_id", None) == "C"


def test_contract_period_across_a_change_of_frequency() -> None:
    states = client_terms(
        "acme", [contract(), contract(revision=2, effective_from="2026-03-15", frequency="quarterly")]
    ).contracts["C1"]
    found = [contract_period(states, date(2026, month, 20)) for month in (3, 4, 6)]
    assert [(p.start, p.end) for p in found if p] == [
        (date(2026, 3, 1), date(2026, 4, 1)), (date(2026, 4, 1), date(2026, 7, 1)), (date(2026, 4, 1), date(2026, 7, 1)),
    ]  # fmt: skip
    assert contract_period(states, date(2025, 12, 31)) is None


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({}, None), ({"currency": "QQQ"}, "unknown_value"), ({"time_zone": "No/Where"}, "unknown_value"),
        ({"status": "asleep"}, "unknown_value"), ({"payment_terms_days": -1}, "impossible_value"),
    ],
)  # fmt: skip
def test_client_that_cannot_be_used(given: dict[str, Any], fault: str | None) -> None:
    assert client_fault(say("ClientDefined", **given)) == fault


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({}, None), ({"rounding": "sideways"}, "unknown_value"), ({"rounding_scope": "day"}, "unknown_value"),
        ({"rates": {"QQQ": "1"}}, "unknown_value"), ({"minimum_minutes": -1}, "impossible_value"),
        ({"increment_minutes": -1}, "impossible_value"), ({"rates": {"GBP": "-1"}}, "impossible_value"),
    ],
)  # fmt: skip
def test_charge_type_that_cannot_be_used(given: dict[str, Any], fault: str | None) -> None:
    assert charge_type_fault(say("ChargeTypeDefined", **given)) == fault


@pytest.mark.parametrize(
    ("known", "same_body", "heard"),
    [(False, None, Heard.NEW), (True, True, Heard.REPEAT), (True, None, Heard.REPEAT), (True, False, Heard.CONFLICT)],
)
def test_fact_is_news_once(known: bool, same_body: bool | None, heard: Heard) -> None:
    assert hear(known, same_body) is heard
