"""Reminders: the calendar of what is sent, when, to whom, and why something is not."""

from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from daybook.web.access import installation
from daybook.web.pages_queue import Viewer
from daybook.web.pages_render import page, query
from daybook.web.pages_view import find_clients, read_page, read_span, read_text, reading
from domain.notices import STATEMENT
from domain.reminder_words import PAID, REASONS, in_words
from projections.reminder_calendar import NOT_SENT, PLANNED, STATES, Entry, calendar, months

BACK_DAYS: Final = 14
AHEAD_DAYS: Final = 60
MOST_DAYS: Final = 366
PAGE: Final = 200
KINDS: Final = {"new_invoice": "New document", "statement": "Statement", "due_reminder": "Reminder"}
STATE_WORDS: Final = {
    PLANNED: "Will be sent", NOT_SENT: "Not sent", "claimed": "Being sent", "sent": "Sent", "failed": "Failed",
    "unknown": "Perhaps sent", "withdrawn": "Taken back",
}  # fmt: skip
WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
WITHDRAWN: Final = {**REASONS, "paused": "it was paused"}

router = APIRouter(include_in_schema=False)


@router.get("/reminders")
def reminders_page(request: Request, person: Viewer) -> Response:
    """The calendar: two weeks back and sixty days ahead, or the days asked for; of all clients, or of those that match."""
    app = installation(request)
    given = request.query_params
    faults: dict[str, str] = {}
    today = app.settings.business_date()
    since, until = read_span(given, faults)
    since = since or min(until or today, today) - timedelta(days=BACK_DAYS)
    until = until or max(since, today) + timedelta(days=AHEAD_DAYS)
    if (until - since).days > MOST_DAYS and not faults:
        faults["to"] = "Ask for a year at most."
    misread = bool(faults)
    client = read_text(given.get("client", ""))
    state = given.get("state") if given.get("state") in STATES else None
    number = read_page(given.get("page", ""))
    with reading(app, request, person) as (cursor, behind):
        clients = find_clients(cursor, client, faults)
        ids = [client_id for client_id, _ in clients] if clients is not None else None
        found = [] if faults else calendar(cursor, app.book.keyring, today, since, until, ids)
    shown = [one for one in found if state in (None, one.state)]
    first = (number - 1) * PAGE
    return page(
        request, person, "reminders.html", rows=shown[first : first + PAGE], count=len(shown), counts=_counts(shown),
        months=[] if faults else months(since, until), since=since, until=until, today=today, client=client,
        one_client=ids[0] if ids is not None and len(ids) == 1 else None, state=state, states=STATE_WORDS, kinds=KINDS,
        invoice_first=any(one.kind == STATEMENT and one.state == PLANNED for one in shown),
        why=why, rule=rule, faults=faults, typed=dict(given), behind=behind, number=number, pages=-(-len(shown) // PAGE),
        asked=query({"client": client, "from": given.get("from"), "to": given.get("to"), "state": state}),
        narrowed=any(given.get(name) for name in ("client", "from", "to", "state")), status=422 if misread else 200,
    )  # fmt: skip


def _counts(entries: Sequence[Entry]) -> dict[date, Counter[str]]:
    """By day and state; what is on its way counts as planned."""
    found: dict[date, Counter[str]] = {}
    for one in entries:
        state = PLANNED if one.state in ("claimed", "unknown") else one.state
        found.setdefault(one.day, Counter())[state] += 1
    return found


def why(entry: Entry) -> str:
    """Why something was or will not be sent, where a word says it; what a server said is personal text."""
    if entry.state == NOT_SENT and entry.why == PAID and entry.balance_minor > 0:
        return "credit covers it"  # the balance counts what was received and pays nothing yet (R4)
    if entry.state == NOT_SENT and entry.why in REASONS:
        return in_words(entry.why)
    return WITHDRAWN.get(entry.why or "", (entry.why or "").replace("_", " ")) if entry.state == "withdrawn" else ""


def rule(entry: Entry) -> str:
    """What asked for it, in words."""
    kind, _, rest = entry.rule.partition("/")
    if kind == "due":
        days = int(rest)
        return (
            "on the due date"
            if not days
            else f"{abs(days)} {'day' if abs(days) == 1 else 'days'} {'after' if days > 0 else 'before'}"
        )
    if kind == "statement":
        which, _, value = rest.partition("/")
        return f"every {WEEKDAYS[int(value) - 1]}" if which == "weekday" else f"every month on day {value}"
    return ""
