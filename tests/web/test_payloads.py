"""Payloads in every text field that other systems and people can fill, read back wherever they are shown."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode
from uuid import uuid4

import pytest
import requests
import structlog
from fastapi.testclient import TestClient

from schemas.topics import TOPIC_OF
from tests import evidence
from tests.budget import budget
from tests.conftest import Server
from tests.web import surfaces
from tests.web.browser import served
from tests.web.conftest import BASICS, TODAY, Web, _web
from tests.web.payloads import MOST_ID, PAYLOADS, STEERING, core
from tests.web.stories import RECORDS, TAG, Story, every_line, filled, sample, texts

API = "/api/v1"
LISTS = ("queue", "queue?lines=true", "invoices", "waiting", "time-entries")
JSON = {"content-type": "application/json"}
CONFIRMED = ("client_id", "currency", "net_minor")
MOST_PAGES = budget("payloads", "lines_opened")
SHOWN = {
    "ClientDefined.name", "ClientDefined.client_id", "ChargeTypeDefined.name", "ChargeTypeDefined.code",
    "ContractDefined.lines.RecurringLine.description", "ContractDefined.name", "ContractDefined.contract_id",
    "ContractDefined.lines.RecurringLine.account", "InvoiceSeriesDefined.prefix", "TaxCodeDefined.code",
    "TimeEntryLogged.time_entry_id", "TimeEntryLogged.ticket_id", "TimeEntryLogged.agent_id", "TimeEntryAmended.note",
    "TimeEntryApproved.approver_id", "ChargeLogged.charge_id", "PaymentReceived.payment_id", "MilestoneReached.milestone_id",
    "hold", "adjust",
}  # fmt: skip
"""Fields that must have come out somewhere, or this file looks at nothing."""


@dataclass
class Told:
    """The installation after every story was told, and what came back of each."""

    web: Web
    stories: list[Story]
    outcomes: list[dict[str, Any]]
    log: Path
    refused_reasons: int = 0
    seen: dict[str, set[str]] = field(default_factory=dict)

    @property
    def said(self) -> dict[str, str]:
        return {tag: text for story in self.stories for tag, text in story.said.items()}

    def saw(self, where: str, tags: set[str]) -> None:
        fields = {tag: names for story in self.stories for tag, names in story.fields.items()}
        self.seen.setdefault(where, set()).update(name for tag in tags for name in fields.get(tag, ()))

    def client_id(self, story: Story) -> str:
        return story.text("client_id", is_id=True)


@pytest.fixture(scope="module")
def told(postgres: Server, migrated_template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """Each payload as one client's month, sent over HTTP; then a line held, a line adjusted, and the rest issued."""
    path = tmp_path_factory.mktemp("log") / "log"
    stories = [Story(number, payload) for number, payload in enumerate(PAYLOADS.values())]
    with path.open("w", encoding="utf-8") as log:
        structlog.configure(
            processors=[
                structlog.contextvars.merge_contextvars,
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.JSONRenderer(),
            ],
            logger_factory=structlog.PrintLoggerFactory(log),
        )
        for web in _web(postgres, migrated_template, tmp_path_factory.mktemp("home")):
            web.feed(BASICS)
            facts = [fact for story in stories for fact in story.facts()]
            client = web.program("admin", "teller")
            outcomes = []
            for start in range(0, len(facts), 500):
                answer = client.post(f"{API}/events", json=facts[start : start + 500])
                assert answer.status_code == 200, answer.text[:2000]
                outcomes += answer.json()
            made = Told(web, stories, [{**fact, **outcome} for fact, outcome in zip(facts, outcomes, strict=True)], path)
            made.refused_reasons = sum(_decide(client, made, story) for story in stories)
            rows = client.get(f"{API}/queue").json()
            given = [{name: row[name] for name in CONFIRMED} for row in rows if row["lines"]]
            issued = client.post(f"{API}/invoices/generate", json={"as_of": TODAY.isoformat(), "confirmed": given}).json()
            assert "issued" in issued, issued
            assert (len(issued["issued"]), issued["refused"]) == (len(stories), []), issued["refused"][:3]
            yield made
            fields = sum(len(texts(record)) for record in RECORDS)
            evidence.saw(
                f"payloads: {len(stories)} in each of {fields} text fields of {len(RECORDS)} records ({len(facts)} facts), read"
                f" back exactly or neutralised: " + ", ".join(f"{len(names)} fields in {at}" for at, names in made.seen.items())
            )
    structlog.reset_defaults()


