"""The pages with forms: new and changed clients, charge types and contracts, previewed before they are saved."""

from datetime import date
from hashlib import sha256
from typing import Any, Final

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from daybook.rehearsing import NotReadable, rehearse
from daybook.web.access import installation
from daybook.web.forms import records
from daybook.web.forms.boxes import is_day, zones
from daybook.web.forms.fields import LINES, RECORDS, ROWS
from daybook.web.forms.posted import Posted, Sent, new_token
from daybook.web.forms.reading import Draft, Json, free, read, slug, tree_of
from daybook.web.forms.records import timeline_of
from daybook.web.forms.saving import NotSaved, as_fact, canonical, event_id_of, save
from daybook.web.forms.things import Thing, event_json, in_clear, known_codes, new_base, states, taken_ids
from daybook.web.limits import limited
from daybook.web.pages_item import Biller
from daybook.web.pages_queue import Viewer
from daybook.web.pages_render import from_htmx, page, read_personal
from daybook.web.pages_view import caught_up, read_day, read_id
from daybook.web.people import Person
from ledger.event_codec import decode
from projections.preview_result import Preview
from runs.errors import NothingThere

router = APIRouter(include_in_schema=False)
router.include_router(records.router)

NOT_AN_ID: Final = ("new",)
"""These are addresses of Daybook's own."""
CURRENCIES: Final = ("GBP", "EUR", "USD", "AUD", "CAD", "CHF", "DKK", "JPY", "KWD", "NOK", "NZD", "PLN", "SEK")


def client(client_id: str = "") -> Thing:
    """A client's form."""
    return Thing(record="ClientDefined", id=read_id(client_id))


def charge_type(code: str = "") -> Thing:
    """A charge type's form."""
    return Thing(record="ChargeTypeDefined", id=read_id(code))


def contract(client_id: str, contract_id: str = "") -> Thing:
    """A contract's form."""
    return Thing(record="ContractDefined", id=read_id(contract_id), client_id=read_id(client_id))


# A contract's addresses before a client's: an id may hold a slash, so that the longer one has to be asked first.
@router.get("/clients/{client_id:path}/contracts/new")
def new_contract(request: Request, person: Viewer, client_id: str) -> Response:
    """An empty form for a contract of a client."""
    return _opened(request, person, contract(client_id))


@router.post("/clients/{client_id:path}/contracts/new")
def make_contract(request: Request, person: Biller, client_id: str, sent: Sent) -> Response:
    """Previews or saves it."""
    return _sent(request, person, contract(client_id), sent)


@router.get("/clients/{client_id:path}/contracts/{contract_id:path}/edit")
def edit_contract(request: Request, person: Viewer, client_id: str, contract_id: str, of: str = "") -> Response:
    """A contract's form, beginning with its newest state or the one asked for."""
    return _opened(request, person, contract(client_id, contract_id), of)


@router.post("/clients/{client_id:path}/contracts/{contract_id:path}/edit")
def change_contract(request: Request, person: Biller, client_id: str, contract_id: str, sent: Sent) -> Response:
    """Previews or saves it."""
    return _sent(request, person, contract(client_id, contract_id), sent)


@router.get("/clients/new")
def new_client(request: Request, person: Viewer) -> Response:
    """An empty form for a client."""
    return _opened(request, person, client())


@router.post("/clients/new")
def make_client(request: Request, person: Biller, sent: Sent) -> Response:
    """Previews or saves it."""
    return _sent(request, person, client(), sent)


@router.get("/clients/{client_id:path}/edit")
def edit_client(request: Request, person: Viewer, client_id: str, of: str = "") -> Response:
    """A client's form."""
    return _opened(request, person, client(client_id), of)


@router.post("/clients/{client_id:path}/edit")
def change_client(request: Request, person: Biller, client_id: str, sent: Sent) -> Response:
    """Previews or saves it."""
    return _sent(request, person, client(client_id), sent)


