"""What commands have in common: their options, what an option's text means, how they end, and the opened installation."""

import getpass
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from typing import Annotated, Any, Final

import typer

DONE: Final = 0
FOUND_WRONG: Final = 1
MISUSED: Final = 2

A_DAY: Final[dict[str, Any]] = {"formats": ["%Y-%m-%d"], "metavar": "YYYY-MM-DD"}
"""How an option takes a day."""

Json = Annotated[bool, typer.Option("--json", help="Print a list of objects with fixed keys.")]
AsOf = Annotated[datetime | None, typer.Option("--as-of", **A_DAY, help="The billing date (default: today).")]
KnownAt = Annotated[str | None, typer.Option("--known-at", help="As it was known at an instant, e.g. 2026-06-01T09:00:00Z.")]
Client = Annotated[str | None, typer.Option("--client", help="Only this client: its id, or a part of its name.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; kept with the decision.")]


@contextmanager
def opened() -> Iterator[Any]:
    """The installation that the settings name."""
    from daybook.app import opened as open_app
    from daybook.settings import load

    with open_app(load()) as found:
        yield found


@contextmanager
def reading(found: Any, *, as_of: date | None = None, known_at: datetime | None = None) -> Iterator[Any]:
    """A cursor on the views, caught up with the book; or as they were known at an instant."""
    if known_at is None:
        found.views.catch_up()
    with found.views.reading(as_of=as_of, known_at=known_at) as cursor:
        yield cursor


def client_id_of(found: Any, given: str | None) -> str | None:
    """The client an option means, as clients are known today; raises Unclear (exit code 2) for none, or more than one."""
    from projections.finding import client_meant

    return _meant(found, given, client_meant)


def charge_type_of(found: Any, given: str | None) -> str | None:
    """The charge type an option means, in the same way."""
    from projections.finding import charge_type_meant

    return _meant(found, given, charge_type_meant)


def _meant(found: Any, given: str | None, look: Callable[[Any, str], str]) -> str | None:
    if given is None:
        return None
    with reading(found) as cursor:
        return look(cursor, given)


@contextmanager
def progress(title: str) -> Iterator[Callable[[int], None]]:
    """A bar for work of unknown size; gives a function that moves it on by n."""
    from daybook.feeding import progress_bar

    with progress_bar(title, None) as advance:
        yield advance


def day_of(given: datetime | None) -> date | None:
    """An option's day."""
    return given.date() if given is not None else None


def instant_of(given: str | None) -> datetime | None:
    """An option's instant; raises BadParameter for one that is none or has no zone."""
    if given is None:
        return None
    try:
        instant = datetime.fromisoformat(given)
    except ValueError:
        raise typer.BadParameter(f"{given!r} is no instant such as 2026-06-01T09:00:00Z") from None
    if instant.tzinfo is None:
        raise typer.BadParameter(f"{given!r} has no zone: add Z for UTC")
    return instant


def by() -> str:
    """Who gives the command, as decisions keep it."""
    return os.environ.get("DAYBOOK_USER") or getpass.getuser()
