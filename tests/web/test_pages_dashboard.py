"""The dashboard's figures are the books' own: each is counted again from what was sent and issued."""

import html
import re
from datetime import UTC, date, datetime

from hypothesis import given
from hypothesis import strategies as st

from daybook.app import now
from daybook.web.plots import BOTTOM, HEIGHT, TOP, Column, columns, steps
from projections.dashboard import MOST_KINDS, OTHER, Revenue, _grouped, months_to
from runs.generate import generate
from tests.saying import Row, approved, line, said
from tests.web.conftest import Web

amounts = st.integers(min_value=-(10**9), max_value=10**9)


@given(st.lists(st.lists(amounts, max_size=7), min_size=1, max_size=12))
def test_columns_stay_on_their_paper_and_are_as_high_as_they_say(values: list[list[int]]) -> None:
    plot = columns([Column(str(n), tuple((i, v, "") for i, v in enumerate(of))) for n, of in enumerate(values)], 100)
    assert all(bar.y >= TOP and bar.y + bar.height <= HEIGHT - BOTTOM + 1 for bar in plot.bars)
    assert len(plot.bars) == sum(1 for of in values for v in of if v)
    assert 2 <= len(plot.ups) <= 8
    zero = next(tick for tick in plot.ups if tick.label == "0")
    assert zero.at == plot.base


@given(st.lists(st.integers(min_value=0, max_value=10**6), min_size=1, max_size=30))
def test_a_line_of_steps_stays_on_its_paper(counts: list[int]) -> None:
    plot = steps([(str(n), count) for n, count in enumerate(counts)])
    assert all(TOP <= int(y) <= HEIGHT - BOTTOM for y in re.findall(r"(?:V|M\d+ )(-?\d+)", plot.points))
    assert len(plot.acrosses) <= 12
    assert plot.acrosses[-1].label == str(len(counts) - 1)


@given(st.dictionaries(st.text(min_size=1, max_size=3), amounts, max_size=12))
def test_small_kinds_are_one_and_nothing_is_lost(nets: dict[str, int]) -> None:
    month = date(2026, 5, 1)
    grouped = _grouped([Revenue(month=month, kind=kind, net_minor=net) for kind, net in nets.items()])
    assert sum(one.net_minor for one in grouped) == sum(nets.values())
    assert len({one.kind for one in grouped}) <= MOST_KINDS + 1
    assert (OTHER in {one.kind for one in grouped} - nets.keys()) == (len(nets) > MOST_KINDS + 1)


def test_the_months_end_with_the_day_s_own_and_cross_the_year() -> None:
    assert months_to(date(2026, 2, 28), 4) == [date(2025, 11, 1), date(2025, 12, 1), date(2026, 1, 1), date(2026, 2, 1)]


def _figures(web: Web, address: str = "/dashboard") -> dict[str, list[list[str]]]:
    """The rows of each table of the page, by the id of the heading above it."""
    text = html.unescape(web.browser("viewer").get(address).text).replace("\N{NO-BREAK SPACE}", " ")
    found: dict[str, list[list[str]]] = {}
    for section, body in re.findall(r'<h2 id="(\w+)">(.*?)</section>', text, re.S):
        rows = re.findall(r"<tr>(.*?)</tr>", body, re.S)[1:]
        found[section] = [
            [re.sub(r"<[^>]+>", "", cell).strip() for cell in re.findall(r"<t[hd].*?</t[hd]>", row, re.S)] for row in rows
        ]
    return found


def _quarter() -> list[Row]:
    """Three seats added in April, and an hour of each month."""
    seats = line("SeatLine")
    return [
        said("ContractDefined", effective_from="2026-03-01", starts_on="2026-03-01", lines=[seats]),
        said("SeatCountReported", quantity=48, as_of="2026-02-27T08:00:00Z"),
        said("SeatCountReported", quantity=51, as_of="2026-04-01T08:00:00Z"),
        *approved("m", worked_on="2026-03-10"),
        *approved("a", worked_on="2026-04-10", worked_minutes=120),
    ]


def test_every_figure_is_the_books_own(office: Web) -> None:
    office.feed(_quarter())
    march = generate(office.app.views, date(2026, 3, 31), now())
    generate(office.app.views, date(2026, 4, 30), now())
    (first,) = [one for one in march.documents if one.client_id == "acme"]
    assert first.net_minor == 48 * 65_00 + 150_00
    paid = said(
        "PaymentReceived", client_id="acme", payment_id="p1", amount_minor=first.total_minor, currency="GBP", method="bank",
        received_at="2026-04-20T10:00:00Z", invoice_numbers=[first.number], at=datetime(2026, 4, 20, 11, tzinfo=UTC),
    )  # fmt: skip
    office.feed([paid])
    found = _figures(office)
    assert found["revenue"] == [
        ["May 2026", "0.00", "–", "–"],
        ["April 2026", "3,615.00", "3,315.00", "300.00"],
        ["March 2026", "3,270.00", "3,120.00", "150.00"],
    ]
    # April's, of 30 April and due on 30 May, is a day late; with 20 % of tax.
    assert found["ageing"][1] == ["1–30 days", "4,338.00"]
    assert found["ageing"][-1] == ["Total", "4,338.00"]
    # May: 51 x 65.00 and an hour of Acme's, an hour and a half of Buildco's.
    assert found["unbilled"] == [["May 2026", "3", "–", "3,690.00"], ["Total", "3", "", "3,690.00"]]
    assert found["seats"] == [["30 Mar 2026", "1", "51"], ["23 Feb 2026", "1", "48"]]
    assert found["paid"] == [["April 2026", "1", "20", "20"]]


def test_an_empty_installation_and_an_unknown_currency_say_so(office: Web) -> None:
    page = office.browser("viewer").get("/dashboard")
    assert page.status_code == 200
    assert "Nothing was invoiced in GBP in the last twelve months." in page.text
    wrong = office.browser("viewer").get("/dashboard?currency=%3Cb%3E")
    assert wrong.status_code == 422
    assert "Nothing is billed in “&lt;B&gt;”" in wrong.text
