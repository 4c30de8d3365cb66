"""The oracle reproduces the worked figures by hand, does not care about order, and notices planted bugs."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest

from .arithmetic import billed_minutes, rounded
from .oracle import Invoiced, expected, expected_after_invoicing, tax_totals
from .periods import Cycle, periods
from .posted import posted_from_json, posted_from_lines
from .rating import Waiting
from .rules import PRODUCT, Rules
from .story import NOON, Story, recurring
from .wire import Unreadable, decode, registry, trusted

MAY = date(2026, 5, 31)


def nets(story: Story, as_of: date = MAY, rules: Rules = PRODUCT) -> dict[str, int]:
    """Item key -> net of a story's lines."""
    return {line.item_key: line.net_minor for line in expected(story.messages(), as_of, rules).lines}


def reasons(story: Story, as_of: date = MAY) -> dict[str, str]:
    """Id -> reason of a story's waiting list."""
    return {row.id: row.reason for row in expected(story.messages(), as_of).waiting}


# ---- worked figures ----


def test_fifty_minutes_at_93_03_is_77_53() -> None:
    assert nets(Story(rate="93.03").entry("e", 50)) == {"time/e": 77_53}


def test_three_entries_of_twenty_minutes_at_100_are_99_99() -> None:
    story = Story().entry("a", 20).entry("b", 20).entry("c", 20)
    row = expected(story.messages(), MAY).queue["acme", "GBP"]
    assert (row.net_minor, row.lines, row.hours, row.types) == (99_99, 3, Fraction(1), {"Remote"})


def test_fifty_pounds_for_15_to_31_january_is_27_42() -> None:
    story = Story().contract(recurring("50"), starts_on=date(2026, 1, 15))
    assert nets(story, date(2026, 1, 31)) == {"line/K/L/2026-01-15": 27_42}


@pytest.mark.parametrize(("scope", "hours"), [("entry", 3), ("ticket", 2)])
def test_45_and_45_and_5_minutes_with_an_hour_minimum(scope: str, hours: int) -> None:
    story = Story(minimum_minutes=60, increment_minutes=60, rounding_scope=scope)
    for name, minutes in (("a", 45), ("b", 45), ("c", 5)):
        story.entry(name, minutes, ticket_id="T/1")
    assert expected(story.messages(), MAY).queue["acme", "GBP"].hours == hours
    if scope == "ticket":
        assert nets(story) == {"ticket//T%2F1/REMOTE/2026-05-01": 200_00}


def test_tax_by_line_of_25_06_and_25_61_and_25_63_at_15_percent_is_11_44() -> None:
    assert tax_totals([(net, Decimal(15)) for net in (25_06, 25_61, 25_63)]) == 11_44


def test_document_totals_carry_line_tax() -> None:
    story = Story(rate="60", tax_code="FIFTEEN").tax_code("FIFTEEN", "15")
    for minutes in (2506, 2561, 2563):
        story.entry(f"e{minutes}", minutes)
    assert expected(story.messages(), MAY).totals == {("acme", "GBP"): (7630_00, 1144_50, 8774_50)}


def test_yen_have_no_minor_unit_and_dinars_three() -> None:
    rates = {"JPY": Decimal("15000"), "KWD": Decimal("37.125")}
    story = Story(rates=rates)
    story.client("tokyo", currency="JPY").client("kuwait", currency="KWD")
    for name in ("tokyo", "kuwait"):
        story.entry(name, 50, client_id=name, approve=False).decide("Approved", name, client_id=name)
    assert nets(story) == {"time/tokyo": 12500, "time/kuwait": 30_938}


def test_half_goes_away_from_zero() -> None:
    assert [rounded(Fraction(n, 2)) for n in (1, 3, -1, -3)] == [1, 2, -1, -2]


@pytest.mark.parametrize(
    ("minutes", "minimum", "increment", "rounding", "billed"),
    [
        (0, 60, 15, "up", 0),
        (1, 60, 15, "up", 60),
        (61, 60, 15, "up", 75),
        (20, 50, 30, "up", 60),
        (20, 50, 30, "down", 50),
        (67, 0, 15, "nearest", 60),
        (45, 0, 30, "nearest", 60),
        (14, 0, 15, "down", 0),
    ],
)
def test_billed_minutes(minutes: int, minimum: int, increment: int, rounding: str, billed: int) -> None:
    assert billed_minutes(minutes, minimum, increment, rounding) == billed


