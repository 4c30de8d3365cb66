"""What each system counts of a client's seats, which of them bills, and since when they disagree."""

from typing import Annotated

import typer

from daybook.options import AsOf, Client, Json, client_id_of, day_of, opened, reading

app = typer.Typer()


@app.command()
def seats(
    as_of: AsOf = None,
    client: Client = None,
    only: Annotated[bool, typer.Option("--disagreeing", help="Only products on which systems disagree now.")] = False,
    as_json: Json = False,
) -> None:
    """Seat counts by system, which of them bills, and since when systems disagree."""
    from daybook import seats_shown
    from projections import seat_list
    from projections.terms import TermsCache

    with opened() as found:
        day, client_id = found.as_of(day_of(as_of)), client_id_of(found, client)
        with reading(found) as cursor:
            rows = seat_list.counted(cursor, day, client_id)
            rows = seat_list.with_billing(cursor, rows, day, TermsCache())
            seats_shown.seats(rows, seat_list.variances(cursor, day, client_id), day, only=only, as_json=as_json)
