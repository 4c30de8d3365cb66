"""Time entries: who logged, who approved, and which are stuck."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from daybook.web.access import installation
from daybook.web.pages_queue import Viewer
from daybook.web.pages_render import page, query
from daybook.web.pages_view import read_day, read_page, read_text, reading
from daybook.web.pages_words import REASONS, STATUSES
from projections.time_list import PAGE, TimeFilter, other_waiting, stuck_counts, time_rows, time_totals

router = APIRouter(include_in_schema=False)


@router.get("/time")
def time_page(request: Request, person: Viewer) -> Response:
    """The time entries, the newest day first, with what waits and why above them."""
    given = request.query_params
    faults: list[str] = []
    only = TimeFilter(
        client=read_text(given.get("client", "")) or None,
        status=given.get("status") if given.get("status") in STATUSES else None,
        reason=read_text(given.get("reason", "")) or None,
        stuck=given.get("stuck") == "1",
        since=read_day(given.get("from", ""), "From", faults),
        until=read_day(given.get("to", ""), "To", faults),
    )
    number = read_page(given.get("page", ""))
    with reading(installation(request), request, person) as (cursor, behind):
        rows = time_rows(cursor, only, number)
        count, worked, waiting = time_totals(cursor, only)
        stuck = stuck_counts(cursor)
        others = other_waiting(cursor, only.client, only.reason) if only.stuck or only.reason else []
    asked = {
        "client": only.client, "status": only.status, "reason": only.reason, "stuck": 1 if only.stuck else None,
        "from": only.since, "to": only.until,
    }  # fmt: skip
    return page(
        request, person, "time.html", rows=rows, only=only, count=count, worked=worked, waiting=waiting, stuck=stuck,
        statuses=STATUSES, reasons=REASONS, faults=faults, behind=behind, asked=query(asked), number=number,
        pages=-(-count // PAGE), others=others,
    )  # fmt: skip
