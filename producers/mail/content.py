"""What a notice says of what it is about (`projections.notice_facts`): its letter and the PDFs that go with it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from domain.catalogue import ProviderDefined
from domain.notices import DUE_REMINDER, STATEMENT
from ledger.keyring import Keyring
from producers.mail.compose import Attached
from producers.mail.letters import Letter, document_letter, reminder_letter, statement_letter
from producers.paper.parties import Read, bank_of, sender_of
from producers.paper.printer import Printer
from producers.paper.sheet import sheet_of
from producers.paper.statement import statement_sheet
from projections.notice_facts import Facts, sent_on
from projections.notices import Notice

MOST_ATTACHED: Final = 10
"""More PDFs than that fill a mailbox: the rest is named in the text."""
FORGOTTEN: Final = "(forgotten)"


class NotThere(Exception):
    """What a notice is about cannot be found: it says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """A notice's letter, whom it is from, and what is attached to it."""

    letter: Letter
    from_name: str
    from_lines: tuple[str, ...]
    attached: tuple[Attached, ...]


def contents_of(facts: Facts, keyring: Keyring, printer: Printer, notice: Notice, pay_url: str | None) -> Content:
    """The content of a notice on its client's day; raises NotThere."""

    def read(text: str | None) -> str:
        if not text or not text.startswith("enc:"):
            return text or ""  # a company's tax number is kept in clear
        clear = keyring.decrypt(text)
        return FORGOTTEN if clear is None else clear

    client, provider = facts.clients.get(notice.client_id), facts.catalogue.provider
    letter, attached = _written(facts, printer, notice, sent_on(notice, facts.days), read, pay_url)
    sender = sender_of(provider, client)
    return Content(letter=letter, from_name=_name(provider), from_lines=tuple(sender["lines"]), attached=tuple(attached))


def _written(
    facts: Facts, printer: Printer, notice: Notice, day: date, read: Read, pay_url: str | None
) -> tuple[Letter, list[Attached]]:
    name, bank = _name(facts.catalogue.provider), bank_of(facts.catalogue.provider)
    if notice.kind == STATEMENT:
        made = facts.statements[notice.client_id, notice.notice_id]
        if made is None:
            raise NotThere(f"no client {notice.client_id}")
        pdf = printer.printed(statement_sheet(made, read)).pdf
        return statement_letter(made, name, bank), [Attached(f"Statement {made.as_of}", pdf)]
    wanted = [(notice.client_id, number) for number in notice.numbers]
    found = [facts.documents[key] for key in wanted if key in facts.documents]
    if not found:
        raise NotThere(f"no document {', '.join(notice.numbers)}")
    attached = _printed(facts, printer, found[:MOST_ATTACHED], read, pay_url, day)
    if notice.kind == DUE_REMINDER:
        return reminder_letter(found, name, bank, day, pay_url), attached
    return document_letter(found[0], name, bank, pay_url, day), attached


def _printed(
    facts: Facts, printer: Printer, found: Sequence[dict[str, Any]], read: Read, pay_url: str | None, day: date
) -> list[Attached]:
    """Each with what is to be paid of it on the day of sending: a file beside a mail asks for no more than the mail does."""
    numbers = [(one["number"], one) for one in found]
    sheets = [
        (number, sheet_of(one, facts.parties[number], read, pay_url, facts.voided_by.get(number), day)) for number, one in numbers
    ]
    return [Attached(number, printer.printed(sheet).pdf) for number, sheet in sheets]


def _name(provider: ProviderDefined | None) -> str:
    return provider.name if provider is not None and provider.name.strip() else "Daybook"
