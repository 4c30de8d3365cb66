"""What somebody asks of the queue and of the time entries: understood by name or id, or said plainly not to be."""

import html
import re
from pathlib import Path

import pytest

from daybook import demo_month, feeding
from daybook.web.pages_view import find_code, read_view
from daybook.web.pages_words import REASONS
from projections.finding import Named
from projections.time_list import UNAPPROVED
from tests.saying import approved, said
from tests.web.conftest import TODAY, Web


def text_of(page: str) -> str:
    """What a page says, without its markup."""
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", page)))


@pytest.fixture(scope="module")
def month(web: Web, tmp_path_factory: pytest.TempPathFactory) -> Web:
    """The demo's May."""
    feeding.ingest_files(web.app, demo_month.write(tmp_path_factory.mktemp("facts")))
    web.app.views.catch_up()
    return web


@pytest.mark.parametrize("typed", ["fenwick", "Fenwick Group", "fenwick group", "enwi", "FENW"])
def test_a_client_is_found_by_id_name_or_any_part(month: Web, typed: str) -> None:
    answer = month.browser().get("/", params={"client": typed})
    assert answer.status_code == 200
    assert "1 client, 5 lines GBP 2,140.00" in text_of(answer.text).replace("\xa0", " ").replace(" client", " client")


def test_the_whole_name_of_one_client_means_that_client_alone(office: Web) -> None:
    office.feed([said("ClientDefined", client_id="acme-2", name="Acme Corp Holdings"), *approved("h1", client_id="acme-2")])
    client = office.browser()
    assert "Acme Corp Holdings" in client.get("/?client=Acme").text
    assert "Acme Corp Holdings" not in client.get("/?client=Acme Corp").text
    assert "Acme Corp Holdings" not in client.get("/?client=acme").text


@pytest.mark.parametrize("path", ["/", "/time", "/generate"])
def test_a_client_nobody_knows_is_said_to_be_unknown_and_no_figures_are_shown(month: Web, path: str) -> None:
    page = month.browser().get(path, params={"client": "nobody & sons"}).text
    assert "No client matches “nobody & sons”." in text_of(page)
    assert "GBP" not in text_of(page)
    assert "<tbody" not in page
    assert '<button type="submit">Issue' not in page
    if path != "/generate":
        assert 'value="nobody &amp; sons"' in page
        assert 'aria-invalid="true" aria-describedby="fault-client"' in page


def test_a_mistyped_client_is_answered_with_the_nearest(month: Web) -> None:
    page = text_of(month.browser().get("/?client=Fenwik Group").text)
    assert "No client matches “Fenwik Group”. Did you mean Fenwick Group?" in page


def test_a_client_with_nothing_due_is_not_said_to_be_unknown(month: Web) -> None:
    page = text_of(month.browser().get("/?client=kestrel-print").text)
    assert "No client matches" not in page
    assert "kestrel-print has no lines and no unapproved time" in page


def _sums(page: str) -> list[str]:
    return re.findall(r'<strong class="sum">(.*?)</strong>', page)


def test_a_charge_type_is_found_by_code_or_name_and_an_unknown_one_is_said_to_be(month: Web) -> None:
    client = month.browser()
    by_code, by_name = (client.get("/", params={"charge_type": one}).text for one in ("ONSITE", "on-site"))
    assert re.findall(r'<strong class="sum">(.*?)</strong>', by_code) == re.findall(
        r'<strong class="sum">(.*?)</strong>', by_name
    )
    unknown = client.get("/", params={"charge_type": "xyz"}).text
    assert "No charge type matches “xyz”." in text_of(unknown)
    assert '<option value="xyz" selected>xyz</option>' in unknown
    assert "GBP" not in text_of(unknown)


def test_a_part_of_several_charge_types_names_them() -> None:
    known = [Named("R", "Remote Support"), Named("O", "On-Site Support"), Named("P", "Project Time")]
    faults: dict[str, str] = {}
    assert find_code(known, "proj", faults) == "P"
    assert faults == {}
    assert find_code(known, "support", faults) is None
    assert faults == {"charge_type": "“support” could be Remote Support or On-Site Support."}


