"""What a client's notices depend on, as one snapshot of the views has it; policies and what was claimed are never behind."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Final, LiteralString

from psycopg import Cursor

from domain.calendar import is_plausible, local_day
from domain.client_account import ClientDefined, ReminderPolicySet
from domain.contract_terms import is_currency
from domain.ids import stream_id
from domain.notices import NoticeFailed, NoticeUnknown
from domain.reminder_policy import EVERYBODY, policy_of
from domain.reminder_words import MISSED, NEW_FOR_DAYS, PAUSES, UNKNOWN
from domain.reminders import Account, Bill, Client
from domain.terms import client_effective_from, latest, timeline, zone_of
from ledger.event_codec import decode
from ledger.keyring import PREFIX, Keyring
from projections.receivables import UNKNOWN_PAYER

FOR_ADDRESS_IN_WORDS: Final = ("no e-mail address:", "the server refused every address:", "the server refused an address:")
"""How the reason of a failure that another address can mend begins, in records that do not say it (`for_address`)."""
_TAKEN_BACK: Final[LiteralString] = (
    " (EXISTS (SELECT FROM voids v WHERE v.client_id = i.client_id AND v.number = i.number)"
    " OR (coalesce(o.outstanding_minor, 0) = 0 AND i.kind <> 'credit_note'"
    " AND (EXISTS (SELECT FROM credited c WHERE c.client_id = i.client_id AND c.of_number = i.number)"
    " OR EXISTS (SELECT FROM write_offs w WHERE w.client_id = i.client_id AND w.number = i.number))"
    " AND NOT EXISTS (SELECT FROM allocations a JOIN payments p ON p.client_id = a.client_id AND p.payment_id = a.source"
    " WHERE a.client_id = i.client_id AND a.number = i.number)))"
)
MAY_YET_PAY: Final = ("unmatched_payment", "unknown_client", "wrong_currency")
"""Why a payment waits that may yet pay something, unless all of it went back: an impossible one never will."""
TRIES_BEFORE: Final = 8
"""At that try every failure was final, in records that do not say whether it was given up (`given_up`)."""
PAID_FOR_DAYS: Final = 60
"""Paid invoices due that long ago, or later, are looked at too: the calendar says why nobody is reminded of them."""


def clients_with_accounts(cursor: Cursor[Any]) -> list[str]:
    """Everybody who was ever invoiced, or paid something."""
    rows = cursor.execute(
        "SELECT client_id FROM invoices UNION SELECT client_id FROM credits EXCEPT SELECT %s ORDER BY 1", (UNKNOWN_PAYER,)
    ).fetchall()
    return [client_id for (client_id,) in rows]


def look(
    cursor: Cursor[Any],
    keyring: Keyring,
    client_ids: Sequence[str],
    day: date,
    known: Mapping[str, ClientDefined] | None = None,
) -> dict[str, Client]:
    """Some clients with all that decides what they are told around a day; `known` are their `states`, if they were read."""
    known = states(cursor, client_ids) if known is None else known
    policies = policies_of(cursor, client_ids)
    bills = _bills(cursor, client_ids, day)
    accounts = _accounts(cursor, client_ids)
    pending = _with_payment_waiting(cursor, client_ids)
    told = _told(cursor, client_ids, keyring, known)
    return {
        client_id: Client(
            client_id=client_id,
            policy=policy_of(policies[EVERYBODY], policies[client_id]),
            bills=tuple(bills.get(client_id, ())),
            accounts=accounts.get(client_id, {}),
            told=frozenset(told[client_id].ids),
            given_up=told[client_id].given_up,
            has_address=bool(addresses(keyring, known.get(client_id))),
            pending=client_id in pending,
        )
        for client_id in client_ids
    }


def states(cursor: Cursor[Any], client_ids: Sequence[str]) -> dict[str, ClientDefined]:
    """The last revision of some clients; one that nobody has defined is left out."""
    found = _said(cursor, client_ids)
    return {client_id: last for client_id, said in found.items() if (last := latest(said)) is not None}


def _said(cursor: Cursor[Any], client_ids: Sequence[str]) -> dict[str, list[ClientDefined]]:
    found: dict[str, list[ClientDefined]] = {}
    for subject, state in cursor.execute(
        "SELECT subject, state FROM terms WHERE subject = ANY(%s) AND topic = %s", (list(client_ids), ClientDefined.TOPIC)
    ):
        found.setdefault(subject, []).append(decode(ClientDefined.TOPIC, state))
    return found


def addresses(keyring: Keyring, client: ClientDefined | None) -> list[str]:
    """Where a client's bills go, readable; nothing where its key was forgotten."""
    said = () if client is None else client.billing_emails
    readable = ((keyring.decrypt(one) or "") if one.startswith(PREFIX) else one for one in said)
    return list(dict.fromkeys(one.strip() for one in readable if one.strip()))


