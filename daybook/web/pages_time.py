"""Time entries: who logged, who approved, and which are stuck."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from daybook.web.access import installation
from daybook.web.pages_queue import Viewer
from daybook.web.pages_render import page, query
from daybook.web.pages_view import find_clients, read_day, read_page, read_span, read_text, reading
from daybook.web.pages_words import REASONS, STATUSES
from projections.finding import charge_types
from projections.time_list import PAGE, UNAPPROVED, TimeFilter, other_waiting, stuck_counts, time_rows, time_totals

router = APIRouter(include_in_schema=False)

GROUPS = {"any": "All that waits", "stuck": "Stuck"}


@router.get("/time")
def time_page(request: Request, person: Viewer) -> Response:
    """The time entries, the newest day first, with what waits and why above them; a reason may be a group of reasons."""
    app = installation(request)
    given = request.query_params
    faults: dict[str, str] = {}
    today = app.settings.business_date()
    as_of = read_day(given.get("as_of", ""), "as_of", faults) or today
    since, until = read_span(given, faults)
    client = read_text(given.get("client", ""))
    misread = bool(faults)
    waits = read_text(given.get("reason", "")) or ("stuck" if given.get("stuck") == "1" else "")
    if waits and waits not in REASONS and waits not in GROUPS:
        faults["reason"] = f"“{waits}” is no reason for which anything waits."
    status = given.get("status") if given.get("status") in STATUSES else None
    number = read_page(given.get("page", ""))
    with reading(app, request, person, as_of) as (cursor, behind):
        clients = find_clients(cursor, client, faults)
        only = TimeFilter(
            client_ids=tuple(client_id for client_id, _ in clients) if clients is not None else None, status=status,
            waits=waits or None, since=since, until=until,
        )  # fmt: skip
        rows = [] if faults else time_rows(cursor, only, number)
        count, worked, waiting = (0, 0, 0) if faults else time_totals(cursor, only)
        more, others = (0, []) if faults or not waits else other_waiting(cursor, only)
        counts = stuck_counts(cursor)
        types = dict(charge_types(cursor))
    asked = {"client": client, "status": status, "reason": waits, "from": since, "to": until}
    day = {"as_of": as_of if as_of != today else None}
    return page(
        request, person, "time.html", rows=rows, only=only, client=client, waits=waits, count=count, worked=worked,
        waiting=waiting, unapproved=[one for one in counts if one.reason in UNAPPROVED],
        stuck=[one for one in counts if one.reason not in UNAPPROVED], statuses=STATUSES, reasons=REASONS, groups=GROUPS,
        types=types, faults=faults, typed=dict(given), behind=behind, filtered=bool(query(asked)), asked=query({**asked, **day}),
        day=day["as_of"], number=number, pages=-(-count // PAGE), others=others, more=more, status=422 if misread else 200,
    )  # fmt: skip