@pytest.mark.parametrize(
    ("path", "field", "typed"),
    [("/", "as_of", "foo"), ("/", "from", "31.5.2026"), ("/time", "to", "yesterday"), ("/generate", "as_of", "2026-02-30")],
)
def test_a_date_that_is_none_is_marked_kept_and_answers_no_other_question(month: Web, path: str, field: str, typed: str) -> None:
    answer = month.browser().get(path, params={field: typed})
    assert answer.status_code == 422
    assert f"“{typed}” is no date such as 2026-05-31." in text_of(answer.text)
    assert "GBP" not in text_of(answer.text)
    assert 'name="confirmed"' not in answer.text
    if path != "/generate":
        assert f'name="{field}" value="{typed}" placeholder="2026-05-31" autocomplete="off" aria-invalid="true"' in answer.text


def test_a_view_names_by_field_what_it_cannot_read() -> None:
    view = read_view({"from": "2026-05-02", "to": "2026-05-01", "as_of": "9999-12-31", "page": "x", "client": " a\0b "}, TODAY)
    assert (view.as_of, view.page, view.client) == (TODAY, 1, "ab")
    assert view.faults.keys() == {"as_of", "to"}
    assert view.typed["as_of"] == "9999-12-31"


def test_a_field_offers_clients_by_part_of_their_name(month: Web) -> None:
    offered = month.browser().get("/queue/clients", params={"client": "co"}).text
    assert '<option value="Acme Corp">acme</option>' in offered
    assert "Fenwick" not in offered
    assert month.browser().get("/queue/clients", params={"client": "%"}).text.strip() == ""


def _stuck(page: str) -> dict[str, int]:
    """Reason and count, as links to the list have them."""
    found = re.findall(r'href="/time\?reason=(\w+)"[^>]*>(.*?)</a>', page)
    return {reason: int(re.findall(r"\d+", text)[-1]) for reason, text in found if re.search(r"\d", text)}


def test_what_is_stuck_is_counted_alike_on_the_queue_and_in_the_lists_it_leads_to(month: Web) -> None:
    client = month.browser()
    banner = _stuck(client.get("/").text)
    chips = _stuck(client.get("/time").text)
    assert banner["stuck"] == 13
    assert banner.items() <= chips.items()
    assert chips["stuck"] == sum(count for reason, count in chips.items() if reason not in (*UNAPPROVED, "stuck"))
    for reason, count in chips.items():
        page = client.get("/time", params={"reason": reason}).text
        listed = page.count('<td class="c-status') + page.partition("Other things that wait")[2].count('<tr><th scope="row"')
        assert listed == count, reason
        assert f"{count} waiting:" in text_of(page)
        if reason in REASONS:
            assert REASONS[reason].what_to_do in html.unescape(page)


def test_as_of_another_day_the_banner_leads_to_that_days_list(month: Web) -> None:
    client = month.browser()
    link = re.findall(r'href="(/time\?reason=stuck[^"]*)"', client.get("/?as_of=2026-05-16").text)[0]
    count = int(re.findall(r"(\d+) stuck", text_of(client.get("/?as_of=2026-05-16").text))[0])
    assert "as_of=2026-05-16" in link
    assert f"{count} waiting:" in text_of(client.get(html.unescape(link)).text)


def test_a_thousand_time_entries_come_in_pages_that_keep_the_filters(office: Web, tmp_path: Path) -> None:
    office.feed([row for number in range(250) for row in approved(f"m{number:03}", worked_minutes=15)])
    page = office.browser().get("/time?client=acme").text
    assert page.count('<td class="c-status') == 200
    assert "Page 1 of 2" in page
    assert 'href="?client=acme&page=2"' in html.unescape(page)
    assert office.browser().get("/time?client=acme&page=2").text.count('<td class="c-status') == 52
