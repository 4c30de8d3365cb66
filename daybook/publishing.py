"""`daybook publisher`: what is told to other systems, how far, and the way on for one that stands still."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from daybook.options import FOUND_WRONG, Json, by, opened

app = typer.Typer(
    name="publisher", help="What Kafka is told (invoices, dead letters): how far, and the way on after a stop.",
    invoke_without_command=True,
)  # fmt: skip


@app.callback()
def status(context: typer.Context, as_json: Json = False) -> None:
    """Each publisher: its topic, its position, what waits, and why it stands still; exit code 1 if one does."""
    if context.invoked_subcommand is not None:
        return
    from daybook import printing
    from producers.standing import standings

    with opened() as found:
        stand = standings(_feeds(found), found.database)
    if as_json:
        printing.as_json(_row(one) for one in stand)
    else:
        idle = "" if found.settings.kafka is not None else "nothing is published without DAYBOOK_KAFKA"
        rows = [(s.publisher, s.topic, s.published, s.backlog.count, s.backlog.oldest_at or "", idle or _says(s)) for s in stand]
        printing.table("publishers", ("publisher", "topic", "position", "waiting", "since", "state"), rows)
    if any(one.stopped for one in stand):
        raise typer.Exit(FOUND_WRONG)


@app.command()
def resume(
    topic: Annotated[str, typer.Argument(help="The topic, e.g. daybook.invoices, or the publisher's name, e.g. invoices.")],
    reason: Annotated[str, typer.Option("--reason", help="Why from there; kept with the decision.")],
    at: Annotated[int | None, typer.Option("--at", help="All up to this position counts as told; 0 tells everything.")] = None,
    after: Annotated[str | None, typer.Option("--after", help="The same by number: the last document readers have.")] = None,
) -> None:
    """Let a publisher that stopped go on: all after the position is told, be it again or for the first time."""
    from daybook import printing
    from daybook.settings import SettingsError
    from producers.standing import resume as run

    if (at is None) == (after is None):
        raise typer.BadParameter("give either --at POSITION or --after NUMBER: the last that readers have")
    if not reason.strip():
        raise typer.BadParameter("--reason is empty: say why readers are told from there")
    with opened() as found:
        kafka = found.settings.kafka
        if kafka is None:
            raise SettingsError("DAYBOOK_KAFKA is not set: nothing is published, so nothing can go on")
        feed = _named(_feeds(found), topic)
        position = at if at is not None else _position_of(found, feed, str(after))
        before, now = run(feed, found.database, kafka, position, reason=reason.strip(), by=by())
    again = "" if position >= before.published else ", some of them again"
    waiting = f"{now.backlog.count} to tell{again}"
    typer.echo(f"{feed.name} goes on after position {position} (it was at {before.published}); {waiting}")
    printing.notice("a running worker takes it up within seconds")


def _feeds(found: Any) -> list[Any]:
    from producers.following import feeds_of

    return list(feeds_of(found.book, dead_letter_bytes=found.settings.dead_letter_bytes))


def _named(feeds: Sequence[Any], given: str) -> Any:
    from runs.errors import NothingThere

    for feed in feeds:
        if given in (feed.name, feed.topic):
            return feed
    raise NothingThere(f"nothing is published to {given!r}: there are {', '.join(feed.topic for feed in feeds)}")


def _position_of(found: Any, feed: Any, number: str) -> int:
    """Where a document stands in the ledger."""
    from runs.errors import NothingThere

    if feed.name != "invoices":
        raise typer.BadParameter("--after names a document: a dead letter has no number, so give --at POSITION")
    with found.database.connection() as connection:
        row = connection.execute("SELECT position FROM books.invoices WHERE number = %s", (number,)).fetchone()
    if row is None:
        raise NothingThere(f"no document {number}: see `daybook invoices`")
    return int(row[0])


def _row(standing: Any) -> dict[str, Any]:
    return {
        "publisher": standing.publisher,
        "topic": standing.topic,
        "position": standing.published,
        "attempted": standing.attempted,
        "published_at": standing.published_at,
        "waiting": standing.backlog.count,
        "waiting_since": standing.backlog.oldest_at,
        "stopped": standing.stopped,
        "problem": standing.problem,
    }


def _says(standing: Any) -> str:
    if standing.problem is None:
        return "well"
    return f"{'STOPPED' if standing.stopped else 'tried again'}: {standing.problem}"
