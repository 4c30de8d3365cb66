"""Every page in every state it can be in: what axe looks at, what must not scroll sideways, what is photographed.

`page_routes` derives from the application which addresses are pages, so that a new one cannot be forgotten.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

from fastapi import FastAPI
from playwright.sync_api import Route, expect

from daybook import feeding
from daybook.web import people
from daybook.web.docs import operations
from projections.views import LOCK
from tests.saying import approved
from tests.web import accounts, form_states, reminded
from tests.web.browser import Visitor
from tests.web.conftest import Web
from tests.web.states_correct import correcting, voided

Act = Callable[[Visitor, Web], AbstractContextManager[object]]
"""Brings an opened page into its state, and cleans up after it was looked at."""

NO_PAGES = {
    "/healthz": "for probes", "/readyz": "for probes", "/metrics": "for Prometheus",
    "/docs": "the API's documentation by Swagger UI, as published: its colours are its makers'",
    "/queue/clients": "the options of a field, tested with it", "/sign-in/oidc": "leads on to the provider",
    "/sign-in/oidc/leave": "leads on to the provider",
}  # fmt: skip
"""Addresses that answer a GET and are no page."""


@dataclass(frozen=True, kw_only=True)
class State:
    """One state of one page: where (`place` names a fixture), as whom (null: nobody), and what is done there.

    `shows` is the address at which it ends, where it begins at another; `status` what the first address answers.
    """

    name: str
    place: str
    path: str
    role: str | None = "biller"
    act: Act = lambda _visitor, _web: nullcontext()
    status: int = 200
    shows: str | None = None


def page_routes(web: FastAPI) -> set[str]:
    """The templates of the addresses that answer a person's GET with a page."""
    paths = {str(route.path) for route in operations(web) if "GET" in (route.methods or ())}
    return {p for p in paths if p not in NO_PAGES and not p.startswith("/api/") and not p.endswith((".csv", ".pdf"))}


def route_of(path: str, routes: set[str]) -> str | None:
    """The template that an address belongs to; the one that says most of it before one with wider parts."""
    address = path.partition("?")[0]
    fitting = [one for one in routes if re.fullmatch(re.sub(r"\\{\w+(:path)?\\}", ".+", re.escape(one)), address)]
    return max(fitting, key=lambda one: len(re.sub(r"{[^}]*}", "", one)), default=None)


# ---- what is done at a page


@contextmanager
def _item_open(visitor: Visitor, _: Web) -> Iterator[None]:
    visitor.page.get_by_role("link", name="Sable & Stone Joinery").click()
    visitor.page.get_by_role("link", name=re.compile("^On-Site")).first.click()
    expect(visitor.page.get_by_label("Reason to hold")).to_be_visible()
    yield


@contextmanager
def _held_and_adjusted(visitor: Visitor, _: Web) -> Iterator[None]:
    page = visitor.page
    page.get_by_role("link", name="Acme Corp").click()
    page.get_by_role("link", name="Remote Support, entry e1", exact=True).click()
    page.get_by_label("Add to the amount").fill("-25.00")
    page.get_by_label("Reason to adjust").fill("Goodwill for the outage")
    page.get_by_role("button", name="Adjust this line").click()
    expect(page.get_by_text("Adjusted.", exact=True)).to_be_visible()
    page.get_by_role("link", name="Remote Support, entry e1", exact=True).click()
    page.get_by_label("Reason to hold").fill("Ask Ann")
    page.get_by_role("button", name="Hold this line").click()
    expect(page.get_by_text("Held: it stays off the run")).to_be_visible()
    page.get_by_role("link", name="Remote Support, entry e1", exact=True).click()
    expect(page.get_by_role("button", name="Take back GBP -25.00")).to_be_visible()
    yield


