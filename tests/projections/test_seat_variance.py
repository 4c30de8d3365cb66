"""Where systems disagree: the view that analysts query says, day by day, what the rules of rating say."""

import json
import random
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from domain.seat_counts import disagreement, in_force
from projections import seats
from projections.terms import TermsCache
from tests.oracle.story import Story
from tests.oracle.world import Said
from tests.projections.office import Office
from tests.projections.test_polls import poll

FIRST = datetime(2026, 5, 10, tzinfo=UTC)
DAYS = [date(2026, 5, 8) + timedelta(days=n) for n in range(14)]
SYSTEMS = ("csp", "rmm", "intune")


def counts(rng: random.Random) -> list[Said]:
    """Three systems' counts over ten days: at midnights, at one instant, corrected, and some that cannot be."""
    return [
        poll(
            number, 60 * rng.choice((0, 11, 12, 13, 24, 36, rng.randrange(240))), rng.choice((4, 4, 4, 5, 6, -1)),
            system=rng.choice(SYSTEMS), revision=rng.choice((1, 1, 2)), later=rng.randrange(3),
        )
        for number in range(rng.randint(2, 14))
    ]  # fmt: skip


def line(systems: list[str]) -> dict[str, Any]:
    return {"type": "SeatLine", "line_id": "S1", "product": "m365", "systems": systems, "unit_price": Decimal(5),
            "policy": "daily", "timing": "arrears"}  # fmt: skip


@pytest.mark.parametrize("zone", ["Pacific/Auckland", "America/New_York", "Nowhere/Land"])
def test_the_view_says_of_each_day_what_rating_would_say(new_office: Callable[[], Office], zone: str) -> None:
    disagreeing = 0
    for seed in range(4):
        rng = random.Random(f"{zone} {seed}")
        office = new_office()
        systems = rng.choice((["csp", "rmm"], ["rmm"], ["intune", "csp"]))
        story = Story().client("acme", time_zone=zone, revision=2).contract(line(systems))
        office.take([*story.said, *counts(rng)])
        office.views.catch_up()
        with office.books() as cursor:
            history = seats.load(cursor, TermsCache().clients(cursor, ["acme"]))["acme"].get("m365", {})
            told = cursor.execute(
                "SELECT since, until, counts, used_system, difference"
                " FROM reporting.seat_variance WHERE client_id = 'acme' AND product = 'm365'"
            ).fetchall() if history else []  # fmt: skip
        for day in DAYS:
            expected = disagreement(history, day)
            found = [row for row in told if row[0] <= day and (row[1] is None or day < row[1])]
            if not expected:
                assert found == [], f"{zone} {seed} {day}"
                continue
            disagreeing += 1
            (row,) = found
            quantities = {system: count.quantity for system, count in expected.items()}
            assert row[2] == quantities, f"{zone} {seed} {day}"
            assert row[4] == max(quantities.values()) - min(quantities.values())
            used = in_force(history, systems, day)
            assert row[3] == (used[0] if used is not None else None), f"{zone} {seed} {day}"
    assert disagreeing > 5, "hardly any day was drawn on which systems disagree"


def test_the_system_that_bills_is_that_of_the_contract_on_the_first_day(office: Office) -> None:
    story = Story().client("acme", revision=2).contract(line(["csp", "rmm"]))
    story.contract(line(["rmm"]), effective_from=date(2026, 5, 12), revision=2)
    office.take([*story.said, poll(0, 0, 4), poll(1, 0, 5, system="rmm"), poll(2, 60 * 24 * 4, 6, system="rmm")])
    office.views.catch_up()
    told = office.rows("SELECT since, until, used_system, difference FROM reporting.seat_variance")
    assert told == [(date(2026, 5, 10), date(2026, 5, 14), "csp", 1), (date(2026, 5, 14), None, "rmm", 2)]


def test_the_command_lists_counts_by_system_and_where_they_disagree(office: Office) -> None:
    story = Story().client("acme", revision=2).contract(line(["csp", "rmm"]))
    office.take([*story.said, poll(0, 0, 4), poll(1, 0, 5, system="rmm"), poll(2, 60 * 24 * 4, 4, system="rmm")])
    office.views.catch_up()

    def told(*arguments: str) -> Any:
        command = [sys.executable, "-m", "daybook.cli", "seats", "--client", "acme", "--json", *arguments]
        done = subprocess.run(command, env=office.environment(), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    (now,), (then,) = told(), told("--as-of", "2026-05-11", "--disagreeing")
    assert [(one["system"], one["quantity"], one["bills"]) for one in now["counts"]] == [("csp", 4, True), ("rmm", 4, False)]
    assert [(one["system"], one["quantity"], one["difference"]) for one in then["counts"]] == [("csp", 4, 0), ("rmm", 5, 1)]
    assert [(one["since"], one["until"], one["days"]) for one in now["variance"]] == [("2026-05-10", "2026-05-14", 4)]
    assert [(one["since"], one["until"], one["days"]) for one in then["variance"]] == [("2026-05-10", None, 2)]
    assert (now["disagree_since"], then["disagree_since"]) == (None, "2026-05-10")
    assert told("--disagreeing") == [], "they agree by now"
