"""The calendar of reminders: what was sent, what will be sent, when and to whom, and why something will not (product C14)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from psycopg import Cursor

from domain.client_account import ClientDefined
from domain.reminders import Client, Planned, ahead, planned
from ledger.keyring import Keyring
from projections import notices, reminders
from projections.invoice_list import client_names
from projections.notices import Notice

PLANNED: Final = "planned"
NOT_SENT: Final = "not_sent"
STATES: Final = (PLANNED, *notices.STATES, NOT_SENT)
CLIENTS_AT_ONCE: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One notice on its day: `state` is how it stands, `planned` or `not_sent`; `why` a word for what is not, or did not, go.

    `to` and, of a failure, `why` are ciphertext; `balance_minor` is what was to be paid when it was claimed, or is today.
    """

    day: date
    client_id: str
    client_name: str
    notice_id: str
    kind: str
    rule: str
    numbers: tuple[str, ...]
    currency: str
    due_on: date | None
    balance_minor: int
    to: tuple[str, ...]
    state: str
    why: str | None
    tries: int


def calendar(
    cursor: Cursor[Any], keyring: Keyring, as_of: date, since: date, until: date, client_ids: Sequence[str] | None = None
) -> list[Entry]:
    """Every entry of the days from `since` to `until`, by day, client and notice; what is due on `as_of` stands on that day."""
    wanted = reminders.clients_with_accounts(cursor) if client_ids is None else list(client_ids)
    only = set(wanted)
    told = [one for one in notices.claimed_between(cursor, since, until) if client_ids is None or one.client_id in only]
    names = client_names(cursor, sorted(only | {one.client_id for one in told}))
    found = [_told(one, names.get(one.client_id, one.client_id)) for one in told]
    for start in range(0, len(wanted) if as_of <= until else 0, CLIENTS_AT_ONCE):
        some = wanted[start : start + CLIENTS_AT_ONCE]
        states = reminders.states(cursor, some)
        for client in reminders.look(cursor, keyring, some, as_of, states).values():
            name, state = names.get(client.client_id, client.client_id), states.get(client.client_id)
            found += [_foreseen(one, name, state) for one in _foresee(client, as_of, until) if since <= one.day]
    return sorted(found, key=lambda one: (one.day, one.client_name.lower(), one.client_id, one.notice_id))


def _foresee(client: Client, as_of: date, until: date) -> Iterator[Planned]:
    yield from planned(client, as_of)
    yield from ahead(client, as_of, until)


def _told(notice: Notice, name: str) -> Entry:
    return Entry(
        day=notice.claimed_on, client_id=notice.client_id, client_name=name, notice_id=notice.notice_id, kind=notice.kind,
        rule=notice.rule, numbers=notice.numbers, currency=notice.currency, due_on=notice.due_on,
        balance_minor=notice.balance_minor, to=notice.to, state=notice.state, why=notice.reason, tries=notice.tries,
    )  # fmt: skip


def _foreseen(one: Planned, name: str, client: ClientDefined | None) -> Entry:
    return Entry(
        day=one.day, client_id=one.client_id, client_name=name, notice_id=one.notice_id, kind=one.kind, rule=one.rule,
        numbers=one.numbers, currency=one.currency, due_on=one.due_on, balance_minor=one.balance_minor,
        to=() if client is None else client.billing_emails, state=PLANNED if one.why_not is None else NOT_SENT,
        why=one.why_not, tries=0,
    )  # fmt: skip


def months(since: date, until: date) -> list[list[list[date | None]]]:
    """The weeks, Monday first, of each month from one day to another; a day of another month is null."""
    found = []
    first = since.replace(day=1)
    while first <= until:
        following = (first + timedelta(days=32)).replace(day=1)
        days: list[date | None] = [None] * first.weekday()
        days += [first + timedelta(days=n) for n in range((following - first).days)]
        days += [None] * (-len(days) % 7)
        found.append([days[n : n + 7] for n in range(0, len(days), 7)])
        first = following
    return found
