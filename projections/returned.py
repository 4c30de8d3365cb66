"""Returns of payments and whose they are: one of money of an unknown payer is that of the client whose payment it is."""

from collections.abc import Sequence
from typing import Any, Final, LiteralString

from psycopg import Cursor

Key = tuple[str, str, str]
"""(client id, refund id, payment id) as said: a return belongs to its payment, and two payments may each have an `r1`."""
UNKNOWN_PAYER: Final = "?"

# The same money has one owner: the client of the earliest statement that matches what was said of nobody, as of payments.
# Without such a statement only a payment of exactly one client can be meant. What that client's own facts say of it counts.
OWNED: Final[LiteralString] = """
    FROM returns r
    LEFT JOIN payments n ON r.client_id = '?' AND n.client_id = '?' AND n.payment_id = r.payment_id
    LEFT JOIN LATERAL (
        SELECT (array_agg(m.client_id ORDER BY m.occurred_at, m.event_id))[1] AS owner FROM payments m
        WHERE r.client_id = '?' AND m.client_id <> '?' AND m.payment_id = r.payment_id AND m.possible
            AND m.currency = coalesce(r.currency, m.currency)
            AND (n.payment_id IS NULL OR m.currency = n.currency AND m.amount_minor = n.amount_minor)
        HAVING count(*) = 1 OR n.payment_id IS NOT NULL
    ) o ON true
    LEFT JOIN returns s ON r.client_id = '?' AND s.client_id = o.owner AND s.refund_id = r.refund_id
        AND s.payment_id = r.payment_id
    LEFT JOIN payments p ON p.client_id = coalesce(o.owner, r.client_id) AND p.payment_id = r.payment_id
    WHERE s.refund_id IS NULL
"""
"""Every return as it counts, `r`, with the payment that it is of, `p`: what is said twice of one counts once."""
_COLUMNS: Final[LiteralString] = (
    "SELECT coalesce(p.client_id, r.client_id), r.refund_id, r.payment_id, r.amount_minor, coalesce(r.currency, p.currency),"
    " p.currency, r.returned_at, r.occurred_at,"
    " EXISTS (SELECT FROM credits c WHERE c.client_id = p.client_id AND c.source = p.payment_id AND c.kind = 'payment')"
)
_RETURNED: Final[LiteralString] = _COLUMNS + OWNED
_OF_NOBODY: Final[LiteralString] = (
    " AND r.client_id = '?' AND r.payment_id IN (SELECT m.payment_id FROM payments m WHERE m.client_id = ANY(%s))"
)
_OF_KEYS: Final[LiteralString] = (
    " AND (r.client_id, r.refund_id, r.payment_id) IN (SELECT * FROM unnest(%s::text[], %s::text[], %s::text[]))"
)


def of_clients(cursor: Cursor[Any], client_ids: Sequence[str]) -> list[tuple[Any, ...]]:
    """Every return of some clients, whoever said it.

    (client, refund id, payment id, amount, currency, the payment's currency, instant, said at, whether the payment is settled).
    """
    given = [list(client_ids)]
    rows = cursor.execute(_RETURNED + " AND r.client_id = ANY(%s)", given).fetchall()
    rows += cursor.execute(_RETURNED + _OF_NOBODY, given).fetchall()
    return sorted({(row[0], row[1], row[2]): row for row in rows if row[0] in client_ids}.values())


def of_keys(cursor: Cursor[Any], keys: Sequence[Key]) -> list[tuple[Any, ...]]:
    """The same of some returns by their keys as said."""
    return cursor.execute(_RETURNED + _OF_KEYS, [list(column) for column in zip(*keys, strict=True)]).fetchall()


def of_nobody(
    cursor: Cursor[Any], payment_ids: Sequence[str], refund_ids: Sequence[str]
) -> tuple[set[Key], set[str]]:
    """Returns said of nobody that have to do with some payments or returns, and the clients whose they may be."""
    if not payment_ids and not refund_ids:
        return set(), set()
    rows = cursor.execute(
        "SELECT r.refund_id, r.payment_id, m.client_id FROM returns r"
        " LEFT JOIN payments m ON m.payment_id = r.payment_id AND m.client_id <> '?'"
        " WHERE r.client_id = '?' AND (r.payment_id = ANY(%s) OR r.refund_id = ANY(%s))",
        (list(payment_ids), list(refund_ids)),
    ).fetchall()
    owners = {client_id for _, _, client_id in rows if client_id is not None}
    return {(UNKNOWN_PAYER, refund_id, payment_id) for refund_id, payment_id, _ in rows}, owners
