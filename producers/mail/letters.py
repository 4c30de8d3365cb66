"""What a mail says: its subject, a few sentences, the figures, and the documents that go with it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from domain.statement import Statement
from producers.paper import figures
from producers.paper.statement import asked
from projections.statement import ClientStatement

Row = tuple[str, str]
MOST_LISTED: Final = 50
MOST_NAMED: Final = 5
IN_THE_MEANTIME: Final = "If you have paid in the meantime, please take no notice of this e-mail."
ASKED: Final = "If anything in it is not clear, please ask us."


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One mail before it is laid out; all of it is plain text, and where it comes from nobody is trusted.

    `facts` are names and values; `table` is a head and rows of what is still to be paid; `file` names the PDF beside it.
    """

    subject: str
    heading: str
    text: tuple[str, ...]
    facts: tuple[Row, ...]
    table: tuple[tuple[str, ...], ...] = ()
    bank: tuple[str, ...] = ()
    pay_url: str | None = None
    closing: str = ASKED


def document_letter(
    document: dict[str, Any], provider: str, bank: Sequence[str], pay_url: str | None = None, day: date | None = None
) -> Letter:
    """Of a new invoice or credit note (`projections.documents`), which goes with it as PDF; sent on the client's `day`."""
    number, currency = document["number"], document["currency"]
    total, left_minor = document["total_minor"], _left(document)
    if document["kind"] == "credit_note":
        return Letter(
            subject=f"Credit note {number} from {provider}",
            heading=f"Credit note {number}",
            text=(f"Your credit note of {figures.money(-total, currency)} is attached. There is nothing to pay.",),
            facts=(*_about(document), *_corrected(document), ("Credit", figures.money(-total, currency))),
        )
    to_pay = left_minor > 0
    asks = f"Please pay {figures.money(left_minor, currency)} by {figures.day(document['due_on'])}."
    if day is not None and document["due_on"] < day:  # it waited longer than the client had time
        asks = f"It was due on {figures.day(document['due_on'])}: {figures.money(left_minor, currency)} is still to be paid."
    part = (("Still to be paid", figures.money(left_minor, currency)),) if left_minor != total else ()
    return Letter(
        subject=f"Invoice {number} from {provider}",
        heading=f"Invoice {number}",
        text=(f"Your invoice of {figures.money(total, currency)} is attached.", asks if to_pay else "There is nothing to pay."),
        facts=(*_about(document), ("Total", figures.money(total, currency)), *_credit(document), *part),
        bank=tuple(bank) if to_pay else (),
        pay_url=pay_url if to_pay else None,
    )


def _left(document: dict[str, Any]) -> int:
    """What is still to be paid of it: what is outstanding less what credit covers of it (R4)."""
    return int(document["outstanding_minor"] - document.get("covered_minor", 0))


def _credit(document: dict[str, Any]) -> tuple[Row, ...]:
    """What is outstanding and the credit beside it, where there is any."""
    covered, currency = document.get("covered_minor", 0), document["currency"]
    if not covered:
        return ()
    outstanding = figures.money(document["outstanding_minor"], currency)
    return ("Outstanding", outstanding), ("Your credit covers", figures.money(covered, currency))


def _about(document: dict[str, Any]) -> tuple[Row, ...]:
    issued = ("Issued", figures.day(document["issued_on"]))
    return (issued,) if document["kind"] == "credit_note" else (issued, ("Due", figures.day(document["due_on"])))


def _corrected(document: dict[str, Any]) -> tuple[Row, ...]:
    """The invoices that a credit note corrects; the reason kept with it is the provider's own note, and is not sent."""
    numbers = list(dict.fromkeys(line["corrects"]["number"] for line in document["lines"] if line["corrects"]))
    more = f" and {len(numbers) - MOST_NAMED} more" if len(numbers) > MOST_NAMED else ""
    return (("Corrects", ", ".join(numbers[:MOST_NAMED]) + more),) if numbers else ()


