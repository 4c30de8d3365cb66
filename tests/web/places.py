"""Installations that pages are looked at in: the demo's month, five hundred clients, and one with nothing in it."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from daybook import demo_month, feeding
from tests.conftest import Server
from tests.saying import Row, approved, said
from tests.web.browser import served
from tests.web.conftest import BASICS, Web, _web

Place = tuple[Web, str]
"""An installation and the address at which it is served."""

PAYLOAD = '<img src=x onerror="window.pwned=1"><script>window.pwned=1</script>{{7*7}}\'"\u202etxt'
SHOWN = PAYLOAD.replace("\u202e", "\ufffd")
CLIENTS = 500


@contextmanager
def place(postgres: Server, template: str, home: Path, facts: Iterable[Row] = ()) -> Iterator[Place]:
    """An installation with some facts, served on a port of its own."""
    for web in _web(postgres, template, home):
        web.feed(list(facts))
        with served(web) as address:
            yield web, address


@contextmanager
def demo(postgres: Server, template: str, home: Path) -> Iterator[Place]:
    """The demo's May 2026, of which nothing is invoiced."""
    with place(postgres, template, home) as (web, address):
        feeding.ingest_files(web.app, demo_month.write(home / "facts"))
        web.app.views.catch_up()
        yield web, address


@contextmanager
def crowd(postgres: Server, template: str, home: Path) -> Iterator[Place]:
    """Five hundred clients with a thousand time entries, one of them with markup in every text that others send."""
    with place(postgres, template, home, [*BASICS, *_many(), *_hostile()]) as found:
        yield found


@contextmanager
def bare(postgres: Server, template: str, home: Path) -> Iterator[Place]:
    """An installation on its first day: the provider is known, nothing else."""
    with place(postgres, template, home, BASICS) as found:
        yield found


def _many() -> Iterator[Any]:
    for number in range(CLIENTS - 1):
        client_id = f"client-{number:03}"
        name = f"Client {number:03} of the Very Long Name and Sons (Holdings) International Limited"
        yield said("ClientDefined", client_id=client_id, name=name)
        yield from approved(f"{client_id}-a", client_id=client_id, worked_minutes=45 + number)
        yield said("TimeEntryLogged", time_entry_id=f"{client_id}-b", client_id=client_id, worked_minutes=30)


def _hostile() -> Iterator[Any]:
    yield said("ChargeTypeDefined", code="EVIL", name=f"A {PAYLOAD}")
    yield said("ClientDefined", client_id=f"evil/{PAYLOAD}", name=f"Evil {PAYLOAD}")
    yield from approved(
        f"entry {PAYLOAD}", client_id=f"evil/{PAYLOAD}", charge_type="EVIL", ticket_id=f"ticket {PAYLOAD}", agent_id=PAYLOAD,
        note=f"note {PAYLOAD}",
    )  # fmt: skip


LASTING = {"month": demo, "crowd": crowd, "bare": bare}
"""Places that looking at them does not change."""
