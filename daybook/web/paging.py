"""Lists in pages: a cursor is the key of the last row seen, so that rows that come or go move nothing else."""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final, Literal, TypeVar

from fastapi import Depends, Query, Request
from fastapi.responses import Response

from daybook.printing import plain
from daybook.web.problems import Problem
from daybook.web.sheets import MEDIA_TYPE, MOST_ROWS, Sheet, sheet

Row = TypeVar("Row")
Key = tuple[Any, ...]

MOST: Final = 5_000
USUAL: Final = 1_000
Limit = Annotated[int | None, Query(ge=1, le=MOST, description=f"How many at most (default {USUAL}; a CSV has all).")]
Format = Annotated[Literal["json", "csv"], Query(description="`csv` is the whole list, for a spreadsheet.")]
AS_CSV: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The list.",
        "content": {MEDIA_TYPE: {"schema": {"type": "string"}}},
        "headers": {"Link": {"description": "Where it goes on, if it does.", "schema": {"type": "string"}}},
    }
}
"""What a list may also answer, for OpenAPI."""
Cursor = Annotated[str | None, Query(max_length=4_000, description="Where to go on: from the Link header of the page before.")]


class Page:
    """Which part of a list was asked for, and in which form."""

    def __init__(self, limit: Limit = None, cursor: Cursor = None, format: Format = "json") -> None:
        self.is_csv = format == "csv"
        self._is_bounded = limit is not None
        self.limit = limit or (MOST_ROWS if self.is_csv else USUAL)
        self._cursor = cursor

    def after(self, *kinds: type) -> Key | None:
        """The key to go on behind; raises Problem."""
        return after(self._cursor, *kinds)

    def listed(self, request: Request, rows: Sequence[Any], more: Key | None, of: Sheet) -> Response:
        """The part in the form asked for; a list too long for a spreadsheet is refused, never cut off unseen."""
        if not self.is_csv:
            response = answered([plain(row) for row in rows])
        elif more is None or self._is_bounded:
            response = sheet(of, rows)
        else:
            raise Problem(
                422,
                "too-many-rows",
                "Too long for a spreadsheet",
                f"The list has more than {self.limit} rows.",
                "Narrow it with the filters, or read it in parts with `limit` and the Link header.",
            )
        if more is not None:
            url = request.url.include_query_params(cursor=cursor_of(more))
            response.headers["link"] = f'<{url.path}?{url.query}>; rel="next"'
        return response


Asked = Annotated[Page, Depends()]


def after(cursor: str | None, *kinds: type) -> Key | None:
    """The key a cursor stands for; raises Problem where it is not one of ours."""
    if cursor is None:
        return None
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        key = json.loads(base64.b64decode(padded.encode("ascii"), altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError):
        key = None
    if not isinstance(key, list) or [type(part) for part in key] != list(kinds) or not all(map(_is_storable, key)):
        raise Problem(
            422,
            "cursor",
            "No such cursor",
            "The cursor is not one of this list.",
            "Take it from the Link header, or leave it out.",
        )
    return tuple(key)


def _is_storable(part: Any) -> bool:
    """Whether the database could hold it: no zero byte, no lone surrogate, no number beyond 64 bits."""
    if isinstance(part, str):
        return "\0" not in part and not any("\ud800" <= c <= "\udfff" for c in part)
    return not isinstance(part, int) or -(2**63) <= part < 2**63


def cursor_of(key: Key) -> str:
    """A key as a cursor."""
    return base64.urlsafe_b64encode(json.dumps(plain(list(key))).encode()).decode().rstrip("=")


def page_of(rows: Sequence[Row], key_of: Callable[[Row], Key], last: Key | None, limit: int) -> tuple[list[Row], Key | None]:
    """The rows after a key and, where there are more, the key to go on from. Rows of one key are never parted."""
    rest = rows if last is None else [row for row in rows if key_of(row) > last]
    end = min(limit, len(rest))
    while 0 < end < len(rest) and key_of(rest[end]) == key_of(rest[end - 1]):
        end += 1
    return list(rest[:end]), key_of(rest[end - 1]) if end < len(rest) else None


def answered(value: Any, status: int = 200) -> Response:
    """Something already plain, as JSON."""
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return Response(body.encode("utf-8", "replace"), status_code=status, media_type="application/json")
