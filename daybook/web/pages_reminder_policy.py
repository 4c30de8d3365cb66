"""How everybody is reminded, or one client: a form that says the same record as upstream systems do."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from urllib.parse import parse_qsl
from uuid import uuid4

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from psycopg import Cursor

from daybook.app import now
from daybook.asked import NoAmount, read_minor
from daybook.printing import plain
from daybook.web import events
from daybook.web.access import installation
from daybook.web.limits import limited
from daybook.web.pages_item import Biller
from daybook.web.pages_queue import Viewer
from daybook.web.pages_reminders import WEEKDAYS
from daybook.web.pages_render import page, query
from daybook.web.pages_view import caught_up, read_id
from daybook.web.people import Person
from daybook.web.problems import Problem
from daybook.web.shapes import Event
from domain.client_account import ReminderPolicySet
from domain.money import minor_digits
from domain.reminder_policy import EVERYBODY, MOST_OFFSET_DAYS, MOST_OFFSETS, Policy, policy_of
from domain.terms import latest
from projections.invoice_list import client_names
from projections.reminders import policies_of
from projections.terms import load_catalogue
from runs.errors import NothingThere

WEEKLY = [(str(number), f"Every {name}") for number, name in enumerate(WEEKDAYS, 1)]

router = APIRouter(include_in_schema=False)


@router.get("/reminders/policy")
def policy_page(request: Request, person: Viewer, client: str = "", client_id: str = "", said: str = "") -> Response:
    """How everybody is reminded, or one client: what is said, and what counts where nothing is.

    A mistyped name must not open everybody's policy in place of one client's: it is refused.
    """
    if unknown := sorted(request.query_params.keys() - {"client", "client_id", "said"}):
        raise Problem(422, "invalid", "Not understood", f"There is no {unknown[0][:40]!r} here.", "Ask with `client`.")
    whose = read_id(client) or read_id(client_id) or EVERYBODY
    return _policy(request, person, whose, said="Saved: it counts from now on." if said == "saved" else "")


@router.post("/reminders/policy")
def set_policy(
    request: Request,
    person: Biller,
    about: Annotated[str, Form()] = "",
    new_invoice: Annotated[str, Form()] = "",
    statement: Annotated[str, Form()] = "",
    statement_day: Annotated[str, Form()] = "",
    offsets: Annotated[str, Form()] = "",
    minimum: Annotated[str, Form()] = "",
    opted_out: Annotated[str, Form()] = "",
) -> Response:
    """Says a policy anew, as upstream would: the same record, through the same log."""
    limited(request, "events", person.name)
    app = installation(request)
    # An id may hold characters that a form would change: it comes as a query string.
    client_id = read_id(dict(parse_qsl(about[:2_000])).get("client", "")) or EVERYBODY
    typed = {
        "new_invoice": new_invoice, "statement": statement, "statement_day": statement_day, "offsets": offsets,
        "minimum": minimum, "opted_out": opted_out,
    }  # fmt: skip
    faults: dict[str, str] = {}
    with app.views.reading() as cursor:
        _known(cursor, client_id)
        own = latest(policies_of(cursor, [client_id])[client_id])
        currency = _currency(cursor, client_id)
    fields = read_policy(typed, currency, faults)
    if faults:
        return _policy(request, person, client_id, typed=typed, faults=faults)
    event = {
        "event_id": str(uuid4()), "source": f"daybook/{person.name}"[:200], "occurred_at": plain(now()), "client_id": client_id,
        "revision": own.revision + 1 if own is not None else 1, **fields,
    }  # fmt: skip
    (done,) = events.take(app, [Event(topic="daybook.clients", type="ReminderPolicySet", event=event)])
    if done["outcome"] != "recorded":
        return _policy(request, person, client_id, typed=typed, faults={"": f"Not taken: {done['detail']}"})
    caught_up(app)
    back = query({"client": client_id if client_id != EVERYBODY else None, "said": "saved"})
    return RedirectResponse(f"/reminders/policy?{back}", status_code=303)


def read_policy(typed: Mapping[str, str], currency: str, faults: dict[str, str]) -> dict[str, Any]:
    """The record's fields as typed; what is empty inherits, what cannot be read is a fault of its field."""
    yes_or_no = {"": None, "yes": True, "no": False}
    return {
        "new_invoice": yes_or_no.get(typed["new_invoice"]),
        "statement": _read_statement(typed["statement"], typed["statement_day"].strip(), faults),
        "due_offsets_days": _read_offsets(typed["offsets"].strip(), faults),
        "minimum_balance_minor": _read_minimum(typed["minimum"].strip(), currency, faults),
        "opted_out": yes_or_no.get(typed["opted_out"]),
    }