# ---- dates ----


def starts(starts_on: date, frequency: str, anchor: int, month: int | None, count: int) -> list[str]:
    """The first `count` period starts."""
    found = periods(((starts_on, Cycle(frequency, anchor, month)),), date(2030, 1, 1))
    return [next(found).start.isoformat() for _ in range(count)]


def test_boundaries_are_counted_from_the_first_and_clamped() -> None:
    assert starts(date(2026, 1, 31), "monthly", 31, None, 4) == ["2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30"]
    assert starts(date(2026, 2, 10), "quarterly", 15, 1, 3) == ["2026-02-10", "2026-04-15", "2026-07-15"]
    assert starts(date(2026, 2, 10), "annual", 1, 12, 3) == ["2026-02-10", "2026-12-01", "2027-12-01"]
    assert starts(date(2026, 2, 10), "quarterly", 1, None, 3) == ["2026-02-10", "2026-03-01", "2026-06-01"]


def test_a_new_cycle_counts_from_the_first_old_boundary() -> None:
    changes = (
        (date(2026, 1, 1), Cycle("monthly", 1, None)),
        (date(2026, 2, 10), Cycle("quarterly", 1, None)),
    )
    found = [(p.start.month, p.end.month) for p in periods(changes, date(2026, 6, 1))]
    assert found == [(1, 2), (2, 3), (3, 6), (6, 9)]


def test_advance_is_due_on_its_first_day_and_arrears_on_its_last() -> None:
    for timing, first_due in (("advance", date(2026, 1, 1)), ("arrears", date(2026, 1, 31))):
        story = Story().contract(recurring("50", timing=timing))
        assert nets(story, first_due) == {"line/K/L/2026-01-01": 50_00}
        assert nets(story, first_due - timedelta(days=1)) == {}


def test_a_mid_period_price_change_prorates_if_the_line_does() -> None:
    for prorate, net in ((True, 52_90), (False, 50_00)):  # 13 x 50 + 18 x 55 over 31; the first day's price
        story = Story().contract(recurring("50", prorate=prorate))
        story.contract(recurring("55", prorate=prorate), effective_from=date(2026, 1, 14), revision=1)
        assert nets(story, date(2026, 1, 31)) == {"line/K/L/2026-01-01": net}


def test_a_later_sent_state_for_january_does_not_replace_one_for_march() -> None:
    story = Story().contract(recurring("50"))
    story.contract(recurring("60"), effective_from=date(2026, 3, 1), revision=2)
    story.contract(recurring("40"), revision=9)
    assert list(nets(story, date(2026, 3, 31)).values()) == [40_00, 40_00, 60_00]


def test_an_ended_contract_and_a_closed_client_open_no_period() -> None:
    ended = Story().contract(recurring("31"), ends_on=date(2026, 1, 10))
    assert nets(ended) == {"line/K/L/2026-01-01": 10_00}
    closed = Story().contract(recurring("31"))
    closed.client("acme", revision=1, status="closed", effective_from=date(2026, 2, 1))
    assert nets(closed) == {"line/K/L/2026-01-01": 31_00}


def test_a_back_dated_rate_counts_from_its_day() -> None:
    story = Story().entry("early", 60, worked_on=date(2026, 5, 14)).entry("late", 60)
    story.charge_type("REMOTE", "110", effective_from=date(2026, 5, 15), at=NOON - timedelta(days=9))
    assert nets(story) == {"time/early": 100_00, "time/late": 110_00}


# ---- decisions and waiting ----


