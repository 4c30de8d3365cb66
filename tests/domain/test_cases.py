"""Figures that other products publish, test or are complained about, out of our own functions.

A case is *reproduced* when a domain function, fed with the case's own convention (its denominator, its minor digits,
its order of rounding), gives every expected figure. It is *listed* when our conventions deliberately do otherwise or it
needs a capability that is not in these functions. Nothing is in neither.
"""

import json
from collections.abc import Callable
from datetime import date, time
from decimal import Decimal
from fnmatch import fnmatchcase
from fractions import Fraction
from pathlib import Path
from typing import Any

import case_seats
import pytest

from domain.calendar import (
    BillingPeriod,
    Schedule,
    add_months,
    boundary_on_or_after,
    due_on_terms,
    first_boundary,
    overdue_from,
    period_of,
    periods,
)
from domain.money import Money, amount_minor, split, tax_by_group, tax_minor, tax_within, to_places
from domain.proration import day_fraction, days_of_30, days_served, prorated, served, served_quantity
from domain.rounding import billed_minutes, hours, time_amount_minor, to_increment
from tests.evidence import saw

CASES = Path(__file__).parent.parent / "cases"
ONE = Decimal(1)
Given = dict[str, Any]


def day(text: str) -> date:
    return date.fromisoformat(text)


def minor(text: str) -> int:
    return amount_minor(1, Decimal(text), "EUR")


def major(minor: int, currency: str = "EUR") -> Decimal:
    return Money(minor, currency).major


# ---- time ----

MODES = {"ceil": ("up", "up", "up"), "floor": ("down", "down", "down"), "closest": ("nearest",) * 3}


def kimai_rounding(g: Given) -> Given:
    begin_mode, end_mode, duration_mode = MODES.get(g["mode"], ("down", "up", "up"))
    begin, end = (_seconds(g[edge]) for edge in ("begin", "end"))
    # T1 rounds what was worked and never the clock, so only clocks that are on their grid already belong here
    assert to_increment(begin, 60 * g["round_begin_min"], begin_mode) == begin
    assert to_increment(end, 60 * g["round_end_min"], end_mode) == end
    duration = to_increment(end - begin, 60 * g["round_duration_min"], duration_mode)
    return {"begin": g["begin"], "end": g["end"], "duration_seconds": duration}


def _seconds(clock: str) -> int:
    at = time.fromisoformat(clock)
    return at.hour * 3600 + at.minute * 60 + at.second


def kimai_classic(g: Given) -> Given:
    """To four places: the price in a currency of four."""
    return {"amount": major(amount_minor(Fraction(g["seconds"], 3600), Decimal(g["hourly_rate"]), "CLF"), "CLF")}


def kimai_decimal(g: Given) -> Given:
    return {"amount": major(_on_printed_hours(g["seconds"], g["hourly_rate"]))}


def _on_printed_hours(seconds: int, rate: str) -> int:
    return amount_minor(to_places(Fraction(seconds, 3600), 2), Decimal(rate), "EUR")


def kimai_decimal_sum(g: Given) -> Given:
    entries = g["entries_seconds"] * g["repeat"]
    return {"total": major(sum(_on_printed_hours(seconds, g["hourly_rate"]) for seconds in entries))}


