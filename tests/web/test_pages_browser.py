"""The pages in a real Chromium, by roles and labels: the month end of a billing lead, by mouse and by keyboard."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from daybook import demo_month, feeding
from tests.conftest import Server
from tests.saying import approved, said
from tests.web.browser import Visitor, chromium, served, visiting
from tests.web.conftest import BASICS, Web, _web

PAYLOAD = "<img src=x onerror=\"window.pwned=1\"><script>window.pwned=1</script>{{7*7}}'\"\u202etxt"
SHOWN = PAYLOAD.replace("\u202e", "\ufffd")
CLIENTS = 500
PAGES = (
    "/time?stuck=1", "/generate", "/clients/fenwick", "/invoices", "/?client=nobody", "/?from=31.5.2026",
    "/queue/lines?client_id=fenwick&currency=GBP", "/invoices/NONE",
)  # fmt: skip

Place = tuple[Web, str]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for all of them."""
    with chromium() as found:
        yield found


def _demo(web: Web, tmp_path_factory: pytest.TempPathFactory) -> None:
    feeding.ingest_files(web.app, demo_month.write(tmp_path_factory.mktemp("facts")))
    web.app.views.catch_up()


@pytest.fixture(scope="module")
def month(
    browser: Browser, postgres: Server, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    """The demo's May, which nobody invoices."""
    for web in _web(postgres, migrated_template, tmp_path_factory.mktemp("month")):
        _demo(web, tmp_path_factory)
        with served(web) as address:
            yield web, address


@pytest.fixture(scope="module")
def issued(
    browser: Browser, postgres: Server, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    """The demo's May, invoiced by the first test that uses it."""
    for web in _web(postgres, migrated_template, tmp_path_factory.mktemp("issued")):
        _demo(web, tmp_path_factory)
        with served(web) as address:
            yield web, address


@pytest.fixture(scope="module")
def crowd(
    browser: Browser, postgres: Server, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    """Five hundred clients, one of them with markup in every text that others send."""
    for web in _web(postgres, migrated_template, tmp_path_factory.mktemp("crowd")):
        web.feed([*BASICS, *_many(), *_hostile()])
        with served(web) as address:
            yield web, address


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
    """Presses Tab until the element of that name has the focus, and checks that the focus can be seen."""
    for _ in range(80):
        page.keyboard.press("Tab")
        found = page.evaluate(
            "() => { const e = document.activeElement; const s = getComputedStyle(e);"
            " const l = e.labels && e.labels[0] ? e.labels[0].innerText : '';"
            " return [(e.innerText || l || '').trim(), s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2]; }"
        )
        if found[0].startswith(name):
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


@pytest.mark.parametrize("width", [1280, 390])
def test_five_hundred_rows_need_no_sideways_scroll_and_keep_the_totals_in_view(
    browser: Browser, crowd: Place, width: int
) -> None:
    with visiting(browser, *crowd, width=width) as visitor:
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


@pytest.mark.parametrize("width", [1280, 390])
def test_axe_finds_nothing_serious(browser: Browser, month: Place, width: int) -> None:
    with visiting(browser, *month, width=width) as visitor:
        page = visitor.go("/")
        page.get_by_role("link", name="Sable & Stone Joinery").click()
        page.get_by_role("link", name=re.compile("^On-Site")).first.click()
        expect(page.get_by_label("Reason to hold")).to_be_visible()
        assert visitor.serious() == []
        for path in PAGES if width == 1280 else PAGES[:3]:
            visitor.go(path)
            assert visitor.serious() == [], path
            wide, window = visitor.widths()
            assert wide <= window, path


def test_text_from_outside_stays_text(browser: Browser, crowd: Place) -> None:
    with visiting(browser, *crowd) as visitor:
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
    expect(page.get_by_role("alert").filter(has_text="is no amount")).to_be_visible()
    context.close()


def test_trouble_is_said_in_words(browser: Browser, month: Place) -> None:
    with visiting(browser, *month) as visitor:
        page = visitor.go("/")
        page.route("**/queue/lines**", lambda route: route.fulfill(status=503, body="no"))
        page.get_by_role("link", name="Acme Corp").click()
        expect(page.get_by_role("alert")).to_contain_text("not ready just now")
        expect(page.get_by_role("link", name="Acme Corp")).to_have_attribute("aria-expanded", "false")
