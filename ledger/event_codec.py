"""How events are written in the book: JSON that `jsonb` can read, resolved by an allow-list of topics only."""

from dataclasses import fields, make_dataclass
from typing import Any, Final

import msgspec

from domain.contract import LINE_TYPES, ContractDefined
from domain.corrections import InvoiceSettled, InvoiceVoided, InvoiceWrittenOff
from domain.decisions import BusinessDayOpened, ChargeAdjusted, ItemHeld, ItemReleased
from domain.facts import FACTS
from domain.invoice import CreditNoteIssued, InvoiceIssued
from domain.notices import NoticeClaimed, NoticeFailed, NoticeSent, NoticeUnknown, NoticeWithdrawn


class UnknownTopic(LookupError):
    """The book holds an event of a topic that this version does not know: upgrade, or look who wrote it."""


EVENTS: Final[tuple[type[Any], ...]] = (
    *FACTS.values(),
    ItemHeld,
    ItemReleased,
    ChargeAdjusted,
    BusinessDayOpened,
    InvoiceIssued,
    CreditNoteIssued,
    InvoiceVoided,
    InvoiceWrittenOff,
    InvoiceSettled,
    NoticeClaimed,
    NoticeSent,
    NoticeFailed,
    NoticeUnknown,
    NoticeWithdrawn,
)
"""Every event that may stand in the book."""

_encode = msgspec.json.Encoder(decimal_format="string", uuid_format="canonical").encode
# msgspec refuses a union of dataclasses, so a contract's lines are read one by one by their `type`.
_Contract = make_dataclass(
    "_Contract",
    [(f.name, Any if f.name == "lines" else f.type) for f in fields(ContractDefined)],
    kw_only=True,
)
_DECODERS: Final[dict[str, Any]] = {cls.TOPIC: msgspec.json.Decoder(cls).decode for cls in EVENTS if cls is not ContractDefined}
_contract: Any = msgspec.json.Decoder(_Contract).decode


def encode(event: Any) -> bytes:
    """The event as JSON."""
    return _encode(event)


def decode(topic: str, state: bytes) -> Any:
    """The event of a topic; raises UnknownTopic, and imports nothing that the book names."""
    if topic == ContractDefined.TOPIC:
        shape = _contract(state)
        lines = tuple(msgspec.convert(line, LINE_TYPES[line["type"]], strict=False) for line in shape.lines)
        values = {f.name: getattr(shape, f.name) for f in fields(ContractDefined)}
        return ContractDefined(**{**values, "lines": lines})
    decoder = _DECODERS.get(topic)
    if decoder is None:
        raise UnknownTopic(f"{topic!r} is no event of this version of Daybook")
    return decoder(state)