def local_days(cursor: Cursor[Any], client_ids: Sequence[str], at: datetime) -> dict[str, date]:
    """The day an instant has at each client's, in the zone it has then (D5): nobody is late before his own day is over."""
    said = _said(cursor, client_ids)
    return {one: _day(said.get(one, ()), at) for one in client_ids}


def _day(said: Iterable[ClientDefined], at: datetime) -> date:
    """The client's day of an instant, on the clocks of the zone in force then; UTC for one that nobody has defined."""
    if not is_plausible(at):
        return at.date()
    day, states = local_day(at, "UTC"), timeline(said, client_effective_from)
    zone = zone_of(states.first_or_on(day).time_zone) if states.states else None
    return local_day(at, zone or "UTC")


def policies_of(cursor: Cursor[Any], client_ids: Sequence[str]) -> dict[str, list[ReminderPolicySet]]:
    """Every policy said of some clients and of everybody ("*"), straight from the book."""
    found: dict[str, list[ReminderPolicySet]] = {client_id: [] for client_id in (EVERYBODY, *client_ids)}
    streams = [stream_id("reminder-policy", client_id) for client_id in found]
    for (state,) in cursor.execute("SELECT state FROM ledger.daybook_events WHERE originator_id = ANY(%s)", (streams,)):
        policy: ReminderPolicySet = decode(ReminderPolicySet.TOPIC, bytes(state))
        found[policy.client_id].append(policy)
    return found


def _bills(cursor: Cursor[Any], client_ids: Sequence[str], day: date) -> dict[str, list[Bill]]:
    named, charged_back = _named_by_unknown_payer(cursor), _charged_back(cursor, client_ids)
    rows = cursor.execute(
        "SELECT i.client_id, i.number, i.kind, i.currency, i.issued_on, i.due_on, coalesce(o.outstanding_minor, 0),"  # noqa: S608 - constants
        + _TAKEN_BACK
        + " FROM invoices i LEFT JOIN open_items o USING (client_id, number) WHERE i.client_id = ANY(%s)"
        " AND (o.outstanding_minor > 0 OR i.issued_on > %s OR i.due_on >= %s)"
        ' ORDER BY i.client_id, i.due_on, i.number COLLATE "C"',
        (list(client_ids), day - timedelta(days=NEW_FOR_DAYS + 1), day - timedelta(days=PAID_FOR_DAYS)),
    ).fetchall()
    found: dict[str, list[Bill]] = {}
    for client_id, number, kind, currency, issued_on, due_on, outstanding, voided in rows:
        found.setdefault(client_id, []).append(
            Bill(
                number=number, currency=currency, issued_on=issued_on, due_on=due_on, outstanding_minor=outstanding,
                credit_note=kind == "credit_note", pending=number in named, charged_back=(client_id, number) in charged_back,
                voided=voided,
            )
        )  # fmt: skip
    return found


