"""Clients by what a person types into a filter: an id, a name, or any part of either; `finding` is for exactly one."""

from typing import Any, Final

from psycopg import Cursor

from projections.finding import Named

MOST_SUGGESTED: Final = 20

_KNOWN: Final = """
    SELECT client_id, name FROM (
        SELECT client_id, name FROM clients
        UNION ALL
        SELECT DISTINCT w.client_id, w.client_id FROM waiting w
        WHERE NOT EXISTS (SELECT 1 FROM clients c WHERE c.client_id = w.client_id)
    ) AS known
    WHERE strpos(lower(name), lower(%(text)s)) > 0 OR strpos(lower(client_id), lower(%(text)s)) > 0
    ORDER BY lower(name) COLLATE "C", client_id COLLATE "C"
"""


def clients_matching(cursor: Cursor[Any], text: str) -> list[Named]:
    """The clients that a text means: the one whose id or whole name it is, else all that have it in either."""
    found = cursor.execute(_KNOWN, {"text": text}).fetchall()
    wanted = text.casefold()
    known = [Named(*row) for row in found]
    return [one for one in known if text == one.id or wanted == one.name.casefold()] or known


def suggested_clients(cursor: Cursor[Any], text: str) -> list[Named]:
    """The first few clients whose name or id has a text in it, by name: what a field offers while somebody types."""
    rows = cursor.execute(_KNOWN + " LIMIT %(most)s", {"text": text, "most": MOST_SUGGESTED}).fetchall()
    return [Named(*row) for row in rows]
