"""Photographs the pages: `python -m tests.web.screens` renews the pictures of docs/screens.

`--all FOLDER` writes every state of tests/web/states.py instead, on a desk and on a phone, to be looked at one by one.
Needs Chromium, and pdftoppm (poppler-utils) for what is printed.
"""

import argparse
import logging
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import structlog
from playwright.sync_api import Browser, Page
from psycopg.conninfo import conninfo_to_dict

from ledger.embedded import EmbeddedPostgres
from ledger.migrate import migrate
from tests.conftest import MIGRATION_FOLDERS, ROOT, Server, make_reachable_folder
from tests.web.browser import chromium, visiting
from tests.web.conftest import OFFICE
from tests.web.places import LASTING, Place, place
from tests.web.states import STATES, State

KEPT = ROOT / "docs" / "screens"
DESK, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
SHEET = ("queue of five hundred", "queue empty", "queue misread", "run with refusals", "time stuck", "not there")
STYLE = (
    "body{margin:8px;background:#76838b;display:grid;grid-template-columns:repeat(3,420px);gap:8px;font:13px sans-serif}"
    "figure{margin:0;height:285px;overflow:hidden;background:#fff}img{width:420px}figcaption{padding:2px 6px}"
)


class Studio:
    """Installations to photograph in; one is opened when it is first asked for."""

    def __init__(self, browser: Browser, server: Server, stack: ExitStack) -> None:
        self.browser = browser
        self._server, self._stack = server, stack
        dsn = server.create()
        migrate(dsn, MIGRATION_FOLDERS)
        self._template = str(conninfo_to_dict(dsn)["dbname"])
        self._open: dict[str, Place] = {}

    def fresh(self) -> Place:
        """Two clients, to do things with."""
        return self._stack.enter_context(place(self._server, self._template, make_reachable_folder(), OFFICE))

    def lasting(self, name: str) -> Place:
        """One of the places that states share."""
        if name not in self._open:
            made = LASTING[name](self._server, self._template, make_reachable_folder())
            self._open[name] = self._stack.enter_context(made)
        return self._open[name]

    @contextmanager
    def at(self, state: State) -> Iterator[Page]:
        """The page in a state."""
        web, address = self.lasting(state.place) if state.place in LASTING else self.fresh()
        with visiting(self.browser, web, address, role=state.role) as visitor:
            visitor.go(state.path)
            with state.act(visitor, web):
                yield visitor.page


@contextmanager
def studio() -> Iterator[Studio]:
    """A browser, and a server for the installations."""
    home = make_reachable_folder()
    with ExitStack() as stack:
        server = stack.enter_context(EmbeddedPostgres(home, throwaway=True))
        browser = stack.enter_context(chromium())
        yield Studio(browser, Server(server.dsn), stack)


def every_state(made: Studio, folder: Path) -> None:
    """One picture of each state and width."""
    folder.mkdir(parents=True, exist_ok=True)
    for state in STATES:
        if state.place in ("strict", "broken"):
            continue
        with made.at(state) as page:
            for kind, size in (("desk", DESK), ("phone", PHONE)):
                page.set_viewport_size(size)  # type: ignore[arg-type]
                page.screenshot(path=folder / f"{state.name.replace(' ', '-')}-{kind}.png", full_page=state.place != "crowd")


def kept(made: Studio) -> None:
    """The few pictures that the repository keeps."""
    web, address = made.lasting("month")
    with visiting(made.browser, web, address) as visitor:
        page = visitor.go("/")
        page.get_by_role("link", name="Fenwick Group").click()
        page.get_by_role("link", name="On-Site, ticket T-8146").click()
        page.get_by_label("Reason to hold").fill("Ask Sam: was the second visit ours?")
        page.evaluate("document.activeElement.blur(); window.scrollTo(0, 0)")
        page.screenshot(path=KEPT / "queue.png")
        page.set_viewport_size(PHONE)  # type: ignore[arg-type]
        visitor.go("/?client=wexcombe")
        page.get_by_role("link", name="Wexcombe Legal LLP").click()
        page.get_by_role("link", name=re.compile("^Remote Support")).first.wait_for()
        page.screenshot(path=KEPT / "phone.png")
    _accounts(made)
    with tempfile.TemporaryDirectory() as folder:
        _sheet(made, Path(folder))
        _printed(made, Path(folder))


def _accounts(made: Studio) -> None:
    """Who owes what, one client's account, and the payments inbox."""
    for name, picture in (("clients", "clients"), ("client of another day", "account"), ("payments", "payments")):
        (state,) = (one for one in STATES if one.name == name)
        with made.at(state) as page:
            page.screenshot(path=KEPT / f"{picture}.png")


def _sheet(made: Studio, folder: Path) -> None:
    """What is seldom seen, on one sheet: many rows, nothing, something misread, something refused."""
    figures = []
    for name in SHEET:
        (state,) = (one for one in STATES if one.name == name)
        with made.at(state) as page:
            page.screenshot(path=folder / f"{name}.png")
        figures.append(f'<figure><figcaption>{name}</figcaption><img src="{name}.png"></figure>')
    (folder / "sheet.html").write_text(f"<style>{STYLE}</style>{''.join(figures)}", encoding="utf-8")
    page = made.browser.new_page(viewport={"width": 1292, "height": 400})
    page.goto((folder / "sheet.html").as_uri())
    page.screenshot(path=KEPT / "states.png", full_page=True)
    page.close()


def _printed(made: Studio, folder: Path) -> None:
    """The demo's largest invoice as a printer gets it."""
    from daybook.app import now
    from runs.generate import generate
    from tests.web.conftest import TODAY

    web, address = made.lasting("month")
    generate(web.app.views, TODAY, now())
    web.app.views.catch_up()
    with visiting(made.browser, web, address) as visitor:
        visitor.go("/invoices/INV-000003").pdf(path=folder / "invoice.pdf", prefer_css_page_size=True)
    pdftoppm = shutil.which("pdftoppm")
    if pdftoppm is None:
        raise SystemExit("no pdftoppm: apt-get install poppler-utils")
    subprocess.run([pdftoppm, "-r", "80", "-png", "-singlefile", folder / "invoice.pdf", KEPT / "print"], check=True)


def main() -> None:
    """Photographs."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--all", type=Path, metavar="FOLDER")
    given = arguments.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with studio() as made:
        if given.all is not None:
            every_state(made, given.all)
        else:
            kept(made)


if __name__ == "__main__":
    main()
