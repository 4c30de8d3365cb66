"""A provider gone wrong (away, slow, talking nonsense) costs a page and a wait with an end, and stops no login link."""

import gzip
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from daybook.web import people, provider
from tests.web.conftest import Web
from tests.web.issuer import Asked, Claims
from tests.web.sso import Sso, refused, sso


@pytest.fixture
def one(web: Web) -> Iterator[Sso]:
    """A Daybook with a provider of the test's own."""
    with sso(web) as made:
        yield made


PACKED = gzip.compress(b" " * 10_000_000)
STEPS = ("/.well-known/openid-configuration", "/token", "/keys")


def dripping(asked: Asked) -> None:
    asked.send_response(200)
    asked.send_header("content-type", "application/json")
    asked.end_headers()
    for _ in range(60):
        asked.wfile.write(b" ")
        asked.wfile.flush()
        time.sleep(0.05)


def cut(asked: Asked) -> None:
    asked.send_response(200)
    asked.send_header("content-length", "1000")
    asked.end_headers()
    asked.wfile.write(b"{")
    asked.close_connection = True


WAYS: dict[str, Callable[[Asked], Any]] = {
    "a page": lambda asked: asked.answer(200, "text/html", b"<h1>Log in to the Wi-Fi</h1>"),
    "nothing": lambda asked: asked.answer(200, "application/json", b""),
    "a list": lambda asked: asked.json(200, [1]),
    "null": lambda asked: asked.json(200, None),
    "brackets": lambda asked: asked.answer(200, "application/json", b"[" * 200_000),
    "no text": lambda asked: asked.answer(200, "application/json", b'{"issuer": "\xff\xfe"}'),
    "far too much": lambda asked: asked.answer(200, "application/json", b" " * 5_000_000 + b"{}"),
    "packed": lambda asked: asked.answer(200, "application/json", PACKED, **{"content-encoding": "gzip"}),
    "empty object": lambda asked: asked.json(200, {}),
    "fault": lambda asked: asked.json(500, {"error": "<script>"}),
    "moved": lambda asked: asked.answer(302, "text/plain", b"", location="https://evil.example/"),
    "no HTTP": lambda asked: asked.wfile.write(b"220 mail.example ESMTP\r\n"),
    "cut off": cut,
    "slow": lambda asked: time.sleep(3),
    "dripping": dripping,
}  # fmt: skip


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("way", WAYS)
def test_provider_gone_wrong_is_a_page_in_time(one: Sso, way: str, step: str) -> None:
    name, client = one.somebody(), one.web.anonymous()
    one.web.asgi.state.oidc = replace(one.web.asgi.state.oidc, within_s=0.8)
    back = one.returns(one.goes(client), f"sub-{name}")

    def answer(asked: Asked) -> bool:
        if asked.path != step:
            return False
        WAYS[way](asked)
        return True

    one.issuer.answer = answer
    for path in (back, *(["/sign-in/oidc"] if step == STEPS[0] else [])):
        started = time.monotonic()
        found = client.get(path)
        assert time.monotonic() - started < 2.6  # it would take 3 s and more
        refused(one, found, 502, name)
        assert "daybook login-link NAME" in found.text
        assert "<script" not in found.text
        assert ("answered far too much" in found.text) == (way == "far too much")


def test_provider_that_is_away_stops_no_login_link(one: Sso) -> None:
    name = one.somebody()
    one.web.asgi.state.oidc = replace(one.web.asgi.state.oidc, issuer="http://127.0.0.1:9", within_s=1.0)
    client = one.web.anonymous()
    assert "cannot be reached" in client.get("/sign-in/oidc").text
    assert "Sign in with 127.0.0.1" in client.get("/sign-in").text
    assert client.post(f"/sign-in/{people.make_link(one.web.app, name)}").status_code == 303


@pytest.mark.parametrize(
    ("name", "value"),
    [("SSL_CERT_FILE", "/nowhere"), ("HTTPS_PROXY", "nonsense://x")],
)
def test_machine_that_cannot_ask_anybody_is_a_page(one: Sso, monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    provider._trusted.cache_clear()
    monkeypatch.setenv(name, value)
    answer = one.web.anonymous().get("/sign-in/oidc")
    assert answer.status_code == 502
    assert "proxy settings and certificates" in answer.text
    monkeypatch.delenv(name)
    assert one.web.anonymous().get("/sign-in/oidc").status_code == 303


def test_many_who_wait_for_a_slow_provider_hold_up_nobody_else(one: Sso) -> None:
    """Waiting takes no thread: forty and more would otherwise leave none for the rest."""
    name, link_client = one.somebody(), one.web.anonymous()
    one.web.asgi.state.oidc = replace(one.web.asgi.state.oidc, within_s=3.0)
    one.issuer.answer = lambda asked: time.sleep(6) is None
    with one.web.anonymous() as client:  # one event loop for all, as in service
        waiting = [threading.Thread(target=client.get, args=("/sign-in/oidc",)) for _ in range(60)]
        for thread in waiting:
            thread.start()
        time.sleep(0.8)
        started = time.monotonic()
        assert client.post(f"/sign-in/{people.make_link(one.web.app, name)}").status_code == 303
        assert time.monotonic() - started < 2.0  # a second less than those who wait
        for thread in waiting:
            thread.join()
    assert link_client.get("/sign-in").status_code == 200


@pytest.mark.parametrize(
    "about",
    [
        {"issuer": "https://evil.example"}, {"issuer": None}, {"authorization_endpoint": "javascript:alert(1)"},
        {"authorization_endpoint": "http://evil.example/"}, {"authorization_endpoint": "//evil.example"},
        {"authorization_endpoint": "https://["}, {"authorization_endpoint": "https://a/\r\nset-cookie: x"},
        {"authorization_endpoint": "https://a:b:c/"}, {"authorization_endpoint": 7}, {"authorization_endpoint": "https://a/#x"},
    ],
)  # fmt: skip
def test_description_that_leads_elsewhere_is_refused(one: Sso, about: Claims) -> None:
    one.issuer.about = about
    answer = one.web.anonymous().get("/sign-in/oidc")
    assert (answer.status_code, "location" in answer.headers) == (502, False)
