"""What seats are worth: counts, policies, tiers, advance and arrears (product S2-S5, the worked examples)."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from given import MAY, Given, plain, usual

from tests.saying import line, said

FEBRUARY = date(2026, 2, 28)
JANUARY = date(2026, 1, 31)
TIERS = [
    {"up_to": "10", "unit_price": "5", "flat": None},
    {"up_to": "50", "unit_price": "4", "flat": "20"},
    {"up_to": None, "unit_price": "3", "flat": None},
]


def seats(
    *counts: tuple[str, int], contract: dict[str, Any] | None = None, client: dict[str, Any] | None = None, **given: Any
) -> Given:
    """A contract with one seat line, and counts as (instant or day, quantity) by the RMM."""
    books = Given(usual(**client or {}), said("ContractDefined", lines=[line("SeatLine", **given)], **contract or {}))
    return counted(books, *counts)


def counted(books: Given, *counts: tuple[str, int], **given: Any) -> Given:
    return books.also(said("SeatCountReported", as_of=instant(when), quantity=quantity, **given) for when, quantity in counts)


def instant(when: str) -> str:
    return when if "T" in when else f"{when}T12:00:00Z"


def lines_of(books: Given, as_of: date = MAY) -> list[tuple[str, str, str, int]]:
    """(period start, quantity, unit price, amount) of each line of each item."""
    return [
        (key[-10:], plain(one.quantity), plain(one.unit_price), one.amount_minor)
        for key, found in sorted(books.rated(as_of).items())
        for one in found.lines
    ]


def worth(price_days: int, whole: int) -> int:
    """So many pounds times days of a period of `whole` days, in pence, half a penny up."""
    return (2 * 100 * price_days + whole) // (2 * whole)


def amounts(books: Given, as_of: date = MAY) -> list[int]:
    return [amount for *_, amount in lines_of(books, as_of)]


# ---- the worked examples ----


def test_worked_example_of_three_months_under_snapshot_in_arrears() -> None:
    books = seats(
        ("2026-03-01", 48), ("2026-04-16", 52), policy="snapshot",
        contract={"starts_on": "2026-03-01", "effective_from": "2026-03-01"},
    )  # fmt: skip
    assert lines_of(books) == [
        ("2026-03-01", "48", "65", 312000),
        ("2026-04-01", "52", "65", 338000),
        ("2026-05-01", "52", "65", 338000),
    ]


def test_the_same_under_daily_shows_the_prorated_part() -> None:
    books = seats(
        ("2026-03-01", 48), ("2026-04-16", 52), policy="daily",
        contract={"starts_on": "2026-03-01", "effective_from": "2026-03-01"},
    )  # fmt: skip
    # April: 15 days of 48 and 15 of 52, of 30
    assert lines_of(books)[1] == ("2026-04-01", "50", "65", 325000)
    april = books.rated(MAY)["line/C1/S1/2026-04-01"]
    assert april.lines[0].arithmetic == "15/30 days x 48 x 65 (rmm) + 15/30 days x 52 x 65 (rmm) = GBP 3250.00"
    assert [(s.segment_start.day, s.quantity, s.net_minor) for s in april.segments] == [(1, 48, 156000), (16, 52, 169000)]
    assert len(april.sources) == 3, "the contract's state and the two counts"


def test_licence_added_in_mid_month() -> None:
    books = seats(("2026-03-15", 1), unit_price="22", contract={"starts_on": "2026-03-01", "effective_from": "2026-03-01"})
    assert amounts(books, date(2026, 3, 31)) == [1206]


def test_licence_added_in_mid_month_is_invoiced_with_the_next_month_in_advance() -> None:
    books = seats(unit_price="22", timing="advance", contract={"starts_on": "2026-03-01", "effective_from": "2026-03-01"})
    books.run(date(2026, 3, 1))
    counted(books, ("2026-03-15", 1))
    assert sum(one.line.amount_minor for one in books.due(date(2026, 4, 1))) == 1206 + 2200


def test_constant_count_costs_the_same_in_any_month_under_daily_30() -> None:
    books = seats(("2026-01-01", 52), policy="daily_30")
    assert amounts(books) == [338000] * 5


# ---- counts ----


@pytest.mark.parametrize(
    ("counts", "quantities"),
    [
        ([], ["0"]),
        ([("2026-01-01", 31)], ["31"]),
        ([("2025-11-05", 31)], ["31"]),
        ([("2026-01-31", 31)], ["1"]),
        ([("2026-01-10T08:00:00Z", 31), ("2026-01-10T09:00:00Z", 0)], ["0"]),
        ([("2026-01-10T09:00:00Z", 0), ("2026-01-10T08:00:00Z", 31)], ["0"]),
        ([("2026-02-01T00:00:00Z", 31)], ["0"]),
        ([("2026-01-31T23:59:59Z", 31)], ["1"]),
        ([("2026-01-01", -1)], ["0"]),
    ],
    ids=[
        "never counted", "from the first day", "before the period", "on its last day", "a bounce within the day",
        "said in any order", "at midnight after it", "a second before", "impossible",
    ],
)  # fmt: skip
def test_count_holds_from_the_day_at_whose_end_it_is_in_force(counts: list[tuple[str, int]], quantities: list[str]) -> None:
    assert [quantity for _, quantity, _, _ in lines_of(seats(*counts), JANUARY)] == quantities


def test_day_ends_on_the_clients_clocks() -> None:
    books = seats(("2026-01-16T04:30:00Z", 31), client={"time_zone": "America/New_York"})
    assert lines_of(books, JANUARY)[0][1] == "17", "late on the 15th, New York time"


def test_count_is_corrected_by_a_higher_revision_of_the_same_instant() -> None:
    books = counted(seats(("2026-01-01", 40)), ("2026-01-01", 31), revision=2)
    assert lines_of(books, JANUARY)[0][1] == "31"


def test_first_system_of_the_line_that_ever_reported_counts() -> None:
    books = counted(seats(systems=["csp", "rmm"]), ("2026-01-01", 10))
    counted(books, ("2026-01-17", 41), system="csp")
    # 16 days of 10 by the RMM, then 15 of 41 by the CSP; a later count of the RMM is not looked at
    counted(books, ("2026-01-20", 99))
    assert amounts(books, JANUARY) == [worth((16 * 10 + 15 * 41) * 65, 31)]
    counted(books, ("2026-01-05", 77), system="intune")
    assert amounts(books, JANUARY) == [worth((16 * 10 + 15 * 41) * 65, 31)]


def test_minimum_is_billed_before_any_count_and_below_it() -> None:
    books = seats(("2026-01-17", 4), minimum_quantity=10)
    assert lines_of(books, JANUARY) == [("2026-01-01", "10", "65", 65000)]
    assert "minimum" in books.rated(JANUARY)["line/C1/S1/2026-01-01"].lines[0].arithmetic


# ---- policies ----


@pytest.mark.parametrize(
    ("policy", "timing", "amount"),
    [
        ("snapshot", "arrears", 20 * 6500),
        ("snapshot", "advance", 10 * 6500),
        ("peak", "arrears", 30 * 6500),
        ("daily", "arrears", worth((10 * 10 + 10 * 30 + 11 * 20) * 65, 31)),
        ("daily_30", "arrears", worth((10 * 10 + 10 * 30 + 10 * 20) * 65, 30)),
        ("ratchet", "arrears", worth((10 * 10 + 21 * 30) * 65, 31)),
    ],
)
def test_policy_decides_what_a_period_costs(policy: str, timing: str, amount: int) -> None:
    books = seats(("2026-01-01", 10), ("2026-01-11", 30), ("2026-01-21", 20), policy=policy, timing=timing)
    assert amounts(books, JANUARY)[0] == amount


def test_ratchet_falls_at_the_renewal_only() -> None:
    books = seats(("2026-01-01", 10), ("2026-02-01", 20), ("2026-02-15", 5), policy="ratchet", term_months=3)
    assert [quantity for _, quantity, _, _ in lines_of(books, date(2026, 5, 31))] == ["10", "20", "20", "5", "5"]


def test_part_period_is_whole_under_snapshot_and_by_its_days_under_daily() -> None:
    part = {"starts_on": "2026-01-15", "effective_from": "2026-01-15"}
    assert amounts(seats(("2026-01-15", 31), policy="snapshot", contract=part), JANUARY) == [31 * 6500]
    assert amounts(seats(("2026-01-15", 31), policy="daily", contract=part), JANUARY) == [17 * 6500]
    assert amounts(seats(("2026-01-15", 30), policy="daily_30", contract=part), JANUARY) == [16 * 6500]


def test_price_change_in_mid_period_counts_by_its_days() -> None:
    books = seats(("2026-01-01", 31))
    books.also(said("ContractDefined", revision=2, effective_from="2026-01-17", lines=[line("SeatLine", unit_price="75")]))
    assert amounts(books, JANUARY) == [16 * 6500 + 15 * 7500]


# ---- tiers ----


@pytest.mark.parametrize(
    ("mode", "quantity", "shown"),
    [
        ("graduated", 0, ("0", "5", 0)),
        ("graduated", 10, ("10", "5", 5000)),
        ("graduated", 11, ("1", "74", 7400)),
        ("graduated", 60, ("1", "260", 26000)),
        ("volume", 10, ("10", "5", 5000)),
        ("volume", 11, ("1", "64", 6400)),
        ("volume", 60, ("60", "3", 18000)),
    ],
)
def test_tiers_price_a_days_seats(mode: str, quantity: int, shown: tuple[str, str, int]) -> None:
    books = seats(("2026-01-01", quantity), unit_price=None, tiers=TIERS, tier_mode=mode)
    assert [one[1:] for one in lines_of(books, JANUARY)] == [shown]


# ---- advance, corrections ----


def test_in_advance_the_last_count_is_carried_and_a_later_change_is_a_difference_ready_at_once() -> None:
    books = seats(("2026-01-01", 31), timing="advance")
    books.run(date(2026, 1, 1))
    assert books.shown(date(2026, 1, 10)) == []
    counted(books, ("2026-01-17", 62))
    assert books.shown(date(2026, 1, 16)) == [], "what is served on the 17th is not known on the 16th"
    assert books.shown(date(2026, 1, 17)) == [("line/C1/S1/2026-01-01", "15", "65", 15 * 6500)]
    counted(books, ("2026-01-27", 31))
    assert books.shown(date(2026, 1, 27)) == [("line/C1/S1/2026-01-01", "10", "65", 10 * 6500)]


def test_back_dated_count_of_an_invoiced_period_is_a_difference_on_that_period() -> None:
    books = seats(("2026-01-01", 31))
    books.run(JANUARY)
    counted(books, ("2026-01-17", 33), at=datetime(2026, 2, 20, tzinfo=UTC))
    assert books.shown(FEBRUARY) == [
        ("line/C1/S1/2026-01-01", plain(books.due(FEBRUARY)[0].line.quantity), "65", worth(30 * 65, 31)),
        ("line/C1/S1/2026-02-01", "33", "65", 33 * 6500),
    ]
    books.run(FEBRUARY)
    assert books.due(FEBRUARY) == []


def test_total_billed_does_not_depend_on_when_runs_were_made() -> None:
    def counts(books: Given) -> Given:
        return counted(books, ("2026-01-17", 33), ("2026-02-03", 30))

    late, early = counts(seats(("2026-01-01", 31))), seats(("2026-01-01", 31))
    early.run(JANUARY)
    counts(early)
    for books in (late, early):
        books.run(FEBRUARY)
    assert sum(d.net_minor for d in early.documents) == sum(d.net_minor for d in late.documents)


# ---- what waits ----


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"policy": "hourly"}, "unknown_value"),
        ({"unit_price": None}, "no_rate"),
        ({"tiers": TIERS, "tier_mode": None}, "unknown_value"),
        ({"tiers": TIERS[:2], "tier_mode": "volume"}, "impossible_value"),
        ({"tiers": [TIERS[1], TIERS[0], TIERS[2]], "tier_mode": "volume"}, "impossible_value"),
        ({"minimum_quantity": -1}, "impossible_value"),
        ({"policy": "ratchet", "term_months": 0}, "impossible_value"),
        ({"unit_price": "9999999999", "minimum_quantity": 1000}, "impossible_value"),
    ],
)
def test_seat_line_waits_with_its_reason(given: dict[str, Any], reason: str) -> None:
    books = seats(("2026-01-01", 31), **given)
    assert not any(item.lines for item in books.rated(MAY).values())
    assert books.waiting == {"C1/S1": reason}


def test_product_on_two_lines_of_one_day_waits_and_both_are_named() -> None:
    books = Given(
        usual(),
        said("ContractDefined", lines=[line("SeatLine"), line("SeatLine", line_id="S2", product="server")]),
        said("ContractDefined", contract_id="C2", lines=[line("SeatLine", starts_on="2026-04-01")]),
    )
    counted(books, ("2026-01-01", 5))
    books.rated(MAY)
    assert books.waiting == {"C1/S1": "ambiguous_line", "C2/S1": "ambiguous_line"}


def test_zone_nobody_knows_makes_the_line_wait_and_stops_nothing_else() -> None:
    books = seats(("2026-01-01", 31), client={"time_zone": "Mars/Olympus"})
    assert not any(item.lines for item in books.rated(MAY).values())
    assert books.waiting == {"C1/S1": "unknown_value"}


def test_product_may_move_from_one_line_to_another() -> None:
    books = Given(
        usual(),
        said("ContractDefined", lines=[
            line("SeatLine", ends_on="2026-01-16"), line("SeatLine", line_id="S2", starts_on="2026-01-17", unit_price="31"),
        ]),
    )  # fmt: skip
    counted(books, ("2026-01-01", 31))
    assert amounts(books, JANUARY) == [16 * 6500, 15 * 3100]
    assert books.waiting == {}
