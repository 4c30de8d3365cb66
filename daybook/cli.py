"""The command line: `daybook ...`."""

import getpass
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer

from daybook.settings import Settings, SettingsError, load
from daybook.web import commands

app = typer.Typer(
    help="Daybook: the event-sourced billing ledger for managed service providers.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

DONE, FOUND_WRONG, MISUSED = 0, 1, 2
MOST_MINOR = 10**14

Json = Annotated[bool, typer.Option("--json", help="Print a list of objects with fixed keys.")]
AsOf = Annotated[datetime | None, typer.Option("--as-of", formats=["%Y-%m-%d"], help="The billing date (default: today).")]
KnownAt = Annotated[str | None, typer.Option("--known-at", help="As it was known at an instant, e.g. 2026-06-01T09:00:00Z.")]
Client = Annotated[str | None, typer.Option("--client", help="Only this client's id.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; kept with the decision.")]


def main() -> None:
    """Runs a command; what is refused is one line on standard error and exit code 2."""
    from daybook.signals import leave_in_order
    from ledger.embedded import EmbeddedPostgresError
    from ledger.migrate import MigrationRefused
    from projections.views import ViewsBehind
    from runs.errors import Refused

    _log_to_stderr()
    leave_in_order()
    try:
        raise SystemExit(app(standalone_mode=False) or DONE)
    except (SettingsError, Refused, EmbeddedPostgresError, MigrationRefused, ViewsBehind, FileNotFoundError) as error:
        _refuse(error)
    except typer.Abort:
        _refuse(RuntimeError("stopped"))
    except Exception as error:
        if hasattr(error, "format_message"):
            _misused(error)
        if _PLAIN & {cls.__name__ for cls in type(error).__mro__}:
            _refuse(error)
        raise


_PLAIN = {
    "NotMigrated", "NobodyConsumes", "TopicsError", "ProduceError", "SourceUnavailable", "FileError", "ForbiddenSetting",
    "OperationalError", "PoolTimeout", "TopicsMissing", "BookBusy", "DemoNotPossible", "PermissionError",
}  # fmt: skip
"""Errors of parts that are imported only when needed, and whose message is meant for people."""


def _refuse(error: Exception) -> None:
    from daybook.printing import notice

    text = str(error).strip() or type(error).__name__
    notice(f"daybook: {text.splitlines()[0]}")
    raise SystemExit(MISUSED)


def _misused(error: Any) -> None:
    """A wrong option or command; without any command there is the help to show."""
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()
        raise SystemExit(MISUSED)
    where = f" (see `{error.ctx.command_path} --help`)" if getattr(error, "ctx", None) is not None else ""
    _refuse(RuntimeError(" ".join(error.format_message().split()) + where))


def _log_to_stderr() -> None:
    """One canonical line per unit of work: JSON, unless a terminal looks on; a person's command shows warnings only."""
    import logging

    import structlog

    terminal = sys.stderr.isatty()
    level = logging.INFO if len(sys.argv) > 1 and sys.argv[1] in ("worker", "web") else logging.WARNING
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.dev.ConsoleRenderer() if terminal else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout if level == logging.INFO else sys.stderr),
        cache_logger_on_first_use=True,
    )


@contextmanager
def _opened(settings: Settings | None = None) -> Iterator[Any]:
    from daybook.app import opened

    with opened(settings or load()) as found:
        yield found


def _day(given: datetime | None) -> date | None:
    return given.date() if given is not None else None


def _instant(given: str | None) -> datetime | None:
    if given is None:
        return None
    try:
        instant = datetime.fromisoformat(given)
    except ValueError:
        raise typer.BadParameter(f"{given!r} is no instant such as 2026-06-01T09:00:00Z") from None
    if instant.tzinfo is None:
        raise typer.BadParameter(f"{given!r} has no zone: add Z for UTC")
    return instant


@app.command()
def migrate() -> None:
    """Bring the database up to date; safe to run by many at once."""
    from daybook.app import database_url, migration_folders
    from ledger.migrate import migrate as run

    settings = load()
    with database_url(settings) as url:
        applied = run(url, migration_folders())
    typer.echo("\n".join(f"applied {name}" for name in applied) or "up to date")


