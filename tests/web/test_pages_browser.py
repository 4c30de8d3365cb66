"""The pages in a real Chromium, by roles and labels: the month end of a billing lead, by mouse and by keyboard."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from daybook.web import people
from tests.conftest import Server
from tests.web.browser import Visitor, chromium, visiting
from tests.web.places import CLIENTS, PAYLOAD, SHOWN, Place, crowd, demo


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for all of them."""
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def month(
    browser: Browser, postgres: Server, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    """The demo's May, which nobody invoices."""
    with demo(postgres, migrated_template, tmp_path_factory.mktemp("month")) as found:
        yield found


@pytest.fixture(scope="module")
def issued(
    browser: Browser, postgres: Server, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    """The demo's May, invoiced by the first test that uses it."""
    with demo(postgres, migrated_template, tmp_path_factory.mktemp("issued")) as found:
        yield found


@pytest.fixture(scope="module")
def keyed(
    browser: Browser, postgres: Server, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    """The demo's May, invoiced by keyboard."""
    with demo(postgres, migrated_template, tmp_path_factory.mktemp("keyed")) as found:
        yield found


@pytest.fixture(scope="module")
def many(browser: Browser, postgres: Server, migrated_template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Five hundred clients, one of them with markup in every text that others send."""
    with crowd(postgres, migrated_template, tmp_path_factory.mktemp("many")) as found:
        yield found


def test_a_month_end_takes_at_most_eight_clicks(browser: Browser, issued: Place) -> None:
    with visiting(browser, *issued) as visitor:
        page = visitor.go("/")
        expect(page.get_by_role("region", name="Totals")).to_contain_text("GBP 31,640.00")
        visitor.click("link", "Fenwick Group")
        expect(page.get_by_role("row", name=re.compile("Overage.*700.00"))).to_be_visible()
        visitor.click("link", "On-Site, ticket T-8146")
        page.get_by_label("Reason to hold").fill("Ask Sam whether the second visit was ours")
        visitor.click("button", "Hold this line")
        expect(page.get_by_text("Held: it stays off the run")).to_be_focused()
        expect(page.get_by_role("region", name="Totals")).to_contain_text("GBP 31,370.00")
        visitor.click("link", re.compile("Generate all"))
        expect(page.get_by_text("14 documents, GBP 31,370.00 net")).to_be_visible()
        visitor.click("button", "Issue 14 documents")
        expect(page.get_by_role("heading", name="14 documents issued")).to_be_visible()
        visitor.click("link", re.compile("Fenwick Group"))
        expect(page.get_by_role("heading", name=re.compile("Invoice INV-"))).to_be_visible()
        expect(page.get_by_text("GBP 2,244.00").first).to_be_visible()
        assert visitor.clicks <= 8
        visitor.click("link", "Why line 1?")
        page.get_by_text(re.compile(r"Source events \(")).click()
        expect(page.get_by_text(re.compile("time entry approved"))).to_be_visible()
        expect(page.get_by_text("daybook.time").first).to_be_visible()
        assert visitor.complaints == []
        visitor.go("/invoices/INV-000001")
        assert visitor.serious() == []
        page.get_by_role("link", name="Why line 1?").click()
        expect(page.get_by_text("Why this amount")).to_be_visible()
        assert visitor.serious() == []
        visitor.go("/invoices")
        assert visitor.serious() == []
        visitor.go("/generate")
        expect(page.get_by_role("heading", name="Nothing is due")).to_be_visible()
        assert visitor.complaints == []


def _tab_to(page: Page, name: str) -> None:
    """Presses Tab until the element of that name, past the menu, has the focus, and checks that the focus can be seen."""
    for _ in range(80):
        page.keyboard.press("Tab")
        found = page.evaluate(
            "() => { const e = document.activeElement; const s = getComputedStyle(e);"
            " const l = e.labels && e.labels[0] ? e.labels[0].innerText : '';"
            " return [(e.innerText || l || '').trim(), s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2,"
            " !!e.closest('nav')]; }"
        )
        if found[0].startswith(name) and not found[2]:
            assert found[1], f"{name}: the focus cannot be seen"
            return
    raise AssertionError(f"{name} is not reached by Tab")


def test_a_line_is_held_and_released_by_keyboard_alone(browser: Browser, month: Place) -> None:
    with visiting(browser, *month) as visitor:
        page = visitor.go("/")
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
        page.keyboard.press("Enter")
        _tab_to(page, "Buildco Ltd")
        page.keyboard.press("Enter")
        expect(page.get_by_role("link", name="Managed Services", exact=True)).to_be_visible()
        _tab_to(page, "Managed Services")
        page.keyboard.press("Enter")
        expect(page.get_by_label("Reason to hold")).to_be_visible()
        _tab_to(page, "Reason to hold")
        page.keyboard.type("Contract under review")
        page.keyboard.press("Enter")
        expect(page.get_by_text("held: Contract under review")).to_be_visible()
        expect(page.get_by_text("Held: it stays off the run")).to_be_focused()
        _tab_to(page, "Managed Services")
        page.keyboard.press("Enter")
        expect(page.get_by_label("Reason to release")).to_be_visible()
        _tab_to(page, "Reason to release")
        page.keyboard.type("Agreed")
        page.keyboard.press("Enter")
        expect(page.get_by_text("Released.", exact=True)).to_be_focused()
        page.keyboard.press("Escape")
        expect(page.get_by_text("Released.", exact=True)).to_be_hidden()
        expect(page.get_by_role("link", name="Buildco Ltd")).to_be_focused()
        assert visitor.complaints == []


def _focused(page: Page) -> str:
    return str(page.evaluate("(document.activeElement.innerText || document.activeElement.name || '').trim()"))


def test_a_month_end_is_done_by_keyboard_alone(browser: Browser, keyed: Place) -> None:
    """The whole task: filter, open, hold, close, generate all, confirm, open the invoice, ask why; never a mouse."""
    with visiting(browser, *keyed) as visitor:
        page = visitor.go("/")
        _tab_to(page, "Client")
        page.keyboard.type("enwi")
        expect(page.locator("#clients option")).to_have_count(1)
        page.keyboard.press("Enter")
        page.wait_for_url("**client=enwi**")
        _tab_to(page, "Fenwick Group")
        page.keyboard.press("Enter")
        expect(page.get_by_role("link", name="On-Site, ticket T-8146")).to_be_visible()
        _tab_to(page, "On-Site, ticket T-8146")
        page.keyboard.press("Enter")
        _tab_to(page, "Reason to hold")
        page.keyboard.type("Ask Sam")
        page.keyboard.press("Tab")
        assert _focused(page) == "Hold this line"
        page.keyboard.press("Enter")
        expect(page.get_by_text("Held: it stays off the run")).to_be_focused()
        page.keyboard.press("Escape")
        expect(page.get_by_text("Held: it stays off the run")).to_be_hidden()
        expect(page.get_by_role("link", name="Fenwick Group")).to_be_focused()
        _tab_to(page, "Clear")
        page.keyboard.press("Enter")
        page.wait_for_url("**/")
        _tab_to(page, "Generate all")
        page.keyboard.press("Enter")
        expect(page.get_by_text("1 line held")).to_be_visible()
        _tab_to(page, "Issue 14 documents")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="14 documents issued")).to_be_focused()
        _tab_to(page, "INV-000004")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Invoice INV-000004")).to_be_visible()
        _tab_to(page, "why?")
        page.keyboard.press("Enter")
        expect(page.get_by_text("Why this amount")).to_be_visible()
        _tab_to(page, "Source events")
        page.keyboard.press("Enter")
        expect(page.get_by_text("time entry approved")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.get_by_text("Why this amount")).to_be_hidden()
        expect(page.get_by_role("link", name="Why line 1?")).to_be_focused()
        assert visitor.complaints == []


def test_a_mistyped_adjustment_is_taken_back_where_it_stands(browser: Browser, keyed: Place) -> None:
    with visiting(browser, *keyed) as visitor:
        page = visitor.go("/?client=acme&as_of=2026-06-01")
        page.get_by_role("link", name="Acme Corp").click()
        page.get_by_role("link", name=re.compile("^Remote Support")).first.click()
        page.get_by_label("Add to the amount").fill("-1000")
        page.get_by_label("Reason to adjust").fill("Mistyped")
        page.get_by_role("button", name="Adjust this line").click()
        expect(page.get_by_text("Adjusted.", exact=True)).to_be_focused()
        page.get_by_role("link", name=re.compile("^Remote Support")).first.click()
        page.get_by_label("Reason to take back GBP -1,000.00").fill("It was ten")
        page.get_by_role("button", name="Take back GBP -1,000.00").click()
        expect(page.get_by_text("Taken back:")).to_be_focused()
        assert page.get_by_text("Adjustment:").count() == 0
        assert visitor.complaints == []


@pytest.mark.parametrize("width", [1280, 390])
def test_five_hundred_rows_need_no_sideways_scroll_and_keep_the_totals_in_view(browser: Browser, many: Place, width: int) -> None:
    with visiting(browser, *many, width=width) as visitor:
        page = visitor.go("/")
        assert page.locator("#queue tbody").count() == CLIENTS
        wide, window = visitor.widths()
        assert wide <= window
        bar = page.get_by_role("region", name="Totals")
        expect(bar).to_contain_text("500 clients")
        for _ in range(2):
            box = bar.bounding_box()
            assert box is not None
            assert box["y"] + box["height"] <= page.viewport_size["height"] + 1  # type: ignore[index]
            page.mouse.wheel(0, 4_000)
        page.get_by_role("link", name=re.compile("^Client 000")).click()
        expect(page.get_by_text("Not billed yet")).to_be_visible()
        wide, window = visitor.widths()
        assert wide <= window
        if width == 1280:
            _assert_right_aligned(page)
        assert visitor.complaints == []


def _assert_right_aligned(page: Page) -> None:
    styles = page.evaluate(
        "[...document.querySelectorAll('#queue tr.row .c-amount')].slice(0, 9).map(e => { const s = getComputedStyle(e);"
        " return s.textAlign + ' ' + s.fontVariantNumeric; })"
    )
    assert set(styles) == {"right tabular-nums"}


def test_text_from_outside_stays_text(browser: Browser, many: Place) -> None:
    with visiting(browser, *many) as visitor:
        page = visitor.go("/?client=evil")
        page.get_by_role("link", name=re.compile("^Evil")).click()
        page.get_by_role("link", name=re.compile("^A <img")).click()
        expect(page.get_by_text(f"note {SHOWN}").first).to_be_visible()
        page.get_by_label("Reason to hold").fill(f"reason {PAYLOAD}")
        page.get_by_role("button", name="Hold this line").click()
        expect(page.get_by_text(f"held: reason {SHOWN}")).to_be_visible()
        for path in ("/time?client=evil", "/generate?client=evil", f"/?client={PAYLOAD}", f"/time?reason={PAYLOAD}"):
            visitor.go(path)
            _assert_untouched(visitor)
        visitor.go("/time?client=evil")
        page.get_by_role("link", name=re.compile("^Evil")).click()
        expect(page.get_by_role("heading", name=f"Evil {SHOWN}")).to_be_visible()
        _assert_untouched(visitor)
        assert visitor.complaints == []


def _assert_untouched(visitor: Visitor) -> None:
    assert visitor.page.evaluate("window.pwned") is None
    assert visitor.page.locator("img, script:not([src])").count() == 0


def test_a_viewer_sees_figures_but_no_forms_and_no_personal_text(browser: Browser, month: Place) -> None:
    with visiting(browser, *month, role="viewer") as visitor:
        page = visitor.go("/")
        page.get_by_role("link", name="Fenwick Group").click()
        page.get_by_role("link", name="On-Site, ticket T-8146").click()
        expect(page.get_by_text("(for billers only)").first).to_be_visible()
        assert page.get_by_role("button", name="Hold this line").count() == 0
        assert page.get_by_role("link", name=re.compile("Generate")).count() == 0


def test_without_scripts_the_same_is_done_on_pages_of_their_own(browser: Browser, month: Place) -> None:
    web, address = month
    with visiting(browser, web, address) as visitor:
        state = visitor.page.context.storage_state()
    context = browser.new_context(java_script_enabled=False, storage_state=state)
    page = context.new_page()
    page.goto(f"{address}/")
    page.get_by_role("link", name="Swilly Bay Seafoods DAC").click()
    page.get_by_role("link", name=re.compile("Remote Support")).first.click()
    page.get_by_label("Reason to hold").fill("No scripts here")
    page.get_by_role("button", name="Hold this line").click()
    expect(page.get_by_text("Held: it stays off the run")).to_be_visible()
    page.get_by_label("Add to the amount").fill("1,5")
    page.get_by_label("Reason to adjust").fill("x")
    page.get_by_role("button", name="Adjust this line").click()
    expect(page.get_by_role("alert").filter(has_text="write 1.5, with a point")).to_be_visible()
    context.close()


def test_trouble_is_said_in_words(browser: Browser, month: Place) -> None:
    with visiting(browser, *month) as visitor:
        page = visitor.go("/")
        page.route("**/queue/lines**", lambda route: route.fulfill(status=503, body="no"))
        page.get_by_role("link", name="Acme Corp").click()
        expect(page.get_by_role("alert")).to_contain_text("not ready just now")
        expect(page.get_by_role("link", name="Acme Corp")).to_have_attribute("aria-expanded", "false")


def test_on_a_slow_line_no_page_asks_for_what_the_policy_forbids(browser: Browser, month: Place) -> None:
    """Pico's icons are images in its own text, which are off here: it must never apply before they are."""
    with visiting(browser, *month) as visitor:
        page = visitor.page
        late: list[Route] = []

        def keep(route: Route) -> None:
            late.append(route)

        page.route("**/daybook.css", keep)
        page.goto(visitor.address + "/", wait_until="commit")
        expect(page.locator("input").first).to_be_attached()
        page.evaluate("[...document.querySelectorAll('*')].forEach(e => getComputedStyle(e).backgroundImage)")
        assert len(late) == 1
        late[0].continue_()
        page.wait_for_load_state()
        expect(page.get_by_role("link", name="Acme Corp")).to_be_visible()
        assert visitor.complaints == []


def test_a_link_signs_in_and_the_button_signs_out(browser: Browser, month: Place) -> None:
    web, address = month
    people.add_person(web.app, "newcomer", "viewer")
    with visiting(browser, web, address, role=None) as visitor:
        page = visitor.go(f"/sign-in/{people.make_link(web.app, 'newcomer')}")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("heading", name="Ready for invoicing")).to_be_visible()
        expect(page.get_by_text("newcomer (viewer)")).to_be_visible()
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        visitor.go("/")
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        assert visitor.complaints == []
