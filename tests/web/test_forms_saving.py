"""Forms as people use them: what is wrong stands beside its field, nothing is saved unseen, and nothing twice."""

import random
import re
import threading
from datetime import UTC, date, datetime
from typing import Any

import pytest

from daybook.rehearsing import rehearse
from projections import queue
from projections.preview_result import compared
from tests.saying import approved, line, said
from tests.web.conftest import TODAY, Web
from tests.web.forms import Form

CONTRACT = "/clients/acme/contracts/C1/edit"
FEE = line("RecurringLine", line_id="fee", description="Managed Services", unit_price="50.00")


@pytest.fixture
def shop(office: Web) -> Web:
    """The office with one contract, invoiced up to May."""
    office.feed([said("ContractDefined", lines=[FEE])])
    return office


def facts(web: Web) -> int:
    """How many facts the book has that are no decisions."""
    return web.rows("SELECT count(*) FROM ledger.daybook_events WHERE source_topic IS NOT NULL")[0][0]


def revisions(web: Web, client_id: str = "acme") -> list[int]:
    """The revisions of the client's contracts."""
    rows = web.rows(
        "SELECT (convert_from(state, 'utf8')::json->>'revision')::int FROM books.terms WHERE subject = %s"
        " AND topic = 'contract.defined.v1' ORDER BY 1",
        client_id,
    )
    return [revision for (revision,) in rows]


def test_nothing_is_saved_before_it_was_seen(shop: Web) -> None:
    before = facts(shop)
    form = Form(shop.browser(), CONTRACT).open()
    assert "save" not in form.buttons
    answer = form.client.post(CONTRACT, data={**form.values, "lines.0.unit_price": "75", "do": "save"})
    assert answer.status_code == 200
    form.take(answer)
    assert "save" in form.buttons
    assert "What saving this would change" in form.text
    assert facts(shop) == before
    # Changed after the preview: seen anew before it is saved.
    answer = form.press("save", lines__0__unit_price="80")
    assert (answer.status_code, facts(shop)) == (409, before)
    assert "Something changed since the preview" in form.text
    assert form.press("save").status_code == 303
    assert facts(shop) == before + 1


def test_the_preview_shows_what_is_billed_and_credited(shop: Web) -> None:
    from runs.generate import generate

    generate(shop.app.views, TODAY, datetime(2026, 6, 1, tzinfo=UTC))
    form = Form(shop.browser(), CONTRACT).open()
    form.press("preview", lines__0__unit_price="40")
    assert form.text.count("corrects INV") == 5 * 2, "of each month invoiced a line back and a line anew"
    assert "credits GBP\N{NO-BREAK SPACE}50.00" in form.text
    form.press("preview", lines__0__unit_price="40", effective_from="2026-05-01")
    assert "credits GBP\N{NO-BREAK SPACE}10.00" in form.text
    form.press("preview", as_of="2026-04-30")
    assert "No line appears, goes or changes." in form.text


def test_a_change_to_come_is_previewed_as_of_its_day_and_said_to_be_to_come(shop: Web) -> None:
    """A preview as of today of what counts from June would say that nothing changes."""
    shop.feed([said("ContractDefined", revision=2, effective_from="2026-07-01", lines=[{**FEE, "unit_price": "55.00"}])])
    client = shop.browser()
    form = Form(client, CONTRACT).open()
    assert form.values["lines.0.unit_price"] == "55"
    assert "This is how it stands from 1\N{NO-BREAK SPACE}Jul\N{NO-BREAK SPACE}2026 on, not today." in form.text
    [current] = re.findall(r'href="(/clients/acme/contracts/C1/edit\?of=[^"]+)"', form.text)
    form.press("preview", lines__0__unit_price="60")
    assert "What saving this would change, as of 1\N{NO-BREAK SPACE}Jul\N{NO-BREAK SPACE}2026" in form.text
    assert "This is how it stands from 1\N{NO-BREAK SPACE}Jul\N{NO-BREAK SPACE}2026 on" in form.text
    form.press("preview", as_of="2026-05-31")  # whoever asks for a day gets it
    assert "What saving this would change, as of 31\N{NO-BREAK SPACE}May\N{NO-BREAK SPACE}2026" in form.text
    today = Form(client, current).open()
    assert today.values["lines.0.unit_price"] == "50"
    assert "This is how it stands today, since " in today.text
    today.address = CONTRACT
    today.press("preview", lines__0__unit_price="51")
    assert "What saving this would change, as of 31\N{NO-BREAK SPACE}May\N{NO-BREAK SPACE}2026" in today.text