def _named_by_unknown_payer(cursor: Cursor[Any]) -> set[str]:
    """Invoices named by payments that nobody has matched to a client yet, and that somebody still can."""
    rows = cursor.execute(
        "SELECT p.currency, p.invoice_numbers FROM waiting w JOIN payments p ON p.client_id = w.client_id"
        " AND p.payment_id = w.id WHERE w.client_id = %s AND w.what = 'payment' AND w.reason = ANY(%s)"
        " AND coalesce((SELECT sum(r.amount_minor) FROM returns r WHERE r.client_id = p.client_id"
        " AND r.payment_id = p.payment_id AND coalesce(r.currency, p.currency) = p.currency"
        " AND r.amount_minor BETWEEN 0 AND p.amount_minor), 0) < p.amount_minor",
        (UNKNOWN_PAYER, list(MAY_YET_PAY)),
    ).fetchall()
    return {number for currency, numbers in rows if is_currency(currency) for number in numbers}


def _charged_back(cursor: Cursor[Any], client_ids: Sequence[str]) -> set[tuple[str, str]]:
    """Invoices that a chargeback took money back from and that nobody has paid anything of since (`charged_back`)."""
    rows = cursor.execute(
        "SELECT DISTINCT ON (client_id, number) client_id, number, source, amount_minor, allocated_on FROM allocations"
        " WHERE kind = 'payment' AND client_id = ANY(%s) AND client_id IN (SELECT client_id FROM returns"
        " WHERE kind = 'chargeback' UNION SELECT client_id FROM payments WHERE payment_id IN (SELECT payment_id FROM returns"
        " WHERE kind = 'chargeback' AND client_id = %s))"
        " ORDER BY client_id, number, allocation_no DESC",
        (list(client_ids), UNKNOWN_PAYER),
    ).fetchall()
    last = [row for row in rows if row[3] < 0]
    days = _return_days(cursor, sorted({(client_id, source) for client_id, _, source, _, _ in last}))
    return {
        (client_id, number)
        for client_id, number, source, _, day in last
        if "chargeback" in _kinds(days.get((client_id, source), []), day)
    }


def _kinds(returns: Sequence[tuple[str, date]], day: date) -> set[str]:
    """What took money of a payment back on a day; of two kinds on one day nobody can tell, and either may have been it."""
    return {kind for kind, on in returns if on == day} or {kind for kind, _ in returns}


def _return_days(cursor: Cursor[Any], keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], list[tuple[str, date]]]:
    """The kind and the day of each return of some clients' payments, on the clocks that they were settled by."""
    if not keys:
        return {}
    said = _said(cursor, sorted({client_id for client_id, _ in keys}))
    rows = cursor.execute(
        "SELECT p.client_id, p.payment_id, r.kind, greatest(r.returned_at, p.received_at) FROM payments p"
        " JOIN unnest(%s::text[], %s::text[]) k (c, i) ON p.client_id = k.c AND p.payment_id = k.i"
        " JOIN returns r ON r.client_id IN (p.client_id, %s) AND r.payment_id = p.payment_id",
        ([client_id for client_id, _ in keys], [source for _, source in keys], UNKNOWN_PAYER),
    ).fetchall()
    found: dict[tuple[str, str], list[tuple[str, date]]] = {}
    for client_id, payment_id, kind, at in rows:
        found.setdefault((client_id, payment_id), []).append((kind, _day(said.get(client_id, ()), at)))
    return found


def _accounts(cursor: Cursor[Any], client_ids: Sequence[str]) -> Mapping[str, dict[str, Account]]:
    rows = cursor.execute(
        "SELECT client_id, currency, sum(owed)::bigint, sum(credit)::bigint, min(moved_on), max(moved_on) FROM ("
        "SELECT client_id, currency, outstanding_minor AS owed, 0 AS credit, issued_on AS moved_on FROM open_items"
        " UNION ALL SELECT client_id, currency, 0, unapplied_minor, received_on FROM credits"
        " UNION ALL SELECT client_id, currency, 0, 0, allocated_on FROM allocations"
        ") a WHERE client_id = ANY(%s) GROUP BY 1, 2",
        (list(client_ids),),
    ).fetchall()
    found: dict[str, dict[str, Account]] = {}
    for client_id, currency, owed, credit, began_on, moved_on in rows:
        account = Account(outstanding_minor=owed, unapplied_minor=credit, began_on=began_on, moved_on=moved_on)
        found.setdefault(client_id, {})[currency] = account
    return found


