"""The run: all that is due becomes documents."""

import sys
from datetime import date
from typing import Annotated, Any

import typer

from daybook.options import DONE, FOUND_WRONG, MISUSED, AsOf, Json, client_id_of, day_of, opened, progress, reading

app = typer.Typer()


@app.command()
def invoice(
    as_of: AsOf = None,
    client: Annotated[list[str] | None, typer.Option("--client", help="Only these clients: an id, or a part of a name.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be issued; numbers none.")] = False,
    accept_changes: Annotated[
        bool, typer.Option("--accept-changes", help="Issue whatever the figures are then; for unattended runs.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Generate all (or those) invoices; a second run issues nothing."""
    from daybook import printing, showing
    from daybook.app import now
    from daybook.feeding import running_total
    from daybook.printing import counted
    from runs.generate import generate

    if not dry_run and not accept_changes and not sys.stdin.isatty():
        printing.notice("daybook: nobody is here to confirm: use --accept-changes, or --dry-run to look first")
        raise typer.Exit(MISUSED)
    with opened() as found:
        day = found.as_of(day_of(as_of))
        client_ids = [one for given in client if (one := client_id_of(found, given))] if client else None
        confirmed = None
        if dry_run or not accept_changes:
            planned = _show_first(found, day, client_ids, as_json=as_json and dry_run)
            if dry_run:
                raise typer.Exit(FOUND_WRONG if planned.refused else DONE)
            if not planned.drafts or not typer.confirm(f"Issue {counted(len(planned.drafts), 'document')} dated {day}?"):
                raise typer.Exit(DONE)
            confirmed = {(d.client_id, d.currency): d.net_minor for d in planned.drafts}
        _open_if_today(found, day)
        with progress("issuing") as advance:
            moved = running_total(advance)
            outcome = generate(found.views, day, now(), client_ids=client_ids, confirmed=confirmed, progress=moved)
        showing.issued(found.views, outcome, as_json)
        if not as_json:
            if not outcome.documents:
                typer.echo("nothing is due")
            if confirmed is None:
                _say_what_is_left(found, day, client_ids)
    if outcome.refused:
        raise typer.Exit(FOUND_WRONG)


def _show_first(found: Any, day: date, client_ids: list[str] | None, *, as_json: bool) -> Any:
    """What would be issued now, and what would be left: shown before anybody confirms."""
    from daybook import showing
    from runs.generate import plan

    planned = plan(found.views, day, client_ids)
    showing.drafts(planned, day, as_json)
    if not as_json:
        _say_what_is_left(found, day, client_ids)
    return planned


def _say_what_is_left(found: Any, day: date, client_ids: list[str] | None) -> None:
    from daybook import showing
    from projections.left_behind import held, stuck, unapproved
    from projections.time_list import UNAPPROVED, stuck_counts

    with reading(found) as cursor:
        showing.left_behind(held(cursor, day, client_ids), unapproved(cursor, day, client_ids))
        if client_ids is None:
            showing.stuck([one for one in stuck_counts(cursor, billable=True) if one.reason not in UNAPPROVED])
        else:
            showing.stuck_of_clients(stuck(cursor, client_ids, showing.MOST_NAMED + 1))


def _open_if_today(found: Any, day: date) -> None:
    if day == found.settings.business_date():
        found.open_today()
