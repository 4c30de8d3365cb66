"""What somebody names with a payment, and has most likely mistyped: an invoice that nobody issued, a currency the client has not.

Facts from Kafka are kept whatever they name (R2); a person can be asked, and says so where it is meant.
"""

from collections.abc import Sequence
from typing import Any, Final

from psycopg import Cursor

from daybook.asked import NotTaken
from daybook.printing import clean
from projections.finding import Named, near

UNKNOWN_INVOICE_OK: Final = "unknown_invoice_ok"
OTHER_CURRENCY_OK: Final = "other_currency_ok"
"""Faults that somebody may wave aside: the field by which a form does."""
MOST_NAMED: Final = 5
MOST_COMPARED: Final = 2_000


def check_known(cursor: Cursor[Any], client_id: str, numbers: Sequence[str]) -> None:
    """Raises NotTaken for numbers that no document has, with those of the client that come near or are open."""
    rows = cursor.execute("SELECT number FROM invoices WHERE number = ANY(%s)", (list(numbers),)).fetchall()
    known = {number for (number,) in rows}
    unknown = [number for number in numbers if number not in known]
    if not unknown:
        return
    several = len(unknown) > 1
    said = f"There {'are no invoices' if several else 'is no invoice'} {clean(', '.join(unknown[:MOST_NAMED]))}."
    raise NotTaken({UNKNOWN_INVOICE_OK: f"{said} {_instead(cursor, client_id, unknown[0])}"})


def check_currency(cursor: Cursor[Any], client_id: str, currency: str) -> None:
    """Raises NotTaken for a currency in which the client neither is invoiced nor ever was."""
    having = currencies_of(cursor, client_id)
    if having and currency not in having:
        shown = " and ".join(having)
        raise NotTaken({OTHER_CURRENCY_OK: f"{client_id} has {shown}, and nothing in {currency}: the payment would pay nothing."})


def currencies_of(cursor: Cursor[Any], client_id: str) -> list[str]:
    """The client's own currency, and those of its invoices."""
    rows = cursor.execute(
        "SELECT currency FROM clients WHERE client_id = %(id)s UNION SELECT currency FROM invoices WHERE client_id = %(id)s"
        " ORDER BY 1",
        {"id": client_id},
    ).fetchall()
    return [currency for (currency,) in rows if currency]


def _instead(cursor: Cursor[Any], client_id: str, number: str) -> str:
    rows = cursor.execute(
        "SELECT i.number, coalesce(o.outstanding_minor, 0) > 0 FROM invoices i LEFT JOIN open_items o USING (number)"
        " WHERE i.client_id = %s AND i.total_minor >= 0 ORDER BY i.issued_on DESC, i.number DESC LIMIT %s",
        (client_id, MOST_COMPARED),
    ).fetchall()
    close = [one.id for one in near(number, [Named(known, known) for known, _ in rows])][:MOST_NAMED]
    if close:
        return f"Did you mean {' or '.join(close)}?"
    still_open = [known for known, is_open in rows if is_open][:MOST_NAMED]
    return f"Open of {client_id}: {', '.join(still_open)}." if still_open else f"{client_id} has no open invoice."
