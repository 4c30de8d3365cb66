"""Reminders: claim and send what is due, or only look."""

from collections import Counter
from typing import Annotated, Any

import typer

from daybook.options import DONE, FOUND_WRONG, AsOf, Json, client_id_of, day_of, opened

app = typer.Typer()


@app.command()
def remind(
    as_of: AsOf = None,
    client: Annotated[list[str] | None, typer.Option("--client", help="Only these clients: an id, or a part of a name.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be sent, and why something would not.")] = False,
    missed: Annotated[
        bool, typer.Option("--missed", help="Also new documents that were not sent within 14 days of their date.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Send new invoices, statements and due reminders that are due; a second time sends nothing. The worker does the same."""
    from daybook import reminding
    from daybook.app import now
    from daybook.printing import notice
    from runs.remind import plan

    with opened() as found:
        client_ids = [one for given in client if (one := client_id_of(found, given))] if client else None
        day = found.as_of(day_of(as_of))
        if day == found.settings.business_date():
            found.open_today()
        if day > found.settings.business_date() and not dry_run:
            # What falls due later would be claimed now, and its reminder be sent before its time.
            notice(f"daybook: {day} is still to come: what is due then can only be looked at, with --dry-run")
            raise typer.Exit(FOUND_WRONG)
        if dry_run:
            outcome = plan(found.views, day, client_ids, missed=missed)
            _show(outcome, {}, "to be sent", as_json)
            raise typer.Exit(DONE)
        office = reminding.office_of(found.settings)
        outcome = reminding.claim(found, day_of(as_of), now(), client_ids, missed=missed)
        counts = reminding.send(found, office)
        with found.views.reading() as cursor:
            states = reminding.states_of(cursor, outcome.claimed)
        _show(outcome, states, "claimed", as_json)
        if not as_json:
            _say(counts)
    if counts.unreachable or counts.failed:
        raise typer.Exit(FOUND_WRONG)


def _show(outcome: Any, states: dict[tuple[str, str], str], otherwise: str, as_json: bool) -> None:
    from daybook import printing

    rows = [
        {
            "client_id": one.client_id, "notice_id": one.notice_id, "kind": one.kind, "rule": one.rule,
            "numbers": list(one.numbers), "currency": one.currency, "due_on": one.due_on, "on": one.day,
            "balance_minor": one.balance_minor,
            "state": "not_sent" if one.why_not else states.get((one.client_id, one.notice_id), otherwise).replace(" ", "_"),
            "why_not": one.why_not,
        }
        for one in (*outcome.claimed, *outcome.left)
    ]  # fmt: skip
    if as_json:
        printing.as_json(rows)
        return
    from domain.reminder_words import in_words

    printing.table(
        "Reminders",
        ("Client", "Notice", "To be paid", "What becomes of it"),
        [
            (
                one["client_id"],
                one["notice_id"],
                printing.money(one["balance_minor"], one["currency"]),
                f"not sent: {in_words(one['why_not'])}" if one["why_not"] else one["state"].replace("_", " "),
            )
            for one in rows
        ],
        right=("To be paid",),
    )
    counts = Counter(one["state"] for one in rows)
    if not rows:
        typer.echo("nothing is due")
    elif set(counts) == {"not_sent"}:
        typer.echo("nothing is to be sent")


def _say(counts: Any) -> None:
    from daybook.printing import counted, notice, say

    if counts.handled:
        parts = [f"{counts.sent} sent"] + [
            f"{getattr(counts, name)} {name.replace('_', ' ')}"
            for name in ("withdrawn", "failed", "put_off", "unknown")
            if getattr(counts, name)
        ]
        say(f"{counted(counts.handled, 'mail')}: {', '.join(parts)}")
    if counts.unreachable:
        notice(f"daybook: {counts.unreachable}: nothing is lost, `daybook remind` or the worker tries again")
