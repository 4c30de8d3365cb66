"""What a form saves is the record that upstream would have sent, and what it does not touch stays as it was."""

import json
from itertools import count, cycle, islice
from typing import Any
from uuid import UUID

import pytest

from daybook.web.forms.fields import LINES
from daybook.web.forms.things import ENVELOPE
from ledger.event_codec import decode
from projections import documents, queue
from schemas.registry import published
from tests.saying import line, said
from tests.web.conftest import BASICS, TODAY, Web
from tests.web.forms import Form
from tests.web.payloads import MOST_ID, NOT_AN_ID, PAYLOADS, core
from tests.web.stories import every_line, filled, sample
from tests.web.surfaces import page


def last_said(web: Web, record: str) -> dict[str, Any]:
    """The newest fact of a kind as the log has it: what every consumer of the topic reads."""
    found: list[dict[str, Any]] = []
    after = 0
    while events := web.app.book.read(after, 5_000):
        after = events[-1].position
        for event in events:
            fact = decode(event.topic, event.state)
            if type(fact).__name__ == record:
                from daybook.web.forms.things import event_json, in_clear

                found.append(event_json(record, fact, in_clear(web.app.book.keyring)))
    return found[-1]


def without_envelope(event: dict[str, Any]) -> dict[str, Any]:
    """What a record says."""
    return {name: value for name, value in event.items() if name not in ENVELOPE}


FORMS = {
    "ClientDefined": "/clients/acme/edit",
    "ChargeTypeDefined": "/charge-types/REMOTE/edit",
    "ContractDefined": "/clients/acme/contracts/C1/edit",
}


def tell(web: Web, record: str, event: dict[str, Any]) -> None:
    """Says a record given as JSON."""
    from schemas.json_lines import from_object
    from schemas.topics import TOPIC_OF

    web.feed([from_object({"topic": TOPIC_OF[record], "type": record, "event": event})])


def own_ids(record: str) -> dict[str, Any]:
    """The ids that the tests' forms are about."""
    if record == "ChargeTypeDefined":
        return {"code": "REMOTE"}
    return {"client_id": "acme"} | ({"contract_id": "C1"} if record == "ContractDefined" else {})


def full(record: str, kind: str = "") -> dict[str, Any]:
    """A record with every field said."""
    event = {**sample(record), **own_ids(record), "revision": 7, "occurred_at": "2026-05-20T09:00:00Z"}
    if record == "ContractDefined":
        event["lines"] = [one for one in every_line() if not kind or one["type"] == kind]
    return event | fresh()


def fresh() -> dict[str, Any]:
    """An envelope of its own, of a higher revision than all before."""
    number = next(_numbers)
    return {"event_id": str(UUID(int=(1 << 100) + number)), "source": "psa", "revision": number * 10}


@pytest.mark.parametrize("kind", LINES)
def test_a_contract_saved_unchanged_says_what_it_said(office: Web, kind: str) -> None:
    tell(office, "ContractDefined", full("ContractDefined", kind))
    assert_unchanged(office, "ContractDefined")


@pytest.mark.parametrize("record", ["ClientDefined", "ChargeTypeDefined"])
def test_a_record_saved_unchanged_says_what_it_said(office: Web, record: str) -> None:
    tell(office, record, full(record))
    assert_unchanged(office, record)


@pytest.mark.parametrize("record", FORMS)
@pytest.mark.parametrize("turn", range(10))
def test_whatever_its_texts_hold_a_record_saved_unchanged_says_what_it_said(web: Web, record: str, turn: int) -> None:
    """And comes out of the page as text: never as a tag, an attribute or a command to a terminal.

    Each text is another payload; after all turns each payload was in most of the fields.
    """
    payloads = islice(cycle(PAYLOADS.values()), turn * 5, None)
    put_in: list[str] = []

    def put(_: str, where: str, value: Any) -> Any:
        name = where.rpartition(".")[2]
        if where in ("client_id", "contract_id", "code", "event_id", "source"):
            return value
        text = next(payloads)
        put_in.append(NOT_AN_ID.sub("", text)[:MOST_ID] if name.endswith("_id") else text)
        return put_in[-1]

    web.feed(FIRST)
    tell(web, record, filled(record, full(record), put) | own_ids(record) | fresh())
    found = page(assert_unchanged(web, record))
    assert found.vocabulary() <= vocabulary(web)
    shown = core("".join([*found.values, *found.texts]))
    assert [text for text in put_in if core(text)[:200] not in shown] == []


