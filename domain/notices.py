"""What a client was, or is about to be, told by e-mail: claimed once, then sent, failed, unknown or withdrawn."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import ClassVar, Final

NEW_INVOICE: Final = "new_invoice"
STATEMENT: Final = "statement"
DUE_REMINDER: Final = "due_reminder"
KINDS: Final = (NEW_INVOICE, STATEMENT, DUE_REMINDER)


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeClaimed:
    """The intent to send one notice; its id is made of what it is about, so that it is claimed once (product R4).

    `to` is ciphertext; `rule` is what asked for it (`new_invoice`, `due/+7`, `statement/day/1`, `statement/weekday/5`);
    `balance_minor` is what was to be paid when it was claimed. `again`: it was withdrawn, failed for its address, or was
    given up, before; it has the Message-ID it had.
    """

    TOPIC: ClassVar[str] = "notice.claimed.v1"
    event_id: str
    occurred_at: datetime
    client_id: str
    notice_id: str
    kind: str
    rule: str
    numbers: tuple[str, ...]
    currency: str
    due_on: date | None
    claimed_on: date
    balance_minor: int
    to: tuple[str, ...]
    message_id: str
    again: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeSent:
    """The mail server took the message, after so many tries; `refused` of its addresses it would not take, for good
    or for as long as it was asked.

    `to` are the addresses it went to, ciphertext; empty in records of before: then those of the claim.
    """

    TOPIC: ClassVar[str] = "notice.sent.v1"
    event_id: str
    occurred_at: datetime
    client_id: str
    notice_id: str
    tries: int
    refused: int = 0
    to: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeFailed:
    """The mail server refused it; tried again unless `permanent`. `reason` is ciphertext: servers quote addresses.

    `to` is all that was said of where it goes, ciphertext. `for_address`: other addresses can mend it; null in records of
    before, whose reason's words tell it. `given_up`: it was put off for so long that only a person has it tried again; null
    in records of before, which gave up at the eighth try. `reached` are addresses that have it already, ciphertext: what is
    tried again goes to the others.
    """

    TOPIC: ClassVar[str] = "notice.failed.v1"
    event_id: str
    occurred_at: datetime
    client_id: str
    notice_id: str
    tries: int
    permanent: bool
    reason: str
    to: tuple[str, ...] = ()
    for_address: bool | None = None
    given_up: bool | None = None
    reached: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeUnknown:
    """Nobody knows whether the server took it: sent again under the same Message-ID, which receivers show once.

    `given_up`: so many copies may be out that only a person has it sent once more.
    """

    TOPIC: ClassVar[str] = "notice.unknown.v1"
    event_id: str
    occurred_at: datetime
    client_id: str
    notice_id: str
    tries: int
    reason: str
    given_up: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeWithdrawn:
    """Overtaken before it was sent; `reason` is a word.

    `paid`, `voided` and `overtaken` are for good; after `payment_pending`, `charged_back`, `below_minimum`, `opted_out`,
    `no_address` and `policy_changed` it may be claimed again once that is over.
    """

    TOPIC: ClassVar[str] = "notice.withdrawn.v1"
    event_id: str
    occurred_at: datetime
    client_id: str
    notice_id: str
    reason: str


Notice = NoticeClaimed | NoticeSent | NoticeFailed | NoticeUnknown | NoticeWithdrawn
