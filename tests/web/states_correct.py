"""The states of an invoice that a person corrects."""

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from playwright.sync_api import expect

from tests.web.browser import Visitor
from tests.web.conftest import Web

Act = Callable[[Visitor, Web], AbstractContextManager[None]]


def correcting(run_done: Act) -> Act:
    """All forms open, after a run."""

    @contextmanager
    def act(visitor: Visitor, web: Web) -> Iterator[None]:
        with run_done(visitor, web):
            visitor.page.get_by_role("link", name=re.compile("Acme")).click()
            for title in ("Credit", "Void", "Write off"):
                visitor.page.locator("summary").get_by_text(title, exact=True).click()
            expect(visitor.page.get_by_role("button", name="Issue the credit note")).to_be_visible()
            yield

    return act


def voided(run_done: Act) -> Act:
    """One invoice of the run voided."""

    @contextmanager
    def act(visitor: Visitor, web: Web) -> Iterator[None]:
        with run_done(visitor, web):
            visitor.page.get_by_role("link", name=re.compile("Acme")).click()
            visitor.page.locator("summary").get_by_text("Void", exact=True).click()
            form = visitor.page.locator("form", has=visitor.page.get_by_role("button", name="Void INV-000001"))
            form.get_by_label("Reason").fill("Meant for somebody else")
            form.get_by_role("checkbox").check()
            form.get_by_role("button").click()
            expect(visitor.page.get_by_text("Voided by CN-0001", exact=True)).to_be_visible()
            yield

    return act
