"""What a form is about: a client, a charge type or a contract, with every state ever said of it."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from psycopg import Cursor

from daybook.web.forms.fields import NEW
from daybook.web.forms.reading import Json
from daybook.web.pages_render import path
from domain.facts import FACTS, PERSONAL
from domain.terms import rank
from ledger.event_codec import decode
from ledger.keyring import KeyMissing, Keyring, NotCipherText
from schemas.registry import published

ENVELOPE: Final = ("event_id", "source", "occurred_at", "revision")
_ID: Final = {"ClientDefined": "client_id", "ChargeTypeDefined": "code", "ContractDefined": "contract_id"}
WORDS: Final = {"ClientDefined": "client", "ChargeTypeDefined": "charge type", "ContractDefined": "contract"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """One client, charge type or contract; `id` is empty while a new one has none. `client_id` is a contract's client's."""

    record: str
    id: str = ""
    client_id: str = ""

    @property
    def word(self) -> str:
        """What people call it."""
        return WORDS[self.record]

    @property
    def id_field(self) -> str:
        """The record's field that holds its id."""
        return _ID[self.record]

    @property
    def new(self) -> bool:
        """Nobody has said it yet."""
        return not self.id

    @property
    def address(self) -> str:
        """The page that shows it with its history."""
        match self.record:
            case "ClientDefined":
                return f"/clients/{path(self.id)}/terms"
            case "ChargeTypeDefined":
                return f"/charge-types/{path(self.id)}"
        return f"/clients/{path(self.client_id)}/contracts/{path(self.id)}"

    @property
    def form(self) -> str:
        """The page with its form."""
        match self.record:
            case "ClientDefined":
                return f"/clients/{path(self.id)}/edit" if self.id else "/clients/new"
            case "ChargeTypeDefined":
                return f"/charge-types/{path(self.id)}/edit" if self.id else "/charge-types/new"
        return f"/clients/{path(self.client_id)}/contracts/{path(self.id) + '/edit' if self.id else 'new'}"

    def ids(self, id_: str) -> Json:
        """The ids its record carries."""
        if self.record == "ClientDefined":
            return {"client_id": id_}
        if self.record == "ChargeTypeDefined":
            return {"code": id_}
        return {"client_id": self.client_id, "contract_id": id_}

    def subject(self, id_: str) -> str:
        """Whose terms it is kept among."""
        return "" if self.record == "ChargeTypeDefined" else self.client_id or id_


def states(cursor: Cursor[Any], thing: Thing) -> list[Any]:
    """Every state ever said of a thing, in the order in which they outrank each other."""
    return sorted((one for one in _of_kind(cursor, thing) if getattr(one, thing.id_field) == thing.id), key=rank)


def taken_ids(cursor: Cursor[Any], thing: Thing) -> dict[str, str]:
    """The ids that things of the kind have already (contracts: of this client), and their names."""
    if thing.record == "ClientDefined":
        rows = cursor.execute("SELECT t.subject, c.name FROM terms t LEFT JOIN clients c ON c.client_id = t.subject").fetchall()
        return {subject: name or subject for subject, name in rows if subject}
    return {getattr(one, thing.id_field): one.name for one in sorted(_of_kind(cursor, thing), key=rank)}


def _of_kind(cursor: Cursor[Any], thing: Thing) -> list[Any]:
    rows = cursor.execute(
        "SELECT topic, state FROM terms WHERE subject = %s AND topic = %s",
        (thing.subject(thing.id), FACTS[thing.record].TOPIC),
    ).fetchall()
    return [decode(topic, state) for topic, state in rows]


def event_json(record: str, state: Any, clear: Callable[[str], str | None]) -> Json:
    """A state as the JSON its record came in; people's words made readable by `clear`, or left out where they are forgotten."""
    fields = asdict(state)
    for name in PERSONAL.get(record, ()):
        value = fields[name]
        if isinstance(value, str):
            fields[name] = clear(value)
        elif value:
            fields[name] = [text for text in map(clear, value) if text is not None]
    json: Json = published().reader(record).shape.to_json(fields)
    return json


def new_base(record: str, currency: str) -> Json:
    """What a new one begins with: the wire's defaults, and those of the forms."""
    wire = [one for one in published().reader(record).shape.fields if not one.required and one.name not in ENVELOPE]
    known = {"currency": currency} if currency else {}
    return {**{one.name: one.shape.to_json(one.default()) for one in wire}, **NEW[record], **known}


def in_clear(keyring: Keyring) -> Callable[[str], str | None]:
    """Makes personal text readable; null where its key was forgotten or is missing."""

    def clear(text: str) -> str | None:
        try:
            return keyring.decrypt(text)
        except NotCipherText:
            return text
        except KeyMissing:
            return None

    return clear


def said(json: Json) -> Json:
    """What a record says, without what is different each time it is said."""
    return {name: value for name, value in json.items() if name not in ENVELOPE}


def known_codes(cursor: Cursor[Any], record: str) -> Sequence[tuple[str, str]]:
    """The codes and names that the catalogue has of a record, for lists to choose from."""
    found: dict[str, str] = {}
    rows = cursor.execute("SELECT topic, state FROM terms WHERE subject = '' AND topic = %s", (FACTS[record].TOPIC,)).fetchall()
    for one in sorted((decode(topic, state) for topic, state in rows), key=rank):
        found[one.code] = one.name
    return sorted(found.items())
