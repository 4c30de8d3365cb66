"""A real Chromium on a real server: what a person at the page would see, and what axe says about it."""

import os
import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from daybook.web import people
from tests.broker import free_port
from tests.web.conftest import Web

FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
AXE = Path(__file__).parent / "vendor" / "axe" / "axe.min.js"
expect.set_options(timeout=10_000)


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser; skips where none is installed, and fails in CI, where one has to be."""
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        if os.environ.get("CI") == "true":
            pytest.fail("no Chromium in CI: apt-get install chromium")
        pytest.skip("no Chromium: apt-get install chromium, or set CHROMIUM to one")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        browser.close()


@contextmanager
def served(web: Web, port: int | None = None) -> Iterator[str]:
    """The application on a port, of its own if none is given; gives its address."""
    port = port or free_port()
    server = uvicorn.Server(uvicorn.Config(web.asgi, host="127.0.0.1", port=port, log_level="error", access_log=False))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        for _ in range(200):
            if server.started:
                break
            threading.Event().wait(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(timeout=10)


class Visitor:
    """Somebody at a page: counts clicks, and collects what the console complains about."""

    def __init__(self, context: BrowserContext, address: str) -> None:
        self.page: Page = context.new_page()
        self.address = address
        self.clicks = 0
        self.complaints: list[str] = []
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _heard(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def go(self, path: str) -> Page:
        """Opens one of the product's pages."""
        self.page.goto(self.address + path)
        return self.page

    def click(self, role: Any, name: str | re.Pattern[str], *, exact: bool | None = None) -> None:
        """One click, counted."""
        self.clicks += 1
        self.page.get_by_role(role, name=name, exact=exact).first.click()

    def serious(self) -> list[str]:
        """What axe finds serious or critical on the page as it is now."""
        self.page.evaluate(AXE.read_text(encoding="utf-8"))
        # Its reading of style sheets stumbles over an @import; one rule needs it, for styles that lock a phone's orientation.
        asked = "axe.run(document, {resultTypes: ['violations'], preload: false}).then(r => r.violations)"
        found = self.page.evaluate(asked)
        return [
            f"{one['id']}: {node['html'][:150]} {node.get('failureSummary', '')[:200]}"
            for one in found
            if one["impact"] in ("serious", "critical")
            for node in one["nodes"]
        ]

    def widths(self) -> tuple[int, int]:
        """How wide the page is, and how wide the window."""
        wide, window = self.page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
        return wide, window


@contextmanager
def visiting(browser: Browser, web: Web, address: str, *, role: str | None = "biller", width: int = 1280) -> Iterator[Visitor]:
    """Somebody with a role, signed in already (null: nobody yet), in a window so wide."""
    context = browser.new_context(viewport={"width": width, "height": 844 if width < 720 else 800}, locale="en-GB")
    if role is not None:
        name = f"{role}-visitor"
        people.add_person(web.app, name, role)
        session = people.use_link(web.app, people.make_link(web.app, name))
        assert session is not None
        context.add_cookies([{"name": "daybook", "value": session, "url": address}])
    visitor = Visitor(context, address)
    try:
        yield visitor
    finally:
        context.close()
