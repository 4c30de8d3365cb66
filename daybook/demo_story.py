"""The demo's spring of 2026 in three chapters, each with what was known at its month's end: March and April are history.

The queue of May needs May's facts alone (`demo_month`); what came in May about earlier months is in the third chapter.
"""

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from daybook import demo_month
from daybook.demo_catalogue import Fact, catalogue
from daybook.demo_charges import charges
from daybook.demo_clients import clients
from daybook.demo_earlier import earlier_contracts
from daybook.demo_earlier_work import earlier_work
from daybook.demo_payments import payments
from daybook.demo_reminders import reminder_policies
from daybook.demo_seats import back_dated_counts, earlier_counts
from daybook.demo_time import sent

MARCH, APRIL, MAY = date(2026, 3, 31), date(2026, 4, 30), date(2026, 5, 31)
FIRST_EARLIER_ENTRY = 39_001


class Chapter(NamedTuple):
    """A month's last day, and the facts that had come by then and not before."""

    day: date
    facts: list[Fact]

    @property
    def name(self) -> str:
        """The month, as its folder is called."""
        return f"{self.day:%Y-%m}"


class Written(NamedTuple):
    """A chapter's files."""

    day: date
    paths: list[Path]


def chapters() -> list[Chapter]:
    """March with all that was set up before it, April, and May (its own facts, and what came in it about earlier ones)."""
    arrived = _arrived()
    march, april, later = (
        [fact for at, fact in arrived if start <= at < end]
        for start, end in ((date.min, _after(MARCH)), (_after(MARCH), _after(APRIL)), (_after(APRIL), date.max))
    )
    return [Chapter(MARCH, march), Chapter(APRIL, april), Chapter(MAY, [*demo_month.facts(), *later])]


def write(folder: Path) -> list[Written]:
    """Writes a folder of Avro container files a chapter; May's own facts lie in `folder` itself, for use without the rest."""
    march, april, may = chapters()
    own = len(demo_month.facts())
    earlier = [Written(one.day, demo_month.write(folder / one.name, one.facts)) for one in (march, april)]
    also = demo_month.write(folder / may.name, may.facts[own:])
    return [*earlier, Written(may.day, [*demo_month.write(folder), *also])]


def _arrived() -> list[tuple[date, Fact]]:
    """All but May's own facts, with the day on which each arrived."""
    set_up = [fact for fact in (*catalogue(), *clients()) if _said_on(fact) < _after(MARCH)]
    facts = [
        *set_up, *reminder_policies(), *earlier_contracts(), *earlier_counts(), *back_dated_counts(), *payments(), *charges()
    ]  # fmt: skip
    time_facts = [(one.at.date(), ("daybook.time", one.record, one.fields)) for one in sent(earlier_work(), FIRST_EARLIER_ENTRY)]
    return [*((_said_on(fact), fact) for fact in facts), *time_facts]


def _said_on(fact: Fact) -> date:
    at: datetime = fact[2]["occurred_at"]
    return at.date()


def _after(day: date) -> date:
    return day + timedelta(days=1)