@contextmanager
def _not_taken(visitor: Visitor, _: Web) -> Iterator[None]:
    visitor.page.get_by_label("Add to the amount").fill("1,5")
    visitor.page.get_by_label("Reason to adjust").fill("x")
    with visitor.page.expect_navigation():
        visitor.page.get_by_role("button", name="Adjust this line").click()
    expect(visitor.page.get_by_role("alert").filter(has_text="write 1.5, with a point")).to_be_visible()
    yield


@contextmanager
def _loading(visitor: Visitor, _: Web) -> Iterator[None]:
    waiting: list[Route] = []

    def keep(route: Route) -> None:
        waiting.append(route)

    visitor.page.route("**/queue/lines**", keep)
    visitor.page.get_by_role("link", name="Acme Corp").click()
    expect(visitor.page.get_by_text("Loading…")).to_be_visible()
    yield
    for route in waiting:
        route.continue_()
    expect(visitor.page.get_by_text("Loading…")).to_be_hidden()


@contextmanager
def _trouble(visitor: Visitor, _: Web) -> Iterator[None]:
    visitor.page.route("**/queue/lines**", lambda route: route.fulfill(status=503, body="no"))
    visitor.page.get_by_role("link", name="Acme Corp").click()
    expect(visitor.page.get_by_role("alert")).to_contain_text("not ready just now")
    yield


@contextmanager
def _behind(visitor: Visitor, web: Web) -> Iterator[None]:
    """Another process holds the views and does not move them, while new facts are in the book."""
    with web.app.database.connection() as other:
        other.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
        other.commit()
        feeding.feed(web.app, approved("behind"), feeding.Fed())
        visitor.page.reload()
        expect(visitor.page.get_by_role("status")).to_contain_text("New facts are still being taken in")
        yield
        other.execute("SELECT pg_advisory_unlock(%s)", (LOCK,))
        other.commit()
    web.app.views.catch_up()


def _issue(visitor: Visitor) -> None:
    visitor.go("/generate").get_by_role("button", name=re.compile("^Issue")).click()


@contextmanager
def _running(visitor: Visitor, web: Web) -> Iterator[None]:
    """Somebody else is deciding on a client for a while, so that the run waits for it."""
    visitor.go("/generate")
    with web.app.database.connection() as other:
        other.execute("INSERT INTO books.accounts (client_id) VALUES ('acme') ON CONFLICT DO NOTHING")
        other.commit()
        other.execute("SELECT 1 FROM books.accounts WHERE client_id = 'acme' FOR UPDATE")
        visitor.page.get_by_role("button", name=re.compile("^Issue")).click()
        expect(visitor.page.get_by_role("progressbar")).to_be_visible()
        yield
        other.rollback()
    expect(visitor.page.get_by_role("heading", name="2 documents issued")).to_be_visible()


@contextmanager
def _run_under_way(visitor: Visitor, web: Web) -> Iterator[None]:
    with _running(visitor, web):
        visitor.go("/generate")
        expect(visitor.page.get_by_text("is generating invoices just now")).to_be_visible()
        yield
        visitor.page.get_by_role("link", name="see how far it is").click()


@contextmanager
def _run_done(visitor: Visitor, _: Web) -> Iterator[None]:
    _issue(visitor)
    expect(visitor.page.get_by_role("heading", name="2 documents issued")).to_be_visible()
    yield


@contextmanager
def _run_refused(visitor: Visitor, web: Web) -> Iterator[None]:
    visitor.go("/generate")
    web.feed(approved("more", client_id="buildco", worked_minutes=60))
    visitor.page.get_by_role("button", name=re.compile("^Issue")).click()
    expect(visitor.page.get_by_role("heading", name="1 left out")).to_be_visible()
    yield


@contextmanager
def _run_failed(visitor: Visitor, web: Web) -> Iterator[None]:
    with _run_done(visitor, web):
        web.feed(approved("late", worked_on="2026-04-15"))
    visitor.go("/generate?as_of=2026-04-30").get_by_role("button", name=re.compile("^Issue")).click()
    expect(visitor.page.get_by_role("heading", name="The run did not finish")).to_be_visible()
    yield