def _decide(client: TestClient, told: Told, story: Story) -> int:
    """Holds one line and adjusts another; gives how many reasons were refused."""
    lines = client.get(f"{API}/queue?lines=true&client={quote(told.client_id(story), safe='')}").json()
    refused = 0
    for at, done in enumerate(("hold", "adjust")):
        about = {"client_id": told.client_id(story), "item_key": lines[at]["item_key"], "reason": story.typed(done)}
        answer = client.post(f"{API}/items/{done}", json=about | ({"amount_minor": -1} if done == "adjust" else {}))
        fits = len(about["reason"].strip()) <= 1_000 and not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", about["reason"].strip())
        assert answer.status_code == (200 if fits else 422), answer.text
        if not fits:
            assert answer.json()["errors"][0]["where"] == "body.reason"
            assert client.post(
                f"{API}/items/{done}", json={**about, "reason": "x"} | ({"amount_minor": -1} if at else {})
            ).is_success
            refused += 1
    return refused


@pytest.fixture(scope="module")
def client(told: Told) -> TestClient:
    return told.web.program("admin", "reader")


class Visitor:
    """Somebody at the real server: the test client would decode an address twice."""

    def __init__(self, address: str, **headers: str) -> None:
        self._address = address
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers.update(headers)

    def get(self, path: str) -> requests.Response:
        answer = self._session.get(self._address + path, allow_redirects=False)
        answer.encoding = "utf-8"
        return answer


@pytest.fixture(scope="module")
def address(told: Told) -> Iterator[str]:
    with served(told.web) as found:
        yield found


@pytest.fixture(scope="module")
def visitor(told: Told, address: str) -> Visitor:
    """A biller with a browser's session."""
    secret = told.web.browser("biller", "looker").cookies["daybook"]
    return Visitor(address, cookie=f"daybook={secret}")


def test_every_text_that_is_no_code_is_taken(told: Told) -> None:
    assert {one["outcome"] for one in told.outcomes} == {"recorded"}
    filled = {name for story in told.stories for names in story.fields.values() for name in names}
    assert len(filled) > 150
    assert told.refused_reasons > 0


@pytest.mark.parametrize("record", RECORDS)
def test_what_no_text_may_hold_is_refused_by_the_name_of_its_field(told: Told, client: TestClient, record: str) -> None:
    known = told.outcomes[0]
    repeat = {name: known[name] for name in ("topic", "type", "event")}
    for bad in ("a\0b", "a\ud800b"):
        facts = [{"topic": TOPIC_OF[record], "type": record, "event": _spoilt(record, where, bad)} for where in texts(record)]
        first, *answers = client.post(f"{API}/events", content=json.dumps([repeat, *facts]), headers=JSON).json()
        assert first["outcome"] == "repeat"
        for where, said in zip(texts(record), answers, strict=True):
            assert said["outcome"] == "refused", (where, said)
            assert said["detail"].startswith(f"{record}.{where.partition('.')[0]}"), said
            assert where.rpartition(".")[2] in said["detail"]


def _spoilt(record: str, where: str, bad: str) -> dict[str, Any]:
    lines = {"lines": [one for one in every_line() if one["type"] == where.split(".")[1]]} if where.startswith("lines.") else {}
    return filled(record, {**sample(record), **lines}, partial(_only, where, bad))


@pytest.mark.parametrize("bad", ["a\x1b[31mb", "a\nb", "a\x9bb", "w" * (MOST_ID + 1)], ids=["escape", "line", "c1", "long"])
def test_what_no_id_may_hold_becomes_a_dead_letter_by_the_name_of_its_field(told: Told, client: TestClient, bad: str) -> None:
    facts = [
        {"topic": TOPIC_OF[record], "type": record, "event": filled(record, sample(record), partial(_only, where, bad))}
        for record in RECORDS
        for where in texts(record)
        if "." not in where and (where.endswith("_id") or where in ("code", "source", "prefix")) and where != "event_id"
    ]
    for fact in facts:
        fact["event"]["event_id"] = str(uuid4())
    for fact, said in zip(facts, client.post(f"{API}/events", json=facts).json(), strict=True):
        [name] = [name for name, value in fact["event"].items() if value == bad]
        assert said["outcome"] == "dead_letter", (name, said)
        assert said["detail"].startswith(f"invalid_envelope: {name} h"), said
    letters = client.get(f"{API}/dead-letters?format=csv")
    assert len(surfaces.sheet(letters.content)) >= len(facts)


def _only(place: str, bad: str, _: str, where: str, value: Any) -> Any:
    return bad if where == place else value


def test_json_gives_back_exactly_what_went_in(told: Told, client: TestClient, visitor: Visitor) -> None:
    found: set[str] = set()
    for path in LISTS:
        answer = client.get(f"{API}/{path}", params=None)
        assert answer.status_code == 200
        found |= surfaces.exact(answer.json(), told.said)
    for one in client.get(f"{API}/invoices").json():
        answer = visitor.get(f"{API}/invoices/{quote(one['number'], safe='')}")
        assert (answer.status_code, answer.json()) == (200, one)
    told.saw("JSON", found)