@router.get("/charge-types/new")
def new_charge_type(request: Request, person: Viewer) -> Response:
    """An empty form for a charge type."""
    return _opened(request, person, charge_type())


@router.post("/charge-types/new")
def make_charge_type(request: Request, person: Biller, sent: Sent) -> Response:
    """Previews or saves it."""
    return _sent(request, person, charge_type(), sent)


@router.get("/charge-types/{code:path}/edit")
def edit_charge_type(request: Request, person: Viewer, code: str, of: str = "") -> Response:
    """A charge type's form."""
    return _opened(request, person, charge_type(code), of)


@router.post("/charge-types/{code:path}/edit")
def change_charge_type(request: Request, person: Biller, code: str, sent: Sent) -> Response:
    """Previews or saves it."""
    return _sent(request, person, charge_type(code), sent)


router.include_router(records.shown)


def _opened(request: Request, person: Person, thing: Thing, of: str = "") -> Response:
    """A form as it is opened."""
    before = _before(request, thing)
    base = next((one for one in before if one.event_id == of), before[-1] if before else None)
    event = _base(request, person, thing, base)
    posted = Posted(tree=tree_of(thing.record, event), token=new_token())
    posted.base = base.event_id if base is not None else ""
    posted.seen = before[-1].event_id if before else ""
    return _shown(request, person, thing, posted)


def _before(request: Request, thing: Thing) -> list[Any]:
    """The states that there are; raises NothingThere where there should be some, or should be a client, and is none."""
    app = installation(request)
    caught_up(app)
    with app.views.reading() as cursor:
        found = [] if thing.new else states(cursor, thing)
        if not found and not thing.new:
            raise NothingThere(f"There is no {thing.word} {thing.id}")
        if thing.client_id and not states(cursor, Thing(record="ClientDefined", id=thing.client_id)):
            raise NothingThere(f"There is no client {thing.client_id}")
    return found


def _base(request: Request, person: Person, thing: Thing, state: Any) -> Json:
    """What the form begins with, readable as far as this person may read it."""
    if state is None:
        return new_base(thing.record, _client_currency(request, thing))
    keyring = installation(request).book.keyring
    if person.may("biller"):
        return event_json(thing.record, state, in_clear(keyring))
    return event_json(thing.record, state, lambda text: read_personal(text, keyring, person))


def _client_currency(request: Request, thing: Thing) -> str:
    if not thing.client_id:
        return ""
    with installation(request).views.reading() as cursor:
        found = states(cursor, Thing(record="ClientDefined", id=thing.client_id))
    return str(found[-1].currency) if found else ""


def _sent(request: Request, person: Person, thing: Thing, posted: Posted) -> Response:
    """A form that came back: a line more or less, a preview, or the save."""
    limited(request, "decide", person.name)
    app = installation(request)
    before = _before(request, thing)
    state = next((one for one in before if one.event_id == posted.base), None)
    base = _base(request, person, thing, state)
    if posted.rearranged():
        return _shown(request, person, thing, posted)
    draft = read(thing.record, posted.tree, base)
    event_id = event_id_of(posted.token, person.name)
    id_ = thing.id or _new_id(request, thing, posted, draft, event_id)
    faults = draft.faults
    day = read_day(posted.as_of, "as_of", faults) or _from_when(draft.event, app.settings.business_date())
    if faults:
        return _shown(request, person, thing, posted, draft.faults, status=422)
    try:
        fact = as_fact(thing, id_, draft.event, event_id, max((one.revision for one in before), default=0) + 1)
    except NotReadable as error:
        return _shown(request, person, thing, posted, {"": f"{error}."}, status=422)
    event = canonical(thing.record, fact)
    digest = sha256(msgspec.json.encode([event, id_, posted.seen], order="sorted")).hexdigest()
    wrong = ""
    if posted.do == "save" and posted.previewed == digest:
        try:
            save(app, thing, id_, event, event_id, posted.seen)
            done = Thing(record=thing.record, id=id_, client_id=thing.client_id)
            return RedirectResponse(f"{done.address}?saved={event_id}", status_code=303)
        except NotSaved as error:
            wrong = f"{error}."
            posted.seen = before[-1].event_id if before else ""
            digest = sha256(msgspec.json.encode([event, id_, posted.seen], order="sorted")).hexdigest()
    elif posted.do == "save" and posted.previewed:
        wrong = "Something changed since the preview: this is the new one. Nothing is saved yet."
    limited(request, "rate-as-of", person.name)
    found = rehearse(app, [fact], day)
    posted.previewed = digest
    return _shown(request, person, thing, posted, preview=found, wrong=wrong, status=409 if wrong else 200)