@contextmanager
def _credited(visitor: Visitor, web: Web) -> Iterator[None]:
    with _run_done(visitor, web):
        web.feed([*approved("e2", client_id="buildco", revision=2, worked_minutes=30)])
    _issue(visitor)
    visitor.page.get_by_role("link", name=re.compile("Buildco")).click()
    expect(visitor.page.get_by_role("heading", name=re.compile("Credit note"))).to_be_visible()
    yield


@contextmanager
def _corrected(visitor: Visitor, web: Web) -> Iterator[None]:
    with _credited(visitor, web):
        visitor.page.get_by_role("link", name=re.compile(r"line 1$")).first.click()
        expect(visitor.page.get_by_text("corrected by")).to_be_visible()
        yield


@contextmanager
def _why_open(visitor: Visitor, web: Web) -> Iterator[None]:
    with _run_done(visitor, web):
        visitor.page.get_by_role("link", name=re.compile("Acme")).click()
        visitor.page.get_by_role("link", name="Why line 1?").click()
        visitor.page.get_by_text(re.compile(r"Source events \(")).click()
        expect(visitor.page.get_by_text("time entry approved")).to_be_visible()
        yield


@contextmanager
def _explained(visitor: Visitor, web: Web) -> Iterator[None]:
    with _run_done(visitor, web):
        visitor.go("/explain?number=INV-000001&line=1")
        expect(visitor.page.get_by_text("Why this amount")).to_be_visible()
        yield


@contextmanager
def _listed(visitor: Visitor, web: Web) -> Iterator[None]:
    with _run_done(visitor, web):
        visitor.go("/invoices")
        expect(visitor.page.get_by_role("table")).to_be_visible()
        yield


@contextmanager
def _link_offered(visitor: Visitor, web: Web) -> Iterator[None]:
    people.add_person(web.app, "linked", "viewer")
    visitor.go(f"/sign-in/{people.make_link(web.app, 'linked')}")
    expect(visitor.page.get_by_role("button", name="Sign in")).to_be_visible()
    yield


@contextmanager
def _too_often(visitor: Visitor, _: Web) -> Iterator[None]:
    for _number in range(30):
        if visitor.page.get_by_role("heading", name="Too often").is_visible():
            break
        visitor.page.reload()
    expect(visitor.page.get_by_role("heading", name="Too often")).to_be_visible()
    yield


# ---- every page, every state

