"""What each command prints: the fixed JSON keys of `interfaces.md`, or a table for people."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

from daybook.printing import as_json as print_json
from daybook.printing import counted, decimal, money, notice, say, table
from daybook.web.pages_words import why_stuck
from domain.invoice import Draft, InvoiceLine
from ledger.keyring import Keyring, NotCipherText
from projections import documents
from projections.balances import Balance
from projections.left_behind import Held, Stuck, Unapproved
from projections.queue import QueueLine, QueueRow
from projections.time_list import StuckCount
from projections.views import Views
from runs.generate import Outcome

MOST_NAMED = 8


def queue_rows(rows: Sequence[QueueRow], as_of: date, as_json: bool) -> None:
    """The queue, with the count of clients that have something to invoice and the totals by currency."""
    if as_json:
        print_json(rows)
        return
    table(
        f"Ready for invoicing as of {as_of}",
        ("Client", "Type", "Hours", "Amount", "Lines", "Unapproved", "Held"),
        [
            (
                row.client_name,
                " + ".join(row.types) or "-",
                decimal(row.hours) if row.hours else "",
                money(row.net_minor, row.currency) if row.lines else "",
                row.lines or "",
                f"{row.unapproved_minutes} min" if row.unapproved_minutes else "",
                money(row.held_minor, row.currency) if row.held_lines else "",
            )
            for row in rows
        ],
        right=("Hours", "Amount", "Lines", "Unapproved", "Held"),
    )
    ready = [row for row in rows if row.lines]
    clients = len({row.client_id for row in ready})
    totals = {row.currency: 0 for row in ready}
    for row in ready:
        totals[row.currency] += row.net_minor
    shown = ", ".join(money(total, currency) for currency, total in sorted(totals.items())) or "nothing"
    say(f"{counted(clients, 'client')}, {shown}")


def queue_lines(lines: Sequence[QueueLine], keyring: Keyring, as_json: bool) -> None:
    """Every line of the queue."""
    opened = [{"hold": _opened_hold(line, keyring)} for line in lines]
    if as_json:
        print_json({**_fields(line), **extra} for line, extra in zip(lines, opened, strict=True))
        return
    table(
        "Lines",
        ("Client", "Item", "Description", "Served", "Quantity", "Price", "Net", "Corrects", "Hold"),
        [
            (
                line.client_id,
                line.item_key,
                line.description,
                _served(line.service_from, line.service_to),
                f"{decimal(line.quantity)} {line.unit}",
                decimal(line.unit_price),
                money(line.net_minor, line.currency),
                f"{line.corrects['number']} line {line.corrects['line_no']}" if line.corrects else "",
                extra["hold"]["reason"] if extra["hold"] else "",
            )
            for line, extra in zip(lines, opened, strict=True)
        ],
        right=("Quantity", "Price", "Net"),
    )


def balances(found: Sequence[Balance], as_of: date, as_json: bool) -> None:
    """What clients owe, by age, with the totals by currency."""
    if as_json:
        print_json(found)
        return
    table(
        f"Balances as of {as_of}",
        ("Client", "Outstanding", "Overdue", "Current", "1-30", "31-60", "61-90", "Over 90", "Credit"),
        [
            (
                one.client_name,
                money(one.outstanding_minor, one.currency),
                *(
                    money(amount, one.currency) if amount else ""
                    for amount in (
                        one.overdue_minor, one.current_minor, one.days_1_30_minor, one.days_31_60_minor, one.days_61_90_minor,
                        one.days_over_90_minor, one.unapplied_minor,
                    )
                ),
            )
            for one in found
        ],
        right=("Outstanding", "Overdue", "Current", "1-30", "31-60", "61-90", "Over 90", "Credit"),
    )  # fmt: skip
    currencies = sorted({one.currency for one in found})
    owed = {currency: sum(one.outstanding_minor for one in found if one.currency == currency) for currency in currencies}
    say(f"outstanding: {', '.join(money(total, currency) for currency, total in owed.items()) or 'nothing'}")


def _fields(line: QueueLine) -> dict[str, Any]:
    return {name: getattr(line, name) for name in QueueLine.__slots__}


def _opened_hold(line: QueueLine, keyring: Keyring) -> dict[str, Any] | None:
    if line.hold is None:
        return None
    return {**line.hold, "reason": opened(line.hold["reason"], keyring)}


def opened(text: str, keyring: Keyring) -> str:
    """Personal text in clear, or that it was forgotten."""
    try:
        clear = keyring.decrypt(text)
    except NotCipherText:
        return text
    return "(forgotten)" if clear is None else clear


def _served(first: date, last: date) -> str:
    return str(first) if first == last else f"{first} to {last}"


def drafts(outcome: Outcome, as_of: date, as_json: bool) -> None:
    """What a run would issue."""
    if as_json:
        print_json(_draft(d) for d in outcome.drafts)
        _refusals(outcome)
        return
    table(
        f"Would be issued as of {as_of}",
        ("Client", "Document", "Lines", "Net", "Tax", "Total", "Due"),
        [
            (
                d.client_id,
                "credit note" if d.is_credit_note else "invoice",
                len(d.lines),
                money(d.net_minor, d.currency),
                money(d.tax_minor, d.currency),
                money(d.total_minor, d.currency),
                d.due_on,
            )
            for d in outcome.drafts
        ],
        right=("Lines", "Net", "Tax", "Total"),
    )
    _refusals(outcome)


def left_behind(held: Sequence[Held], unapproved: Sequence[Unapproved]) -> None:
    """What a run leaves in the queue: held lines, and clients whose time nobody has approved yet."""
    if held:
        totals: dict[str, int] = {}
        for one in held:
            totals[one.currency] = totals.get(one.currency, 0) + one.net_minor
        amounts = ", ".join(money(total, currency) for currency, total in sorted(totals.items()))
        lines = counted(sum(one.lines for one in held), "held line")
        say(f"{lines} ({amounts}) of {_clients(held)}: not issued, kept in the queue until released")
    if unapproved:
        minutes = sum(one.minutes for one in unapproved)
        say(f"{minutes} min not approved yet of {_clients(unapproved)}: billed once approved (`daybook waiting`)")


def stuck(found: Sequence[StuckCount]) -> None:
    """What no run bills before somebody settles what stops it."""
    if found:
        reasons = ", ".join(f"{one.reason} {one.count}" for one in found[:MOST_NAMED])
        rest = sum(one.count for one in found[MOST_NAMED:])
        more = f" and {rest} for other reasons" if rest else ""
        say(f"{sum(one.count for one in found)} stuck ({reasons}{more}): not billed until settled; `daybook waiting` lists them")


def stuck_of_clients(found: Sequence[Stuck]) -> None:
    """The same of the clients somebody asked for, one by one: a run that issues nothing says why."""
    for one in found[:MOST_NAMED]:
        what = one.what.replace("_", " ")
        say(f"waits: {what} {one.id} of {one.client}: {why_stuck(one.reason, one.no_tax_code)}")
    if len(found) > MOST_NAMED:
        say("and more: `daybook waiting` lists all")


def _clients(rows: Sequence[Held | Unapproved]) -> str:
    names = list(dict.fromkeys(row.client for row in rows))
    more = len(names) - MOST_NAMED
    listed = ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
    return f"{counted(len(names), 'client')} ({listed})"


def _draft(made: Draft) -> dict[str, Any]:
    """A draft under the keys of an invoice; it has no number yet."""
    return {
        "number": None,
        "kind": "credit_note" if made.is_credit_note else "invoice",
        "client_id": made.client_id,
        "currency": made.currency,
        "issued_on": made.issued_on,
        "due_on": made.due_on,
        "net_minor": made.net_minor,
        "tax_minor": made.tax_minor,
        "total_minor": made.total_minor,
        "outstanding_minor": max(made.total_minor, 0),
        "status": "draft",
        "line_count": len(made.lines),
        "lines": [_draft_line(one) for one in made.lines],
    }


def _draft_line(one: InvoiceLine) -> dict[str, Any]:
    line = one.line
    return {
        "line_no": one.line_no, "item_key": one.item_key, "description": line.description, "charge_type": line.charge_type,
        "service_from": line.service_from, "service_to": line.service_to, "quantity": line.quantity, "unit": line.unit,
        "unit_price": line.unit_price, "currency": line.currency, "net_minor": one.net_minor,
        "tax_code": one.tax_code, "tax_minor": one.tax_minor,
        "account": line.account, "corrects": one.corrects, "rule": line.rule, "source_count": len(one.source_event_ids),
        "source_sha256": one.source_sha256, "source_event_ids": one.source_event_ids[: documents.MOST_SOURCES],
        "tax_percent": one.tax_percent, "arithmetic": line.arithmetic,
    }  # fmt: skip


def issued(views: Views, outcome: Outcome, as_json: bool) -> None:
    """What a run issued, and whom it refused."""
    numbers = {document.number for document in outcome.documents}
    if as_json:
        with views.reading() as cursor:
            print_json(found for found in documents.invoices(cursor) if found["number"] in numbers)
    elif outcome.documents:
        table(
            "Issued",
            ("Number", "Client", "Net", "Tax", "Total", "Due"),
            [
                (d.number, d.client_id, money(d.net_minor, d.currency), money(d.tax_minor, d.currency),
                 money(d.total_minor, d.currency), d.due_on)
                for d in outcome.documents
            ],
            right=("Net", "Tax", "Total"),
        )  # fmt: skip
    _refusals(outcome)


def _refusals(outcome: Outcome) -> None:
    for refusal in outcome.refused:
        if refusal.reason == "changed":
            saw = _figure(refusal.confirmed_minor, refusal.currency)
            now = _figure(refusal.now_minor, refusal.currency)
            notice(f"refused {refusal.client_id}: confirmed {saw}, now {now}; look at it and run again")
        else:
            notice(f"refused {refusal.client_id} {refusal.currency}: {refusal.reason}")


def _figure(minor: int | None, currency: str) -> str:
    return "nothing" if minor is None else money(minor, currency)


def invoices(found: Sequence[dict[str, Any]], as_json: bool) -> None:
    """Issued documents."""
    if as_json:
        print_json(found)
        return
    table(
        "Invoices",
        ("Number", "Kind", "Client", "Issued", "Due", "Lines", "Net", "Tax", "Total", "Status"),
        [
            (
                one["number"],
                one["kind"].replace("_", " "),
                one["client_id"],
                one["issued_on"],
                one["due_on"],
                len(one["lines"]),
                money(one["net_minor"], one["currency"]),
                money(one["tax_minor"], one["currency"]),
                money(one["total_minor"], one["currency"]),
                one["status"],
            )
            for one in found
        ],
        right=("Lines", "Net", "Tax", "Total"),
    )


def waiting(found: Sequence[dict[str, Any]], as_json: bool) -> None:
    """What waits, with its reason."""
    if as_json:
        print_json(found)
        return
    table(
        "Waiting",
        ("Client", "What", "Id", "Reason", "Since", "Minutes"),
        [
            (one["client_id"], one["what"], one["id"], _why(one), f"{one['since']:%Y-%m-%d %H:%M}", one["minutes"] or "")
            for one in found
        ],
        right=("Minutes",),
    )


def _why(one: dict[str, Any]) -> str:
    return f"{one['reason']} ({one['dead_letter']})" if one.get("dead_letter") else str(one["reason"])


def dead_letters_json(letters: Iterable[dict[str, Any]]) -> None:
    """Messages set aside, as they come: there may be more than memory holds. Their bytes are shown to nobody here."""
    print_json(letters)


def dead_letters(letters: Sequence[dict[str, Any]], before: int, count: int) -> None:
    """Some of the messages set aside, and how many there are before and after them."""
    names = ("topic", "partition", "offset", "reason", "error")
    table(
        "Dead letters",
        ("Topic", "Partition", "Offset", "Reason", "Error"),
        [tuple(one[name] for name in names) for one in letters],
        right=("Partition", "Offset"),
    )
    after = before + len(letters)
    if letters and count > after:
        say(f"{before + 1} to {after} of {count}; {count - after} more: --offset {after}")
