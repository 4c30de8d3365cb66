"""The states of the pages with forms, for tests/web/states.py: as opened, previewed, refused, saved, and read only."""

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import expect

from tests.saying import line, said
from tests.web.browser import Visitor
from tests.web.conftest import Web

CONTRACT = "/clients/acme/contracts/C1"


def _agreed(web: Web) -> None:
    fee = line("RecurringLine", line_id="fee", description="Managed Services", unit_price="50")
    web.feed([said("ContractDefined", lines=[fee, line("SeatLine")]), said("ContractDefined", revision=2, lines=[fee])])


@contextmanager
def opened(visitor: Visitor, web: Web) -> Iterator[None]:
    """A contract's form."""
    _agreed(web)
    visitor.go(f"{CONTRACT}/edit")
    expect(visitor.page.get_by_role("heading", name="Change Managed Services")).to_be_visible()
    yield


@contextmanager
def previewed(visitor: Visitor, web: Web) -> Iterator[None]:
    """What a contract's change would bill, and what would wait."""
    with opened(visitor, web):
        page = visitor.page
        for kind in ("Seats", "Own rate", "Fixed price", "Usage"):
            page.get_by_role("button", name=kind, exact=True).click()
            expect(page.get_by_role("group", name=f". {kind}")).to_be_visible()
        for number, (what, text) in enumerate(
            (("product", "workstation"), ("charge_type", "REMOTE"), ("project_id", "P1"), ("meter", "TB")), start=1
        ):
            box = page.locator(f"[name='lines.{number}.{what}']")
            box.select_option(text) if what == "charge_type" else box.fill(text)
            page.locator(f"[name='lines.{number}.description']").fill(f"More {number}")
            page.locator(f"[name='lines.{number}.account']").fill("200")
        page.locator("[name='lines.1.systems']").fill("rmm")
        page.locator("[name='lines.1.unit_price']").fill("22")
        page.locator("[name='lines.2.rates.0.currency']").fill("GBP")
        page.locator("[name='lines.2.rates.0.amount']").fill("120")
        page.get_by_role("button", name="Preview").last.click()
        expect(page.get_by_role("heading", name="What saving this would change")).to_be_visible()
        expect(page.get_by_role("button", name="Save this contract")).to_be_visible()
        yield


@contextmanager
def faulty(visitor: Visitor, web: Web) -> Iterator[None]:
    """A form that cannot be taken."""
    with opened(visitor, web):
        visitor.page.locator("[name='currency']").fill("pounds")
        visitor.page.locator("[name='lines.0.unit_price']").fill("fifty")
        with visitor.page.expect_navigation():
            visitor.page.get_by_role("button", name="Preview").last.click()
        expect(visitor.page.get_by_role("alert").filter(has_text="Nothing is saved yet")).to_be_visible()
        visitor.complaints.clear()  # a 422 is what the browser complains about
        yield


@contextmanager
def history(visitor: Visitor, web: Web) -> Iterator[None]:
    """A contract with its revisions."""
    _agreed(web)
    visitor.go(CONTRACT)
    expect(visitor.page.get_by_role("heading", name="What changed when")).to_be_visible()
    yield