def test_decisions_belong_to_a_revision_and_a_tie_is_a_rejection() -> None:
    story = Story()
    story.entry("undecided", 60, approve=False)
    story.entry("amended", 60).entry("amended", 70, revision=2, approve=False)
    story.entry("tie", 60, approve=False).decide("Rejected", "tie", at=NOON).decide("Approved", "tie", at=NOON)
    story.entry("settled", 60, approve=False).decide("Rejected", "settled").decide("Approved", "settled")
    story.entry("gone", 60).say("TimeEntryWithdrawn", client_id="acme", time_entry_id="gone", revision=2)
    assert reasons(story) == {"undecided": "awaiting_approval", "amended": "awaiting_approval", "tie": "rejected"}
    assert nets(story) == {"time/settled": 100_00}
    assert expected(story.messages(), MAY).queue["acme", "GBP"].unapproved_minutes == 130


def test_billable_minutes_are_taken_as_they_are() -> None:
    story = Story(minimum_minutes=60, increment_minutes=60)
    story.entry("fixed", 45, approve=False).decide("Approved", "fixed", billable_minutes=7)
    story.entry("free", 45, approve=False).decide("Approved", "free", billable_minutes=0)
    assert nets(story) == {"time/fixed": 11_67, "time/free": 0}


def test_every_waiting_reason() -> None:
    story = Story().client("beta").contract(recurring("1"), contract_id="J", ends_on=date(2026, 5, 25))
    two_rates = [
        {"type": "RateLine", "line_id": name, "charge_type": "TWICE", "rates": {"GBP": Decimal(1)}} for name in "ab"
    ]
    euro = {"type": "RateLine", "line_id": "c", "charge_type": "EURO", "rates": {"EUR": Decimal(1)}}
    pool = {
        "type": "AllowanceLine",
        "line_id": "d",
        "charge_types": ["POOLED"],
        "included_minutes": 60,
        "price": Decimal(5),
    }
    story.contract(*two_rates, euro, pool)
    for code in ("TWICE", "EURO", "POOLED"):
        story.charge_type(code)
    story.charge_type("ODD", rounding="sideways").charge_type("NOTAX", tax_code="NOPE")
    story.charge_type("INTERNAL", billable=False)
    story.entry("which", 5).entry("never", 5, contract_id="X").entry("after", 5, contract_id="J", worked_on=MAY)
    story.entry("twice", 5, charge_type="TWICE", contract_id="K").entry("euro", 5, charge_type="EURO", contract_id="K")
    story.entry("pool", 5, charge_type="POOLED", contract_id="K").entry("odd", 5, charge_type="ODD")
    story.entry("tax", 5, charge_type="NOTAX").entry("type", 5, charge_type="X").entry(
        "internal", 5, charge_type="INTERNAL"
    )
    story.entry("minus", -5, contract_id="K").entry("deducted", 5, deducted_minutes=6, contract_id="K")
    story.entry("back", 5, contract_id="K", started_at=NOON, ended_at=NOON - timedelta(seconds=1))
    story.entry("ghost", 5, client_id="ghost", approve=False).decide("Approved", "ghost", client_id="ghost")
    story.entry("pool", 5, client_id="beta", approve=False).decide("Approved", "pool", client_id="beta")
    answer = expected(story.messages(), MAY)
    assert {row for row in answer.waiting if row.client_id != "acme"} == {
        Waiting("ghost", "time_entry", "ghost", "unknown_client"),
        Waiting("beta", "time_entry", "pool", "client_changed"),
    }
    assert {row.id: row.reason for row in answer.waiting if row.client_id == "acme"} == {
        "K/d": "not_yet_supported",
        "which": "which_contract",
        "never": "contract_not_in_force",
        "after": "contract_not_in_force",
        "twice": "ambiguous_line",
        "euro": "no_rate",
        "pool": "not_yet_supported",
        "odd": "unknown_value",
        "tax": "unknown_tax_code",
        "type": "unknown_charge_type",
        "minus": "impossible_value",
        "deducted": "impossible_value",
        "back": "impossible_value",
    }


def test_a_clients_exempt_code_wins_over_all() -> None:
    story = Story().tax_code("RC", "0", kind="reverse_charge").client("acme", revision=1, tax_code="RC").entry("e", 60)
    assert expected(story.messages(), MAY).totals == {("acme", "GBP"): (100_00, 0, 100_00)}


# ---- after invoicing ----


