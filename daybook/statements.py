"""Statements of account as commands and programs get them: rows with fixed keys, a table for people, PDF files."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from daybook.app import App
from daybook.printing import as_json as print_json
from daybook.printing import counted, money, notice, say, table
from daybook.showing import opened
from domain.statement import Statement
from producers.paper.printer import render
from producers.paper.statement import AGE_WORDS, in_words, render_statement
from projections.invoice_list import parties
from projections.statement import ClientStatement
from runs.errors import NothingThere

LONGEST_NAME: Final = 200


def statement_rows(made: ClientStatement) -> list[dict[str, Any]]:
    """A client's statement as programs read it: one object a currency, amounts in minor units."""
    return [_row_of(made, one) for one in made.accounts]


def _row_of(made: ClientStatement, one: Statement) -> dict[str, Any]:
    row = {"client_id": made.client_id, "client_name": made.name, **asdict(one)}
    ages = row.pop("ages")
    return {**row, **{f"{age}_minor": amount for age, amount in ages.items()}}


def show(made: ClientStatement, as_json: bool) -> None:
    """What happened on a client's accounts, with the balance after each row, and what is still to be paid."""
    if as_json:
        print_json(statement_rows(made))
        return
    if not made.accounts:
        say(f"{made.name}: nothing was invoiced or paid up to {made.as_of}")
    for one in made.accounts:
        _show(made, one)


def _show(made: ClientStatement, one: Statement) -> None:
    def shown(amount: int) -> str:
        return money(amount, one.currency)

    entries = [(entry, *in_words(entry, made)) for entry in one.entries]
    table(
        f"{made.name}: statement in {one.currency} from {one.since} to {one.as_of}",
        ("Date", "What", "Charged", "Paid or credited", "Balance"),
        [
            (one.since, "brought forward", "", "", shown(one.brought_forward_minor)),
            *(
                (
                    entry.on,
                    " ".join([text, *notes]),
                    shown(entry.amount_minor) if entry.amount_minor > 0 else "",
                    shown(-entry.amount_minor) if entry.amount_minor < 0 else "",
                    shown(entry.balance_minor),
                )
                for entry, text, notes in entries
            ),
        ],
        right=("Charged", "Paid or credited", "Balance"),
    )
    ages = [f"{words.lower()} {shown(amount)}" for words, amount in zip(AGE_WORDS, one.ages.values(), strict=True) if amount]
    parts = [f"outstanding {shown(one.outstanding_minor)}", *ages]
    if one.unapplied_minor:
        parts.append(f"credit not used yet {shown(one.unapplied_minor)}")
    say("; ".join(parts))


def statement_pdf(app: App, made: ClientStatement) -> bytes:
    """The PDF of a statement as its client receives it."""
    return render_statement(made, _read(app), fonts=(app.settings.home / "fonts",))


def _read(app: App) -> Callable[[str | None], str]:
    return lambda text: opened(text, app.book.keyring) if text else ""


def write_documents(app: App, documents: Sequence[dict[str, Any]], folder: Path, advance: Callable[[int], None]) -> None:
    """Writes every document as a PDF of its number into a folder; one that is there already is written anew."""
    folder.mkdir(parents=True, exist_ok=True)
    for document in documents:
        with app.views.reading() as cursor:
            between = parties(cursor, document["number"])
        if between is None:
            raise NothingThere(f"no document {document['number']}")
        made = render(document, between, _read(app), fonts=(app.settings.home / "fonts",))
        (folder / file_name(document["number"])).write_bytes(made)
        advance(1)
    notice(f"{counted(len(documents), 'document')} written to {folder}")


def file_name(number: str) -> str:
    """A document's file: its number, which upstream may have made of anything, as one harmless name."""
    name = quote(number, safe=" ()+,=@!&")
    return (f"_{name[1:]}" if name.startswith(".") else name)[:LONGEST_NAME] + ".pdf"
