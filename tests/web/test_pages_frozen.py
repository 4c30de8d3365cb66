"""An issued document stays as it was issued, whatever is said of its parties later (capability C9)."""

import html
import re

from fastapi.testclient import TestClient

from daybook.app import now
from projections.invoice_list import invoice_rows, parties
from runs.generate import generate
from tests.saying import approved, said
from tests.web.conftest import TODAY, Web


def _issue(office: Web) -> list[str]:
    office.app.views.catch_up()
    return [one.number for one in generate(office.app.views, TODAY, now()).documents if one.client_id == "acme"]


def _page(client: TestClient, number: str) -> str:
    return html.unescape(client.get(f"/invoices/{number}").text)


def _rename(office: Web) -> None:
    office.feed(
        [
            said("ClientDefined", revision=2, name="Acme International plc", address=["1 New Road"], purchase_order="PO-2"),
            said("ProviderDefined", revision=2, name="Southwind IT", bank="Other Bank"),
            said("TaxCodeDefined", revision=2, name="Renamed VAT"),
        ]
    )


def test_a_document_shows_its_parties_as_they_were_when_it_was_issued(office: Web) -> None:
    client = office.browser()
    (first,) = _issue(office)
    before = _page(client, first)
    assert "<strong>Acme Corp</strong>" in before
    assert "<strong>Northwind IT</strong>" in before
    _rename(office)
    assert _page(client, first) == before
    office.feed(approved("e4", worked_minutes=30))
    (second,) = _issue(office)
    after = _page(client, second)
    assert "<strong>Acme International plc</strong>" in after
    assert "1 New Road" in after
    assert "Your order" in after
    assert "<strong>Southwind IT</strong>" in after
    assert "Renamed VAT" in after
    assert _page(client, first) == before


def test_a_later_revision_that_was_said_before_the_issue_counts(office: Web) -> None:
    """What counts is what was known: not the order in which revisions were numbered, nor the day they count from."""
    office.feed([said("ClientDefined", revision=3, name="Acme Three"), said("ClientDefined", revision=2, name="Acme Two")])
    (number,) = _issue(office)
    assert "<strong>Acme Three</strong>" in _page(office.browser(), number)


def test_the_list_names_clients_as_their_documents_do_and_finds_them_by_any_name_they_had(office: Web) -> None:
    client = office.browser()
    (first,) = _issue(office)
    _rename(office)
    office.feed(approved("e4", worked_minutes=30))
    (second,) = _issue(office)
    for typed in ("acme corp", "international"):
        page = client.get(f"/invoices?client={typed}").text
        found = re.findall(r"<th scope=\"row\"><a [^>]*>(.*?)</a></th>\s*<td class=\"c-client\">(.*?)</td>", page)
        assert found == [(second, "Acme International plc"), (first, "Acme Corp")]


def test_the_parties_are_the_same_after_a_rebuild_and_at_an_earlier_knowledge(office: Web) -> None:
    (first,) = _issue(office)
    issued_at = now()
    _rename(office)

    def shown(**asked: object) -> object:
        with office.app.views.reading(**asked) as cursor:  # type: ignore[arg-type]
            return parties(cursor, first), invoice_rows(cursor)

    live = shown()
    office.app.views.rebuild()
    assert shown() == live
    assert shown(known_at=issued_at) == live
