"""Generate All: what would be issued, for confirmation; the run's progress; what it issued and whom it refused."""

import json
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from psycopg import Cursor

from daybook.app import App
from daybook.web.access import installation
from daybook.web.limits import limited
from daybook.web.pages_item import Biller
from daybook.web.pages_queue import Viewer
from daybook.web.pages_render import from_htmx, page
from daybook.web.pages_runs import Desk, Run, RunUnderWay
from daybook.web.pages_view import View, caught_up, read_day, read_view, resolved, rows_of, totals_of
from daybook.web.pages_words import why_stuck
from projections import left_behind
from projections.invoice_list import client_names
from projections.queue import QueueRow
from projections.time_list import UNAPPROVED, stuck_counts
from runs.errors import NothingThere, Refused
from runs.generate import Confirmed, Outcome, plan

MOST_CONFIRMED: Final = 50_000
MOST_STUCK: Final = 8
_MAKING: Final = threading.Lock()

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum:
    """How much would be, or was, issued in one currency."""

    currency: str
    documents: int
    net_minor: int
    tax_minor: int
    total_minor: int


def sums_of(documents: Iterable[Any]) -> list[Sum]:
    """The sums of drafts or documents, by currency."""
    found: dict[str, list[Any]] = {}
    for one in documents:
        found.setdefault(one.currency, []).append(one)
    return [
        Sum(
            currency=currency,
            documents=len(some),
            net_minor=sum(one.net_minor for one in some),
            tax_minor=sum(one.tax_minor for one in some),
            total_minor=sum(one.total_minor for one in some),
        )
        for currency, some in sorted(found.items())
    ]


@router.get("/generate")
def confirmation(request: Request, person: Biller) -> Response:
    """How many documents would be issued and how much: nothing is issued before somebody says yes to these figures."""
    limited(request, "generate", person.name)
    app = installation(request)
    view = read_view(request.query_params, app.settings.business_date())
    behind = not caught_up(app)
    with app.views.reading(as_of=view.as_of) as cursor:
        view = resolved(cursor, view)
        rows = _concerned(cursor, view)
        named = [one.id for one in view.clients or ()] if view.client else None
        waiting = stuck_counts(cursor, billable=True, client_ids=named)
        stops = left_behind.stuck(cursor, named, MOST_STUCK) if named else []
    chosen = sorted({row.client_id for row in rows}) if view.client else None
    # Nobody is asked to confirm figures that are about to change, nor to wait for them without a word.
    planned = Outcome() if view.faults or behind else plan(app.views, view.as_of, chosen)
    confirmed = [[one.client_id, one.currency, one.net_minor] for one in planned.drafts]
    with app.views.reading() as cursor:
        concerned = {one.client_id for one in planned.drafts} | {one.client_id for one in planned.refused}
        names = client_names(cursor, sorted(concerned))
    drafts = sorted(planned.drafts, key=lambda one: (names.get(one.client_id, one.client_id).casefold(), one.currency))
    return page(
        request, person, "generate.html", view=view, drafts=drafts, refused=planned.refused, names=names,
        sums=sums_of(planned.drafts), totals=totals_of(rows), held=[row for row in rows if row.held_lines], behind=behind,
        under_way=desk(request).under_way(), confirmed=json.dumps(confirmed), status=422 if view.misread else 200,
        only=json.dumps(chosen) if chosen is not None else "", stuck=[one for one in waiting if one.reason not in UNAPPROVED],
        stops=stops, why_stuck=why_stuck,
    )  # fmt: skip


def _concerned(cursor: Cursor[Any], view: View) -> list[QueueRow]:
    """The queue's rows of the clients that a run would take: days served and charge type do not narrow a run."""
    return rows_of(cursor, replace(view, since=None, until=None, type_code=None))


@router.post("/generate")
def start(
    request: Request,
    person: Biller,
    as_of: Annotated[str, Form()],
    confirmed: Annotated[str, Form()],
    only: Annotated[str, Form()] = "",
) -> Response:
    """Starts the run with the figures that were confirmed; a client whose figures differ by then is refused."""
    limited(request, "generate", person.name)
    app = installation(request)
    day = read_day(as_of, "as_of", {})
    figures, chosen = read_confirmed(confirmed), read_only(only)
    if day is None or figures is None or (only and chosen is None):
        raise Refused("the confirmation could not be read: open Generate All again")
    try:
        run = desk(request).start(app, day, person.name, figures, chosen)
    except RunUnderWay as error:
        run = error.run
    return RedirectResponse(f"/runs/{run.run_id}", status_code=303)


def read_confirmed(text: str) -> Confirmed | None:
    """The figures of a confirmation, or null where they are not as this page wrote them."""
    rows = _list(text)
    if rows is None or len(rows) > MOST_CONFIRMED:
        return None
    found: dict[tuple[str, str], int] = {}
    for row in rows:
        match row:
            case [str(client_id), str(currency), int(net_minor)] if not isinstance(net_minor, bool) and "\0" not in client_id:
                found[client_id, currency] = net_minor
            case _:
                return None
    return found


def read_only(text: str) -> list[str] | None:
    """The clients a run is narrowed to, or null."""
    ids = _list(text) if text else None
    return ids if ids is not None and all(isinstance(one, str) and "\0" not in one for one in ids) else None


def _list(text: str) -> list[Any] | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, list) else None


@router.get("/runs/{run_id}")
def run_page(request: Request, person: Viewer, run_id: str) -> Response:
    """How far a run is; then what it issued and whom it refused, with both figures."""
    app = installation(request)
    run = desk(request).find(run_id)
    if run is None:
        raise NothingThere("this run is not remembered any more: its documents are on the page Invoices")
    context = _result(app, run)
    return page(request, person, "_run.html" if from_htmx(request) else "run.html", run=run, **context)


def _result(app: App, run: Run) -> dict[str, Any]:
    documents = run.outcome.documents if not run.running else []
    refused = run.outcome.refused if not run.running else []
    concerned = sorted({one.client_id for one in documents} | {one.client_id for one in refused})
    names: dict[str, str] = {}
    if concerned:
        with app.views.reading() as cursor:
            names = client_names(cursor, concerned)
    ordered: Sequence[Any] = sorted(documents, key=lambda one: names.get(one.client_id, one.client_id).casefold())
    return {"documents": ordered, "refused": refused, "names": names, "sums": sums_of(documents)}


def desk(request: Request) -> Desk:
    """The desk of this process."""
    state = request.app.state
    with _MAKING:
        if not hasattr(state, "desk"):
            state.desk = Desk()
        made: Desk = state.desk
    return made
