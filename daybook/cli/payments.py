"""Money by hand: record a payment, record that one went back, see those that wait, and say whose one is."""

from datetime import datetime
from typing import Annotated, Any

import typer

from daybook.options import A_DAY, Client, Json, Reason, by, client_id_of, day_of, opened, reading

app = typer.Typer()

Amount = Annotated[str, typer.Argument(help="In whole units, e.g. 125.00.")]
On = Annotated[datetime | None, typer.Option("--on", **A_DAY, help="The client's day of it (default: today).")]
Once = Annotated[
    str | None, typer.Option("--once", help="A text of your own, of 8 letters or more: said twice under it, it counts once.")
]


@app.command()
def pay(
    client: Annotated[str, typer.Argument(help="Whose money it is: an id, or a part of the name.")],
    amount: Amount,
    currency: Annotated[str | None, typer.Option("--currency", help="Needed only where it is not the client's own.")] = None,
    on: On = None,
    invoice: Annotated[list[str] | None, typer.Option("--invoice", help="An invoice that it pays; may be given again.")] = None,
    method: Annotated[str, typer.Option("--method", help="bank, card, direct_debit, cash or other.")] = "bank",
    reference: Annotated[str, typer.Option("--reference", help="What stands on the bank's paper.")] = "",
    once: Once = None,
    unknown_invoice_ok: Annotated[
        bool, typer.Option("--unknown-invoice-ok", help="Keep a number that no invoice has yet: it is paid when it is issued.")
    ] = False,
    other_currency_ok: Annotated[
        bool, typer.Option("--other-currency-ok", help="Keep a currency in which the client has nothing, as credit.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Record a payment: it becomes an event, and counts at once."""
    from daybook import paying, printing
    from daybook.asked import NotTaken
    from projections.payment_list import PaymentFilter, payment_rows
    from projections.terms import load_clients
    from runs.errors import Refused

    with opened() as found:
        client_id = client_id_of(found, client)
        assert client_id is not None
        with reading(found) as cursor:
            terms = load_clients(cursor, [client_id])[client_id]
        given = paying.Payment(
            client_id=client_id, amount=amount, currency=currency or (terms.latest.currency if terms.latest else "GBP"),
            received_on=day_of(on) or paying.today_of(found, terms), method=method, invoice_numbers=tuple(invoice or ()),
            reference=reference, unknown_invoice_ok=unknown_invoice_ok, other_currency_ok=other_currency_ok,
        )  # fmt: skip
        try:
            done = paying.record(found, given, token=once or paying.new_token(), by=by())
        except NotTaken as error:
            options = " ".join(f"--{name.replace('_', '-')}" for name in error.faults if name.endswith("_ok"))
            raise Refused(f"{error}{f' If it is meant: {options}.' if options else ''}") from None
        with reading(found) as cursor:
            [became] = payment_rows(cursor, PaymentFilter(client_ids=(done.client_id,), payment_id=done.payment_id))
    if as_json:
        printing.as_json([{**printing.plain(became), "already": done.already}])
        return
    _tell("recorded", done)
    _tell_what_it_pays(became)


@app.command()
def refund(
    payment: Annotated[str, typer.Argument(help="The payment's id: `daybook payments` lists them.")],
    amount: Amount,
    reason: Reason,
    client: Annotated[str | None, typer.Option("--client", help="Whose, where several have a payment of that id.")] = None,
    on: On = None,
    once: Once = None,
) -> None:
    """Record that part of a payment went back; it moves no money itself."""
    from daybook import paying

    with opened() as found:
        client_id = client_id_of(found, client) or _client_of(found, payment)
        done = paying.refund(
            found, client_id, payment, amount, reason=reason, token=once or paying.new_token(), by=by(), on=day_of(on)
        )
    _tell("recorded as given back", done)


@app.command()
def chargeback(
    payment: Annotated[str, typer.Argument(help="The payment's id: `daybook payments` lists them.")],
    amount: Amount,
    reason: Reason,
    client: Annotated[str | None, typer.Option("--client", help="Whose, where several have a payment of that id.")] = None,
    on: On = None,
    once: Once = None,
) -> None:
    """Record that the payer's bank took part of a payment back: what it paid is open again."""
    from daybook import paying

    with opened() as found:
        client_id = client_id_of(found, client) or _client_of(found, payment)
        done = paying.refund(
            found, client_id, payment, amount, reason=reason, token=once or paying.new_token(), by=by(), on=day_of(on),
            charged_back=True,
        )  # fmt: skip
    _tell("recorded as charged back", done)


def _client_of(found: Any, payment_id: str) -> str:
    from projections.payment_list import PaymentFilter, payment_rows
    from runs.errors import NothingThere, Refused

    with reading(found) as cursor:
        rows = payment_rows(cursor, PaymentFilter(payment_id=payment_id))
    if not rows:
        raise NothingThere(f"there is no payment {payment_id!r}: see `daybook payments`")
    if len(rows) > 1:
        raise Refused(f"several clients have a payment {payment_id}: say whose with --client")
    return rows[0].client_id


@app.command()
def match(
    payment: Annotated[str, typer.Argument(help="A payment of an unknown payer: `daybook payments --waiting` lists them.")],
    client: Annotated[str, typer.Argument(help="Whose it is: an id, or a part of the name.")],
) -> None:
    """Say whose a payment of an unknown payer is."""
    from daybook import paying

    with opened() as found:
        client_id = client_id_of(found, client)
        assert client_id is not None
        done = paying.match(found, payment, client_id, by=by())
    _tell("matched", done)


def _tell(what: str, done: Any) -> None:
    from daybook.printing import clean, money

    again = " (already, before: nothing was added)" if done.already else ""
    typer.echo(clean(f"{what}: {money(done.amount_minor, done.currency)} of {done.client_id}, payment {done.payment_id}{again}"))


def _tell_what_it_pays(one: Any) -> None:
    from daybook.printing import clean, money

    pays = ", ".join(f"{paid.number} {money(paid.amount_minor, one.currency)}" for paid in one.pays)
    left = f"{money(one.unapplied_minor, one.currency)} is left as credit" if one.unapplied_minor else "nothing is left as credit"
    typer.echo(clean(f"it pays {pays or 'nothing yet'}; {left}"))


@app.command()
def payments(
    client: Client = None,
    waiting: Annotated[bool, typer.Option("--waiting", help="Only those that wait, with whom they may be of.")] = False,
    unapplied: Annotated[bool, typer.Option("--unapplied", help="Only those of which some pays nothing yet.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, max=100_000, help="At most so many, the newest.")] = 200,
    as_json: Json = False,
) -> None:
    """Payments, the newest money first, with what each pays; or those that wait, and why."""
    from daybook import printing
    from projections.payment_list import PaymentFilter, newest_payments
    from projections.payment_matches import suggestions

    with opened() as found:
        client_id = client_id_of(found, client)
        only = PaymentFilter(client_ids=(client_id,) if client_id else None, waiting=waiting, unapplied=unapplied)
        with reading(found) as cursor:
            rows = newest_payments(cursor, only, limit)
            guesses = suggestions(cursor, [one for one in rows if not one.payer_known]) if waiting else {}
    if as_json:
        printing.as_json(rows)
        return
    printing.table(
        "Payments that wait" if waiting else "Payments",
        ("Received", "Client", "Payment", "Amount", "Pays", "Went back", "Credit", "Waits"),
        [_cells(one, guesses.get(one.payment_id, ()) if not one.payer_known else ()) for one in rows],
        right=("Amount", "Went back", "Credit"),
    )


def _cells(one: Any, guesses: Any) -> tuple[str, ...]:
    from daybook.printing import money
    from domain.money import UnknownCurrency

    def shown(minor: int) -> str:
        try:
            return money(minor, one.currency)
        except UnknownCurrency:
            return f"{minor} of {one.currency}"

    return (
        str(one.received_on),
        one.client_name if one.payer_known else "?",
        one.payment_id,
        shown(one.amount_minor),
        ", ".join(f"{paid.number} {shown(paid.amount_minor)}" for paid in one.pays),
        shown(one.returned_minor) if one.returned_minor else "",
        shown(one.unapplied_minor) if one.unapplied_minor else "",
        ", ".join(filter(None, [one.waiting, *(f"{guess.client_name} ({'; '.join(guess.because)})" for guess in guesses)])),
    )
