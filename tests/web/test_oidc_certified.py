"""A whole round trip: with the certified provider, and in a real Chromium, whose rules for forms and cookies must allow it."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx2
import pytest
from playwright.sync_api import Page, expect

from daybook.web import people
from daybook.web.provider import CALLBACK
from tests.broker import free_port
from tests.web.browser import Visitor, chromium, served
from tests.web.certified import SECRET, certified, signs_in
from tests.web.conftest import BASE, Web
from tests.web.sso import sent, sso


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    """The certified provider, told to send people back to us."""
    with certified(BASE + CALLBACK) as address:
        yield address


def at(web: Web, issuer: str, client_id: str = "basic", secret: str | None = SECRET, claim: str = "email", **more: Any) -> Web:
    """The installation, with this provider."""
    known = web.app.settings
    given = {"oidc_issuer": issuer, "oidc_client_id": client_id, "oidc_client_secret": secret, "oidc_claim": claim}
    return Web(replace(web.app, settings=known.model_copy(update={"public_url": BASE, **given, **more})))


@pytest.mark.parametrize(
    ("client_id", "secret", "claim"),
    [("basic", SECRET, "email"), ("none", None, "email"), ("basic", SECRET, "preferred_username")],
)
def test_certified_provider_signs_somebody_in(web: Web, issuer: str, client_id: str, secret: str | None, claim: str) -> None:
    here = at(web, issuer, client_id, secret, claim)
    name = f"{client_id}.{claim}@example.com"
    people.add_person(web.app, name, "viewer")
    client = here.anonymous()
    back = signs_in(client.get("/sign-in/oidc").headers["location"], name)
    assert sent(back)["iss"] == issuer
    done = client.get(back.removeprefix(BASE))
    assert (done.status_code, done.headers["location"]) == (303, "/")
    assert client.get("/api/v1/waiting").status_code == 200


def test_certified_provider_refuses_a_client_that_is_not_ours(web: Web, issuer: str) -> None:
    here = at(web, issuer, secret="another")
    client = here.anonymous()
    back = signs_in(client.get("/sign-in/oidc").headers["location"], "any@example.com")
    answer = client.get(back.removeprefix(BASE))
    assert answer.status_code == 502
    assert "invalid_client" in answer.text


def test_certified_provider_sees_a_code_brought_by_another_browser(web: Web, issuer: str) -> None:
    here, name = at(web, issuer), "stolen@example.com"
    people.add_person(web.app, name, "viewer")
    client, other = here.anonymous(), here.anonymous()
    back = sent(signs_in(client.get("/sign-in/oidc").headers["location"], name))
    state = sent(other.get("/sign-in/oidc").headers["location"])["state"]
    answer = other.get("/sign-in/oidc/callback", params={**back, "state": state})
    assert answer.status_code == 502
    assert "invalid_grant" in answer.text


def test_certified_provider_knows_no_other_way_back(web: Web, issuer: str) -> None:
    here = at(web, issuer, public_url="https://elsewhere.example")
    address = here.anonymous(host="elsewhere.example").get("/sign-in/oidc").headers["location"]
    assert "redirect_uri did not match" in httpx2.get(address, headers={"accept": "text/html"}).text


def test_in_chromium_with_the_certified_provider(office: Web) -> None:
    port = free_port()
    here = f"http://127.0.0.1:{port}"
    with (
        certified(here + CALLBACK) as issuer,
        chromium() as browser,
        served(at(office, issuer, public_url=here), port) as address,
    ):
        people.add_person(office.app, "ann@example.com", "biller")
        # Its page asks another machine for a typeface: nothing but this machine is asked here.
        context = browser.new_context()
        context.route(lambda url: not url.startswith("http://127.0.0.1:"), lambda route: route.abort())
        page = Visitor(context, address).go("/")
        page.get_by_role("link", name="Sign in with 127.0.0.1").click()
        page.get_by_placeholder("Enter any login").fill("ann@example.com")
        page.get_by_placeholder("and password").fill("any")
        page.get_by_role("button", name="Sign-in").click()
        page.get_by_role("button", name="Continue").click()
        is_at_the_queue(page, address)
        # A second time the provider asks nothing, and nothing stands in the way.
        page.get_by_role("button", name="Sign out").click()
        page.goto(address)
        page.get_by_role("link", name="Sign in with 127.0.0.1").click()
        is_at_the_queue(page, address)
        # Until somebody signs out over there.
        page.get_by_role("button", name="Sign out").click()
        page.get_by_role("link", name="Sign out of 127.0.0.1 too").click()
        page.get_by_role("button", name="Yes, sign me out").click()
        expect(page.get_by_text("Sign-out Success")).to_be_visible()
        page.goto(address)
        page.get_by_role("link", name="Sign in with 127.0.0.1").click()
        expect(page.get_by_placeholder("Enter any login")).to_be_visible()


def test_in_chromium_with_a_stranger_and_a_tired_provider(office: Web) -> None:
    port = free_port()
    with sso(office, f"http://127.0.0.1:{port}") as one, chromium() as browser, served(one.web, port) as address:
        name = one.somebody()
        one.account("s", email="new.one@example.com", email_verified=True)
        visitor = Visitor(browser.new_context(), address)
        page = visitor.go("/")
        assert visitor.serious() == []
        page.get_by_role("link", name="Sign in with 127.0.0.1").click()
        page.get_by_role("combobox").select_option("s")
        page.get_by_role("button", name="Continue").click()
        expect(page.get_by_role("heading")).to_have_text("Daybook does not know you yet")
        expect(page.get_by_text("daybook user add new.one@example.com --role viewer")).to_be_visible()
        assert visitor.serious() == []
        page.get_by_role("link", name="Try again").click()
        page.get_by_role("combobox").select_option(f"sub-{name}")
        page.get_by_role("button", name="Continue").click()
        is_at_the_queue(page, address)
        done = page.url
        page.go_back()
        page.goto(done)
        is_at_the_queue(page, address)
        one.web.asgi.state.oidc = replace(one.web.asgi.state.oidc, issuer="http://127.0.0.1:9")
        visitor.go("/sign-in/oidc")
        expect(page.get_by_role("heading")).to_contain_text("does not work now")
        assert visitor.serious() == []


def is_at_the_queue(page: Page, address: str) -> None:
    """Somebody is in."""
    page.wait_for_url(address + "/")
    expect(page.get_by_text("Acme Corp").first).to_be_visible()
