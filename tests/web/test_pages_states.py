"""Every page in every state: nothing serious by axe, nothing sideways, nothing in the console, on a desk and on a phone."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from daybook.web.limits import RATES, Limits
from tests.conftest import Server
from tests.web.browser import Visitor, chromium, served, visiting
from tests.web.conftest import Web
from tests.web.places import LASTING, Place
from tests.web.states import NO_PAGES, STATES, State, page_routes, route_of
from tests.web.test_roles import described

WIDTHS = (1280, 390)
HEIGHT = 800
A4_WIDTH = 703
"""What the margins leave of 210 mm, at 96 px an inch."""
SQUEEZED = """[...document.querySelectorAll("td:not([colspan]), th")]
    .map(cell => [cell.innerText.slice(0, 60), cell.innerText.length, cell.offsetHeight])
    .filter(([, length, height]) => length < 150 && height > 150)"""


class Places:
    """The installations that states ask for by name."""

    def __init__(self, postgres: Server, template: str, homes: Path, stack: ExitStack) -> None:
        self._postgres, self._template, self._homes, self._stack = postgres, template, homes, stack
        self._open: dict[str, Place] = {}

    def lasting(self, name: str) -> Place:
        """A shared place, opened when it is first asked for."""
        if name not in self._open:
            home = self._homes / name
            home.mkdir()
            self._open[name] = self._stack.enter_context(LASTING[name](self._postgres, self._template, home))
        return self._open[name]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for all of them."""
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def places(postgres: Server, migrated_template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Places]:
    """The shared installations."""
    with ExitStack() as stack:
        yield Places(postgres, migrated_template, tmp_path_factory.mktemp("places"), stack)


@pytest.fixture
def place(request: pytest.FixtureRequest, places: Places) -> Iterator[Place]:
    """The place of the state at hand."""
    name = request.getfixturevalue("state").place
    if name in LASTING:
        yield places.lasting(name)
        return
    web: Web = request.getfixturevalue("office")
    if name == "strict":
        web.limits = Limits({**RATES, "sign-in": RATES["sign-in"]})
        web.__post_init__()
    if name == "broken":
        web.asgi.add_api_route("/broken", _broken)
    with served(web) as address:
        yield web, address


def _broken() -> None:
    raise RuntimeError("a bug")


def test_every_page_of_the_application_is_visited() -> None:
    routes = page_routes(described())
    visited = {route_of(state.shows or state.path, routes) for state in STATES}
    assert routes <= visited, "a page without a state: add one to tests/web/states.py, or say in NO_PAGES why it is none"
    assert not NO_PAGES.keys() & visited


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.name)
def test_a_page_is_fit_for_everybody(browser: Browser, place: Place, state: State) -> None:
    web, address = place
    with visiting(browser, web, address, role=state.role) as visitor:
        visitor.page.set_viewport_size({"width": WIDTHS[0], "height": HEIGHT})
        answer = visitor.page.goto(address + state.path)
        assert answer is not None
        assert answer.status == state.status
        with state.act(visitor, web):
            routes = page_routes(described())
            if state.shows is not None and route_of(state.shows, routes) is not None:
                assert route_of(visitor.page.url.removeprefix(address), routes) == route_of(state.shows, routes)
            for width in WIDTHS:
                visitor.page.set_viewport_size({"width": width, "height": HEIGHT})
                _assert_fit(visitor, f"{state.name} at {width} px")
            _assert_prints(visitor, state.name)
        refused = state.act.__name__ in ("_not_taken", "_too_often", "payment_not_taken")
        expected = state.status >= 400 or "trouble" in state.name or refused
        assert expected or visitor.complaints == []


def _assert_fit(visitor: Visitor, where: str) -> None:
    assert visitor.serious() == [], where
    wide, window = visitor.widths()
    assert wide <= window, where
    headings = visitor.page.get_by_role("heading", level=1)
    assert headings.count() == 1, f"{where}: one main heading"
    assert visitor.page.title().strip(" –") not in ("", "Daybook"), where


def _assert_prints(visitor: Visitor, where: str) -> None:
    """On A4 nothing is cut off at the side, and no column is squeezed until short texts run down the page."""
    visitor.page.set_viewport_size({"width": A4_WIDTH, "height": 1000})
    visitor.page.emulate_media(media="print")
    wide, window = visitor.widths()
    assert wide <= window, f"{where}, printed"
    assert visitor.page.evaluate(SQUEEZED) == [], f"{where}, printed"
    assert not visitor.page.locator(".top, .filters, .totals .button").filter(visible=True).count(), f"{where}, printed"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_there_is_one_scheme_whatever_the_system_prefers(browser: Browser, places: Places, scheme: str) -> None:
    """The colours were chosen, and checked for contrast, once: a dark scheme of Pico's must not mix into them."""
    with visiting(browser, *places.lasting("bare")) as visitor:
        visitor.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        for path in ("/", "/sign-in/" + "x" * 43):
            visitor.go(path)
            assert visitor.page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == "rgb(255, 255, 255)"
            assert visitor.serious() == []