def _read_statement(kind: str, text: str, faults: dict[str, str]) -> dict[str, int | None] | None:
    if kind == "none":
        return {"day_of_month": None, "weekday": None}
    if kind == "day":
        if text.isascii() and text.isdigit() and len(text) < 3 and 1 <= int(text) <= 31:
            return {"day_of_month": int(text), "weekday": None}
        faults["statement_day"] = "Give a day from 1 to 31; 31 is the month's last."
        return None
    if kind in map(str, range(1, 8)):
        return {"day_of_month": None, "weekday": int(kind)}
    return None


def _read_offsets(text: str, faults: dict[str, str]) -> list[int] | None:
    if not text:
        return None
    if text.lower() == "none":
        return []
    try:
        found = sorted({int(part) for part in text.replace("\N{MINUS SIGN}", "-").replace(";", ",").split(",") if part.strip()})
    except ValueError:
        found = []
    if not found or len(found) > MOST_OFFSETS or any(abs(days) > MOST_OFFSET_DAYS for days in found):
        faults["offsets"] = f"Give at most {MOST_OFFSETS} numbers of days within a year, e.g. -3, 7, 14; or none."
        return None
    return found


def _read_minimum(text: str, currency: str, faults: dict[str, str]) -> int | None:
    if not text:
        return None
    try:
        found = read_minor(text, currency)
    except NoAmount as error:
        faults["minimum"] = str(error)
        return None
    if found < 0:
        faults["minimum"] = "A balance below zero is never reminded of: give 0 or more."
    return found


def _policy(
    request: Request, person: Person, client_id: str, *, said: str = "", typed: Mapping[str, str] | None = None,
    faults: Mapping[str, str] | None = None,
) -> Response:  # fmt: skip
    app = installation(request)
    caught_up(app)
    with app.views.reading() as cursor:
        name = _known(cursor, client_id)
        said_of = policies_of(cursor, [client_id])
        currency = _currency(cursor, client_id)
        others = _with_own(cursor) if client_id == EVERYBODY else []
        in_use = _in_use(cursor, client_id)
    everybodys = said_of[EVERYBODY]
    own = latest(said_of[client_id])
    return page(
        request, person, "reminder_policy.html", client_id=client_id, name=name, everybody=client_id == EVERYBODY, own=own,
        inherited=policy_of([], []) if client_id == EVERYBODY else policy_of(everybodys, []),
        counts=policy_of(everybodys, [] if client_id == EVERYBODY else said_of[client_id]), typed=typed or _typed(own, currency),
        faults=faults or {}, said=said, currency=currency, weekly=WEEKLY, others=others, in_words=in_words,
        elsewhere=elsewhere(own.minimum_balance_minor if own is not None else None, [one for one in in_use if one != currency]),
        about=query({"client": client_id}), status=422 if faults else 200,
    )  # fmt: skip


def _known(cursor: Cursor[Any], client_id: str) -> str:
    """The client's name; raises NothingThere for one nobody has heard of."""
    if client_id == EVERYBODY:
        return "Everybody"
    name = client_names(cursor, [client_id]).get(client_id)
    if name is None:
        raise NothingThere(f"There is no client {client_id!r}")
    return name