def vocabulary(web: Web) -> set[tuple[str, tuple[str, ...]]]:
    """Every element that the forms make of harmless texts, told apart by their attributes."""
    if not _known:
        for record in FORMS:
            for event in (full(record), filled(record, full(record), _plain) | own_ids(record) | fresh()):
                tell(web, record, event)
                _known.update(page(Form(web.browser(), FORMS[record]).open().text).vocabulary())
    return _known


_numbers = count(1)
FIRST = (*BASICS, said("ClientDefined"))
_known: set[tuple[str, tuple[str, ...]]] = set()


def _plain(_: str, where: str, value: Any) -> Any:
    """A harmless text that no list to choose from has."""
    return value if where in ("client_id", "contract_id", "code", "event_id") else "plain"


def assert_unchanged(web: Web, record: str) -> str:
    """Opened, previewed and saved, the record differs in its envelope only; gives the page."""
    before = last_said(web, record)
    form = Form(web.browser(), FORMS[record]).open()
    text = form.text
    form.save()
    after = last_said(web, record)
    for old, new in zip(before.get("lines", ()), after.get("lines", ()), strict=True):
        assert {name: new[name] for name in old if old[name] != new[name]} == {}, old["type"]
    assert without_envelope(after) == without_envelope(before)
    assert (after["source"], after["revision"]) == ("daybook", before["revision"] + 1)
    assert after["event_id"] != before["event_id"]
    assert after["occurred_at"] > before["occurred_at"]
    return text


def test_the_form_of_every_record_shows_every_field_of_the_wire() -> None:
    """So that a field added to the wire is noticed here: it is carried over, and somebody should be able to change it."""
    from daybook.web.forms.fields import RECORDS
    from daybook.web.forms.reading import line_shape

    ids = {"client_id", "contract_id", "code", "lines"}
    for record, fields in RECORDS.items():
        wire = {one.name for one in published().reader(record).shape.fields}
        assert wire - ids - set(ENVELOPE) == {one.name for one in fields}
    for kind, (_, fields) in LINES.items():
        assert {one.name for one in line_shape(kind).fields} == {one.name for one in fields}