@app.command()
def ingest(paths: list[Path], as_json: Json = False) -> None:
    """Take facts from Avro container files or JSON lines, through the same path as Kafka; repeats are harmless."""
    from daybook import feeding, printing

    _existing(paths)
    with _opened() as found:
        fed = feeding.ingest_files(found, paths)
        found.views.catch_up()
    totals = fed.totals
    result = {
        "facts": fed.facts,
        "recorded": totals.recorded,
        "repeats": totals.repeats,
        "dead_letters": totals.dead_letters,
        "bad": len(fed.bad),
    }
    if as_json:
        printing.as_json([result])
    else:
        typer.echo(", ".join(f"{count} {name.replace('_', ' ')}" for name, count in result.items()))
    for bad in fed.bad[:20]:
        printing.notice(bad.error)
    if totals.dead_letters:
        printing.notice("some could not be read or trusted: `daybook dead-letters` says which and why")
    if fed.bad:
        printing.notice(f"{len(fed.bad)} lines were left out and nothing of them recorded: mend them and ingest the file again")
        raise typer.Exit(FOUND_WRONG)


def _existing(paths: list[Path]) -> None:
    for path in paths:
        if not path.is_file():
            raise FileNotFoundError(f"{path}: no such file")


@app.command()
def produce(paths: list[Path]) -> None:
    """Produce the same files to Kafka, in the wire format."""
    from daybook import feeding, printing
    from producers.kafka_files import produce as run
    from schemas.files import count

    _existing(paths)
    fed = feeding.Fed()
    before = 0
    with feeding.progress_bar("producing", sum(count(path) for path in paths)) as advance:

        def moved(total: int) -> None:
            nonlocal before
            advance(total - before)
            before = total

        counts = run(feeding.facts_of(paths, fed), _kafka(), moved)
    for record, n in sorted(counts.items()):
        typer.echo(f"{n:>8} {record}")
    for bad in fed.bad[:20]:
        printing.notice(bad.error)
    if fed.bad:
        raise typer.Exit(FOUND_WRONG)


def _kafka() -> str:
    bootstrap = load().kafka
    if bootstrap is None:
        raise SettingsError("DAYBOOK_KAFKA is not set: give the broker's address, e.g. 127.0.0.1:9092")
    return bootstrap


@app.command()
def topics(
    partitions: Annotated[int, typer.Option(help="Partitions of each topic.")] = 12,
    replication: Annotated[int, typer.Option(help="Copies of each partition.")] = 1,
) -> None:
    """Create the topics of the wire contract."""
    from daybook.printing import notice
    from producers.topics_admin import TopicsError, create_topics

    try:
        made = create_topics(_kafka(), partitions, replication)
    except TopicsError as error:
        notice(f"daybook: {error}")
        raise typer.Exit(FOUND_WRONG) from None
    for name in made.created:
        typer.echo(f"created {name}")
    for name in made.existing:
        typer.echo(f"exists  {name}")


@app.command()
def worker(
    once: Annotated[bool, typer.Option("--once", help="Return when everything there is has been handled.")] = False,
) -> None:
    """Consume Kafka, keep the views; runs until told to stop (SIGTERM finishes the batch)."""
    from daybook.worker import run

    with _opened() as found:
        run(found, once=once)


@app.command()
def queue(
    as_of: AsOf = None,
    client: Client = None,
    since: Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="Served on or after.")] = None,
    until: Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Served on or before.")] = None,
    charge_type: Annotated[str | None, typer.Option("--charge-type", help="Only this charge type's code.")] = None,
    lines: Annotated[bool, typer.Option("--lines", help="Every line.")] = False,
    known_at: KnownAt = None,
    as_json: Json = False,
) -> None:
    """The ready-for-invoicing queue."""
    from daybook import showing
    from projections import queue as view

    only = view.Filter(client_id=client, since=_day(since), until=_day(until), charge_type=charge_type)
    if only.since is not None and only.until is not None and only.since > only.until:
        raise typer.BadParameter(f"--from {only.since} is after --to {only.until}")
    with _opened() as found:
        day = found.as_of(_day(as_of))
        instant = _instant(known_at)
        if instant is None:
            found.views.catch_up()
        with found.views.reading(as_of=day, known_at=instant) as cursor:
            if lines:
                showing.queue_lines(view.lines(cursor, day, only), found.book.keyring, as_json)
            else:
                showing.queue_rows(view.rows(cursor, day, only), day, as_json)


