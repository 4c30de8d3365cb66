"""The installation itself: bring it up to date, run it, check it, rebuild it, make it forget; and the demo."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from daybook.options import DONE, FOUND_WRONG, MISUSED, Json, opened, progress

app = typer.Typer()


@app.command()
def migrate() -> None:
    """Bring the database up to date; safe to run by many at once."""
    from daybook.app import database_url, migration_folders
    from daybook.settings import load
    from ledger.migrate import migrate as run

    settings = load()
    with database_url(settings) as url:
        applied = run(url, migration_folders())
    typer.echo("\n".join(f"applied {name}" for name in applied) or "up to date")


@app.command()
def worker(
    once: Annotated[bool, typer.Option("--once", help="Return when everything there is has been handled.")] = False,
) -> None:
    """Consume Kafka, keep the views; runs until told to stop (SIGTERM finishes the batch)."""
    from daybook.settings import load
    from daybook.worker import run, serve

    if not once:
        serve(load())
        return
    with opened() as found:
        run(found, once=True)


@app.command()
def rebuild(view: Annotated[list[str] | None, typer.Argument()] = None) -> None:
    """Rebuild views (all, or those named) from the book alone."""
    with opened() as found, progress("rebuilding") as advance:
        try:
            position = found.views.rebuild(view or (), progress=advance)
        except LookupError as error:
            raise typer.BadParameter(str(error)) from None
    typer.echo(f"rebuilt to position {position}")


@app.command()
def verify(
    head: Annotated[
        str | None, typer.Option("--head", metavar="BATCHES:HASH", help="A head kept elsewhere, as the row `chain` told it.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check the chain, the streams and the views against the book."""
    from daybook import checking, printing

    kept = checking.head_of(head) if head is not None else None

    with opened() as found, progress("verifying") as advance:
        checks = checking.verify(found, advance, kept)
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

    with opened() as found:
        found.views.catch_up()
        hashes = found.views.hashes()
    if as_json:
        printing.as_json([{"view": view, "hash": hash_, "position": position} for view, hash_, position in hashes])
    else:
        for view, hash_, position in hashes:
            typer.echo(f"{view:<15} {hash_} {position}")


@app.command()
def forget(client: str, yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Erase a client's personal text by forgetting its key; amounts, chain and rebuild stay. Takes the id, to the letter."""
    from daybook import forgetting
    from daybook.app import now
    from daybook.printing import clean, notice, say

    forgetting.refuse_own_key(client)
    if not yes and not sys.stdin.isatty():
        notice("daybook: nobody is here to confirm: use --yes")
        raise typer.Exit(MISUSED)
    with opened() as found:
        if not yes and not typer.confirm(f"Forget the key of {clean(client)}? What people wrote about it is lost for ever."):
            raise typer.Exit(DONE)
        for line in forgetting.told(client, forgetting.forget(found, client, now())):
            say(line)


@app.command()
def demo(
    serve: Annotated[bool, typer.Option("--serve/--no-serve", help="Serve the pages until Ctrl-C, or print and exit.")] = True,
    home: Annotated[Path, typer.Option("--home", help="Where the demo keeps its database.")] = Path(".demo"),
    fresh: Annotated[bool, typer.Option("--fresh", help="Start over.")] = False,
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Where the pages are served.")] = 8000,
) -> None:
    """The whole thing with nothing installed but Python: a realistic MSP's March to May 2026."""
    from daybook.demo import run

    run(home, serve=serve, fresh=fresh, port=port)
