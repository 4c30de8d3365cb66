"""The dashboard: revenue, ageing, unbilled work, seats and days to pay, drawn by the server with the figures beneath."""

from collections.abc import Mapping
from datetime import date

from fastapi import APIRouter, Request
from fastapi.responses import Response

from daybook.web.access import installation
from daybook.web.charts import LABELS
from daybook.web.pages_queue import Viewer
from daybook.web.pages_render import day, money, page
from daybook.web.pages_view import read_text, reading
from daybook.web.plots import Column, Plot, columns, steps
from domain.money import minor_digits
from projections.dashboard import CONTRACT_KINDS, Dashboard, dashboard, months_to
from projections.finding import charge_types

router = APIRouter(include_in_schema=False)


@router.get("/dashboard")
def dashboard_page(request: Request, person: Viewer) -> Response:
    """How the business stands today, in one currency at a time: sums of several mean nothing."""
    app = installation(request)
    wanted = read_text(request.query_params.get("currency", "")).upper()
    today = app.settings.business_date()
    with reading(app, request, person) as (cursor, behind):
        found = dashboard(cursor, today, wanted or None)
        names = {**dict(charge_types(cursor)), **CONTRACT_KINDS}
    faults = {}
    if wanted and wanted not in found.currencies:
        faults["currency"] = f"Nothing is billed in “{wanted}”."
    return page(
        request, person, "dashboard.html", found=found, behind=behind, faults=faults, wanted=wanted,
        **(_drawn(found, names) if found.currencies else {}), status=422 if faults else 200,
    )  # fmt: skip


def _drawn(found: Dashboard, names: Mapping[str, str]) -> dict[str, object]:
    months = months_to(found.as_of)
    kinds = list(dict.fromkeys(one.kind for one in found.revenue))
    revenue = {(one.month, one.kind): one.net_minor for one in found.revenue}
    first = min((one.month for one in found.revenue), default=months[-1])
    shown = [month for month in months if month >= first]
    return {
        "kinds": [(kind, names.get(kind, kind)) for kind in kinds],
        "months": [
            (month, [revenue.get((month, kind), 0) for kind in kinds], sum(revenue.get((month, kind), 0) for kind in kinds))
            for month in reversed(shown)
        ],
        "revenue_plot": _revenue_plot(found, shown, kinds, names),
        "ageing_plot": _one_series([(LABELS[age], amount) for age, amount in found.ageing.items()], found.currency),
        "unbilled_plot": _one_series([(_month(one.month), one.net_minor) for one in found.unbilled], found.currency),
        "seats_plot": steps([(f"{one.day.day} {one.day:%b}", one.quantity) for one in found.seats]) if found.seats else None,
        "paid_plot": columns([_days_to_pay(_month(one.month), one.median_days) for one in found.paid]),
        "ages": [(LABELS[age], amount) for age, amount in found.ageing.items()],
        "seat_changes": _changes(found),
    }  # fmt: skip


def _revenue_plot(found: Dashboard, months: list[date], kinds: list[str], names: Mapping[str, str]) -> Plot:
    of: dict[date, list[tuple[int, int, str]]] = {month: [] for month in months}
    for one in found.revenue:
        title = f"{_month(one.month)}, {names.get(one.kind, one.kind)}: {money(one.net_minor, found.currency)}"
        of[one.month].append((kinds.index(one.kind), one.net_minor, title))
    return columns([Column(_month(month), tuple(of[month])) for month in months], 10 ** minor_digits(found.currency))


def _one_series(values: list[tuple[str, int]], currency: str) -> Plot:
    unit = 10 ** minor_digits(currency)
    return columns([Column(label, ((0, value, f"{label}: {money(value, currency)}"),)) for label, value in values], unit)


def _days_to_pay(month: str, median_days: int) -> Column:
    return Column(month, ((0, median_days, f"{month}: {median_days} days"),))


def _month(month: date) -> str:
    return f"{month:%b %Y}"


def _changes(found: Dashboard) -> list[tuple[str, int, int]]:
    """The weeks in which the seats were others than the week before, the newest first."""
    changed = [
        one for n, one in enumerate(found.seats)
        if n == 0 or (one.quantity, one.clients) != (found.seats[n - 1].quantity, found.seats[n - 1].clients)
    ]  # fmt: skip
    return [(day(one.week), one.quantity, one.clients) for one in reversed(changed)]
