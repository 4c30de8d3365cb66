"""Forms about money: record a payment, record that one went back, say whose one is."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Final
from urllib.parse import parse_qsl

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from psycopg import Cursor

from daybook import paying
from daybook.feeding import NobodyConsumes
from daybook.paying_named import currencies_of
from daybook.web.access import installation
from daybook.web.limits import limited
from daybook.web.pages_item import Biller
from daybook.web.pages_payments import shown
from daybook.web.pages_render import page, query
from daybook.web.pages_view import find_clients, read_day, read_id, read_text, reading
from daybook.web.people import Person
from domain.money import UnknownCurrency, minor_digits
from projections.terms import load_clients
from runs.errors import NothingThere, Refused

MOST_OFFERED: Final = 200
NOBODY_TAKES: Final = "It is on its way, but nobody takes it in just now: have the worker started, then send this once more."

router = APIRouter(include_in_schema=False)
Text = Annotated[str, Form()]


@router.get("/payments/new")
def form(request: Request, person: Biller, client: str = "", currency: str = "", invoice: str = "") -> Response:
    """The form to record a payment, filled in with what is outstanding: of one invoice, or of the client in a currency."""
    typed = {"client": read_id(client), "currency": read_text(currency), "token": paying.new_token()}
    return _form(request, person, typed, [read_text(invoice)] if invoice else [], fill=True)


@router.post("/payments/new")
def record(
    request: Request,
    person: Biller,
    token: Text,
    about: Text = "",
    client: Text = "",
    amount: Text = "",
    currency: Text = "",
    received_on: Text = "",
    method: Text = "bank",
    reference: Text = "",
    others: Text = "",
    unknown_invoice_ok: Text = "",
    other_currency_ok: Text = "",
    invoice: Annotated[list[str] | None, Form()] = None,
) -> Response:
    """Records a payment; the same form sent twice is one payment. What is wrong is said beside its field."""
    limited(request, "decide", person.name)
    app = installation(request)
    client_id = read_id(dict(parse_qsl(about, keep_blank_values=True)).get("client", ""))
    typed = {
        "token": token, "client": client_id or read_text(client), "amount": amount, "currency": currency, "method": method,
        "received_on": received_on, "reference": reference, "others": others,
        "unknown_invoice_ok": unknown_invoice_ok, "other_currency_ok": other_currency_ok,
    }  # fmt: skip
    chosen = [read_id(one) for one in invoice or ()]
    faults: dict[str, str] = {}
    day = read_day(received_on, "received_on", faults) or None
    if day is None and not faults:
        faults["received_on"] = "On which day did the money come?"
    if not client_id:
        client_id = _meant(request, person, typed["client"], faults)
        typed["client"] = client_id or typed["client"]
    if faults or day is None:
        return _form(request, person, typed, chosen, faults=faults, status=422)
    numbers = tuple(dict.fromkeys((*chosen, *others.replace(",", " ").split())))
    given = paying.Payment(
        client_id=client_id, amount=amount, currency=currency.strip(), received_on=day, method=method, invoice_numbers=numbers,
        reference=reference.strip(), unknown_invoice_ok=bool(unknown_invoice_ok), other_currency_ok=bool(other_currency_ok),
    )  # fmt: skip
    try:
        done = paying.record(app, given, token=token, by=person.name)
    except Refused as error:
        return _form(request, person, typed, chosen, faults=getattr(error, "faults", {}), wrong=_sentence(error), status=409)
    except NobodyConsumes:
        return _form(request, person, typed, chosen, wrong=NOBODY_TAKES, status=503)
    return _to(done.client_id, done.payment_id, "already" if done.already else "recorded")


@router.post("/payments/refund")
def refund(
    request: Request,
    person: Biller,
    about: Text,
    token: Text,
    amount: Text = "",
    reason: Text = "",
    on: Text = "",
    kind: Text = "refund",
) -> Response:
    """Records that part of a payment went back: given by the provider, or taken by the payer's bank."""
    limited(request, "decide", person.name)
    client_id, payment_id = _target(about)
    faults: dict[str, str] = {}
    day = read_day(on, "on", faults)
    if kind not in ("refund", "chargeback"):
        faults["kind"] = "Say whether you gave it back or the bank took it."
    typed = {"amount": amount, "reason": reason, "on": on, "kind": kind}
    if faults:
        return shown(request, person, client_id, payment_id, faults=faults, typed=typed, status=422)
    try:
        done = paying.refund(
            installation(request), client_id, payment_id, amount, reason=reason, token=token, by=person.name, on=day,
            charged_back=kind == "chargeback",
        )  # fmt: skip
    except NothingThere:
        raise
    except Refused as error:
        faults = {{"received_on": "on"}.get(name, name): text for name, text in getattr(error, "faults", {}).items()}
        return shown(request, person, client_id, payment_id, wrong=_sentence(error), faults=faults, typed=typed, status=409)
    except NobodyConsumes:
        return shown(request, person, client_id, payment_id, wrong=NOBODY_TAKES, typed=typed, status=503)
    return _to(client_id, payment_id, "already" if done.already else "refunded")


