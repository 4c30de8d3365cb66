"""A client's statement through the pages and the API: the same account, for those who may see it, and never another's."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from daybook.app import now
from runs.generate import generate
from tests.conftest import Server
from tests.producers.papers import said as text_of
from tests.saying import approved
from tests.saying import said as fact
from tests.web.conftest import BASICS, TODAY, Web, _web

API = "/api/v1/clients"
ODD = "a/b c?d#é"


@pytest.fixture(scope="module")
def billed(postgres: Server, migrated_template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    """Acme owes 120.00 of its 180.00; a client with an odd id has an invoice as well."""
    for web in _web(postgres, migrated_template, tmp_path_factory.mktemp("home")):
        at = datetime(2026, 5, 31, 12, tzinfo=UTC)
        web.feed([*BASICS, fact("ClientDefined", address=["1 High Street"]), *approved("e1")])
        web.feed([fact("ClientDefined", client_id=ODD, name="Odd Ltd"), *approved("e2", client_id=ODD)])
        generate(web.app.views, TODAY, now())
        paid = {"client_id": "acme", "payment_id": "p1", "amount_minor": 6_000, "currency": "GBP", "method": "bank"}
        web.feed([fact("PaymentReceived", **paid, at=at, received_at=at, invoice_numbers=[])])
        web.app.views.catch_up()
        yield web


def test_statement_is_the_account(billed: Web) -> None:
    (found,) = billed.program("viewer").get(f"{API}/acme/statement").json()
    assert [(one["kind"], one["amount_minor"]) for one in found["entries"]] == [("invoice", 18_000), ("payment", -6_000)]
    assert (found["client_name"], found["balance_minor"], found["current_minor"]) == ("Acme Corp", 12_000, 12_000)
    (balance,) = billed.program("viewer").get("/api/v1/balances?client=acme").json()
    assert {name: found[name] for name in balance} == balance
    late = billed.program("viewer").get(f"{API}/acme/statement?as_of=2026-07-10&from=2026-07-01").json()
    assert [(one["brought_forward_minor"], one["days_1_30_minor"], one["entries"]) for one in late] == [(12_000, 12_000, [])]


def test_statement_as_pdf_hides_the_address_from_a_viewer(billed: Web) -> None:
    answers = {role: billed.program(role).get(f"{API}/acme/statement.pdf") for role in ("viewer", "biller")}
    for answer in answers.values():
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/pdf")
        assert "filename*=UTF-8''statement%20acme%202026-05-31.pdf" in answer.headers["content-disposition"]
        assert "Balance on 31 May 2026 GBP 120.00" in text_of(answer.content)
    assert "1 High Street" in text_of(answers["biller"].content)
    assert "1 High Street" not in text_of(answers["viewer"].content)
    page = billed.browser("biller").get("/clients/acme/statement.pdf")
    assert page.content == answers["biller"].content
    later = billed.browser("biller").get("/clients/acme/statement.pdf?as_of=2026-07-10")
    assert "10 days overdue" in text_of(later.content)


def test_an_odd_id_has_its_own_statement(billed: Web) -> None:
    quoted = "a%2Fb%20c%3Fd%23%C3%A9"
    (found,) = billed.program("viewer").get(f"{API}/{quoted}/statement").json()
    assert (found["client_id"], found["balance_minor"]) == (ODD, 18_000)
    pdf = billed.program("biller").get(f"{API}/{quoted}/statement.pdf").content
    assert "Odd Ltd" in text_of(pdf)
    assert "Acme" not in text_of(pdf)
    assert billed.browser("biller").get(f"/clients/{quoted}/statement.pdf").content == pdf


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("nobody/statement", 404), ("nobody/statement.pdf", 404), ("acme/statement?as_of=x", 422),
        ("acme/statement?from=2026-06-01&as_of=2026-05-31", 422), ("acme/statement.pdf?from=2026-06-01", 422),
        ("acme/statement?as_of=1999-01-01", 422),
    ],
)  # fmt: skip
def test_what_cannot_be_answered_is_said(billed: Web, path: str, status: int) -> None:
    answer = billed.program("viewer").get(f"{API}/{path}")
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


def test_nobody_sees_it_without_signing_in(billed: Web) -> None:
    assert billed.anonymous().get(f"{API}/acme/statement").status_code == 401
    assert billed.anonymous().get("/clients/acme/statement.pdf").status_code in (303, 401)
    assert billed.browser("biller").get("/clients/nobody/statement.pdf").status_code == 404