def reminder_letter(
    documents: Sequence[dict[str, Any]], provider: str, bank: Sequence[str], day: date, pay_url: str | None = None
) -> Letter:
    """That invoices fall due, or are overdue, on the client's own day; they go with it as PDF.

    It asks for what is left once credit that pays nothing yet is counted, and says both.
    """
    open_ones = [one for one in documents if _left(one) > 0]
    late = any(one["due_on"] < day for one in open_ones)
    one_only = documents[0]["number"] if len(documents) == 1 else None
    subject = f"Invoice {one_only}" if one_only is not None else "Your invoices"
    verb = ("is" if one_only is not None else "are") + (" overdue" if late else " due soon")
    return Letter(
        subject=f"Reminder: {subject} from {provider} {verb}",
        heading="Overdue" if late else "Due soon",
        text=(
            *(_when(one, day) for one in open_ones[:MOST_LISTED]),
            *(_beside(one) for one in open_ones[:MOST_LISTED] if _credit(one)),
            f"{_to_pay(open_ones)} still to be paid.",
        ),
        facts=_credit(open_ones[0]) if len(open_ones) == 1 else (),
        table=_listed(open_ones),
        bank=tuple(bank),
        pay_url=pay_url,
        closing=IN_THE_MEANTIME,
    )


def _to_pay(documents: Sequence[dict[str, Any]]) -> str:
    sums: dict[str, int] = {}
    for one in documents:
        sums[one["currency"]] = sums.get(one["currency"], 0) + _left(one)
    amounts = [figures.money(minor, currency) for currency, minor in sorted(sums.items())]
    return f"{' and '.join(amounts) or 'Nothing'} {'is' if len(amounts) < 2 else 'are'}"


def _beside(document: dict[str, Any]) -> str:
    (_, outstanding), (_, credit) = _credit(document)
    return f"{outstanding} of invoice {document['number']} is open, of which your credit covers {credit}."


def _when(document: dict[str, Any], day: date) -> str:
    number, due = document["number"], figures.day(document["due_on"])
    days = (day - document["due_on"]).days
    if days > 0:
        return f"Invoice {number} was due on {due} and is {_days(days)} overdue."
    if days == 0:
        return f"Invoice {number} is due today, {due}."
    return f"Invoice {number} is due on {due}, in {_days(-days)}."


def _days(count: int) -> str:
    return f"{count} {'day' if count == 1 else 'days'}"


def _listed(documents: Sequence[dict[str, Any]]) -> tuple[tuple[str, ...], ...]:
    rows = [
        (
            one["number"],
            figures.day(one["issued_on"]),
            figures.day(one["due_on"]),
            figures.money(_left(one), one["currency"]),
        )
        for one in documents[:MOST_LISTED]
    ]
    return (("Invoice", "Issued", "Due", "To be paid"), *rows)


def statement_letter(made: ClientStatement, provider: str, bank: Sequence[str]) -> Letter:
    """Of a statement of account, which goes with it as PDF."""
    as_of = figures.day(made.as_of)
    owed = [one for one in made.accounts if one.outstanding_minor > 0]
    to_pay = [one for one in owed if one.balance_minor > 0]
    return Letter(
        subject=f"Statement of account as of {as_of} from {provider}",
        heading="Statement of account",
        text=(f"Your statement of account as of {as_of} is attached.", *(asked(owed) if owed else (NOTHING,))),
        facts=tuple(fact for one in made.accounts for fact in _sums(one)),
        table=_unpaid(to_pay),
        bank=tuple(bank) if to_pay else (),
    )


NOTHING: Final = "There is nothing to pay."


def _sums(one: Statement) -> list[Row]:
    found = [("Outstanding", figures.money(one.outstanding_minor, one.currency))]
    if one.overdue_minor:
        found.append(("Of which overdue", figures.money(one.overdue_minor, one.currency)))
    if one.unapplied_minor:
        found.append(("Credit not used yet", figures.money(one.unapplied_minor, one.currency)))
    balance = ("Balance, in your favour", -one.balance_minor) if one.balance_minor < 0 else ("Balance", one.balance_minor)
    return [*found, (balance[0], figures.money(balance[1], one.currency))]


def _unpaid(owed: Sequence[Statement]) -> tuple[tuple[str, ...], ...]:
    rows = [
        (one.number, figures.day(one.issued_on), figures.day(one.due_on), figures.money(one.outstanding_minor, made.currency))
        for made in owed
        for one in made.unpaid
    ]
    return (("Invoice", "Issued", "Due", "To be paid"), *rows[:MOST_LISTED]) if rows else ()
