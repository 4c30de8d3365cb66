"""A person's decisions on one item, each with its reason."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

import typer

from daybook.options import Client, Reason, by, client_id_of, opened, reading

app = typer.Typer()


@app.command()
def hold(item: str, reason: Reason, client: Client = None) -> None:
    """Keep an item off the run until it is released."""
    from runs import decide

    _decide(item, client, lambda book, found, at: decide.hold(book, found, reason=reason, by=by(), at=at), "held")


@app.command()
def release(item: str, reason: Reason, client: Client = None) -> None:
    """Let a held item go on the next run."""
    from runs import decide

    _decide(item, client, lambda book, found, at: decide.release(book, found, reason=reason, by=by(), at=at), "released")


@app.command()
def adjust(
    item: str,
    amount: Annotated[str, typer.Option("--amount", help="What to add in the item's currency; negative takes off, e.g. -25.00.")],
    reason: Reason,
    client: Client = None,
    currency: Annotated[str | None, typer.Option("--currency", help="Needed only where the item has none yet.")] = None,
) -> None:
    """Change what an item costs: a discount, a no-charge, goodwill."""
    from daybook.asked import A_DISCOUNT, NoAmount, read_minor
    from domain.money import UnknownCurrency
    from runs import decide

    def run(book: Any, found: Any, at: datetime) -> Any:
        own = currency or found.currency or "GBP"
        try:
            minor = read_minor(amount, own, A_DISCOUNT)
        except UnknownCurrency:
            raise typer.BadParameter(f"--currency {own!r} is no currency such as GBP") from None
        except NoAmount as error:
            raise typer.BadParameter(f"--amount: {error}") from None
        return decide.adjust(book, found, minor, currency, reason=reason, by=by(), at=at)

    _decide(item, client, run, "adjusted")


def _decide(item: str, client: str | None, run: Callable[[Any, Any, datetime], Any], done: str) -> None:
    from daybook.app import now
    from daybook.printing import clean
    from runs.decide import find_item

    with opened() as found:
        client_id = client_id_of(found, client)
        with reading(found) as cursor:
            target = find_item(cursor, item, client_id)
        batch = run(found.book, target, now())
        found.views.catch_up()
    typer.echo(clean(f"{done} {target.item_key} of {target.client_id} (batch {batch.batch_id})"))
