"""How a client is reminded: its own policy field by field over everybody's, and the days a statement goes out."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final, TypeVar

from domain.calendar import add_months
from domain.client_account import ReminderPolicySet, StatementSchedule
from domain.terms import latest

EVERYBODY: Final = "*"
"""The client id of the global policy."""
FIELDS: Final = ("new_invoice", "statement", "due_offsets_days", "minimum_balance_minor", "opted_out")
MOST_OFFSET_DAYS: Final = 366
MOST_OFFSETS: Final = 20
NO_STATEMENT: Final = StatementSchedule(day_of_month=None, weekday=None)

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What counts for one client; `stated` says of each field whose word it is: the client's id, "*", or "" for nobody's.

    `statement_since` is the day from which the schedule is as it is: it does not reach back behind it.
    """

    new_invoice: bool = True
    statement: StatementSchedule = NO_STATEMENT
    statement_since: date | None = None
    due_offsets_days: tuple[int, ...] = ()
    minimum_balance_minor: int = 0
    opted_out: bool = False
    stated: tuple[tuple[str, str], ...] = tuple((name, "") for name in FIELDS)


def policy_of(everybodys: Iterable[ReminderPolicySet], own: Iterable[ReminderPolicySet]) -> Policy:
    """The last revision of each, the client's own first; a null field inherits, what nobody says is the default (D5)."""
    own, everybodys = tuple(own), tuple(everybodys)
    layers = [state for state in (latest(own), latest(everybodys)) if state is not None]

    def said(get: Callable[[ReminderPolicySet], T | None], default: T) -> T:
        return next((value for state in layers if (value := get(state)) is not None), default)

    return Policy(
        new_invoice=said(lambda state: state.new_invoice, True),
        statement=said(lambda state: state.statement, NO_STATEMENT),
        statement_since=_since(own, everybodys),
        due_offsets_days=_offsets(said(lambda state: state.due_offsets_days, ())),
        minimum_balance_minor=said(lambda state: state.minimum_balance_minor, 0),
        opted_out=said(lambda state: state.opted_out, False),
        stated=tuple(
            (name, next((state.client_id for state in layers if getattr(state, name) is not None), "")) for name in FIELDS
        ),
    )


def _since(own: Iterable[ReminderPolicySet], everybodys: Iterable[ReminderPolicySet]) -> date | None:
    """The day on which the schedule became what it is; null where nobody says one.

    Who edits anything else of a policy, or says the same again, changes no schedule: what was missed by it stays missed.
    """
    said = sorted(((state, which) for which, layer in enumerate((own, everybodys)) for state in layer), key=_when)
    now: list[ReminderPolicySet | None] = [None, None]
    schedule: StatementSchedule | None = None
    since: date | None = None
    for state, which in said:
        before = now[which]
        now[which] = state if before is None else latest((before, state))
        following = next((one.statement for one in now if one is not None and one.statement is not None), None)
        if following != schedule:
            schedule, since = following, state.occurred_at.astimezone(UTC).date()
    return None if schedule is None else since


def _when(said: tuple[ReminderPolicySet, int]) -> tuple[datetime, int, str]:
    state, _ = said
    return state.occurred_at, state.revision, state.event_id


def _offsets(said: Iterable[int]) -> tuple[int, ...]:
    """Each once and in order; what lies more than a year off the due date cannot be meant."""
    return tuple(sorted({days for days in said if abs(days) <= MOST_OFFSET_DAYS}))[:MOST_OFFSETS]


def statement_rule(schedule: StatementSchedule) -> str | None:
    """What asks for a statement: the day of the month where there is one, else the weekday (1 is Monday); null: nothing."""
    if schedule.day_of_month is not None:
        return f"statement/day/{schedule.day_of_month}" if 1 <= schedule.day_of_month <= 31 else None
    if schedule.weekday is not None:
        return f"statement/weekday/{schedule.weekday}" if 1 <= schedule.weekday <= 7 else None
    return None


@lru_cache(maxsize=1024)
def statement_day(schedule: StatementSchedule, day: date) -> date | None:
    """The last statement day on or before a day; day 31 is the month's end. Null where no statements go out."""
    if statement_rule(schedule) is None:
        return None
    if schedule.day_of_month is None:
        return day - timedelta(days=(day.isoweekday() - (schedule.weekday or 1)) % 7)
    in_month = add_months(day.replace(day=1), 0, schedule.day_of_month)
    return in_month if in_month <= day else add_months(day.replace(day=1), -1, schedule.day_of_month)


def is_next_nearer(schedule: StatementSchedule, on: date, day: date) -> bool:
    """Whether, on a day, the statement day after `on` is nearer than `on`: then what was missed waits for that one."""
    following = _following(schedule, on)
    return following is not None and following - day < day - on


@lru_cache(maxsize=1024)
def statement_days(schedule: StatementSchedule, after: date, until: date) -> tuple[date, ...]:
    """The statement days after one day and up to another, in order; remembered, for most clients have everybody's."""
    found: list[date] = []
    following = _following(schedule, after)
    while following is not None and following <= until:
        found.append(following)
        following = _following(schedule, following)
    return tuple(found)


@lru_cache(maxsize=1024)
def _following(schedule: StatementSchedule, day: date) -> date | None:
    """The first statement day after a day; null where there is none, also because the calendar ends."""
    if statement_rule(schedule) is None:
        return None
    try:
        if schedule.day_of_month is None:
            return day + timedelta(days=7 - (day.isoweekday() - (schedule.weekday or 1)) % 7)
        in_month = add_months(day.replace(day=1), 0, schedule.day_of_month)
    except OverflowError:
        return None
    following = in_month if in_month > day else add_months(day.replace(day=1), 1, schedule.day_of_month)
    return following if following > day else None