def _currency(cursor: Cursor[Any], client_id: str) -> str:
    """What a minimum is typed in: the client's currency, or the provider's; it is compared by its number in any currency."""
    row = cursor.execute("SELECT currency FROM clients WHERE client_id = %s", (client_id,)).fetchone()
    provider = load_catalogue(cursor).provider
    found = str(row[0]) if row is not None else provider.base_currency if provider is not None else "GBP"
    try:
        minor_digits(found)
    except LookupError:
        return "GBP"
    return found


def _in_use(cursor: Cursor[Any], client_id: str) -> list[str]:
    """The currencies of the client's accounts, or of everybody's, that money can be written in."""
    rows = cursor.execute(
        "SELECT DISTINCT currency FROM (SELECT client_id, currency FROM clients UNION SELECT client_id, currency FROM invoices) c"
        " WHERE %s IN (client_id, '*') ORDER BY 1",
        (client_id,),
    ).fetchall()
    return [str(code) for (code,) in rows if _is_currency(code)]


def _is_currency(code: Any) -> bool:
    try:
        minor_digits(str(code))
    except LookupError:
        return False
    return True


def elsewhere(minimum_minor: int | None, currencies: Sequence[str]) -> str:
    """What the minimum is in accounts of other currencies: the same number of their minor units, for nothing is converted."""
    if not currencies:
        return "It is compared account by account; nothing is converted."
    said = ", ".join(f"{one} {_major(minimum_minor, one)}" if minimum_minor is not None else one for one in currencies)
    if minimum_minor is None:
        return f"In accounts of another currency ({said}) the same number of its minor units counts."
    return f"In accounts of another currency the same number of its minor units counts: {said}."


def _with_own(cursor: Cursor[Any]) -> list[tuple[str, str]]:
    """Clients with a policy of their own, by name."""
    ids = [client_id for (client_id,) in cursor.execute("SELECT client_id FROM clients").fetchall()]
    own = [client_id for client_id, found in policies_of(cursor, ids).items() if found and client_id != EVERYBODY]
    names = client_names(cursor, own)
    return sorted(((client_id, names.get(client_id, client_id)) for client_id in own), key=lambda one: one[1].lower())


def _typed(own: ReminderPolicySet | None, currency: str) -> dict[str, str]:
    """What is said, as a form shows it."""
    if own is None:
        return dict.fromkeys(("new_invoice", "statement", "statement_day", "offsets", "minimum", "opted_out"), "")
    words = {None: "", True: "yes", False: "no"}
    day = own.statement.day_of_month if own.statement is not None else None
    weekday = own.statement.weekday if own.statement is not None else None
    offsets = "" if own.due_offsets_days is None else ", ".join(map(str, own.due_offsets_days)) or "none"
    return {
        "new_invoice": words[own.new_invoice],
        "statement": "" if own.statement is None else "day" if day is not None else str(weekday or "none"),
        "statement_day": "" if day is None else str(day),
        "offsets": offsets,
        "minimum": "" if own.minimum_balance_minor is None else _major(own.minimum_balance_minor, currency),
        "opted_out": words[own.opted_out],
    }


def _major(minor: int, currency: str) -> str:
    digits = minor_digits(currency)
    whole, rest = divmod(abs(minor), 10**digits)
    return f"{'-' if minor < 0 else ''}{whole}" + (f".{rest:0{digits}d}" if digits else "")


def in_words(policy: Policy, field: str, currency: str) -> str:
    """What counts for a field, in words."""
    match field:
        case "new_invoice":
            return "yes" if policy.new_invoice else "no"
        case "opted_out":
            return "yes: nothing is sent" if policy.opted_out else "no"
        case "due_offsets_days":
            return ", ".join(map(str, policy.due_offsets_days)) or "none"
        case "minimum_balance_minor":
            return f"{currency} {_major(policy.minimum_balance_minor, currency)}"
    day, weekday = policy.statement.day_of_month, policy.statement.weekday
    if day is not None:
        return f"every month on day {day}"
    return f"every {WEEKDAYS[weekday - 1]}" if weekday in range(1, 8) and weekday is not None else "none"