@app.command()
def invoice(
    as_of: AsOf = None,
    client: Annotated[list[str] | None, typer.Option("--client", help="Only these clients' ids.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be issued; numbers none.")] = False,
    accept_changes: Annotated[
        bool, typer.Option("--accept-changes", help="Issue whatever the figures are then; for unattended runs.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Generate all (or those) invoices; a second run issues nothing."""
    from daybook import printing, showing
    from daybook.app import now
    from runs.generate import generate, plan

    if not dry_run and not accept_changes and not sys.stdin.isatty():
        printing.notice("daybook: nobody is here to confirm: use --accept-changes, or --dry-run to look first")
        raise typer.Exit(MISUSED)
    with _opened() as found:
        day = found.as_of(_day(as_of))
        confirmed = None
        if dry_run or not accept_changes:
            planned = plan(found.views, day, client)
            if dry_run:
                showing.drafts(planned, day, as_json)
                raise typer.Exit(FOUND_WRONG if planned.refused else DONE)
            showing.drafts(planned, day, as_json=False)
            if not planned.drafts or not typer.confirm(f"Issue {len(planned.drafts)} documents dated {day}?"):
                raise typer.Exit(DONE)
            confirmed = {(d.client_id, d.currency): d.net_minor for d in planned.drafts}
        _open_if_today(found, day)
        total = 0
        with _progress("issuing") as advance:
            done = 0

            def moved(so_far: int, _of: int) -> None:
                nonlocal done
                advance(so_far - done)
                done = so_far

            outcome = generate(found.views, day, now(), client_ids=client, confirmed=confirmed, progress=moved)
        total = len(outcome.documents)
        showing.issued(found.views, outcome, as_json)
        if total == 0 and not as_json:
            typer.echo("nothing is due")
    if outcome.refused:
        raise typer.Exit(FOUND_WRONG)


def _open_if_today(found: Any, day: date) -> None:
    if day == found.settings.business_date():
        found.open_today()


@contextmanager
def _progress(title: str) -> Iterator[Callable[[int], None]]:
    from daybook.feeding import progress_bar

    with progress_bar(title, None) as advance:
        yield advance


def _by() -> str:
    return os.environ.get("DAYBOOK_USER") or getpass.getuser()


@app.command()
def hold(item: str, reason: Reason, client: Client = None) -> None:
    """Keep an item off the run until it is released."""
    from runs import decide

    _decide(item, client, lambda book, found, at: decide.hold(book, found, reason=reason, by=_by(), at=at), "held")


@app.command()
def release(item: str, reason: Reason, client: Client = None) -> None:
    """Let a held item go on the next run."""
    from runs import decide

    _decide(item, client, lambda book, found, at: decide.release(book, found, reason=reason, by=_by(), at=at), "released")


@app.command()
def adjust(
    item: str,
    amount: Annotated[str, typer.Option("--amount", help="What to add in the item's currency; negative takes off, e.g. -25.00.")],
    reason: Reason,
    client: Client = None,
    currency: Annotated[str | None, typer.Option("--currency", help="Needed only where the item has none yet.")] = None,
) -> None:
    """Change what an item costs: a discount, a no-charge, goodwill."""
    from domain.money import UnknownCurrency, minor_digits
    from runs import decide

    def run(book: Any, found: Any, at: datetime) -> Any:
        own = currency or found.currency or "GBP"
        try:
            minor = _minor(amount, minor_digits(own), own)
        except UnknownCurrency:
            raise typer.BadParameter(f"--currency {own!r} is no currency such as GBP") from None
        return decide.adjust(book, found, minor, currency, reason=reason, by=_by(), at=at)

    _decide(item, client, run, "adjusted")


def _minor(amount: str, digits: int, currency: str) -> int:
    try:
        scaled = Decimal(amount).scaleb(digits)
    except ArithmeticError:
        raise typer.BadParameter(f"--amount {amount!r} is no amount such as -25.00") from None
    if not scaled.is_finite() or abs(scaled) > MOST_MINOR:
        raise typer.BadParameter(f"--amount {amount!r} is no amount such as -25.00")
    if scaled != scaled.to_integral_value():
        raise typer.BadParameter(f"--amount {amount}: {currency} has {digits} decimal places")
    return int(scaled)


def _decide(item: str, client: str | None, run: Callable[[Any, Any, datetime], Any], done: str) -> None:
    from daybook.app import now
    from daybook.printing import clean
    from runs.decide import find_item

    with _opened() as found:
        found.views.catch_up()
        with found.views.reading() as cursor:
            target = find_item(cursor, item, client)
        batch = run(found.book, target, now())
        found.views.catch_up()
    typer.echo(clean(f"{done} {target.item_key} of {target.client_id} (batch {batch.batch_id})"))


@app.command()
def invoices(client: Client = None, known_at: KnownAt = None, as_json: Json = False) -> None:
    """Issued invoices and credit notes."""
    from daybook import showing
    from projections import documents

    with _opened() as found, found.views.reading(known_at=_instant(known_at)) as cursor:
        showing.invoices(documents.invoices(cursor, client), as_json)


@app.command()
def explain(number: str, line: Annotated[int | None, typer.Argument()] = None, as_json: Json = False) -> None:
    """Why a line is what it is: rule and version, arithmetic, source events with topic, partition and offset."""
    from daybook import showing
    from projections import documents
    from runs.errors import NothingThere

    with _opened() as found, found.views.reading() as cursor:
        lines = documents.explain(cursor, number, line)
        if not lines:
            raise NothingThere(f"no document {number}" + (f" with a line {line}" if line else "") + ": see `daybook invoices`")
        showing.explanation(number, lines, found.book.keyring, as_json)


@app.command()
def waiting(client: Client = None, known_at: KnownAt = None, as_json: Json = False) -> None:
    """What is kept and not billed, and why."""
    from daybook import showing
    from projections import documents

    with _opened() as found:
        instant = _instant(known_at)
        if instant is None:
            found.views.catch_up()
        with found.views.reading(known_at=instant) as cursor:
            showing.waiting(documents.waiting(cursor, client), as_json)


@app.command("dead-letters")
def dead_letters(as_json: Json = False) -> None:
    """Messages that could not be read or trusted."""
    from daybook import showing

    with _opened() as found:
        showing.dead_letters(found.book.dead_letters(), as_json)


@app.command()
def rebuild(view: Annotated[list[str] | None, typer.Argument()] = None) -> None:
    """Rebuild views (all, or those named) from the book alone."""
    with _opened() as found, _progress("rebuilding") as advance:
        try:
            position = found.views.rebuild(view or (), progress=advance)
        except LookupError as error:
            raise typer.BadParameter(str(error)) from None
    typer.echo(f"rebuilt to position {position}")


@app.command()
def verify(as_json: Json = False) -> None:
    """Check the chain, the streams and the views against the book."""
    from daybook import checking, printing

    with _opened() as found, _progress("verifying") as advance:
        checks = checking.verify(found, advance)
    if as_json:
        printing.as_json([{"check": c.check, "ok": c.ok, "detail": c.detail} for c in checks])
    else:
        printing.table("verify", ("check", "ok", "detail"), [(c.check, "yes" if c.ok else "NO", c.detail) for c in checks])
    if not all(check.ok for check in checks):
        raise typer.Exit(FOUND_WRONG)


@app.command("hash")
def hash_(as_json: Json = False) -> None:
    """Each view's state hash."""
    from daybook import printing

    with _opened() as found:
        found.views.catch_up()
        hashes = found.views.hashes()
    if as_json:
        printing.as_json([{"view": view, "hash": hash_, "position": position} for view, hash_, position in hashes])
    else:
        for view, hash_, position in hashes:
            typer.echo(f"{view:<15} {hash_} {position}")


@app.command()
def forget(client: str, yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Erase a client's personal text by forgetting its key; amounts, chain and rebuild stay."""
    from daybook.app import now
    from daybook.printing import notice
    from domain.facts import PROVIDER
    from runs.errors import NothingThere

    if client == PROVIDER:
        raise NothingThere(f"{PROVIDER!r} is the ledger's own key, under which its log and dead letters lie: it is not forgotten")
    if not yes and not sys.stdin.isatty():
        notice("daybook: nobody is here to confirm: use --yes")
        raise typer.Exit(MISUSED)
    with _opened() as found:
        if not yes and not typer.confirm(f"Forget the key of {client}? What people wrote about it can never be read again."):
            raise typer.Exit(DONE)
        if not found.book.keyring.forget(client):
            raise NothingThere(f"there is no key of {client}: nothing personal is kept, or it is forgotten already")
        # The embedded log holds whole messages under the provider's key: what the book has is not needed there any more.
        found.log().purge(now())
    typer.echo(f"forgotten: {client}")


@app.command()
def demo(
    serve: Annotated[bool, typer.Option("--serve/--no-serve", help="Serve the pages until Ctrl-C, or print and exit.")] = True,
    home: Annotated[Path, typer.Option("--home", help="Where the demo keeps its database.")] = Path(".demo"),
    fresh: Annotated[bool, typer.Option("--fresh", help="Start over.")] = False,
) -> None:
    """The whole thing with nothing installed but Python: a realistic MSP's May 2026."""
    from daybook.demo import run

    run(home, serve=serve, fresh=fresh)


commands.register(app)

if __name__ == "__main__":
    main()
