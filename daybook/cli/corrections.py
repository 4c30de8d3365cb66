"""A person's corrections of issued documents, each with its reason."""

from collections.abc import Callable
from datetime import date, datetime
from typing import Annotated, Any

import typer

from daybook.options import AsOf, Json, Reason, by, day_of, opened

app = typer.Typer()

Number = Annotated[str, typer.Argument(help="The document's number, e.g. INV-000001.")]


@app.command()
def credit(
    number: Number,
    reason: Reason,
    line: Annotated[int | None, typer.Argument(help="Only this line.")] = None,
    rebill: Annotated[
        bool | None, typer.Option("--rebill/--waive", help="Return what is credited to the queue, or give it up.")
    ] = None,
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """Credit what is left of an invoice, or of one of its lines."""
    from domain.credit import REBILL, WAIVE
    from runs import correct

    if rebill is None:
        raise typer.BadParameter("say --rebill (it returns to the queue) or --waive (it does not)")
    mode = REBILL if rebill else WAIVE

    def run(found: Any, day: date, at: datetime) -> Any:
        return correct.credit(found.views, number, line, mode=mode, as_of=day, reason=reason, by=by(), at=at)

    _correct(run, "credited", as_of, as_json)


@app.command()
def void(number: Number, reason: Reason, as_of: AsOf = None, as_json: Json = False) -> None:
    """Take back an invoice that should never have been; what it billed returns to the queue."""
    from runs import correct

    _correct(
        lambda found, day, at: correct.void(found.views, number, as_of=day, reason=reason, by=by(), at=at),
        "voided",
        as_of,
        as_json,
    )


@app.command("write-off")
def write_off(number: Number, reason: Reason, as_of: AsOf = None, as_json: Json = False) -> None:
    """Give up what is outstanding of an invoice; nothing of it returns to the queue."""
    from runs import correct

    def run(found: Any, day: date, at: datetime) -> Any:
        made = correct.write_off(found.views, number, as_of=day, reason=reason, by=by(), at=at)
        _warn_of_credit(found, made, day)
        return made

    _correct(run, "written off", as_of, as_json)


def _warn_of_credit(found: Any, made: Any, day: date) -> None:
    """Money was given up of a client who has credit: perhaps nobody had seen it."""
    from daybook import printing
    from projections.balances import unapplied_minor

    with found.views.reading() as cursor:
        unapplied = unapplied_minor(cursor, day, made.client_id, made.currency)
    if unapplied:
        shown = printing.money(unapplied, made.currency)
        printing.notice(f"daybook: {made.client_id} has {shown} of credit that pays nothing yet; it stays as it is")


def _correct(run: Callable[[Any, date, datetime], Any], done: str, as_of: datetime | None, as_json: bool) -> None:
    from daybook import printing
    from daybook.app import now
    from daybook.correcting import shown
    from runs.correct import refuse_after

    with opened() as found:
        day = found.as_of(day_of(as_of))
        refuse_after(day, found.settings.business_date())
        made = run(found, day, now())
        found.views.catch_up()
    row = shown(made, done)
    if as_json:
        printing.as_json([row])
        return
    amount = printing.money(abs(row["total_minor"]), row["currency"])
    by_note = f" by {row['credit_note']}" if row["credit_note"] else ""
    printing.say(f"{done} {row['number']}{by_note}: {amount} of {row['client_id']} (batch {row['batch']})")
