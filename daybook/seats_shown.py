"""Seat counts as the command line prints them: JSON, or a table for people with the disagreements beneath."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from daybook.printing import as_json as print_json
from daybook.printing import counted, say, table
from projections.seat_list import Counted, Variance, since_when


def seats(rows: Sequence[Counted], found: Sequence[Variance], as_of: date, *, only: bool, as_json: bool) -> None:
    """The counts at the close of a day and where systems disagree; with `only` those of products on which they do now."""
    began = since_when(found)
    if only:
        rows = [one for one in rows if (one.client_id, one.product) in began]
    if as_json:
        print_json(_products(rows, found, began, as_of))
        return
    table(
        f"Seats as of {as_of}",
        ("Client", "Product", "System", "Seats", "Counted at", "Billed", "Difference", "Disagree since"),
        [
            (
                one.client_name,
                one.product,
                one.system,
                one.quantity,
                f"{one.counted_at:%Y-%m-%d %H:%M} UTC",
                ("/".join(one.billed_by) if one.bills else "") if one.billed_by else "by nothing",
                f"{one.difference:+d}" if one.difference else "",
                str(began.get((one.client_id, one.product), "")),
            )
            for one in rows
        ],
        right=("Seats", "Difference"),
    )
    unbilled = {(one.client_id, one.product) for one in rows if one.billed_by is None}
    say(f"{counted(len(began), 'disagreement')} now, {counted(len(unbilled), 'product')} billed by nothing")


def _products(
    rows: Sequence[Counted], found: Sequence[Variance], began: dict[tuple[str, str], date], as_of: date
) -> list[dict[str, Any]]:
    """Each product of each client with its counts, and the runs of days on which they were not alike."""
    grouped: dict[tuple[str, str], list[Counted]] = {}
    for one in rows:
        grouped.setdefault((one.client_id, one.product), []).append(one)
    return [
        {
            "client_id": key[0],
            "client_name": own[0].client_name,
            "product": key[1],
            "as_of": as_of,
            "disagree_since": began.get(key),
            "counts": own,
            "variance": [one for one in found if (one.client_id, one.product) == key],
        }
        for key, own in grouped.items()
    ]