def kimai_one_rate(g: Given) -> Given:
    return {"amount": major(time_amount_minor(g["seconds"] // 60, Decimal(g["user"]), "EUR"))}


def alga_time(g: Given) -> Given:
    total = time_amount_minor(g["billable_minutes"], major(g["rate_cents"]), "EUR")
    tax = tax_minor(total, Decimal(g.get("tax_percent", 0)))
    return {"total_cents": total, "tax_cents": tax, "hours": hours(g["billable_minutes"])}


def kimai_480(g: Given) -> Given:
    exact = time_amount_minor(g["seconds"] // 60, Decimal(g["hourly_rate"]), "EUR")
    return {
        "exact_hours_amount": major(exact),
        "printed_hours_amount": major(_on_printed_hours(g["seconds"], g["hourly_rate"])),
    }


def kimai_1424(g: Given) -> Given:
    rate = Decimal(g["hourly_rate"])
    return {
        "one": major(time_amount_minor(g["one_entry_minutes"], rate, "EUR")),
        "two": major(sum(time_amount_minor(minutes, rate, "EUR") for minutes in g["two_entries_minutes"])),
    }


# ---- splits and rounding ----


def shares(g: Given) -> Given:
    weights = [Fraction(ratio) for ratio in g["ratios"]] if "ratios" in g else [1] * g["n"]
    try:
        return {"parts": list(split(g["amount"], weights))}
    except ValueError:
        return {"error": "ratios invalid"}


def power_of_ten(g: Given) -> Given:
    return {"amount": to_places(g["amount"], -g["to_power_of_ten"])}


def pool_apportion(g: Given) -> Given:
    over = g["used_minutes"] - g["included_minutes"]
    pool = time_amount_minor(over, major(g["overage_rate_cents_per_hour"]), "EUR")
    return {"pool_cents": pool, "parts_cents": list(split(pool, g["weights"]))}


def fraction_cents(g: Given) -> Given:
    price = Decimal(g["unit_price"])
    exact = major(amount_minor(g["units"], price, "KWD"), "KWD")
    return {"raw": exact, "amount": major(amount_minor(g["units"], price, "EUR"))}


# ---- tax ----


def invoice_tax(g: Given) -> Given:
    percent, nets = Decimal(g["tax_percent"]), [minor(line) for line in g["lines"]]
    to_mills = [amount_minor(percent / 100, Decimal(line), "KWD") for line in g["lines"]]
    total = sum(nets) + sum(tax_by_group([(net, percent) for net in nets]))
    return {"tax_exact": major(sum(to_mills), "KWD"), "total": major(total)}


def coupon_before_tax(g: Given) -> Given:
    parts = split(g["coupon_cents"], g["fees_cents"])
    nets = [fee - part for fee, part in zip(g["fees_cents"], parts, strict=True)]
    taxes = [tax_minor(net, Decimal(percent)) for net, percent in zip(nets, g["tax_percents"], strict=True)]
    return {"coupon_parts_cents": list(parts), "tax_cents": taxes, "total_cents": sum(nets) + sum(taxes)}


def ninja_tax(g: Given) -> Given:
    lines = g.get("lines", [g.get("line", "0")])
    base = [minor(line) for line in lines]
    base[0] += minor(g.get("surcharge", "0")) - minor(g.get("discount", "0"))
    percent = Decimal(g["tax_percent"])
    if g.get("inclusive"):
        tax = sum(tax_within(gross, percent) for gross in base)
        return {"tax": major(tax), "total": major(sum(base))}
    tax = sum(tax_minor(net, percent) for net in base)
    return {"tax": major(tax), "total": major(sum(base) + tax)}


def each_tax_within(g: Given) -> Given:
    gross = minor(g["net_of_discount"])
    return {"tax": major(sum(tax_within(gross, Decimal(percent)) for percent in g["taxes_percent"]))}


def each_tax_on_top(g: Given) -> Given:
    net = minor(g["net"])
    taxes = [tax_minor(net, Decimal(percent)) for percent in g["taxes_percent"]]
    return {"taxes": [major(tax) for tax in taxes], "total": major(net + sum(taxes))}


def precise_unit_costs(g: Given) -> Given:
    return {"total": major(sum(amount_minor(g["quantity"], Decimal(cost), "EUR") for cost in g["unit_costs"]))}


def line_or_global(g: Given) -> Given:
    lines = [(minor(line), Decimal(g["tax_percent"])) for line in g["lines"]]
    return {
        "net": major(sum(net for net, _ in lines)),
        "tax_per_line": major(sum(tax_minor(net, percent) for net, percent in lines)),
        "tax_global": major(sum(tax_by_group(lines))),
    }


def meteroid_tax(g: Given) -> Given:
    return {"tax_cents": tax_minor(g["amount_cents"], Decimal(g["rate"]) * 100)}


def compound_tax(g: Given) -> Given:
    net = minor(g["amount"])
    gst = tax_minor(net, Decimal(g["gst"]))
    return {"tax": major(gst + tax_minor(net + gst, Decimal(g["pst"])))}


def cash_rounding(g: Given) -> Given:
    return {"total": major(to_increment(minor(g["amount"]), minor(g["cash_step"]), "nearest"))}


# ---- dates ----

ANCHOR_OF_RULE = {"first_of_month": 1, "last_of_month": 31}


def due_on_a_day_of_the_month(g: Given) -> Given:
    """Strictly after the invoice date: the end of the period that the date itself is in."""
    at = day(g["invoice_date"])
    period = period_of(Schedule(at, "monthly", ANCHOR_OF_RULE.get(g["rule"]) or g["day"]), at)
    return {"due": period and period.end}


TERMS = {"net_30": 30, "net_15": 15, "due_on_receipt": 0, "unknown (default 30)": 30}


def due_by_terms(g: Given) -> Given:
    return {"due": due_on_terms(day(g["from"]), TERMS[g["terms"]])}


def overdue_next_day(g: Given) -> Given:
    due = due_on_terms(day(g["issued"]), g["net_terms_days"])
    return {"due": due, "overdue_from": overdue_from(due)}


def month_end(g: Given) -> Given:
    return {"date": add_months(day(g["from"]), 1)}


def first_bill_cycle_date(g: Given) -> Given:
    start, anchor = day(g["start"]), g["bill_cycle_day"]
    annual = Schedule(start, "annual", anchor, start.month)
    monthly = Schedule(start, "monthly", anchor)
    return {"first_billing_cycle_date": {"monthly": first_boundary(monthly), "annual": first_boundary(annual)}}


def whole_periods(g: Given) -> Given:
    start, to = day(g["from"]), day(g["to"])
    return {"whole_periods": sum(period.end <= to for period in periods(Schedule(start, "monthly", start.day), to))}


def bill_cycle_31(g: Given) -> Given:
    schedule, target = Schedule(day(g["start"]), g["period"], g["bill_cycle_day"]), day(g["target"])
    begun = list(periods(schedule, target))
    return {"effective_end": begun[-1].end, "whole_periods": len(begun)}


def billed_in_arrears(g: Given) -> Given:
    """Killbill bills in arrears to the last boundary reached, or to the end once that is reached."""
    schedule, target = Schedule(day(g["start"]), "monthly", g["bill_cycle_day"]), day(g["target"])
    first, end = first_boundary(schedule), g["end"] and day(g["end"])
    if end and end <= target:
        through, following = end, boundary_on_or_after(schedule, end)
    elif (period := period_of(schedule, target)) and target >= first:
        through, following = period.start, period.end
    else:
        through, following = None, first
    return {"bill": through is not None, "first": first, "effective_end": through, "next": following}


# ---- proration ----


def actual_ratio(g: Given) -> Given:
    start, end = day(g["from"]), day(g["to"])
    leading = g.get("denominator", "").startswith("to")
    cycle = BillingPeriod(add_months(end, -1), end) if leading else BillingPeriod(start, add_months(start, 1))
    return {"ratio": to_places(day_fraction(BillingPeriod(start, end).days, cycle.days), 9)}


def ratio_of_30(g: Given) -> Given:
    days = days_of_30(BillingPeriod(day(g["from"]), day(g["to"])))
    return {"ratio": to_places(day_fraction(days, 30), 9), "days": days}


def amount_of_30(g: Given) -> Given:
    days = days_of_30(BillingPeriod(day(g["from"]), day(g["to"])))
    return {"amount": major(prorated([(days, Decimal(g["sign"]), Decimal(g["price"]))], 30, "USD"))}


def part_period_price(g: Given) -> Given:
    start = day(g["from"])
    period = period_of(Schedule(start, g["period"], g["bill_cycle_day"]), start)
    assert period is not None
    assert period.end == day(g["to"])
    return {"amount": major(prorated([(period.days, ONE, Decimal(g["price"]))], period.full_days, "USD"))}


def blocked_window(g: Given) -> Given:
    cycle, window = (BillingPeriod(*map(day, g[edges])) for edges in ("cycle", "window"))
    return {"amount": major(prorated([(window.days, ONE, Decimal(g["price"]))], cycle.days, "USD"))}


def unused_year(g: Given) -> Given:
    cycle = BillingPeriod(*map(day, g["cycle"]))
    days = days_served(cycle, starts_on=day(g["cancel"]))
    return {"credit": major(prorated([(days, -ONE, Decimal(g["price"]))], cycle.days, "USD"))}


def termination(g: Given) -> Given:
    price, percent = major(g["price_cents"]), Decimal(g["tax_percent"])
    invoiced, credit = (prorated([(g[days] or 0, ONE, price)], g["cycle_days"], "EUR") for days in ("billed_days", "unused_days"))
    tax = tax_minor(credit, percent)
    return {
        "invoice_total_cents": invoiced + tax_minor(invoiced, percent),
        "credit_subtotal_cents": credit,
        "credit_tax_cents": tax,
        "credit_total_cents": credit + tax,
    }


def partial_credit(g: Given) -> Given:
    tax = tax_minor(g["item_cents"], Decimal(g["tax_percent"]))
    return {"tax_cents": tax, "total_cents": g["item_cents"] + tax}


def terminated_quarter(g: Given) -> Given:
    active_from = day(g["active_from"])
    quarter = period_of(Schedule(active_from, "quarterly", 1, 1), active_from)
    assert quarter is not None
    assert quarter.full_days == g["cycle_days"]
    days = days_served(quarter, ends_on=day(g["terminated"]))
    return {"fee_cents": prorated([(days, ONE, major(g["price_cents"]))], quarter.full_days, "EUR")}


def upgraded_on_the_last_day(g: Given) -> Given:
    first, last = (day(text.split()[0]) for text in g["cycle"])
    cycle = BillingPeriod(first, due_on_terms(last, 1))
    days = days_served(cycle, starts_on=day(g["upgrade"]))
    return {"credit_cents": prorated([(days, ONE, major(g["price_cents"]))], cycle.days, "EUR")}


def days_of_cycle(g: Given) -> Given:
    return {"amount_cents": prorated([(g["days"], ONE, major(g["amount_cents"]))], g["cycle_days"], "EUR")}


def plan_change(g: Given) -> Given:
    cycle = BillingPeriod(*(day(text.split()[0]) for text in g["period"]))
    rest = served(cycle, starts_on=day(g["change_date"]))
    taken = [(-ONE, g["old_cents"]), (ONE, g["new_cents"])]
    taken += [(-ONE, cents) for cents in g["removed_cents"]] + [(ONE, cents) for cents in g["added_cents"]]
    lines = [prorated([(rest.days, sign, major(cents))], cycle.days, "EUR") for sign, cents in taken] if rest else []
    return {"lines_cents": lines, "net_cents": sum(lines)}


def fraction_left(g: Given) -> Given:
    left = Decimal(g["fraction_left"])
    credit, charge = amount_minor(-left, Decimal(g["old"]), "USD"), amount_minor(left, Decimal(g["new"]), "USD")
    return {"credit": major(credit), "charge": major(charge), "net": major(credit + charge)}


def one_time(g: Given) -> Given:
    return {"amount_cents": amount_minor(g["quantity"], Decimal(g["rate"]), "EUR")}


def annual_on_a_month(g: Given) -> Given:
    days = g["days_remaining_in_month_cycle"]
    return {"amount_cents": prorated([(days, ONE, major(g["annual_price_cents"]))], 365, "EUR")}


def day_counts(g: Given) -> Given:
    start = day(g["service_start"])
    full = period_of(Schedule(start, "monthly", 1), start)
    assert full is not None
    used = served(full, ends_on=day(g["service_end_inclusive"]))
    assert used is not None
    return {
        "actual": f"{used.days}/{full.full_days}",
        "actual_360": f"{used.days}/{days_of_30(full.full)}",
        "strict_30_360": f"{days_of_30(used)}/{days_of_30(full.full)}",
    }


def month_total(g: Given) -> Given:
    start = day(g["charge_start"])
    period = period_of(Schedule(start, "monthly", 1), start)
    assert period is not None
    days = days_served(period, ends_on=day(g["charge_end_inclusive"]))
    return {"days": days, "amount": major(prorated([(days, ONE, Decimal(g["month_total"]))], period.full_days, "EUR"))}


def months_at_a_monthly_rate(g: Given) -> Given:
    start = day(g["from"])
    last = day(g["to_inclusive"]) if "to_inclusive" in g else due_on_terms(day(g["to"]), -1)
    anchor = 1 if "to_inclusive" in g else start.day
    served_months = [
        day_fraction(days_served(period, ends_on=last), period.full_days)
        for period in periods(Schedule(start, "monthly", anchor), last)
    ]
    return {"amount": major(amount_minor(sum(served_months, Fraction()), Decimal(g["monthly_rate"]), "EUR"))}


def whole_in_advance(g: Given) -> Given:
    days = g["period_days"]
    return {"amount": major(prorated([(days, ONE, Decimal(g["price"]))], days, "EUR"))}


def before_the_start(g: Given) -> Given:
    first, last = (day(text.split()[0]) for text in g["period"])
    period = BillingPeriod(first, due_on_terms(last, 1))
    return {"factor": day_fraction(days_served(period), period.days)}


def licence_added(g: Given) -> Given:
    added = day(g["added"])
    stub = period_of(Schedule(added, "monthly", 1), added)
    assert stub is not None
    price = Decimal(g["unit_price"])
    following = prorated([(30, ONE, price)], 30, "USD")
    return {"per_licence": major(prorated([(stub.days, ONE, price)], stub.full_days, "USD") + following)}


def to_five_places(g: Given) -> Given:
    exact = served_quantity([(g["days_inclusive"], Decimal(g["monthly_price"]))], g["days_in_month"])
    return {"amount": to_places(exact, 5)}


def coverage_fixed(g: Given) -> Given:
    days, of = map(int, g["coverage"].split("/"))
    return {"amount_cents": prorated([(days, ONE, major(g["price_cents"]))], of, "EUR")}


def coverage_seats(g: Given) -> Given:
    days, of = map(int, g["coverage"].split("/"))
    unit = prorated([(days, ONE, major(g["unit_cents"]))], of, "EUR")
    total = amount_minor(g["quantity"], major(unit), "EUR")
    return {"unit_cents": unit, "total_cents": total, "tax_cents": tax_minor(total, Decimal(g["tax_percent"]))}


def first_part_invoice(g: Given) -> Given:
    start = day(g["start"])
    part = period_of(Schedule(start, "monthly", 1), start)
    assert part is not None
    net = prorated([(part.days, ONE, major(g["plan_cents"]))], part.full_days, "EUR")
    return {"total_cents": net + tax_minor(net, Decimal(g["tax_percent"]))}


# The first pattern that fits a case's id says which way it goes through the domain.
WAYS: dict[str, Callable[[Given], Given]] = {
    "kimai-default-*": kimai_rounding,
    "kimai-closest-*": kimai_rounding,
    "kimai-ceil-*": kimai_rounding,
    "kimai-floor-*": kimai_rounding,
    "kimai-rate-classic-*": kimai_classic,
    "kimai-rate-decimal-*": kimai_decimal,
    "kimai-dur-decimal-*": lambda g: {"seconds": to_increment(g["seconds"], 36, "nearest")},
    "kimai-sum-decimal-10h": kimai_decimal_sum,
    "kimai-rate-precedence-k0": kimai_one_rate,
    "inj-round-*": lambda g: {"seconds": to_increment(g["seconds"], g["nearest_seconds"], "up" if g["round_up"] else "down")},
    "odoo-timer-*": lambda g: {"minutes": billed_minutes(g["minutes"], g["minimum"], g["rounding"], "up")},
    "alga-time-*": alga_time,
    "complaint-kimai1-480": kimai_480,
    "complaint-kimai-1424": kimai_1424,
    "moneyphp-round-*": power_of_ten,
    "moneyphp-*": shares,
    "rubymoney-*": shares,
    "dinero-*": shares,
    "alga-fmv-fixed-fee": lambda g: {"parts_cents": list(split(g["fee_cents"], g["list_prices_cents"]))},
    "alga-pool-apportion": pool_apportion,
    "kb-1124-fraction-cents": fraction_cents,
    "lago-doc-fee-table": invoice_tax,
    "lago-doc-round-0.174": lambda g: {"amount": to_places(Decimal(g["amount"]), 2)},
    "lago-coupon-before-tax": coupon_before_tax,
    "inj-swiss-rounding-up": cash_rounding,
    "inj-precision-3-unit-cost": precise_unit_costs,
    "inj-surcharge-*": ninja_tax,
    "inj-inclusive-per-line": ninja_tax,
    "inj-discount-inclusive": ninja_tax,
    "inj-negative-invoice": ninja_tax,
    "inj-two-taxes-inclusive-*": each_tax_within,
    "inj-1453-140": each_tax_on_top,
    "odoo-23125-line-vs-global": line_or_global,
    "met-tax-*": meteroid_tax,
    "met-compound-bc": compound_tax,
    "inj-due-*": due_on_a_day_of_the_month,
    "alga-due-*": due_by_terms,
    "lago-overdue-next-day": overdue_next_day,
    "inj-month-end-recurrence": month_end,
    "kb-trailing-*": actual_ratio,
    "kb-leading-*": actual_ratio,
    "kb-fixed30-*": ratio_of_30,
    "kb-whole-periods-monthly-*": whole_periods,
    "kb-first-bcd-*": first_bill_cycle_date,
    "kb-bcd31-*": bill_cycle_31,
    "kb-arrears-*": billed_in_arrears,
    "kb-amount-fixed30-*": amount_of_30,
    "kb-trial-to-discount-lead": part_period_price,
    "kb-block-unrepair-170": blocked_window,
    "kb-issue154-annual-repair": unused_year,
    "lago-term-*": termination,
    "lago-cn-round-*": termination,
    "lago-cn-partial-*": partial_credit,
    "lago-arrears-term-quarter-*": terminated_quarter,
    "lago-upgrade-credit-1-day": upgraded_on_the_last_day,
    "lago-fixed-charge-*": days_of_cycle,
    "met-onetime-never-prorated": one_time,
    "met-annual-on-monthly-cycle": annual_on_a_month,
    "met-*": plan_change,
    "stripe-upgrade-halfway": fraction_left,
    "autumn-upgrade-halfway": fraction_left,
    "zuora-daycount-*": day_counts,
    "zuora-usage-prorate-jan15": month_total,
    "erp-36880-quarter-monthly-rate": months_at_a_monthly_rate,
    "erp-57768-full-year": months_at_a_monthly_rate,
    "erp-23681-one-day-of-quarter": whole_in_advance,
    "erp-49635-bill-before-start": before_the_start,
    "cw-idsync-mid-month-seats": licence_added,
    "cw-sync365-two-seats-mar17": case_seats.seats_added,
    "bcapps-5718-*": to_five_places,
    "alga-fixed-22-of-31": coverage_fixed,
    "alga-seat-rate-22-of-31": coverage_seats,
    "lago-first-invoice-24of31": first_part_invoice,
}

CLOCK = "rounds the begin and end on the clock; T1 rounds the minutes worked, to whole minutes"
PRECEDENCE = "rates per user, project, customer and entry; ours are the contract's line, then the charge type (T5)"
NOT_A_MONTH = "weekly and thirty-day periods are no frequency of ours (D4: monthly, quarterly, annual)"
FIXED_28 = "a month of 28 days is no policy of ours (S3: actual days, or 30)"
DUNNING = "no due date but dunning: reproduced, or listed with the reason, in test_dunning_cases.py"
COMMITMENT = "minimum and maximum spend: usage and its minimum (U1) come with a later issue"
TAX_KIND = "who is taxed is data on the tax code and the client (M7), not arithmetic on the amount"
TREE = "finds the gaps between items by coverage; ours are differences by item (K1)"

LISTED: dict[str, str] = {
    **dict.fromkeys([f"kimai-default-{n}" for n in ("01", "03", "05")], CLOCK),
    **dict.fromkeys([f"kimai-ceil-{n}" for n in ("01", "03", "05")], CLOCK),
    **dict.fromkeys(["kimai-closest-06", "kimai-floor-06"], CLOCK),
    **dict.fromkeys([f"kimai-rate-precedence-{n}" for n in ("b1", "b3", "b5")], PRECEDENCE),
    "kimai-weekday-factor-x2": "several multipliers add up there; out-of-hours (T4, V4) comes with its own issue",
    "autotask-block-overage-multiplier-off": "overage of a block: prepaid blocks (V3, V4) come with a later issue",
    "moneyphp-allocate-06": "floors a negative toward minus infinity; M4 mirrors it: -4 and -1",
    "moneyphp-round-8": "half to even; M1 knows one rounding, half away from zero",
    "moneyphp-round-9": "rounds down; M1 knows one rounding, half away from zero",
    "rubymoney-wild": "shares what remains from the last part to the first; M4 is largest remainder (one unit moves)",
    **dict.fromkeys([f"kb-fixed28-days-{at}-23" for at in ("2023-05", "2023-06", "2023-02", "2024-02")], FIXED_28),
    **dict.fromkeys([f"kb-whole-periods-thirty_days-2012-09-{n}" for n in (13, 14)], NOT_A_MONTH),
    **dict.fromkeys([f"kb-whole-periods-weekly-2012-07-{n}" for n in (29, 30)], NOT_A_MONTH),
    **dict.fromkeys([f"kb-advance-30d-{n}" for n in (1, 2, 5, 7)], NOT_A_MONTH),
    "kb-repair-paid-downgrade": "the balance of a paid invoice: payments come with a later issue",
    "kb-tree-bcd-change1": TREE,
    "kb-tree-bcd-change2": TREE,
    "erp-36880-april-only": "rounds the day's rate down first; M1 rounds once: 3028.33",
    **case_seats.LISTED,
    "alga-no-prorate-bucket": "a rule on included hours, not a figure: allowances (V3) come with a later issue",
    "lago-coupon-exceeds": "a capped coupon; a discount is a person's adjustment here and a total below zero is a credit",
    "met-reverse-charge": TAX_KIND,
    **dict.fromkeys([f"lago-eu-{n}" for n in ("fr-domestic", "it-invalid-vat-id", "fr-valid-vat-id")], TAX_KIND),
    "alga-tax-ny-8875": "floors each line and gives the rest to the last; M4 is largest remainder: 266, 178, 89",
    "alga-doc-discount": "a discount leaves the taxable base as it is; here it is an adjustment of the item's net",
    "alga-discount-order": "an order of discounts; ours are adjustments of one item each",
    **dict.fromkeys(["erp-dunning-no-fee", "erp-dunning-interest"], DUNNING),
    **dict.fromkeys(["lago-dunning-threshold", "lago-dunning-multicurrency", "kb-overdue-states"], DUNNING),
    **dict.fromkeys([f"kb-overdue-balance-{n}" for n in ("0", "100.00", "200.00")], DUNNING),
    "lago-numbering": "numbers per customer; ours are one gapless series (C9), given at issue",
    **dict.fromkeys([f"lago-min-{n}" for n in ("arrears-p1", "arrears-p2", "termination-downgrade")], COMMITMENT),
    **dict.fromkeys(["lago-charge-min-25of28", "lago-charge-min-filters"], COMMITMENT),
    **dict.fromkeys([f"om-min-spend-{n}" for n in ("split", "volume")], COMMITMENT),
    **dict.fromkeys([f"om-max-spend-{n}" for n in ("graduated", "unit", "package")], COMMITMENT),
}

# (file, the areas that are this module's concern, or all) -> how many of how many are reproduced
FILES = [
    ("time_rounding", None, 37, 50),
    ("allocation_splits", None, 40, 44),
    ("proration_killbill_other", None, 46, 61),
    ("proration_other", None, 40, 42),
    ("tax_discount_rounding", None, 17, 25),
    ("due_dates_dunning", None, 20, 29),
    ("commitments_true_up", None, 1, 11),
    ("usage_pricing", "usage.rounding", 1, 1),
    ("usage_pricing", "usage.seats_prorated_graduated", 0, 7),
    ("usage_pricing", "usage.volume_prorated", 0, 1),
    ("prepaid_blocks_rollover", "allocation.largest_remainder", 1, 1),
]


def cases_of(file: str, area: str | None) -> list[Given]:
    cases: list[Given] = json.loads((CASES / f"{file}.json").read_text())["cases"]
    return [case for case in cases if area in (None, case["area"])]


def plain(value: Any) -> Any:
    """Expected and produced figures in one form: numbers by value, dates as text."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if value is None or isinstance(value, bool):
        return value
    try:
        return Fraction(value)
    except (TypeError, ValueError):
        return str(value)


def difference(expected: Any, produced: Any) -> bool:
    """Whether an expected figure is missing or other; what a peer calls its own bug is not expected of anyone."""
    if isinstance(expected, dict):
        wanted = {key: inner for key, inner in expected.items() if not key.startswith("buggy_")}
        return any(key not in produced or difference(inner, produced[key]) for key, inner in wanted.items())
    return bool(expected != produced)


def way_of(case_id: str) -> Callable[[Given], Given] | None:
    return next((way for pattern, way in WAYS.items() if fnmatchcase(case_id, pattern)), None)


@pytest.mark.parametrize(("file", "area", "reproduced", "of"), FILES, ids=[file for file, *_ in FILES])
def test_published_figures_are_reproduced_or_listed(file: str, area: str | None, reproduced: int, of: int) -> None:
    cases = cases_of(file, area)
    listed = [case["id"] for case in cases if case["id"] in LISTED]
    right = []
    for case in (case for case in cases if case["id"] not in LISTED):
        way = way_of(case["id"])
        assert way is not None, f"{case['id']} is neither reproduced nor listed"
        produced = plain(way(case["given"]))
        assert not difference(plain(case["expect"]), produced), f"{case['id']}: {case['expect']}, got {produced}"
        right.append(case["id"])
    only = f" ({area})" if area else ""
    saw(f"cases/{file}{only}: {len(right)} of {len(cases)} reproduced, {len(listed)} listed with the reason")
    assert len(right) + len(listed) == len(cases)
    assert (len(right), len(cases)) == (reproduced, of)


def test_every_listed_case_exists_and_says_why() -> None:
    known = {case["id"] for file, area, *_ in FILES for case in cases_of(file, area)}
    assert set(LISTED) <= known
    assert all(len(reason) > 20 for reason in LISTED.values())
