"""Accounts that an older version settled are settled anew by the rules of this one, without anybody's doing.

A migration marks them by a rank that nothing else has (0113_settle_again.sql); settling anew takes the mark away.
"""

from typing import Any, Final

from psycopg import Cursor

from projections.receivables import settle_clients
from projections.terms import TermsCache

AT_ONCE: Final = 50
"""Clients a transaction: facts that come meanwhile wait for no more than these."""


def heal(cursor: Cursor[Any], cache: TermsCache) -> int:
    """Settles some of the clients anew that are marked; gives how many, 0 where none is left."""
    rows = cursor.execute(
        "SELECT DISTINCT client_id FROM settled WHERE last_rank = -1 ORDER BY client_id LIMIT %s", [AT_ONCE]
    ).fetchall()
    if rows:
        settle_clients(cursor, [client_id for (client_id,) in rows], cache)
    return len(rows)
