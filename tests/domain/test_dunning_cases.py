"""Published dunning figures of other billing systems: reproduced by our reminders, or listed with the reason (product C14)."""

import json
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from domain.reminder_policy import Policy
from domain.reminders import Account, Bill, Client, planned
from tests.evidence import saw

CASES = Path(__file__).parents[1] / "cases" / "due_dates_dunning.json"
DUE = date(2026, 5, 31)
Given = dict[str, Any]


def reminder(outstanding_minor: int, days_after: int, *offsets: int, minimum_minor: int = 0) -> Any:
    """What is said so many days after the due date; null where nothing is."""
    client = Client(
        client_id="acme",
        policy=Policy(new_invoice=False, due_offsets_days=offsets, minimum_balance_minor=minimum_minor),
        bills=(
            Bill(number="1", currency="EUR", issued_on=DUE - timedelta(days=30), due_on=DUE, outstanding_minor=outstanding_minor),
        ),
        accounts={"EUR": Account(outstanding_minor=outstanding_minor)},
    )
    found = [one for one in planned(client, DUE + timedelta(days=days_after)) if one.kind == "due_reminder"]
    return found[0] if found else None


def minor(text: str) -> int:
    return int(Decimal(text).scaleb(2))


def fires(g: Given) -> Given:
    """A threshold is equalled or exceeded."""
    return {"fires": reminder(minor(g["balance"]), 1, 1, minimum_minor=minor(g["threshold"])).why_not is None}


def states(g: Given) -> Given:
    """Overdue states are the rule that a day has reached: 30, 40 and 50 days after, each from its own day on."""
    names = {None: "clear", "due/+30": "OD1", "due/+40": "OD2", "due/+50": "OD3"}
    said = (reminder(100, days, 30, 40, 50) for days in g["days_since_earliest_unpaid"])
    return {"states": [names[one.rule if one is not None else None] for one in said]}


def asked_for(g: Given) -> Given:
    """A reminder asks for what is open, and nothing on top."""
    said = reminder(minor(g["outstanding"]), g["days_overdue"], 14)
    return {"grand_total": str(Decimal(said.balance_minor).scaleb(-2))}


WAYS: dict[str, Callable[[Given], Given]] = {
    "erp-dunning-no-fee": asked_for,
    "kb-overdue-states": states,
    **{f"kb-overdue-balance-{balance}": fires for balance in ("0", "100.00", "200.00")},
}
LISTED = {
    "erp-dunning-interest": "interest and fees for late payment are not offered: a reminder asks for what the invoice says",
    "lago-dunning-threshold": "attempts repeat every so many days; ours are days after the due date, one reminder each (R4)",
    "lago-dunning-multicurrency": "a threshold for each currency, and attempts that repeat; ours is one minimum for all",
}


def test_published_dunning_is_reproduced_or_listed() -> None:
    cases = [case for case in json.loads(CASES.read_text())["cases"] if case["area"].startswith("dunning.")]
    cases = [case for case in cases if case["id"] != "lago-overdue-next-day"]  # a due date: tests/domain/test_cases.py
    right = []
    for case in cases:
        if case["id"] in LISTED:
            continue
        assert WAYS[case["id"]](case["given"]) == case["expect"], case["id"]
        right.append(case["id"])
    saw(f"cases/due_dates_dunning (dunning): {len(right)} of {len(cases)} reproduced, {len(LISTED)} listed with the reason")
    assert {case["id"] for case in cases} == {*WAYS, *LISTED}
    assert len(right) == 5


def test_nothing_is_asked_below_the_threshold_and_it_is_once_it_is_reached() -> None:
    """Of `lago-dunning-threshold` what our rules have too: 149.00 on the first day, 155.00 three days later, threshold 150.00."""
    (case,) = (one for one in json.loads(CASES.read_text())["cases"] if one["id"] == "lago-dunning-threshold")
    (_, first), (day, second) = case["given"]["overdue_cents_by_day"]
    threshold = case["given"]["threshold_cents"]
    assert reminder(first, 1, 1, minimum_minor=threshold).why_not == "below_minimum"
    assert (reminder(second, 4, 1, minimum_minor=threshold).why_not, reminder(second, 4, 1).balance_minor) == (None, second)
    assert case["expect"]["requests"][0] == [day, second]
