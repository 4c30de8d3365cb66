"""Payloads where people type, where a field takes one of a few words, and in a real browser."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient
from playwright.sync_api import Browser

from daybook.web import people
from runs.errors import Refused
from schemas.topics import TOPIC_OF
from tests.conftest import Server
from tests.web import surfaces
from tests.web.browser import chromium, served, visiting
from tests.web.conftest import BASICS, Web, _web
from tests.web.payloads import PAYLOADS, PWN
from tests.web.stories import RECORDS, STEERS, Story, filled, sample, texts

API = "/api/v1"
TEN = {name: PAYLOADS[name] for name in list(PAYLOADS)[1::5]}


@pytest.fixture(scope="module")
def told(postgres: Server, migrated_template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    """Every tenth payload as a client's month."""
    for web in _web(postgres, migrated_template, tmp_path_factory.mktemp("home")):
        web.feed(BASICS)
        client = web.program("admin", "teller")
        for number, payload in enumerate(TEN.values()):
            for said in client.post(f"{API}/events", json=list(Story(number, payload).facts())).json():
                assert said["outcome"] == "recorded"
        yield web


@pytest.fixture(scope="module")
def client(told: Web) -> TestClient:
    return told.program("admin", "reader")


def steering() -> Iterator[tuple[str, str]]:
    for record in RECORDS:
        for where in texts(record):
            if where.rpartition(".")[2] in STEERS and where != "event_id" and "." not in where:
                yield record, where


@pytest.mark.parametrize(("record", "where"), list(steering()), ids=str)
def test_a_payload_where_a_word_of_a_few_stands_stops_at_most_what_it_is_about(
    told: Web, client: TestClient, record: str, where: str
) -> None:
    before = client.get(f"{API}/queue?lines=true").json()
    facts = []
    for payload in TEN.values():
        own = {"client_id": f"c-{uuid4().hex}"} if "client_id" in sample(record) else {"code": f"c-{uuid4().hex}"}
        own = {name: value for name, value in own.items() if name in sample(record)}
        event = filled(record, {**sample(record), **own}, lambda _, at, value, bad=payload: bad if at == where else value)
        facts.append({"topic": TOPIC_OF[record], "type": record, "event": event | {"event_id": str(uuid4())}})
    said = client.post(f"{API}/events", json=facts).json()
    for one in said:
        assert one["outcome"] in ("recorded", "dead_letter"), one
        assert one["outcome"] == "recorded" or re.match(r"[a-z_]+: \w+ ", one["detail"]), one
    for path in ("queue", "queue?lines=true", "waiting", "time-entries", "invoices", "queue?format=csv"):
        assert client.get(f"{API}/{path}").status_code == 200, path
    assert client.get(f"{API}/queue?lines=true").json() == before
    browser = told.browser("biller", "looker")
    assert browser.get("/").status_code == 200


def test_currency_that_is_none_waits_by_name(told: Web, client: TestClient) -> None:
    for number, payload in enumerate(TEN.values()):
        client_id = f"odd-{number}"
        entry = {**sample("TimeEntryLogged"), "client_id": client_id, "time_entry_id": f"odd-e{number}", "event_id": str(uuid4())}
        about = {name: entry[name] for name in ("client_id", "time_entry_id")}
        approval = {**sample("TimeEntryApproved"), **about, "event_id": str(uuid4())}
        facts = [
            (
                "ClientDefined",
                {
                    **sample("ClientDefined"),
                    "client_id": client_id,
                    "currency": payload,
                    "tax_code": None,
                    "event_id": str(uuid4()),
                },
            ),
            ("TimeEntryLogged", entry),
            ("TimeEntryApproved", approval),
        ]
        client.post(f"{API}/events", json=[{"topic": TOPIC_OF[name], "type": name, "event": event} for name, event in facts])
        [waits] = client.get(f"{API}/waiting?client={client_id}").json()
        assert waits["reason"] == "unknown_value"


@pytest.mark.parametrize("name", PAYLOADS)
def test_names_of_people_and_tokens_are_plain(told: Web, name: str) -> None:
    payload = PAYLOADS[name]
    if people.NAME.fullmatch(payload):
        return
    for add in (
        lambda: people.add_person(told.app, payload, "viewer"),
        lambda: people.add_token(told.app, payload, "viewer", timedelta(days=1)),
    ):
        with pytest.raises(Refused, match="is no name"):
            add()


@pytest.mark.parametrize("name", PAYLOADS)
def test_filters_and_keys_are_looked_for_and_nothing_else(told: Web, client: TestClient, name: str) -> None:
    payload = PAYLOADS[name]
    browser = told.browser("biller", "searcher")
    for path in ("queue", "time-entries", "invoices", "waiting"):
        for parameter in ("client", "search", "reason", "charge_type", "cursor", "as_of", "known_at", "format"):
            answer = client.get(f"{API}/{path}", params={parameter: payload})
            assert answer.status_code in (200, 422), answer.text
            if answer.status_code == 422:
                assert answer.headers["content-type"] == "application/problem+json"
    for path in ("/", "/time", "/invoices", "/queue/lines", "/generate"):
        asked = dict.fromkeys(
            ("client", "charge_type", "from", "as_of", "reason", "status", "page", "client_id", "currency"), payload
        )
        answer = browser.get(f"{path}?{urlencode(asked)}")
        assert answer.status_code in (200, 404, 422), (path, answer.text)
        if "html" in answer.headers["content-type"]:
            surfaces.page(answer.text)
    key = payload.encode().replace(b"\r", b"").replace(b"\n", b"")
    body = {"client_id": "nobody", "item_key": "none", "reason": payload.strip()[:900] or "x"}
    answer = client.post(f"{API}/items/hold", json=body, headers=[(b"idempotency-key", key)])
    assert answer.status_code in (404, 422), answer.text
    assert not any(PWN in value for header, value in answer.headers.items() if header != "content-type")


@pytest.fixture(scope="module")
def chrome() -> Iterator[Browser]:
    with chromium() as found:
        yield found


def test_nothing_runs_in_a_browser(told: Web, client: TestClient, chrome: Browser) -> None:
    """Opens each page about each client: no dialog, no complaint of the console, no request elsewhere, nothing that ran."""
    alarms: list[Any] = []
    with served(told) as address, visiting(chrome, told, address) as visitor:
        visitor.page.on("dialog", lambda dialog: (alarms.append(dialog.message), dialog.dismiss()))
        visitor.page.on("request", lambda request: None if request.url.startswith(address) else alarms.append(request.url))
        lines = client.get(f"{API}/queue?lines=true").json()
        clients = sorted({line["client_id"] for line in lines})
        urls = ["/", "/time", "/time?reason=any", "/generate"]
        for client_id in clients:
            urls.append("/queue/lines?" + urlencode({"client_id": client_id, "currency": "GBP"}))
            urls.append("/time?" + urlencode({"client": client_id}))
            item = next(line["item_key"] for line in lines if line["client_id"] == client_id)
            urls.append("/queue/item?" + urlencode({"client_id": client_id, "item": item}))
        for url in urls:
            page = visitor.go(url)
            for opener in page.locator("a[data-opens]").all()[:3]:
                opener.click()
            page.wait_for_load_state("networkidle")
            assert page.evaluate("window.pwned") is None, url
            assert (
                page.locator("script:not([src]), iframe, object, embed, main svg, main img, [onerror], [onload]").count() == 0
            ), url
            assert alarms == [], url
            assert visitor.complaints == [], url
        policy = client.get("/").headers["content-security-policy"]
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy
        assert len(urls) > 20