def _from_when(event: Json, today: date) -> date:
    """The day to look at a change from: today, or the day it counts from where that is to come, for before it changes nothing."""
    said = str(event.get("effective_from") or "")
    return max(today, date.fromisoformat(said)) if is_day(said) else today


def _standing(cursor: Any, thing: Thing, base: str, today: date) -> dict[str, Any] | None:
    """Which state a form begins with and since when it counts, and which is in force today; null of a new thing."""
    timeline = timeline_of(cursor, thing) if not thing.new else None
    if timeline is None or not timeline.states:
        return None
    since = dict(zip((one.event_id for one in timeline.states), timeline.days, strict=True))
    now = timeline.first_or_on(today)
    return {"since": since.get(base), "is_now": now.event_id == base, "now": now, "now_since": since[now.event_id]}


def _new_id(request: Request, thing: Thing, posted: Posted, draft: Draft, event_id: str) -> str:
    """The id of a new thing: as typed and not taken, or made of its name; a fault of its field otherwise."""
    with installation(request).views.reading() as cursor:
        taken = taken_ids(cursor, thing)
        mine = _made(cursor, thing, event_id)
    typed = posted.id.strip()
    if not typed:
        made = slug(str(draft.event.get("name") or ""), thing.word.replace(" ", "-"))
        made = made.upper() if thing.record == "ChargeTypeDefined" else made
        # Sent twice, it is the one that was made the first time.
        typed = posted.id = next(iter(mine), None) or free(made, {*taken, *NOT_AN_ID})
    if typed in NOT_AN_ID:
        draft.faults["id"] = f"“{typed}” is an address of Daybook's own: choose another id."
    elif typed in taken and typed not in mine:
        draft.faults["id"] = f"{typed[:60]} is taken, by {taken[typed][:60]}: choose another id."
    return typed


def _made(cursor: Any, thing: Thing, event_id: str) -> set[str]:
    """The id that this very form made already, if it was saved before."""
    rows = cursor.execute("SELECT topic, state FROM terms WHERE event_id = %s", (event_id,)).fetchall()
    return {getattr(decode(topic, state), thing.id_field, "") for topic, state in rows}


def _shown(
    request: Request,
    person: Person,
    thing: Thing,
    posted: Posted,
    faults: dict[str, str] | None = None,
    *,
    preview: Preview | None = None,
    wrong: str = "",
    status: int = 200,
) -> Response:
    app = installation(request)
    with app.views.reading() as cursor:
        tax_codes = known_codes(cursor, "TaxCodeDefined")
        charge_types = known_codes(cursor, "ChargeTypeDefined")
        names = dict(cursor.execute("SELECT client_id, name FROM clients WHERE client_id = %s", (thing.client_id,)).fetchall())
        standing = _standing(cursor, thing, posted.base, app.settings.business_date())
    return page(
        request, person, "_form.html" if from_htmx(request) else "form.html", status=status, thing=thing, posted=posted,
        faults=faults or {}, preview=preview, wrong=wrong, fields=RECORDS[thing.record], kinds=LINES, rows=ROWS,
        tax_codes=tax_codes, charge_types=charge_types, currencies=CURRENCIES, client_name=names.get(thing.client_id, ""),
        zones=zones(), as_of=posted.as_of, standing=standing,
    )  # fmt: skip
