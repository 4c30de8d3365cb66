"""What no request passes: another site, an unknown host, a body without end; and the headers of every answer."""

import hashlib
import re

import pytest

from daybook.web.guard import MOST_BYTES, is_trusted, trusted_hosts
from daybook.web.limits import MOST_KEYS, Limits, Rate, TooMany
from daybook.web.requests import POLICY
from tests.conftest import ROOT
from tests.web.conftest import BASE, Web

BODY = {"client_id": "x", "item_key": "y", "reason": "z"}
WRITE = "/api/v1/items/hold"
VENDOR = ROOT / "daybook" / "web" / "static" / "vendor" / "swagger"
SWAGGER = {
    "swagger-ui-bundle.js": "e6a898692f2d768e807c3ba4626068a69a2c5dd960dd6c76f3e4d3a3de180af2",
    "swagger-ui.css": "5ed08757e53da3e026d6cbecc61fe5d43585c9560b302d534ad56692519a273d",
    "favicon-32x32.png": "3ed612f41e050ca5e7000cad6f1cbe7e7da39f65fca99c02e99e6591056e5837",
}
"""npm pack swagger-ui-dist@5.35.0"""


@pytest.mark.parametrize(
    ("headers", "passes"),
    [
        ({"sec-fetch-site": "same-origin"}, True),
        ({"sec-fetch-site": "none"}, True),
        ({"sec-fetch-site": "same-site"}, False),  # another port or name of ours: a Lax cookie goes there
        ({"sec-fetch-site": "cross-site"}, False),
        ({"sec-fetch-site": ""}, False),
        ({"sec-fetch-site": "cross-site", "origin": BASE}, False),
        ({"origin": BASE}, True),
        ({"origin": "http://127.0.0.1:8001"}, False),
        ({"origin": "https://evil.example"}, False),
        ({"origin": "null"}, False),
        ({"origin": ""}, False),
        ({}, True),  # no browser
    ],
)
def test_writes_from_another_site_are_refused(web: Web, headers: dict[str, str], passes: bool) -> None:
    client = web.browser("biller")
    del client.headers["sec-fetch-site"]
    answer = client.post(WRITE, json=BODY, headers=headers)
    assert answer.status_code == (404 if passes else 403)
    if not passes:
        assert answer.json()["type"] == "urn:daybook:problem:cross-site"
    assert client.get("/api/v1/waiting", headers=headers).status_code == 200  # reading changes nothing
    assert client.post("/sign-out", headers=headers).status_code == (303 if passes else 403)


@pytest.mark.parametrize(
    ("host", "passes"),
    [
        ("127.0.0.1:8000", True), ("localhost", True), ("LOCALHOST:9", True), ("[::1]:8000", True), ("[::1]", True),
        ("evil.example", False), ("127.0.0.1.evil.example", False), ("", False), ("localhost:evil", False),
        ("localhost:8000@evil.example", False), ("evil.example:8000", False), ("127.0.0.1:8000, evil.example", False),
    ],
)  # fmt: skip
def test_only_our_own_host_names_are_answered(web: Web, host: str, passes: bool) -> None:
    answer = web.anonymous().get("/sign-in", headers={"host": host})
    assert answer.status_code == (200 if passes else 421)
    assert web.anonymous().get("/healthz", headers={"host": host}).status_code == 200


def test_public_url_names_a_host() -> None:
    hosts = trusted_hosts("https://Books.Example:8443/x")
    assert is_trusted("books.example:8443", hosts)
    assert is_trusted("books.example", hosts)
    assert is_trusted("localhost:8000", hosts)
    assert not is_trusted("example", hosts)


def test_long_bodies_are_refused_whether_or_not_they_say_so(web: Web) -> None:
    client = web.program("biller")
    assert client.post(WRITE, content=b"x" * (MOST_BYTES + 1)).status_code == 413
    assert (
        client.post(WRITE, content=(b"x" * 65_536 for _ in range(20)), headers={"content-type": "application/json"}).status_code
        == 413
    )
    assert client.post(WRITE, content=b"{}", headers={"content-length": "-1"}).status_code == 413


@pytest.mark.parametrize("path", ["/sign-in", "/", "/nowhere", "/api/v1/queue", "/api/v1/nowhere", "/healthz", "/docs"])
def test_every_answer_carries_the_headers_that_protect(web: Web, path: str) -> None:
    headers = web.anonymous().get(path).headers
    images = "'self' data:" if path == "/docs" else "'self'"
    assert headers["content-security-policy"] == POLICY.format(images=images)
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert re.fullmatch("[0-9a-f]{32}", headers["x-request-id"])
    assert "strict-transport-security" not in headers
    assert "server" not in headers
    assert "strict-transport-security" in Web(web.app, secure=True).anonymous().get(path).headers


def test_a_fault_is_answered_without_its_trace(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("secret of the inside")

    client = web.program("viewer")
    monkeypatch.setattr("daybook.web.api_read.documents.waiting", broken)
    answer = client.get("/api/v1/waiting")
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert "secret" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_log_line_names_the_route_and_never_the_link(web: Web, capsys: pytest.CaptureFixture[str]) -> None:
    web.anonymous().get(f"/sign-in/{'s' * 40}?x=%0ainjected")
    said = capsys.readouterr().out
    assert "/sign-in/{secret}" in said
    assert "s" * 40 not in said
    assert "injected" not in said


def test_docs_need_nothing_from_elsewhere_and_no_inline_script(web: Web) -> None:
    client = web.anonymous()
    page = client.get("/docs").text
    assert "<script>" not in page
    assert "//" not in page.replace("<!doctype", "")
    for address in re.findall(r'(?:src|href)="([^"]+)"', page):
        assert client.get(address).status_code == 200, address
    assert client.get("/openapi.json").json()["openapi"].startswith("3.1")


def test_vendored_files_are_those_that_were_published() -> None:
    assert {name: hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() for name in SWAGGER} == SWAGGER
    assert "Apache License" in (VENDOR / "LICENSE").read_text("utf-8")


def test_buckets_fill_again_and_are_bounded() -> None:
    clock = [0.0]
    limits = Limits({"sign-in": Rate(2, 10)}, clock=lambda: clock[0])
    limits.take("sign-in", "a")
    limits.take("sign-in", "a")
    with pytest.raises(TooMany) as caught:
        limits.take("sign-in", "a")
    assert caught.value.wait_s == 5
    limits.take("sign-in", "b")
    clock[0] = 5.0
    limits.take("sign-in", "a")
    for n in range(MOST_KEYS + 10):
        limits.take("sign-in", str(n))
    assert len(limits._buckets) == MOST_KEYS
