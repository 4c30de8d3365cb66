"""What forms make, to look at: the charge types there are, and a client's, charge type's or contract's states and history."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from daybook.web.access import installation
from daybook.web.forms.fields import LINES, RECORDS
from daybook.web.forms.history import fields_of, history, words
from daybook.web.forms.things import Thing, event_json, states
from daybook.web.pages_queue import Viewer
from daybook.web.pages_render import page, read_personal
from daybook.web.pages_view import read_id, reading
from daybook.web.people import Person
from domain.contract_terms import charge_type_fault, client_fault
from projections import documents
from projections.terms import load_catalogue, load_clients
from runs.errors import NothingThere

router = APIRouter(include_in_schema=False)
shown = APIRouter(include_in_schema=False)
"""Those whose address could be taken for a form's: to be asked after the forms."""


@router.get("/charge-types")
def charge_types(request: Request, person: Viewer) -> Response:
    """Every charge type as it is in force today."""
    app = installation(request)
    today = app.settings.business_date()
    with reading(app, request, person) as (cursor, behind):
        found = load_catalogue(cursor).charge_types
        used: dict[str, int] = dict(
            cursor.execute("SELECT charge_type, count(*) FROM time_entries WHERE charge_type IS NOT NULL GROUP BY 1").fetchall()
        )
    rows = [(code, found[code].first_or_on(today), used.pop(code, 0)) for code in sorted(found)]
    return page(request, person, "charge_types.html", rows=rows, unknown=sorted(used.items()), behind=behind, words=words)


@shown.get("/charge-types/{code:path}")
def charge_type(request: Request, person: Viewer, code: str, saved: str = "") -> Response:
    """One charge type: its states and what each changed."""
    return _record(request, person, Thing(record="ChargeTypeDefined", id=read_id(code)), saved)


@shown.get("/clients/{client_id:path}/contracts/{contract_id:path}")
def contract(request: Request, person: Viewer, client_id: str, contract_id: str, saved: str = "") -> Response:
    """One contract: its lines today, its states and what each changed."""
    thing = Thing(record="ContractDefined", id=read_id(contract_id), client_id=read_id(client_id))
    return _record(request, person, thing, saved)


@shown.get("/clients/{client_id:path}/terms")
def client(request: Request, person: Viewer, client_id: str, saved: str = "") -> Response:
    """One client's terms: its states and what each changed."""
    return _record(request, person, Thing(record="ClientDefined", id=read_id(client_id)), saved)


def _record(request: Request, person: Person, thing: Thing, saved: str) -> Response:
    app = installation(request)
    today, keyring = app.settings.business_date(), app.book.keyring
    with reading(app, request, person) as (cursor, behind):
        said = states(cursor, thing)
        if not said:
            raise NothingThere(f"There is no {thing.word} {thing.id}")
        timeline = timeline_of(cursor, thing)
        waiting = _waiting(cursor, thing)
        names = dict(cursor.execute("SELECT client_id, name FROM clients WHERE client_id = %s", (thing.client_id,)).fetchall())
    jsons = [event_json(thing.record, one, lambda text: read_personal(text, keyring, person)) for one in said]
    now = timeline.first_or_on(today) if timeline.states else said[-1]
    current = jsons[[one.event_id for one in said].index(now.event_id)]
    return page(
        request, person, "record.html", thing=thing, now=now, current=current, fields=RECORDS[thing.record], kinds=LINES,
        fields_of=fields_of, words=words, waiting=waiting, fault=_fault(thing, now), behind=behind, latest=said[-1],
        client_name=names.get(thing.client_id, thing.client_id), today=today,
        revisions=history(thing.record, list(zip(said, jsons, strict=True)), [one.event_id for one in timeline.states]),
        saved=next((one.revision for one in said if one.event_id == saved), None),
    )  # fmt: skip


def timeline_of(cursor: Any, thing: Thing) -> Any:
    """The states of a thing that are in force on some day."""
    if thing.record == "ChargeTypeDefined":
        return load_catalogue(cursor).charge_types[thing.id]
    owner = thing.client_id or thing.id
    terms = load_clients(cursor, [owner])[owner]
    return terms.states if thing.record == "ClientDefined" else terms.contracts[thing.id]


def _waiting(cursor: Any, thing: Thing) -> list[dict[str, Any]]:
    """What of a contract waits: the contract itself, or its lines."""
    if thing.record != "ContractDefined":
        return []
    own = [one for one in documents.waiting(cursor, thing.client_id) if one["what"] in ("contract", "contract_line")]
    return [one for one in own if one["id"] == thing.id or one["id"].startswith(f"{thing.id}/")]


def _fault(thing: Thing, state: Any) -> str | None:
    if thing.record == "ClientDefined":
        return client_fault(state)
    return charge_type_fault(state) if thing.record == "ChargeTypeDefined" else None