def _with_payment_waiting(cursor: Cursor[Any], client_ids: Sequence[str]) -> set[str]:
    """Clients with a payment that waits and may yet pay something: nobody is parked for ever by one odd line."""
    rows = cursor.execute(
        "SELECT DISTINCT w.client_id FROM waiting w LEFT JOIN credits c ON c.client_id = w.client_id AND c.source = w.id"
        " AND c.kind = 'payment' WHERE w.what = 'payment' AND w.client_id = ANY(%s) AND w.reason = ANY(%s)"
        " AND coalesce(c.unapplied_minor, 1) > 0",
        (list(client_ids), list(MAY_YET_PAY)),
    ).fetchall()
    return {client_id for (client_id,) in rows}


@dataclass(frozen=True, slots=True)
class _Told:
    """What a client was, or is about to be, told; and what was given up, each with its word."""

    ids: set[str] = field(default_factory=set)
    given_up: dict[str, str] = field(default_factory=dict)


def _told(
    cursor: Cursor[Any], client_ids: Sequence[str], keyring: Keyring, known: Mapping[str, ClientDefined]
) -> dict[str, _Told]:
    """What is claimed, or was sent, failed, or was withdrawn for good; what was only paused is left out."""
    found = {client_id: _Told() for client_id in client_ids}
    rows = cursor.execute(
        "SELECT client_id, notice_id, CASE WHEN permanent THEN addresses END, position FROM notices"
        " WHERE client_id = ANY(%s) AND NOT (state = 'withdrawn' AND reason = ANY(%s))",
        (list(client_ids), sorted(PAUSES)),
    ).fetchall()
    ended = _ended(cursor, [position for *_, tried, position in rows if tried is not None])
    for client_id, notice_id, tried, position in rows:
        end = ended.get(position)
        if isinstance(end, NoticeFailed) and _readdressed(keyring, known.get(client_id), tried, end):
            continue
        word = _given_up(end)
        if word is None:
            found[client_id].ids.add(notice_id)
        else:
            found[client_id].given_up[notice_id] = word
    return found


def _given_up(end: NoticeFailed | NoticeUnknown | None) -> str | None:
    """The word of what is not tried again though no server has refused it for good; null of anything else."""
    match end:
        case NoticeUnknown():
            return UNKNOWN
        case NoticeFailed(given_up=None):
            return MISSED if end.tries >= TRIES_BEFORE else None
        case NoticeFailed(given_up=True):
            return MISSED
    return None


def _ended(cursor: Cursor[Any], positions: Sequence[int]) -> dict[int, NoticeFailed | NoticeUnknown]:
    """What the book has of ends that are final, each at its position."""
    if not positions:
        return {}
    rows = cursor.execute(
        "SELECT notification_id, topic, state FROM ledger.daybook_events WHERE notification_id = ANY(%s)", (list(positions),)
    ).fetchall()
    return {position: decode(topic, bytes(state)) for position, topic, state in rows}


def _readdressed(keyring: Keyring, client: ClientDefined | None, tried: Sequence[str], failed: NoticeFailed) -> bool:
    """Whether a notice failed for its addresses alone, and the client has others by now."""
    for_address = failed.for_address
    if for_address is None:
        for_address = (keyring.decrypt(failed.reason) or "").startswith(FOR_ADDRESS_IN_WORDS)
    return for_address and {keyring.decrypt(one) for one in tried} != set(addresses(keyring, client))