@pytest.mark.parametrize("path", LISTS)
def test_csv_holds_the_same_rows_and_no_formula(told: Told, client: TestClient, path: str) -> None:
    joint = "&" if "?" in path else "?"
    answer = client.get(f"{API}/{path}{joint}format=csv")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/csv; charset=utf-8")
    assert re.fullmatch(r'attachment; filename="[a-z-]+\.csv"', answer.headers["content-disposition"])
    rows = surfaces.sheet(answer.content)
    assert len(rows) == len(client.get(f"{API}/{path}").json())
    found = surfaces.shown((cell for row in rows for cell in row.values()), told.said, surfaces.unguarded)
    assert found
    told.saw("CSV", found)


def pages_of(told: Told, client: TestClient, story: Story) -> Iterator[str]:
    """The addresses of every page about one story's client."""
    client_id = told.client_id(story)
    yield f"/clients/{quote(client_id, safe='')}"
    yield "/queue/lines?" + urlencode({"client_id": client_id, "currency": "GBP"})
    yield "/time?" + urlencode({"client": client_id, "reason": "any"})
    for line in client.get(f"{API}/queue", params={"lines": True, "client": client_id}).json()[:MOST_PAGES]:
        yield "/queue/item?" + urlencode({"client_id": client_id, "item": line["item_key"]})
    for one in client.get(f"{API}/invoices", params={"client": client_id}).json():
        yield f"/invoices/{quote(one['number'], safe='')}"
        for number in range(1, min(len(one["lines"]), MOST_PAGES) + 1):
            yield "/explain?" + urlencode({"number": one["number"], "line": number})


def _unparted(text: str) -> str:
    """A page writes a line's arithmetic step by step, and has no semicolons between the steps."""
    return core(text).replace(";", "")


def test_pages_show_payloads_as_text_and_have_no_element_more_than_those_of_a_plain_client(
    told: Told, client: TestClient, visitor: Visitor
) -> None:
    plain, *others = told.stories
    wanted = [surfaces.page(visitor.get(url).text) for url in pages_of(told, client, plain)]
    assert len(wanted) >= 6
    known = set().union(*(page.vocabulary() for page in wanted))
    found: set[str] = set()
    for story in others:
        for url in pages_of(told, client, story):
            answer = visitor.get(url)
            assert answer.status_code == 200, (url, answer.text[:300])
            page = surfaces.page(answer.text)
            assert page.vocabulary() <= known, (url, page.vocabulary() - known)
            found |= surfaces.shown(["".join(page.texts), *page.values], told.said, _unparted)
    for url in ("/", "/invoices", "/time", "/generate"):
        page = surfaces.page(visitor.get(url).text)
        found |= surfaces.shown(["".join(page.texts), *page.values], told.said, _unparted)
    told.saw("pages", found)


def test_terminal_is_not_steered(told: Told) -> None:
    settings = told.web.app.settings
    env = {**os.environ, "DAYBOOK_DATABASE_URL": str(settings.database_url), "DAYBOOK_HOME": str(settings.home)}
    run = [sys.executable, "-c", "from daybook.cli import main; main()"]
    number = told.web.rows("SELECT number FROM books.invoices ORDER BY number LIMIT 1")[0][0]
    for words in (["queue"], ["queue", "--lines"], ["invoices"], ["waiting"], ["explain", number]):
        for more in ([], ["--json"]):
            done = subprocess.run(
                [*run, *words, *more],
                env={**env, "DAYBOOK_TODAY": TODAY.isoformat()},
                capture_output=True,
                check=True,
                timeout=120,
            )
            text = done.stdout.decode("utf-8")
            assert not STEERING.search(text), (words, repr(STEERING.search(text)))
            assert TAG.search(text), words
            if more:
                told.saw("terminal", surfaces.exact(json.loads(text), told.said))


def test_log_has_one_line_of_json_each_and_nothing_of_what_was_said(told: Told, client: TestClient) -> None:
    text = told.log.read_text(encoding="utf-8")
    lines = text.splitlines()
    assert len(lines) > 100
    assert [json.loads(line)["event"] for line in lines]
    assert len(lines) == text.count("\n")
    assert text.isascii()
    assert not TAG.search(text), TAG.search(text)


def test_every_field_that_is_shown_was_seen(told: Told) -> None:
    seen = set().union(*told.seen.values())
    assert set(told.seen) == {"JSON", "CSV", "pages", "terminal"}
    assert seen >= SHOWN, SHOWN - seen
