"""States of the pages about money: an office whose clients owe, pay, and pay what nobody can place."""

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import expect

from tests.web.browser import Visitor
from tests.web.conftest import Web
from tests.web.money import invoiced, paid


def _with_money(web: Web) -> None:
    invoiced(web)
    web.feed(
        [
            paid("p1", 20_000, provider_ref="BACS 4711", invoice_numbers=["INV-000001"]),
            paid("x1", 27_000, client_id="?", provider_ref="BUILDCO"), paid("x2", 5, client_id="?"),
            paid("x3", 700, client_id="new"), paid("x4", 900, currency="EUR", invoice_numbers=["INV-000001"]),
            paid("x5", 1, currency="???"),
        ]
    )  # fmt: skip


@contextmanager
def money_waits(visitor: Visitor, web: Web) -> Iterator[None]:
    """Money that waits in the inbox."""
    _with_money(web)
    visitor.go("/payments")
    expect(visitor.page.get_by_role("heading", name="To look at")).to_be_visible()
    yield


@contextmanager
def owing(visitor: Visitor, web: Web) -> Iterator[None]:
    """Clients that owe, one of them overdue."""
    _with_money(web)
    visitor.go("/clients?as_of=2026-09-30")
    expect(visitor.page.get_by_text("All in GBP")).to_be_visible()
    yield


@contextmanager
def in_the_red(visitor: Visitor, web: Web) -> Iterator[None]:
    """An account long overdue."""
    _with_money(web)
    visitor.go("/clients/buildco?as_of=2026-09-30")
    expect(visitor.page.get_by_text("92 days overdue").first).to_be_visible()
    yield


@contextmanager
def nobodys_payment(visitor: Visitor, web: Web) -> Iterator[None]:
    """A payment of nobody, with whom it may be of."""
    _with_money(web)
    visitor.go("/payments/one?client_id=%3F&payment_id=x1")
    expect(visitor.page.get_by_role("button", name="Match to Buildco Ltd")).to_be_visible()
    yield


@contextmanager
def own_payment(visitor: Visitor, web: Web) -> Iterator[None]:
    """A payment of a client, with the form to refund it."""
    _with_money(web)
    visitor.go("/payments/one?client_id=acme&payment_id=p1")
    expect(visitor.page.get_by_role("button", name="Record that it went back")).to_be_visible()
    yield


@contextmanager
def payment_not_taken(visitor: Visitor, _: Web) -> Iterator[None]:
    """A payment that could not be taken as typed."""
    visitor.page.get_by_label("Amount", exact=True).fill("1,5")
    visitor.page.get_by_role("button", name="Record this payment").click()
    expect(visitor.page.get_by_role("alert").filter(has_text="write 1.5, with a point")).to_be_visible()
    yield
