"""What is there to see: the queue, issued documents, why a line is what it is, what waits and what was set aside."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from daybook.options import (
    A_DAY,
    AsOf,
    Client,
    Json,
    KnownAt,
    charge_type_of,
    client_id_of,
    day_of,
    instant_of,
    opened,
    progress,
    reading,
)

app = typer.Typer()

PAGE = 200


@app.command()
def queue(
    as_of: AsOf = None,
    client: Client = None,
    since: Annotated[datetime | None, typer.Option("--from", **A_DAY, help="Served on or after.")] = None,
    until: Annotated[datetime | None, typer.Option("--to", **A_DAY, help="Served on or before.")] = None,
    charge_type: Annotated[
        str | None, typer.Option("--charge-type", help="Only this charge type: its code, or a part of its name.")
    ] = None,
    lines: Annotated[bool, typer.Option("--lines", help="Every line, with the item key that `explain` and `hold` take.")] = False,
    known_at: KnownAt = None,
    as_json: Json = False,
) -> None:
    """The ready-for-invoicing queue."""
    from daybook import showing
    from projections import queue as view

    first, last = day_of(since), day_of(until)
    if first is not None and last is not None and first > last:
        raise typer.BadParameter(f"--from {first} is after --to {last}")
    instant = instant_of(known_at)
    with opened() as found:
        day = found.as_of(day_of(as_of))
        only = view.Filter(
            client_id=client_id_of(found, client), since=first, until=last, charge_type=charge_type_of(found, charge_type)
        )
        with reading(found, as_of=day, known_at=instant) as cursor:
            if lines:
                showing.queue_lines(view.lines(cursor, day, only), found.book.keyring, as_json)
            else:
                showing.queue_rows(view.rows(cursor, day, only), day, as_json)


@app.command()
def invoices(
    client: Client = None,
    pdf: Annotated[Path | None, typer.Option("--pdf", metavar="FOLDER", help="Write each as PDF into this folder.")] = None,
    known_at: KnownAt = None,
    as_json: Json = False,
) -> None:
    """Issued invoices and credit notes."""
    from daybook import showing
    from projections import documents

    instant = instant_of(known_at)
    with opened() as found:
        client_id = client_id_of(found, client)
        with reading(found, known_at=instant) as cursor:
            listed = documents.invoices(cursor, client_id)
        if pdf is None or as_json:
            showing.invoices(listed, as_json)
        if pdf is not None:
            from daybook.statements import write_documents

            with progress("writing") as advance:
                write_documents(found, listed, pdf, advance)


@app.command()
def balances(as_of: AsOf = None, client: Client = None, known_at: KnownAt = None, as_json: Json = False) -> None:
    """What each client owes as of a day, how old it is, and the credit beside it."""
    from daybook import showing
    from projections.balances import balances as of_day

    instant = instant_of(known_at)
    with opened() as found:
        day, client_id = found.as_of(day_of(as_of)), client_id_of(found, client)
        with reading(found, known_at=instant) as cursor:
            showing.balances(of_day(cursor, day, client_id), day, as_json)


@app.command()
def explain(
    what: Annotated[str, typer.Argument(metavar="NUMBER|ITEM", help="A document's number, or a key of `queue --lines`.")],
    line: Annotated[int | None, typer.Argument(help="Only this line of the document.")] = None,
    client: Annotated[str | None, typer.Option("--client", help="Whose item, where several clients have the key.")] = None,
    as_json: Json = False,
) -> None:
    """Why a line is what it is: rule and version, arithmetic, source events with topic, partition and offset."""
    from daybook import explaining

    with opened() as found:
        client_id = client_id_of(found, client)
        with reading(found) as cursor:
            explaining.print_lines(_explained(cursor, what, line, client_id), found.book.keyring, as_json)


def _explained(cursor: Any, what: str, line: int | None, client_id: str | None) -> list[dict[str, Any]]:
    """The lines of a document, or those due of an item that is still in the queue."""
    from daybook.explaining import item_lines
    from projections import documents
    from projections.item import item
    from runs.decide import find_item
    from runs.errors import NothingThere

    if lines := documents.explain(cursor, what, line):
        return [{"number": what, **one} for one in lines]
    if documents.invoices(cursor, number=what):
        raise NothingThere(f"no document {what} with a line {line}: see `daybook explain {what}`")
    if "/" not in what:
        raise NothingThere(f"no document {what}: see `daybook invoices`, or `daybook queue --lines` for what is not issued yet")
    try:
        meant = find_item(cursor, what, client_id)
    except NothingThere:
        if found_waiting := documents.waits(cursor, what):
            raise NothingThere(f"{what} is not in the queue: it waits, {found_waiting}; see `daybook waiting`") from None
        raise
    if line is not None:
        raise typer.BadParameter(f"{what} is an item of the queue: it has no line {line}")
    found = item(cursor, meant.client_id, meant.item_key)
    assert found is not None
    return item_lines(found)


@app.command()
def waiting(client: Client = None, known_at: KnownAt = None, as_json: Json = False) -> None:
    """What is kept and not billed, and why."""
    from daybook import showing
    from projections import documents
    from projections.waiting_on import explained

    instant = instant_of(known_at)
    with opened() as found:
        client_id = client_id_of(found, client)
        with reading(found, known_at=instant) as cursor:
            found_waiting = explained(cursor, found.book.keyring, documents.waiting(cursor, client_id), instant)
            showing.waiting(found_waiting, as_json)