def invoice(story: Story, as_of: date = MAY, before: Invoiced | None = None) -> Invoiced:
    """Posts what the oracle itself expects."""
    before = before or Invoiced()
    answer = expected_after_invoicing(story.messages(), as_of, before)
    return before.then(posted_from_lines(answer.lines, as_of), answer)


def due(story: Story, invoiced: Invoiced, as_of: date = MAY) -> list[tuple[str, Decimal | None, Decimal | None, int]]:
    """What the next queue shows."""
    lines = expected_after_invoicing(story.messages(), as_of, invoiced).lines
    return [(line.item_key, line.quantity, line.unit_price, line.net_minor) for line in lines]


def test_a_settled_period_yields_nothing_and_an_earlier_date_nothing_negative() -> None:
    story = Story().contract(recurring("50")).entry("e", 50)
    invoiced = invoice(story)
    assert due(story, invoiced) == []
    assert due(story, invoiced, date(2026, 4, 30)) == []


def test_an_amendment_waits_then_bills_the_difference() -> None:
    story = Story(rate="150").entry("e", 60)
    invoiced = invoice(story)
    story.entry("e", 75, revision=2, approve=False)
    assert due(story, invoiced) == []
    answer = expected_after_invoicing(story.messages(), MAY, invoiced)
    assert answer.waiting == {Waiting("acme", "time_entry", "e", "amended_after_invoicing")}
    story.decide("Approved", "e", 2)
    assert due(story, invoiced) == [("time/e", Decimal("0.25"), Decimal(150), 37_50)]


@pytest.mark.parametrize("how", ["Rejected", "Withdrawn"])
def test_what_is_rejected_or_withdrawn_after_invoicing_is_credited(how: str) -> None:
    story = Story().entry("e", 50)
    invoiced = invoice(story)
    if how == "Rejected":
        story.decide("Rejected", "e")
    else:
        story.say("TimeEntryWithdrawn", client_id="acme", time_entry_id="e", revision=2)
    assert due(story, invoiced) == [("time/e", -Decimal("0.83333333"), Decimal(100), -83_33)]
    assert due(story, invoice(story, before=invoiced)) == []
    answer = expected_after_invoicing(story.messages(), MAY, invoiced)
    assert (answer.totals["acme", "GBP"], answer.queue["acme", "GBP"].types) == ((-83_33, -16_67, -100_00), {"Remote"})


def test_another_unit_price_mirrors_the_old_line_and_adds_the_new() -> None:
    story = Story().entry("e", 60)
    invoiced = invoice(story)
    story.charge_type("REMOTE", "110", revision=1)
    assert due(story, invoiced) == [
        ("time/e", Decimal(-1), Decimal(100), -100_00),
        ("time/e", Decimal(1), Decimal(110), 110_00),
    ]


def test_a_later_entry_of_a_billed_ticket_bills_the_difference() -> None:
    story = Story(minimum_minutes=60, increment_minutes=60, rounding_scope="ticket").entry("a", 45, ticket_id="T")
    invoiced = invoice(story)
    story.entry("b", 45, ticket_id="T")
    assert due(story, invoiced) == [("ticket//T/REMOTE/2026-05-01", Decimal(1), Decimal(100), 100_00)]
    story.entry("a", 44, revision=2, approve=False, ticket_id="T")
    assert due(story, invoiced) == [("ticket//T/REMOTE/2026-05-01", Decimal(1), Decimal(100), 100_00)]


def test_a_later_entry_of_a_billed_ticket_is_shown_even_at_nothing() -> None:
    story = Story(minimum_minutes=60, increment_minutes=60, rounding_scope="ticket").entry("a", 20, ticket_id="T")
    invoiced = invoice(story)
    story.entry("b", 20, ticket_id="T")
    assert due(story, invoiced) == [("ticket//T/REMOTE/2026-05-01", Decimal(0), Decimal(100), 0)]
    assert due(story, invoice(story, before=invoiced)) == []


