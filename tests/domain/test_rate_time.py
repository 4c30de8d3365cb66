"""What approved time is worth, and why it waits (product T1-T8, D1-D5)."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from given import JUNE, MAY, Given, plain, usual

from domain.rated import REASONS
from tests.saying import Row, approved, line, said


def hourly(minutes: int = 60, **charge_type: Any) -> Given:
    return Given(usual(), said("ChargeTypeDefined", revision=2, **charge_type), approved(worked_minutes=minutes))


def shown(given: Given, key: str = "time/e1", as_of: date = MAY) -> tuple[str, str, int]:
    (rated,) = given.rated(as_of)[key].lines
    return plain(rated.quantity), plain(rated.unit_price), rated.amount_minor


# ---- T1, M3: minutes and amounts ----


def test_fifty_minutes_at_93_03_are_77_53() -> None:
    assert shown(hourly(50, rates={"GBP": "93.03"})) == ("0.83333333", "93.03", 7753)


def test_three_twenties_at_100_are_99_99() -> None:
    books = Given(usual(), said("ChargeTypeDefined", revision=2, rates={"GBP": "100"}))
    books.also(*(approved(f"e{n}", worked_minutes=20) for n in range(3)))
    assert sorted(books.amounts().values()) == [3333, 3333, 3333]
    (document,) = books.run()
    assert document.net_minor == 9999


@pytest.mark.parametrize(
    ("worked", "deducted", "minimum", "increment", "rounding", "hours", "amount"),
    [
        (50, 0, 60, 60, "up", "1", 15000),
        (61, 0, 60, 60, "up", "2", 30000),
        (60, 10, 0, 15, "up", "1", 15000),
        (60, 16, 0, 15, "down", "0.5", 7500),
        (52, 0, 0, 15, "nearest", "0.75", 11250),
        (53, 0, 0, 15, "nearest", "1", 15000),
        (0, 0, 60, 60, "up", "0", 0),
        (30, 30, 60, 60, "up", "0", 0),
        (37, 0, 0, 0, "up", "0.61666667", 9250),
    ],
)
def test_worked_less_deducted_is_raised_to_the_minimum_and_put_on_the_grid(
    worked: int, deducted: int, minimum: int, increment: int, rounding: str, hours: str, amount: int
) -> None:
    books = hourly(minimum_minutes=minimum, increment_minutes=increment, rounding=rounding)
    books.also(approved(revision=2, worked_minutes=worked, deducted_minutes=deducted))
    assert shown(books) == (hours, "150", amount)


def tickets(*minutes: int, scope: str, **charge_type: Any) -> Given:
    grid = {"minimum_minutes": 60, "increment_minutes": 60, "rounding": "up"} | charge_type
    books = Given(usual(), said("ChargeTypeDefined", revision=2, rounding_scope=scope, **grid))
    return books.also(*(approved(f"e{n}", ticket_id="T1", worked_minutes=m) for n, m in enumerate(minutes)))


def test_three_entries_are_three_hours_each_by_itself_and_two_by_the_ticket() -> None:
    assert sum(tickets(45, 45, 5, scope="entry").amounts().values()) == 3 * 15000
    assert tickets(45, 45, 5, scope="ticket").amounts() == {"ticket//T1/REMOTE/2026-05-01": 2 * 15000}


# ---- T2: tickets ----


def test_ticket_scope_without_a_ticket_is_entry_scope() -> None:
    books = Given(usual(), said("ChargeTypeDefined", revision=2, rounding_scope="ticket"), approved())
    assert list(books.rated()) == ["time/e1"]


def test_ticket_is_rated_at_the_first_entrys_day_whatever_its_order() -> None:
    books = Given(usual(), said("ChargeTypeDefined", revision=2, rounding_scope="ticket"))
    books.also(said("ChargeTypeDefined", revision=3, rounding_scope="ticket", effective_from="2026-05-10", rates={"GBP": "200"}))
    books.also(approved("late", ticket_id="T1", worked_on="2026-05-12"))
    books.also(approved("early", ticket_id="T1", worked_on="2026-05-09"))
    assert shown(books, "ticket//T1/REMOTE/2026-05-01") == ("2", "150", 30000)


def test_ticket_goes_by_contract_period_and_by_month_without_a_contract() -> None:
    days = {"a": "2026-05-14", "b": "2026-05-15", "c": "2026-06-02"}
    entries = [approved(name, ticket_id="T/1", worked_on=day) for name, day in days.items()]
    alone = Given(usual(), said("ChargeTypeDefined", revision=2, rounding_scope="ticket"), *entries)
    assert sorted(alone.rated(JUNE)) == ["ticket//T%2F1/REMOTE/2026-05-01", "ticket//T%2F1/REMOTE/2026-06-01"]
    alone.also(said("ContractDefined", anchor_day=15))
    assert sorted(alone.rated(JUNE)) == ["ticket/C1/T%2F1/REMOTE/2026-04-15", "ticket/C1/T%2F1/REMOTE/2026-05-15"]


def test_later_entry_of_a_billed_ticket_bills_the_difference_even_at_nothing() -> None:
    books = tickets(45, scope="ticket")
    books.run()
    books.also(approved("e7", ticket_id="T1", worked_minutes=10))
    key = "ticket//T1/REMOTE/2026-05-01"
    assert books.shown() == [(key, "0", "150", 0)]
    books.run()
    assert books.due() == []
    books.also(approved("e8", ticket_id="T1", worked_minutes=10))
    assert books.shown() == [(key, "1", "150", 15000)]


def test_ticket_entry_after_the_day_looked_at_counts_from_its_day_on() -> None:
    books = Given(
        usual(), said("ChargeTypeDefined", revision=2, rounding_scope="ticket"), said("ContractDefined", frequency="quarterly")
    )
    books.also(approved("april", ticket_id="T1", worked_on="2026-04-28"), approved("may", ticket_id="T1", worked_on="2026-05-05"))
    april = date(2026, 4, 30)
    assert books.amounts(april) == {"ticket/C1/T1/REMOTE/2026-04-01": 15000}
    assert books.amounts(MAY) == {"ticket/C1/T1/REMOTE/2026-04-01": 30000}
    books.run(MAY)
    assert books.due(april) == [], "after May was invoiced an earlier day shows nothing negative"


def test_minutes_of_a_waiting_member_stay_at_the_terms_they_were_invoiced_at() -> None:
    books = Given(usual(), said("ChargeTypeDefined", revision=2, rounding_scope="ticket"))
    books.also(said("ChargeTypeDefined", revision=3, rounding_scope="ticket", effective_from="2026-05-10", rates={"GBP": "200"}))
    books.also(approved("a", ticket_id="T1", worked_on="2026-05-09"), approved("b", ticket_id="T1", worked_on="2026-05-12"))
    books.run()
    books.also(said("TimeEntryAmended", time_entry_id="a", ticket_id="T2", worked_minutes=90))
    assert books.due() == []
    assert books.waiting == {"a": "amended_after_invoicing"}
    books.also(said("TimeEntryRejected", time_entry_id="b", at=datetime(2026, 6, 2, tzinfo=UTC)))
    assert books.shown() == [("ticket//T1/REMOTE/2026-05-01", "-1", "150", -15000)], "only the rejected one is credited"


# ---- T3 ----


@pytest.mark.parametrize(("minutes", "hours", "amount"), [(7, "0.11666667", 1750), (0, "0", 0), (600, "10", 150000)])
def test_minutes_fixed_by_the_approval_are_taken_as_they_are(minutes: int, hours: str, amount: int) -> None:
    books = Given(usual(), said("ChargeTypeDefined", revision=2, minimum_minutes=60, increment_minutes=60))
    assert shown(books.also(approved(billable_minutes=minutes))) == (hours, "150", amount)


def test_fixed_minutes_stand_beside_the_rounded_ones_of_a_ticket() -> None:
    books = tickets(45, scope="ticket").also(approved("f", ticket_id="T1", worked_minutes=45, billable_minutes=5))
    assert shown(books, "ticket//T1/REMOTE/2026-05-01") == ("1.08333333", "150", 16250)


# ---- T5: which contract ----

CONTRACTS: dict[str, list[Row]] = {
    "none": [],
    "one": [said("ContractDefined", is_default=False, currency="EUR")],
    "default": [said("ContractDefined", contract_id="C2", is_default=False), said("ContractDefined", currency="EUR")],
    "several": [said("ContractDefined", contract_id=name, is_default=False) for name in ("C1", "C2")],
    "two defaults": [said("ContractDefined", contract_id=name) for name in ("C1", "C2")],
    "ended": [said("ContractDefined", is_default=False, currency="EUR", ends_on="2026-05-19")],
    "last day": [said("ContractDefined", is_default=False, currency="EUR", ends_on="2026-05-20")],
    "not begun": [said("ContractDefined", starts_on="2026-05-21", effective_from="2026-05-01")],
}


@pytest.mark.parametrize(
    ("contracts", "named", "outcome"),
    [
        ("none", None, "GBP"), ("one", None, "EUR"), ("default", None, "EUR"), ("several", None, "which_contract"),
        ("two defaults", None, "which_contract"), ("ended", None, "GBP"), ("last day", None, "EUR"),
        ("not begun", None, "GBP"), ("default", "C2", "GBP"), ("one", "C9", "contract_not_in_force"),
        ("ended", "C1", "contract_not_in_force"), ("last day", "C1", "EUR"), ("not begun", "C1", "contract_not_in_force"),
    ],
)  # fmt: skip
def test_contract_of_an_entry(contracts: str, named: str | None, outcome: str) -> None:
    rates = said("ChargeTypeDefined", revision=2, rates={"GBP": "150", "EUR": "170"})
    books = Given(usual(), rates, CONTRACTS[contracts], approved(contract_id=named))
    items = books.rated()
    time = items.get("time/e1")
    assert (time.lines[0].currency if time else books.waiting["e1"]) == outcome


# ---- rates ----


@pytest.mark.parametrize(("worked_on", "rate"), [("2026-05-09", "150"), ("2026-05-10", "160"), ("2026-05-31", "160")])
def test_rate_is_the_one_in_force_on_the_day_worked(worked_on: str, rate: str) -> None:
    books = hourly(effective_from="2026-05-10", rates={"GBP": "160"}).also(approved(revision=3, worked_on=worked_on))
    assert shown(books)[1] == rate


def test_state_sent_later_for_january_does_not_replace_an_earlier_sent_one_for_march() -> None:
    books = Given(usual(), said("ChargeTypeDefined", revision=2, effective_from="2026-03-01", rates={"GBP": "160"}))
    books.also(said("ChargeTypeDefined", revision=3, effective_from="2026-01-01", rates={"GBP": "155"}))
    assert shown(books.also(approved()))[1] == "160"
    assert shown(books.also(approved(revision=2, worked_on="2026-02-01")))[1] == "155"


@pytest.mark.parametrize(
    ("lines", "outcome"),
    [
        ([line("RateLine")], "120"),
        ([line("RateLine", charge_type="ONSITE")], "150"),
        ([line("RateLine", ends_on="2026-05-19")], "150"),
        ([line("RateLine", starts_on="2026-05-20")], "120"),
        ([line("RateLine"), line("RateLine", line_id="R2")], "ambiguous_line"),
        ([line("RateLine", ends_on="2026-05-19"), line("RateLine", line_id="R2", rates={"GBP": "99.5"})], "99.5"),
        ([line("RateLine", rates={"EUR": "99.5"})], "no_rate"),
        ([line("RateLine", rates={"GBP": "-1"})], "impossible_value"),
        ([line("AllowanceLine")], "not_yet_supported"),
        ([line("AllowanceLine", charge_types=["ONSITE"])], "150"),
        ([line("AllowanceLine", ends_on="2026-05-19")], "150"),
        ([line("FixedPriceLine")], "150"),
    ],
)
def test_contract_lines_change_the_rate_or_cover_the_time(lines: list[dict[str, Any]], outcome: str) -> None:
    books = Given(usual(), said("ContractDefined", lines=lines), approved())
    item = books.rated().get("time/e1")
    assert (plain(item.lines[0].unit_price) if item else books.waiting["e1"]) == outcome


def test_rate_line_gives_its_account_and_tax_code() -> None:
    books = Given(usual(), said("TaxCodeDefined", code="LOW", rate="5"), approved())
    books.also(said("ContractDefined", lines=[line("RateLine", account="215", tax_code="LOW")]))
    (rated,) = books.rated()["time/e1"].lines
    assert (rated.account, rated.tax_code) == ("215", "LOW")


def test_project_time_bundled_into_a_fixed_price_waits() -> None:
    books = Given(usual(), said("ContractDefined", lines=[line("FixedPriceLine")]), approved(project_id="P1"))
    books.rated()
    assert books.waiting["e1"] == "not_yet_supported"


# ---- T6, T7: what waits ----

FIRST: dict[str, list[Row]] = {"never invoiced": [], "invoiced before": approved(ticket_id="T1")}
SECOND: dict[str, list[Row]] = {
    "approved": approved(revision=2, worked_minutes=90, ticket_id="T1"),
    "undecided": [said("TimeEntryAmended", worked_minutes=90, ticket_id="T1")],
    "rejected": [said("TimeEntryAmended", worked_minutes=90, ticket_id="T1"), said("TimeEntryRejected", revision=2)],
    "withdrawn": [said("TimeEntryLogged", ticket_id="T1"), said("TimeEntryWithdrawn", revision=2)],
}


@pytest.mark.parametrize("scope", ["entry", "ticket"])
@pytest.mark.parametrize(
    ("before", "latest", "due_minor", "waiting"),
    [
        ("never invoiced", "approved", 22500, None),
        ("never invoiced", "undecided", 0, "awaiting_approval"),
        ("never invoiced", "rejected", 0, "rejected"),
        ("never invoiced", "withdrawn", 0, None),
        ("invoiced before", "approved", 7500, None),
        ("invoiced before", "undecided", 0, "amended_after_invoicing"),
        ("invoiced before", "rejected", -15000, None),
        ("invoiced before", "withdrawn", -15000, None),
    ],
)
def test_what_becomes_of_the_latest_revision(scope: str, before: str, latest: str, due_minor: int, waiting: str) -> None:
    books = Given(usual(), said("ChargeTypeDefined", revision=2, rounding_scope=scope), FIRST[before])
    books.run()
    books.also(SECOND[latest])
    assert sum(one.line.amount_minor for one in books.due()) == due_minor
    assert books.waiting == ({"e1": waiting} if waiting else {})


@pytest.mark.parametrize("scope", ["entry", "ticket"])
def test_entry_that_was_credited_was_invoiced_before_all_the_same(scope: str) -> None:
    books = Given(usual(), said("ChargeTypeDefined", revision=2, rounding_scope=scope), approved(ticket_id="T1"))
    books.also(approved("other", ticket_id="T1"))
    books.run()
    books.also(said("TimeEntryRejected", at=datetime(2026, 6, 1, tzinfo=UTC)))
    books.run()
    books.also(said("TimeEntryAmended", ticket_id="T1", worked_minutes=90))
    assert books.due() == []
    assert books.waiting == {"e1": "amended_after_invoicing"}
    books.also(said("TimeEntryApproved", revision=2))
    assert [one.line.amount_minor for one in books.due()] == [22500]
    books.run()
    assert books.due() == []


def test_second_claimant_of_an_entry_id_waits() -> None:
    books = Given(usual(), approved(), foreign=["e1"])
    assert books.rated() == {}
    assert books.waiting == {"e1": "client_changed"}


@pytest.mark.parametrize(
    "changes",
    [
        {"worked_minutes": -1},
        {"deducted_minutes": -1},
        {"worked_minutes": 10, "deducted_minutes": 11},
        {"billable_minutes": -1},
        {"started_at": datetime(2026, 5, 20, 10, tzinfo=UTC), "ended_at": datetime(2026, 5, 20, 9, tzinfo=UTC)},
    ],
)
@pytest.mark.parametrize("billable", [True, False])
def test_impossible_values_wait(changes: dict[str, Any], billable: bool) -> None:
    books = Given(usual(), said("ChargeTypeDefined", revision=2, billable=billable), approved(**changes))
    assert books.rated() == {}
    assert books.waiting == {"e1": "impossible_value"}


def test_non_billable_time_makes_no_line_and_is_credited_when_it_was_one() -> None:
    books = Given(usual(), approved())
    books.run()
    books.also(said("ChargeTypeDefined", code="INTERNAL", billable=False), approved(revision=2, charge_type="INTERNAL"))
    assert books.shown() == [("time/e1", "-1", "150", -15000)]


ODD: dict[str, tuple[list[Row], dict[str, Any]]] = {
    "unknown_client": ([], {}),
    "unknown_charge_type": ([], {"charge_type": "NOBODY"}),
    "unknown_tax_code": ([said("ChargeTypeDefined", revision=2, tax_code="NOBODY")], {}),
    "unknown_value": ([said("ChargeTypeDefined", revision=2, rounding="sideways")], {}),
    "which_contract": (CONTRACTS["several"], {}),
    "contract_not_in_force": ([], {"contract_id": "C9"}),
    "no_rate": ([said("ChargeTypeDefined", revision=2, rates={"USD": "1"})], {}),
    "impossible_value": ([], {"worked_minutes": -1}),
    "ambiguous_line": (
        [said("ContractDefined", is_default=False, lines=[line("RateLine"), line("RateLine", line_id="R2")])],
        {},
    ),
    "not_yet_supported": ([said("ChargeTypeDefined", revision=2, out_of_hours={"multiplier": "1.5"})], {}),
}


@pytest.mark.parametrize("reason", ODD)
def test_each_reason_for_which_approved_time_waits(reason: str) -> None:
    rows, fields = ODD[reason]
    books = Given(usual() if reason != "unknown_client" else usual()[:-1], rows, approved(**fields))
    assert books.rated() == {}
    assert books.waiting["e1"] == reason


def test_several_reasons_show_the_first_in_order() -> None:
    """Whatever else is wrong, the order of `REASONS` decides; each pair is said at once."""
    names = [name for name in ODD if name not in ("unknown_client", "unknown_charge_type")]
    for one in names:
        for other in names:
            if REASONS.index(one) >= REASONS.index(other) or {one, other} in UNABLE:
                continue
            books = Given(usual(), _merged(ODD[one][0], ODD[other][0]), approved(**ODD[one][1], **ODD[other][1]))
            books.rated()
            assert books.waiting["e1"] == one, f"{one} before {other}"


UNABLE: list[set[str]] = [
    {"which_contract", "contract_not_in_force"},  # an entry names a contract or none
    {"which_contract", "ambiguous_line"},  # lines are those of the one contract
    {"contract_not_in_force", "ambiguous_line"},
    {"no_rate", "ambiguous_line"},
]


def _merged(first: list[Row], second: list[Row]) -> list[Row]:
    """Two sets of facts, those that define the charge type anew being one."""
    rows = [*first, *second]
    types = [fields for _, record, fields in rows if record == "ChargeTypeDefined"]
    if len(types) < 2:
        return rows
    usual_fields = said("ChargeTypeDefined", revision=2)[2]
    changed = {k: v for one in types for k, v in one.items() if v != usual_fields[k] and k != "event_id"}
    merged = ("daybook.catalogue", "ChargeTypeDefined", {**usual_fields, **changed})
    return [row for row in rows if row[1] != "ChargeTypeDefined"] + [merged]


def test_undecided_comes_before_every_other_reason() -> None:
    books = Given(usual(), said("TimeEntryLogged", charge_type="NOBODY", worked_minutes=-5))
    books.rated()
    assert books.waiting == {"e1": "awaiting_approval"}


def test_odd_neighbour_parks_nobody_else() -> None:
    odd = [approved(f"odd{n}", **fields) for n, (_, fields) in enumerate(ODD.values()) if fields]
    books = Given(usual(), *odd, approved("fine"))
    assert books.amounts() == {"time/fine": 15000}


# ---- D1, D2, D5 ----


def test_worked_on_alone_decides_the_day() -> None:
    late = datetime(2026, 5, 20, 23, 30, tzinfo=UTC)
    books = Given(usual(), approved(worked_on="2026-05-20", started_at=late, ended_at=late.replace(minute=59)))
    assert books.rated()["time/e1"].due_on == date(2026, 5, 20)


def test_worked_in_may_and_approved_in_june_is_billed_as_of_may() -> None:
    books = Given(usual(), approved(worked_on="2026-05-20", approved_at=datetime(2026, 6, 2, 9, tzinfo=UTC)))
    assert books.shown(MAY) == [("time/e1", "1", "150", 15000)]
    assert books.due(date(2026, 5, 19)) == []


@pytest.mark.parametrize(("worked_on", "currency"), [("2020-01-01", "GBP"), ("2026-05-09", "GBP"), ("2026-05-10", "EUR")])
def test_clients_currency_counts_from_its_day_and_the_first_from_ever(worked_on: str, currency: str) -> None:
    moved = said("ClientDefined", revision=2, effective_from="2026-05-10", currency="EUR")
    books = Given(usual(effective_from="2025-01-01"), moved)
    books.also(said("ChargeTypeDefined", revision=2, rates={"GBP": "150", "EUR": "170"}), approved(worked_on=worked_on))
    assert books.rated()["time/e1"].lines[0].currency == currency