def test_what_a_form_does_not_show_is_carried_over(office: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tried by hiding fields: each of them stays as it was, in the contract and in its lines."""
    from daybook.web.forms import fields, pages, reading

    tell(office, "ContractDefined", full("ContractDefined", "SeatLine"))
    hidden = {"purchase_order", "anchor_month", "term_months", "unit_cost", "minimum_quantity", "systems"}
    label, own = fields.LINES["SeatLine"]
    monkeypatch.setitem(fields.LINES, "SeatLine", (label, tuple(one for one in own if one.name not in hidden)))
    shown = tuple(one for one in fields.CONTRACT if one.name not in hidden)
    for module in (fields, pages, reading):
        monkeypatch.setitem(module.RECORDS, "ContractDefined", shown)
    before = last_said(office, "ContractDefined")
    form = Form(office.browser(), FORMS["ContractDefined"]).open()
    assert "lines.0.term_months" not in form.values
    form.save(name="Another name", lines__0__description="Other seats")
    after = last_said(office, "ContractDefined")
    assert {name for name in before if before[name] != after[name]} - set(ENVELOPE) == {"name", "lines"}
    (old,), (new,) = before["lines"], after["lines"]
    assert {name for name in old if old[name] != new[name]} == {"description"}


def test_a_new_client_with_a_contract_is_what_upstream_would_have_said(web: Web) -> None:
    """Typed into forms here, sent as facts there: the same records, the same queue."""
    web.feed([*BASICS])
    browser = web.browser()
    address = Form(browser, "/clients/new").open().save(
        name="Müller & Söhne", currency="eur", time_zone="Europe/Berlin", country="DE", tax_code="STD",
        billing_emails="a@example.com\r\nb@example.com\r\n", effective_from="2026-01-01",
    )  # fmt: skip
    assert address.startswith("/clients/muller-sohne/terms?saved=")
    form = Form(browser, "/clients/muller-sohne/contracts/new").open()
    assert form.values["currency"] == "EUR"
    form.press("add:lines=SeatLine", name="Managed seats", effective_from="2026-01-01", starts_on="2026-01-01", is_default="yes")
    form.press("add:lines.0.tiers=tiers")
    form.press("add:lines.0.tiers=tiers")
    form.press("add:lines=RecurringLine")
    form.save(
        lines__0__description="Workstation care", lines__0__account="200", lines__0__timing="arrears",
        lines__0__product="workstation", lines__0__systems="rmm\r\nintune", lines__0__tier_mode="graduated",
        lines__0__minimum_quantity="10", lines__0__tiers__0__up_to="10", lines__0__tiers__0__unit_price="60.00",
        lines__0__tiers__1__unit_price="55.5", lines__1__description="Firewall", lines__1__account="210",
        lines__1__quantity="1", lines__1__unit_price="99.50", lines__1__timing="arrears", lines__1__prorate="yes",
    )  # fmt: skip
    common = {"tax_code": None, "starts_on": None, "ends_on": None, "frequency": None, "unit_cost": None, "timing": "arrears"}
    assert without_envelope(last_said(web, "ContractDefined")) == {
        "client_id": "muller-sohne", "contract_id": "managed-seats", "effective_from": "2026-01-01", "name": "Managed seats",
        "currency": "EUR", "is_default": True, "starts_on": "2026-01-01", "ends_on": None, "frequency": "monthly",
        "anchor_day": 1, "anchor_month": None, "prices_include_tax": False, "purchase_order": None,
        "lines": [
            {
                **common, "type": "SeatLine", "line_id": "workstation-care", "description": "Workstation care", "account": "200",
                "product": "workstation", "systems": ["rmm", "intune"], "unit_price": None,
                "tiers": [
                    {"up_to": "10", "unit_price": "60", "flat": None}, {"up_to": None, "unit_price": "55.5", "flat": None},
                ],
                "tier_mode": "graduated", "policy": "daily", "minimum_quantity": 10, "term_months": 12,
            },
            {
                **common, "type": "RecurringLine", "line_id": "firewall", "description": "Firewall", "account": "210",
                "quantity": "1", "unit_price": "99.5", "prorate": True,
            },
        ],
    }  # fmt: skip
    with web.app.views.reading() as cursor:
        lines = queue.lines(cursor, TODAY, queue.Filter(client_id="muller-sohne"))
    assert {one.item_key.split("/")[2] for one in lines} == {"workstation-care", "firewall"}
    assert sum(one.net_minor for one in lines) == 5 * (60_000 + 9_950)


def test_the_page_after_saving_says_what_waits_and_what_changed(office: Web) -> None:
    fee = line("RecurringLine", line_id="fee", description="Care", unit_price="50")
    office.feed([said("ContractDefined", lines=[fee]), said("ContractDefined", revision=2, lines=[{**fee, "unit_price": "60"}])])
    browser = office.browser()
    form = Form(browser, FORMS["ContractDefined"]).open()
    address = form.save(starts_on="2026-02-01", lines__0__unit_price="70.25")
    assert "Contract C1 would wait" in form.text
    shown = browser.get(address).text
    assert "Saved as revision 3." in shown
    assert "Contract C1 waits" in shown
    with office.app.views.reading() as cursor:
        assert [(one["what"], one["id"]) for one in documents.waiting(cursor, "acme") if one["what"] == "contract"] == [
            ("contract", "C1")
        ]
    assert "<td>60</td><td>70.25</td>" in shown
    assert "<td>2026-01-01</td><td>2026-02-01</td>" in shown
    assert "<td>50</td><td>60</td>" in shown


def test_people_who_were_forgotten_stay_forgotten(office: Web) -> None:
    office.feed([said("ClientDefined", revision=2, address=["1 High Street"], billing_emails=["ann@example.com"])])
    office.app.book.keyring.forget("acme")
    form = Form(office.browser(), FORMS["ClientDefined"]).open()
    assert form.values["address"] == ""
    form.save(name="Acme Limited")
    after = last_said(office, "ClientDefined")
    assert (after["name"], after["address"], after["billing_emails"]) == ("Acme Limited", [], [])
    assert "enc:" not in json.dumps(after)