def test_an_undecided_entry_keeps_its_minutes_in_an_invoiced_ticket() -> None:
    story = Story(rounding_scope="ticket").entry("a", 60, ticket_id="T").entry("b", 30, ticket_id="T")
    invoiced = invoice(story)
    story.entry("a", 600, revision=2, approve=False, ticket_id="T").entry("b", 45, revision=2, ticket_id="T")
    assert due(story, invoiced) == [("ticket//T/REMOTE/2026-05-01", Decimal("0.25"), Decimal(100), 25_00)]
    story.entry("b", 45, revision=3, approve=False, ticket_id="T")
    assert due(story, invoiced) == []  # all of them wait: it stays as it is
    story.decide("Rejected", "b", 3)
    assert due(story, invoiced) == [("ticket//T/REMOTE/2026-05-01", Decimal("-0.5"), Decimal(100), -50_00)]


def test_what_was_invoiced_stays_while_its_facts_wait_for_any_other_reason() -> None:
    story = (
        Story().contract(recurring("50"), effective_from=date(2026, 5, 1), starts_on=date(2026, 5, 1)).entry("e", 60)
    )
    story.charge_type("NOTAX", tax_code="NOPE")
    invoiced = invoice(story)
    story.entry("e", 90, revision=2, charge_type="NOTAX").contract(
        recurring("60", tax_code="NOPE"), effective_from=date(2026, 5, 1), starts_on=date(2026, 5, 1), revision=2
    )
    assert due(story, invoiced) == []
    answer = expected_after_invoicing(story.messages(), MAY, invoiced)
    assert {(row.id, row.reason) for row in answer.waiting} == {("e", "unknown_tax_code"), ("K/L", "unknown_tax_code")}


def test_a_rejected_entry_that_was_invoiced_is_credited_and_not_listed() -> None:
    story = Story().entry("e", 60)
    invoiced = invoice(story)
    story.decide("Rejected", "e")
    answer = expected_after_invoicing(story.messages(), MAY, invoiced)
    assert (answer.waiting, answer.totals) == (set(), {("acme", "GBP"): (-100_00, -20_00, -120_00)})


def test_a_corrections_tax_ends_where_it_would_have_from_scratch() -> None:
    story = Story(rate="0.60").entry("e", 3)  # 0.03 net, 0.01 tax
    invoiced = invoice(story)
    story.entry("e", 6, revision=2)  # 0.06 net, 0.01 tax in all
    assert expected_after_invoicing(story.messages(), MAY, invoiced).totals == {("acme", "GBP"): (3, 0, 3)}


def test_posted_lines_are_read_from_the_products_own_json() -> None:
    line = {"item_key": "time/e", "quantity": "1", "unit_price": "100.00", "net_minor": 10000, "tax_minor": 2000}
    invoices = [{"client_id": "acme", "currency": "GBP", "issued_on": "2026-05-31", "lines": [line]}]
    assert due(Story().entry("e", 60), Invoiced(lines=tuple(posted_from_json(invoices)))) == []


def test_every_known_sample_of_the_registry_parses() -> None:
    assert {"TimeEntryLogged", "ContractDefined"} <= {record for record, _ in registry().values()}


def test_a_message_is_trusted_only_under_its_own_key_and_topic() -> None:
    good = Story().messages()[0]
    assert trusted(good).record == "TaxCodeDefined"
    for bad in (good._replace(key=b"x"), good._replace(key=None), good._replace(topic="daybook.time")):
        with pytest.raises(Unreadable, match="invalid_envelope"):
            trusted(bad)
    with pytest.raises(Unreadable, match="too_large"):
        decode(b"\1" * (1024 * 1024 + 1))


def test_a_clients_first_state_counts_from_ever_on_its_own_local_day() -> None:
    story = Story().client(
        "far", time_zone="Pacific/Auckland", effective_from=None, at=datetime(2026, 5, 20, 23, tzinfo=UTC)
    )
    story.client("far", revision=1, currency="EUR", effective_from=date(2026, 5, 21))
    story.entry("e", 60, client_id="far", approve=False).decide("Approved", "e", client_id="far")
    story.entry("f", 60, client_id="far", approve=False, worked_on=date(2026, 5, 21))
    story.decide("Approved", "f", client_id="far")
    # both states are of 21 May in Auckland: the higher revision holds, and it is the first, so from ever
    assert reasons(story) == {"e": "no_rate", "f": "no_rate"}