def test_a_form_sent_twice_is_one_event(shop: Web) -> None:
    before = facts(shop)
    form = Form(shop.browser(), CONTRACT).open()
    form.press("preview", lines__0__unit_price="75")
    sent = {**form.values, "do": "save"}
    first, again = (form.client.post(CONTRACT, data=sent) for _ in range(2))
    assert first.status_code == again.status_code == 303
    assert first.headers["location"] == again.headers["location"]
    assert facts(shop) == before + 1
    assert revisions(shop) == [1, 2]
    other = form.client.post(CONTRACT, data={**sent, "lines.0.unit_price": "99", "do": "preview"})
    form.take(other)
    assert form.press("save").status_code == 409
    assert "saved already, with something else in it" in form.text
    assert facts(shop) == before + 1


def test_two_presses_at_once_are_one_event(shop: Web) -> None:
    before = facts(shop)
    form = Form(shop.browser(), "/clients/acme/contracts/new").open()
    form.press("preview", name="Second", effective_from="2026-06-01", starts_on="2026-06-01")
    sent, answers = {**form.values, "do": "save"}, []
    threads = [threading.Thread(target=lambda: answers.append(form.client.post(form.address, data=sent))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {(one.status_code, one.headers.get("location")) for one in answers} == {(303, answers[0].headers["location"])}
    assert facts(shop) == before + 1


def test_somebody_elses_change_is_not_overwritten_unseen(shop: Web) -> None:
    ann, bob = Form(shop.browser(), CONTRACT).open(), Form(shop.browser("admin"), CONTRACT).open()
    ann.save(lines__0__unit_price="60")
    assert bob.press("preview", name="Bob's").status_code == 200
    assert bob.press("save").status_code == 409
    assert "Somebody else saved this meanwhile" in bob.text
    assert revisions(shop) == [1, 2]
    assert bob.press("save").status_code == 303
    assert revisions(shop) == [1, 2, 3]


def test_client_without_a_country_or_an_address_that_is_one_is_told_at_the_field(office: Web) -> None:
    before = facts(office)
    form = Form(office.browser(), "/clients/acme/edit").open()
    answer = form.press("preview", country="United Kingdom", billing_emails="ap@acme.example\r\nnonsense")
    assert answer.status_code == 422
    assert form.faults == [
        "“nonsense” is no e-mail address: write one a line, such as accounts@example.com.",
        "“UNITED KINGDOM” is no country: write its two letters, such as GB for the United Kingdom.",
    ]
    assert 'id="country-fault"' in form.text
    assert form.values["country"] == "United Kingdom"
    assert form.press("preview", country="xx", billing_emails="").status_code == 422
    form.save(country="ie", billing_emails="ap@acme.example")
    assert facts(office) == before + 1


def test_what_came_from_upstream_stays_though_nobody_could_type_it(office: Web) -> None:
    office.feed([said("ClientDefined", revision=2, country="Eire", billing_emails=["by post"])])
    Form(office.browser(), "/clients/acme/edit").open().save(city="Cork")


def test_what_is_wrong_stands_beside_its_field_and_what_was_typed_stays(shop: Web) -> None:
    before = facts(shop)
    form = Form(shop.browser(), CONTRACT).open()
    form.press("add:lines=SeatLine")
    form.press("add:lines.1.tiers=tiers")
    form.press("add:lines=RateLine")
    answer = form.press(
        "preview", name=" ", currency="pounds", anchor_day="first", ends_on="31.5.2026", lines__0__unit_price="fifty",
        lines__1__description="Seats", lines__1__tiers__0__unit_price="1,50", lines__2__rates__0__currency="GBP",
    )  # fmt: skip
    assert answer.status_code == 422
    for place, told in {
        "name": "Name is missing", "currency": "is no currency", "anchor_day": "is no whole number",
        "ends_on": "must be a day such as", "lines.0.unit_price": "must be a decimal such as",
        "lines.1.product": "Product is missing", "lines.1.tiers.0.unit_price": "a comma that parts no thousands: write 1.50",
        "lines.2.rates.0.amount": "Say the amount", "lines.2.charge_type": "Charge type is missing",
    }.items():  # fmt: skip
        assert f'id="{place}-fault">' in form.text, place
        assert told in form.text.partition(f'id="{place}-fault">')[2].partition("<")[0], place
        assert f'<a href="#{place}">' in form.text
    assert form.values["currency"] == "pounds"
    assert form.values["lines.1.tiers.0.unit_price"] == "1,50"
    assert "save" not in form.buttons
    assert facts(shop) == before


def test_ids_are_made_of_names_and_never_taken_twice(shop: Web) -> None:
    form = Form(shop.browser(), "/clients/new").open()
    typed = {"name": "Acme", "currency": "GBP", "time_zone": "Europe/London"}
    for taken in ("acme", "new"):
        answer = form.press("preview", id=taken, **typed)
        assert answer.status_code == 422
        assert 'id="id-fault">' in form.text
        assert form.values["id"] == taken
    assert form.press("preview", id="").status_code == 200
    assert form.values["id"] == "acme-2"
    assert form.press("save").headers["location"].startswith("/clients/acme-2/terms")
    assert (
        Form(shop.browser(), "/charge-types/new")
        .open()
        .press("preview", name="x", id="REMOTE", account="1", effective_from="2026-01-01")
        .status_code
        == 422
    )
    assert (
        Form(shop.browser(), "/clients/acme/contracts/new")
        .open()
        .press("preview", name="x", id="C1", starts_on="2026-01-01", effective_from="2026-01-01")
        .status_code
        == 422
    )


def test_a_viewer_reads_and_changes_nothing(shop: Web) -> None:
    shop.feed([said("ClientDefined", revision=2, address=["1 Secret Street"])])
    viewer = shop.browser("viewer")
    for address in (CONTRACT, "/clients/acme/edit", "/charge-types/REMOTE/edit"):
        form = Form(viewer, address).open()
        assert form.disabled
        assert "Secret" not in form.text
        assert viewer.post(address, data={**form.values, "do": "save"}).status_code == 403
    assert "Secret" in Form(shop.browser(), "/clients/acme/edit").open().text


def test_lines_and_rows_come_and_go(shop: Web) -> None:
    form = Form(shop.browser(), CONTRACT).open()
    form.press("add:lines=FixedPriceLine")
    form.press("add:lines.1.milestones=milestones")
    form.press("add:lines.1.milestones=milestones", lines__1__milestones__0__description="First")
    form.press("remove:lines.0", lines__1__milestones__1__description="Second")
    assert form.values["lines.0.type"] == "FixedPriceLine"
    form.press("remove:lines.0.milestones.0")
    assert form.values["lines.0.milestones.0.description"] == "Second"
    assert "lines.0.milestones.1.description" not in form.values
    answer = form.client.post(CONTRACT, data={**form.values, "do": "add:lines=UsageLine"}, headers={"hx-request": "true"})
    assert "<html" not in answer.text
    assert 'name="lines.1.meter"' in answer.text


@pytest.mark.parametrize("do", ["", "add:", "add:lines=Nothing", "add:x.y=tiers", "remove:", "remove:lines.9", "remove:9.9", "x"])
def test_a_strangers_form_changes_nothing(shop: Web, do: str) -> None:
    before = facts(shop)
    browser = shop.browser()
    odd: dict[str, Any] = {"lines.0.type": "x", "lines.x.y": "z", "lines.0.type.a": "b", "name.0": "n", "a.b.c.d.e.f.g": "1"}
    for sent in ({"do": do}, {**odd, "do": do}, {"lines": "text", "do": do, "token": "x" * 500, "as_of": "never"}):
        assert browser.post(CONTRACT, data=sent).status_code in (200, 422)
    assert facts(shop) == before


def test_forms_of_what_is_not_there(shop: Web) -> None:
    browser = shop.browser()
    for address in ("/clients/nobody/edit", "/clients/nobody/contracts/new", "/clients/acme/contracts/none/edit",
                    "/charge-types/none", "/clients/nobody/terms", "/clients/acme/contracts/none"):  # fmt: skip
        assert browser.get(address).status_code == 404


def test_a_charge_type_saved_is_what_time_is_billed_at(shop: Web) -> None:
    form = Form(shop.browser(), "/charge-types/REMOTE/edit").open()
    form.press("preview", rates__0__amount="180", effective_from="2026-05-01")
    assert "Buildco" in form.text
    assert "Acme" in form.text
    form.press("save")
    with shop.app.views.reading() as cursor:
        lines = queue.lines(cursor, TODAY, queue.Filter(client_id="buildco"))
    assert [(one.unit_price, one.net_minor) for one in lines] == [(180, 27_000)]


def test_whatever_is_changed_in_a_contract_the_preview_is_what_is_billed_then(shop: Web) -> None:
    """Random changes by the form, each previewed and then saved: the queue is then what the preview said."""
    shop.feed([*approved("e9", worked_minutes=45), said("ContractDefined", client_id="buildco", contract_id="C1")])
    rng, browser = random.Random(4), shop.browser()
    for _ in range(8):
        form = Form(browser, CONTRACT).open()
        if rng.random() < 0.4 or "lines.0.type" not in form.values:
            form.press("add:lines=RecurringLine")
            last = max(int(name.split(".")[1]) for name in form.values if name.endswith(".type"))
            form.values |= {
                f"lines.{last}.{name}": value
                for name, value in {"description": "More", "account": "1", "quantity": "2", "unit_price": "9.99"}.items()
            }
        elif rng.random() < 0.2:
            form.press("remove:lines.0")
        filled = {
            "effective_from": rng.choice(("2026-01-01", "2026-03-15", "2026-05-10")),
            "frequency": rng.choice(("monthly", "monthly", "quarterly")), "anchor_day": str(rng.choice((1, 15, 31))),
        }  # fmt: skip
        if "lines.0.unit_price" in form.values:
            filled["lines.0.unit_price"] = rng.choice(("10", "49.99", "60"))
        as_of = rng.choice((TODAY, date(2026, 4, 30)))
        before = state(shop, as_of)
        seen: list[Any] = []
        from daybook.web.forms import pages

        def watched(*given: Any, seen: list[Any] = seen) -> Any:
            seen.append(rehearse(*given))
            return seen[-1]

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(pages, "rehearse", watched)
            assert form.press("preview", as_of=as_of.isoformat(), **filled).status_code == 200, form.faults
        assert form.press("save").status_code == 303
        assert seen == [compared(before, state(shop, as_of), as_of=as_of, repeats=0, left_out=0)]


def state(web: Web, as_of: date) -> Any:
    """The whole queue."""
    from projections import documents

    with web.app.views.reading(as_of=as_of) as cursor:
        names = dict(cursor.execute("SELECT client_id, name FROM clients").fetchall())
        return queue.lines(cursor, as_of, queue.Filter()), documents.waiting(cursor), names
