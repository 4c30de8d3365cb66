"""Lists in pages: a cursor is the key of the last row seen, so that rows that come or go move nothing else."""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final, TypeVar

from fastapi import Query, Request
from fastapi.responses import Response

from daybook.printing import plain
from daybook.web.problems import Problem

Row = TypeVar("Row")
Key = tuple[Any, ...]

MOST: Final = 5_000
Limit = Annotated[int, Query(ge=1, le=MOST, description="How many at most.")]
Cursor = Annotated[str | None, Query(max_length=4_000, description="Where to go on: from the Link header of the page before.")]


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


def listed(request: Request, rows: Sequence[Any], more: Key | None) -> Response:
    """A page as a list of objects; the Link header says where it goes on."""
    response = answered([plain(row) for row in rows])
    if more is not None:
        url = request.url.include_query_params(cursor=cursor_of(more))
        response.headers["link"] = f'<{url.path}?{url.query}>; rel="next"'
    return response


def answered(value: Any, status: int = 200) -> Response:
    """Something already plain, as JSON."""
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return Response(body.encode("utf-8", "replace"), status_code=status, media_type="application/json")
