"""What stands on a statement of account, as plain text in the places that the template prints it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from domain.receivables import AGES
from domain.statement import Entry, Statement, Unpaid
from producers.paper import figures
from producers.paper.parties import Read, bank_of, paper_of, recipient_of, sender_of
from producers.paper.pictures import logo_of
from producers.paper.printer import printer
from producers.paper.sheet import Sheet
from projections.statement import ClientStatement

KINDS: Final = {
    "invoice": "Invoice",
    "credit_note": "Credit note",
    "payment": "Payment",
    "return": "Payment returned",
    "write_off": "Written off",
}
METHODS: Final = {"bank": "by bank transfer", "card": "by card", "direct_debit": "by direct debit", "cash": "in cash"}
AGE_WORDS: Final = ("Not due yet", "1–30 days", "31–60 days", "61–90 days", "Over 90 days")
NARROWEST: Final = 12
"""Thousandths of the bar that even the smallest amount is drawn with, so that it can be seen."""
FITS: Final = 14
"""So many letters of an amount fit its column; beyond, the columns are as wide as what is in them."""
NOTHING: Final = "Nothing is to be paid."
NO_ACCOUNT: Final = "Nothing was invoiced or paid up to this day."
QUOTE: Final = "Please quote the number of the invoice that you pay."


def statement_sheet(made: ClientStatement, read: Read) -> Sheet:
    """The sheet of a client's statement; a client with accounts in several currencies has a part for each."""
    provider, name = made.catalogue.provider, made.name
    as_of = figures.day(made.as_of)
    content = {
        "name": "Statement",
        "number": f"statement {made.client_id}",
        "title": f"Statement of account, {name}, {as_of}",
        "from": sender_of(provider, made.client),
        "to": recipient_of(made.client, made.client_id, provider, read),
        "facts": _facts(made),
        "accounts": [_account(one, made, several=len(made.accounts) > 1) for one in made.accounts],
        "nothing": NO_ACCOUNT,
        "closing": _closing(made),
    }
    pictures = {
        "paper": paper_of(provider),
        "logo": logo_of(provider.logo) if provider is not None and provider.logo else None,
    }
    return Sheet(content=content, pictures=pictures, issued_on=made.as_of, template="statement.typ")


def render_statement(made: ClientStatement, read: Read, *, fonts: tuple[Path, ...] = ()) -> bytes:
    """The PDF of a statement as its client receives it; the same statement gives the same bytes."""
    return printer(*fonts).printed(statement_sheet(made, read)).pdf


def in_words(entry: Entry, made: ClientStatement) -> tuple[str, list[str]]:
    """What a row is called, and what is said under it: of a payment what the client knows it by, never the id it has here."""
    name = KINDS[entry.kind]
    match entry.kind:
        case "invoice":
            return f"{name} {entry.reference}", [f"due {figures.day(entry.due_on)}"] if entry.due_on is not None else []
        case "credit_note" | "write_off":
            return f"{name} {entry.reference}", []
        case "return":
            return name, [f"of the payment {known}"] if (known := _known_by(entry.of, made)) else []
    return name, [known] if (known := _known_by(entry.reference, made)) else []


def _known_by(payment_id: str | None, made: ClientStatement) -> str:
    """The bank's reference of a payment, else how it was paid; nothing where that is not known."""
    method, reference = made.paid_by.get(payment_id or "", ("", None))
    return (reference or "").strip() or METHODS.get(method, "")


def _facts(made: ClientStatement) -> list[list[str]]:
    starts = sorted({one.since for one in made.accounts})
    found = [["As of", figures.day(made.as_of)]]
    if starts:
        found.append(["From", figures.day(starts[0])])
    return [*found, ["Client", made.client_id]]


