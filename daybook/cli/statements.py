"""`daybook statement`: a client's account from a day to a day, on the terminal, as JSON or as PDF."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from daybook.options import A_DAY, AsOf, Json, KnownAt, client_id_of, day_of, instant_of, opened, reading

app = typer.Typer()


@app.command()
def statement(
    client: Annotated[str, typer.Argument(help="The client: its id, or a part of its name.")],
    as_of: AsOf = None,
    since: Annotated[
        datetime | None,
        typer.Option("--from", **A_DAY, help="From this day on (default: all that is open, and last month)."),
    ] = None,
    currency: Annotated[str | None, typer.Option("--currency", help="Only the account in this currency, e.g. GBP.")] = None,
    pdf: Annotated[Path | None, typer.Option("--pdf", metavar="FILE", dir_okay=False, help="Write it as PDF.")] = None,
    known_at: KnownAt = None,
    as_json: Json = False,
) -> None:
    """A client's statement: brought forward, what was invoiced, paid and credited since, and what is open."""
    from daybook import statements
    from daybook.printing import say
    from projections.statement import client_statement
    from runs.errors import NothingThere

    instant = instant_of(known_at)
    with opened() as found:
        day, start = found.as_of(day_of(as_of)), day_of(since)
        if start is not None and start > day:
            raise typer.BadParameter(f"--from {start} is after --as-of {day}")
        client_id = client_id_of(found, client)
        assert client_id is not None
        with reading(found, known_at=instant) as cursor:
            made = client_statement(cursor, client_id, day, start, currency)
        if made is None:
            raise NothingThere(f"no client {client_id}")
        if pdf is not None:
            pdf.write_bytes(statements.statement_pdf(found, made))
        if pdf is None or as_json:
            statements.show(made, as_json)
        else:
            say(f"statement of {made.name} as of {day}: {pdf}")