@router.post("/payments/match")
def match(request: Request, person: Biller, about: Text, client: Text = "", client_id: Text = "") -> Response:
    """Says whose a payment is: `client_id` as suggested, or `client` as typed. Whoever comes second is told who was first."""
    limited(request, "decide", person.name)
    whose, payment_id = _target(about)
    faults: dict[str, str] = {}
    meant = read_id(dict(parse_qsl(client_id)).get("client", "")) or _meant(request, person, read_text(client), faults)
    if faults:
        return shown(request, person, whose, payment_id, faults=faults, typed={"client": client}, status=422)
    try:
        done = paying.match(installation(request), payment_id, meant, by=person.name)
    except NothingThere:
        raise
    except Refused as error:
        return shown(
            request, person, whose, payment_id, wrong=_sentence(error), faults=getattr(error, "faults", {}),
            typed={"client": client}, status=409,
        )  # fmt: skip
    except NobodyConsumes:
        return shown(request, person, whose, payment_id, wrong=NOBODY_TAKES, status=503)
    return _to(meant, payment_id, "already" if done.already else "matched")


# ---- the form


def _form(
    request: Request,
    person: Person,
    typed: dict[str, str],
    chosen: list[str],
    *,
    fill: bool = False,
    faults: dict[str, str] | None = None,
    wrong: str = "",
    status: int = 200,
) -> Response:
    app = installation(request)
    with reading(app, request, person) as (cursor, _):
        terms = load_clients(cursor, [typed["client"]])[typed["client"]] if typed["client"] else None
        known = terms is not None and terms.known
        if fill and typed["client"] and not known:
            raise NothingThere(f"There is no client {typed['client']}")
        currencies = currencies_of(cursor, typed["client"]) if known else []
        if terms is not None and terms.latest is not None:
            typed["currency"] = typed["currency"] or _currency_of(cursor, chosen) or terms.latest.currency
        offered = _offered(cursor, typed["client"], typed["currency"], chosen) if known else []
    today = paying.today_of(app, terms)
    if fill:
        typed["received_on"] = str(today)
        typed["amount"] = _prefilled(typed["currency"], offered, chosen)
    return page(
        request, person, "payment_form.html", typed=typed, chosen=chosen, offered=offered, currencies=currencies, today=today,
        client=terms.latest if terms is not None else None, methods=paying.METHODS, faults=faults or {}, wrong=wrong,
        status=status,
    )  # fmt: skip


def _offered(cursor: Cursor[Any], client_id: str, currency: str, chosen: list[str]) -> list[tuple[str, date, int]]:
    """(number, due on, outstanding) of the open invoices in a currency, the oldest due first."""
    rows = cursor.execute(
        "SELECT number, due_on, outstanding_minor FROM open_items WHERE client_id = %s AND currency = %s"
        ' AND (outstanding_minor > 0 OR number = ANY(%s)) ORDER BY due_on, issued_on, number COLLATE "C" LIMIT %s',
        (client_id, currency, chosen, MOST_OFFERED),
    ).fetchall()
    return [(number, due_on, outstanding) for number, due_on, outstanding in rows]


def _currency_of(cursor: Cursor[Any], numbers: list[str]) -> str:
    row = cursor.execute("SELECT currency FROM invoices WHERE number = ANY(%s) LIMIT 1", (numbers,)).fetchone()
    return row[0] if row is not None else ""


def _prefilled(currency: str, offered: list[tuple[str, date, int]], chosen: list[str]) -> str:
    """What is outstanding: of what was chosen, else of everything."""
    owed = sum(outstanding for number, _, outstanding in offered if not chosen or number in chosen)
    try:
        digits = minor_digits(currency)
    except UnknownCurrency:
        return ""
    return f"{Decimal(owed).scaleb(-digits):.{digits}f}" if owed > 0 else ""


# ---- what forms say


def _target(about: str) -> tuple[str, str]:
    """(client id, payment id) as a query string, for an id may hold characters that a form would change."""
    given = dict(parse_qsl(about, keep_blank_values=True))
    return read_id(given.get("client_id", "")), read_id(given.get("payment_id", ""))


def _meant(request: Request, person: Person, text: str, faults: dict[str, str]) -> str:
    """The one client that a text means, or a fault that says why it is not one."""
    if not text:
        faults["client"] = "Which client?"
        return ""
    with reading(installation(request), request, person) as (cursor, _):
        found = find_clients(cursor, text, faults) or ()
    if len(found) > 1:
        names = ", ".join(str(one) for one in found[:5])
        faults["client"] = f"“{text}” may be any of {len(found)} clients: {names}{' …' if len(found) > 5 else ''}"
    return found[0].id if len(found) == 1 else ""


def _sentence(error: Refused) -> str:
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') else '.'}"


def _to(client_id: str, payment_id: str, said: str) -> Response:
    asked = query({"client_id": client_id, "payment_id": payment_id, "said": said})
    return RedirectResponse(f"/payments/one?{asked}", status_code=303)