ITEM = "/queue/item?client_id=acme&item=time/e1"
STATES = (
    State(name="queue", place="month", path="/"),
    State(name="queue of a viewer", place="month", path="/", role="viewer"),
    State(name="queue with an item open", place="month", path="/", act=_item_open),
    State(name="queue held and adjusted", place="office", path="/", act=_held_and_adjusted),
    State(name="queue of five hundred", place="crowd", path="/"),
    State(name="queue empty", place="bare", path="/"),
    State(name="queue filtered to nothing", place="month", path="/?client=acme&from=2019-01-01&to=2019-01-02"),
    State(name="queue of a client nobody knows", place="month", path="/?client=nobody&charge_type=nothing"),
    State(name="queue misread", place="month", path="/?as_of=foo&from=31.5.2026", status=422),
    State(name="queue of another day", place="month", path="/?as_of=2026-04-30"),
    State(name="queue loading a part", place="month", path="/", act=_loading),
    State(name="queue in trouble", place="month", path="/", act=_trouble),
    State(name="queue behind", place="office", path="/", act=_behind),
    State(name="lines", place="month", path="/queue/lines?client_id=fenwick&currency=GBP"),
    State(name="item", place="office", path=ITEM),
    State(
        name="item not adjusted",
        place="office",
        path=ITEM,
        act=_not_taken,
        shows="/queue/adjust",
    ),
    State(name="confirmation", place="month", path="/generate"),
    State(name="confirmation of nothing", place="bare", path="/generate"),
    State(name="confirmation misread", place="month", path="/generate?as_of=soon", status=422),
    State(name="confirmation behind", place="office", path="/generate", act=_behind),
    State(name="confirmation during a run", place="office", path="/generate", act=_run_under_way),
    State(name="run under way", place="office", path="/", act=_running, shows="/runs/x"),
    State(name="run done", place="office", path="/", act=_run_done, shows="/runs/x"),
    State(name="run with refusals", place="office", path="/", act=_run_refused, shows="/runs/x"),
    State(name="run failed", place="office", path="/", act=_run_failed, shows="/runs/x"),
    State(name="run forgotten", place="month", path="/runs/none", status=404),
    State(name="invoices", place="office", path="/invoices", act=_listed),
    State(name="no invoices", place="bare", path="/invoices"),
    State(name="invoices filtered to nothing", place="month", path="/invoices?client=nobody"),
    State(name="invoice with why", place="office", path="/invoices", act=_why_open, shows="/invoices/x"),
    State(name="credit note", place="office", path="/invoices", act=_credited, shows="/invoices/x"),
    State(name="invoice corrected", place="office", path="/invoices", act=_corrected, shows="/invoices/x"),
    State(name="invoice being corrected", place="office", path="/invoices", act=correcting(_run_done), shows="/invoices/x"),
    State(name="invoice voided", place="office", path="/invoices", act=voided(_run_done), shows="/invoices/x"),
    State(name="no such invoice", place="month", path="/invoices/NONE", status=404),
    State(name="explanation", place="office", path="/invoices", act=_explained, shows="/explain"),
    State(name="no such explanation", place="month", path="/explain?number=NONE&line=1", status=404),
    State(name="explanation misread", place="month", path="/explain", status=422),
    State(name="dashboard", place="month", path="/dashboard"),
    State(name="dashboard empty", place="bare", path="/dashboard"),
    State(name="dashboard misread", place="month", path="/dashboard?currency=ABC", status=422),
    State(name="seats", place="month", path="/seats"),
    State(name="seats of a client", place="month", path="/seats?client=thornfield"),
    State(name="no seats", place="bare", path="/seats"),
    State(name="seats of nobody", place="month", path="/seats?client=nobody"),
    State(name="seats misread", place="month", path="/seats?as_of=soon", status=422),
    State(name="reminders", place="office", path="/reminders", act=reminded.calendar),
    State(name="reminders of a viewer", place="office", path="/reminders", role="viewer", act=reminded.calendar),
    State(name="no reminders", place="bare", path="/reminders"),
    State(name="reminders filtered to nothing", place="month", path="/reminders?client=nobody"),
    State(name="reminders misread", place="month", path="/reminders?from=soon", status=422),
    State(name="reminder policy", place="month", path="/reminders/policy"),
    State(name="reminder policy of a viewer", place="month", path="/reminders/policy", role="viewer"),
    State(
        name="reminder policy of a client",
        place="office",
        path="/reminders",
        act=reminded.of_a_client,
        shows="/reminders/policy",
    ),
    State(
        name="reminder policy in trouble",
        place="office",
        path="/reminders/policy",
        act=reminded.not_taken,
        shows="/reminders/policy",
    ),
    State(name="reminder policy of nobody", place="month", path="/reminders/policy?client=none", status=404),
    State(name="time", place="month", path="/time"),
    State(name="time of a thousand", place="crowd", path="/time"),
    State(name="time stuck", place="month", path="/time?reason=stuck"),
    State(name="time of one reason", place="month", path="/time?reason=not_yet_supported"),
    State(name="time of a viewer", place="month", path="/time", role="viewer"),
    State(name="time empty", place="bare", path="/time"),
    State(name="time filtered to nothing", place="month", path="/time?client=acme&status=rejected"),
    State(name="time misread", place="month", path="/time?from=yesterday", status=422),
    State(name="client", place="month", path="/clients/coldridge"),
    State(name="client nobody described", place="month", path="/clients/kestrel-print"),
    State(name="no such client", place="month", path="/clients/none", status=404),
    State(name="client misread", place="month", path="/clients/coldridge?as_of=soon", status=422),
    State(name="client of another day", place="office", path="/clients/acme", act=accounts.in_the_red, shows="/clients/x"),
    State(name="clients", place="office", path="/clients", act=accounts.owing, shows="/clients"),
    State(name="clients of five hundred", place="crowd", path="/clients"),
    State(name="clients filtered to nothing", place="month", path="/clients?client=nobody"),
    State(name="clients misread", place="month", path="/clients?as_of=soon", status=422),
    State(name="no clients", place="bare", path="/clients"),
    State(name="payments", place="office", path="/payments", act=accounts.money_waits, shows="/payments"),
    State(name="payments of a viewer", place="office", path="/payments", role="viewer", act=accounts.money_waits),
    State(name="no payments", place="bare", path="/payments"),
    State(name="payments filtered to nothing", place="month", path="/payments?client=acme&method=cash"),
    State(name="payments misread", place="month", path="/payments?from=soon", status=422),
    State(name="payment of nobody", place="office", path="/payments", act=accounts.nobodys_payment, shows="/payments/one"),
    State(name="payment", place="office", path="/payments", act=accounts.own_payment, shows="/payments/one"),
    State(name="no such payment", place="month", path="/payments/one?client_id=acme&payment_id=none", status=404),
    State(name="payment to record", place="office", path="/payments/new?client=acme"),
    State(name="payment to record of anybody", place="month", path="/payments/new"),
    State(name="payment not taken", place="office", path="/payments/new?client=acme", act=accounts.payment_not_taken),
    State(name="payment of a client nobody knows", place="month", path="/payments/new?client=none", status=404),
    State(name="new client", place="month", path="/clients/new"),
    State(name="client to change", place="month", path="/clients/coldridge/edit"),
    State(name="client to read", place="month", path="/clients/coldridge/edit", role="viewer"),
    State(name="terms of a client", place="month", path="/clients/coldridge/terms"),
    State(name="new contract", place="month", path="/clients/coldridge/contracts/new"),
    State(name="contract to change", place="office", path="/", act=form_states.opened, shows="/clients/x/contracts/x/edit"),
    State(name="contract previewed", place="office", path="/", act=form_states.previewed, shows="/clients/x/contracts/x/edit"),
    State(name="contract not taken", place="office", path="/", act=form_states.faulty, shows="/clients/x/contracts/x/edit"),
    State(name="history of a contract", place="office", path="/", act=form_states.history, shows="/clients/x/contracts/x"),
    State(name="charge types", place="month", path="/charge-types"),
    State(name="no charge types", place="bare", path="/charge-types"),
    State(name="new charge type", place="month", path="/charge-types/new"),
    State(name="charge type to change", place="month", path="/charge-types/REMOTE/edit"),
    State(name="charge type", place="month", path="/charge-types/REMOTE"),
    State(name="sign-in", place="month", path="/sign-in", role=None),
    State(name="sign-in asked for", place="month", path="/", role=None, shows="/sign-in"),
    State(name="sign-in by a link", place="month", path="/sign-in", role=None, act=_link_offered, shows="/sign-in/x"),
    State(name="sign-in by a used link", place="month", path=f"/sign-in/{'x' * 43}", role=None, status=410),
    State(name="sign-in by a provider", place="month", path="/sign-in/oidc/callback", role=None, status=404),
    State(name="not allowed", place="month", path="/generate", role="viewer", status=403),
    State(name="not there", place="month", path="/nothing/here", status=404),
    State(name="too often", place="strict", path="/generate", act=_too_often),
    State(name="broken", place="broken", path="/broken", status=500),
)