def _account(one: Statement, made: ClientStatement, *, several: bool) -> dict[str, Any]:
    currency = one.currency
    overdue, credit = one.overdue_minor, one.unapplied_minor
    rows = [_row(entry, made, currency) for entry in one.entries]
    sums = [
        ["Outstanding", figures.money(one.outstanding_minor, currency)],
        ["Of which overdue", figures.amount(overdue, currency)],
    ]
    if credit:
        sums.append(["Credit not used yet", figures.amount(credit, currency)])
    return {
        "heading": f"Account in {currency}" if several else "",
        "currency": currency,
        "sums": sums,
        "brought": [figures.day(one.since), figures.amount(one.brought_forward_minor, currency)],
        "rows": rows,
        "wide": any(len(row[name]) > FITS for row in rows for name in ("charged", "paid", "balance")),
        "balance": [_balance_words(one), figures.money(one.balance_minor, currency)],
        "ages": _ages(one),
        "unpaid_heading": "Open invoices" if one.balance_minor <= 0 else "Still to be paid",
        "unpaid": [_unpaid(invoice, currency) for invoice in one.unpaid],
        "overdue": overdue > 0,
    }


def _balance_words(one: Statement) -> str:
    words = f"Balance on {figures.day(one.as_of)}"
    return f"{words}, in your favour" if one.balance_minor < 0 else words


def _row(entry: Entry, made: ClientStatement, currency: str) -> dict[str, Any]:
    text, notes = in_words(entry, made)
    shown = figures.amount(abs(entry.amount_minor), currency)
    return {
        "on": figures.day(entry.on),
        "text": text,
        "notes": notes,
        "charged": shown if entry.amount_minor > 0 else "",
        "paid": shown if entry.amount_minor < 0 else "",
        "balance": figures.amount(entry.balance_minor, currency),
    }


def _unpaid(one: Unpaid, currency: str) -> dict[str, str]:
    days = f"{one.days_overdue} {'day' if one.days_overdue == 1 else 'days'} overdue"
    return {
        "number": one.number,
        "issued": figures.day(one.issued_on),
        "due": figures.day(one.due_on),
        "late": days if one.days_overdue else "",
        "total": figures.amount(one.total_minor, currency),
        "open": figures.amount(one.outstanding_minor, currency),
    }


def _ages(one: Statement) -> list[dict[str, Any]]:
    """Each age with its amount and its share of the bar, in thousandths; no bar where nothing is open."""
    amounts = [one.ages[age] for age in AGES]
    return [
        {"label": label, "amount": figures.amount(amount, one.currency), "share": share}
        for label, amount, share in zip(AGE_WORDS, amounts, shares_of(amounts), strict=True)
    ]


def shares_of(amounts: Sequence[int]) -> list[int]:
    """How wide each amount is drawn, in thousandths of the bar: in proportion, but none so narrow that it cannot be seen."""
    total = sum(amounts)
    return [max(amount * 1000 // total, NARROWEST) if amount > 0 else 0 for amount in amounts]


def _closing(made: ClientStatement) -> dict[str, Any]:
    owed = [one for one in made.accounts if one.outstanding_minor > 0]
    if not owed:
        return {"text": [NOTHING], "bank": []}
    to_pay = any(one.balance_minor > 0 for one in owed)
    return {"text": [*asked(owed), *([QUOTE] if to_pay else [])], "bank": bank_of(made.catalogue.provider) if to_pay else []}


def asked(owed: Sequence[Statement]) -> list[str]:
    """What is asked for: nothing that the client's own credit in that currency covers."""
    late = [figures.money(one.overdue_minor, one.currency) for one in owed if one.overdue_minor > 0 and not one.unapplied_minor]
    said = [f"{' and '.join(late)} {'is' if len(late) == 1 else 'are'} overdue: please pay now."] if late else []
    return [*said, *(_with_credit(one) for one in owed if one.unapplied_minor)]


def _with_credit(one: Statement) -> str:
    def money(minor: int) -> str:
        return figures.money(minor, one.currency)

    if one.balance_minor <= 0:
        covered = f"{money(one.outstanding_minor)} is open. Your credit of {money(one.unapplied_minor)} covers it"
        return f"{covered}: there is nothing to pay."
    left = f"Your credit of {money(one.unapplied_minor)} covers a part: {money(one.balance_minor)} is left to pay"
    if not one.overdue_minor:
        return f"{left}."
    return f"{money(one.overdue_minor)} is overdue. {left}, of which {money(min(one.overdue_minor, one.balance_minor))} now."
