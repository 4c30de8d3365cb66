"""A contract with seats and tiers made by keyboard alone, on a desk and on a phone; and without any script."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.web.browser import chromium, served, visiting
from tests.web.conftest import Web

NEW = "/clients/acme/contracts/new"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for all of them."""
    with chromium() as found:
        yield found


@pytest.mark.parametrize("width", [1280, 390])
def test_a_contract_with_seats_and_tiers_is_made_by_keyboard(browser: Browser, office: Web, width: int) -> None:
    with served(office) as address, visiting(browser, office, address, width=width) as visitor:
        page = visitor.go(NEW)

        def reach(name: str) -> None:
            """Tab to a field or button."""
            for _ in range(250):
                at = page.evaluate("[document.activeElement.name, document.activeElement.value, document.activeElement.id]")
                if name in (at[0], f"{at[0]}={at[1]}"):
                    return
                page.keyboard.press("Tab")
            raise AssertionError(f"{name} is not reached by Tab")

        def fill(name: str, text: str) -> None:
            reach(name)
            page.keyboard.press("Control+A")
            page.keyboard.type(text)

        fill("name", "Seats for all")
        reach("effective_from")
        page.keyboard.type("01012026")
        reach("starts_on")
        page.keyboard.type("01012026")
        fill("currency", "GBP")
        reach("do=add:lines=SeatLine")
        page.keyboard.press("Enter")
        # The cursor is in the new line: nobody has to look for it.
        expect(page.locator("[name='lines.0.description']")).to_be_focused()
        page.keyboard.type("Workstation care")
        fill("lines.0.account", "200")
        fill("lines.0.product", "workstation")
        fill("lines.0.systems", "rmm")
        for row, (up_to, price) in enumerate((("10", "60"), ("", "55.50"))):
            reach("do=add:lines.0.tiers=tiers")
            page.keyboard.press("Enter")
            expect(page.locator(f"[name='lines.0.tiers.{row}.up_to']")).to_be_focused()
            page.keyboard.type(up_to)
            fill(f"lines.0.tiers.{row}.unit_price", price)
        reach("lines.0.tier_mode")
        page.keyboard.type("each")
        reach("lines.0.tax_code")
        page.keyboard.type("STD")
        # Round to the fields before: Tab goes on from the page's end to its beginning.
        fill("lines.0.minimum_quantity", "12")
        page.keyboard.press("Enter")  # in a box this asks for the preview, and nothing else
        expect(page.get_by_role("heading", name="What saving this would change")).to_be_visible()
        expect(page.get_by_role("row", name="Workstation care").first).to_be_visible()
        assert visitor.serious() == []
        wide, window = visitor.widths()
        assert wide <= window
        page.get_by_role("button", name="Save this contract").focus()
        page.keyboard.press("Enter")
        expect(page.get_by_text("Saved as revision 1.")).to_be_visible()
        assert visitor.complaints == []
    with office.app.views.reading() as cursor:
        rows = cursor.execute("SELECT net_minor FROM due_lines WHERE item_key LIKE 'line/seats-for-all/%%'").fetchall()
    assert {net for (net,) in rows} == {10 * 6_000 + 2 * 5_550}


def test_a_contract_is_made_without_script(browser: Browser, office: Web) -> None:
    with served(office) as address, visiting(browser, office, address) as signed_in:
        context = browser.new_context(java_script_enabled=False)
        context.add_cookies(signed_in.page.context.cookies())
        page = context.new_page()
        page.goto(address + NEW)
        page.get_by_label("Name", exact=True).fill("Plain")
        for name in ("effective_from", "starts_on"):
            page.locator(f"[name='{name}']").fill("2026-05-01")
        page.get_by_role("button", name="Fixed fee").click()
        for name, text in (("description", "Care"), ("account", "200"), ("quantity", "2"), ("unit_price", "10")):
            page.locator(f"[name='lines.0.{name}']").fill(text)
        page.locator("[name='lines.0.tax_code']").select_option("STD")
        page.get_by_role("button", name="Preview").last.click()
        expect(page.get_by_role("row", name="Care 2 × 10.00")).to_be_visible()
        page.get_by_role("button", name="Save this contract").click()
        expect(page.get_by_text("Saved as revision 1.")).to_be_visible()
        context.close()
