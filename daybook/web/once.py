"""Idempotency keys: a write that is sent twice under one key happens once, and is answered twice.

The key is claimed before the write and its answer kept after it; a write that was refused or failed gives its key back.
A claim whose process died answers 409: whether the write happened is for a person to look at, never "it is done".
"""

import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Any, Final

from fastapi import Depends, Header, Request
from fastapi.responses import Response

from daybook.app import App
from daybook.printing import plain
from daybook.web.access import installation
from daybook.web.paging import answered
from daybook.web.problems import Problem
from runs.errors import Refused

KEPT_FOR: Final = timedelta(days=7)

Given = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[!-~]{1,200}$",
        description="Any text of your own, e.g. a UUID: the same write sent again under it happens once.",
    ),
]


class Once:
    """One write of one request."""

    def __init__(self, app: App, person: str, key: str | None, digest: bytes) -> None:
        self._app = app
        self._person = person
        self._key = key
        self._digest = digest

    def run(self, write: Callable[[], Any], *, doubles: bool = False) -> Response:
        """Does the write and answers, or answers as it did the first time.

        A write that `doubles` when it is done twice keeps its key after an error that leaves open whether it was done.
        """
        if self._key is None:
            return answered(plain(write()))
        before = self._claim()
        if before is not None:
            return before
        try:
            answer = plain(write())
        except Exception as error:
            if not doubles or isinstance(error, (Refused, Problem)):
                self._sql("DELETE FROM access.idempotency WHERE person = %s AND key = %s", self._person, self._key)
            raise
        self._sql(
            "UPDATE access.idempotency SET status = 200, answer = %s WHERE person = %s AND key = %s",
            json.dumps(answer),
            self._person,
            self._key,
        )
        return answered(answer)

    def _claim(self) -> Response | None:
        """Takes the key, or gives what it was answered before."""
        self._sql("DELETE FROM access.idempotency WHERE started_at < clock_timestamp() - %s", KEPT_FOR)
        if self._sql(
            "INSERT INTO access.idempotency (person, key, request_sha256) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
            self._person,
            self._key,
            self._digest,
        ):
            return None
        with self._app.database.connection() as connection:
            row = connection.execute(
                "SELECT request_sha256, status, answer FROM access.idempotency WHERE person = %s AND key = %s",
                (self._person, self._key),
            ).fetchone()
        if row is None:
            raise _running()  # it was given back this very moment
        if row[0] != self._digest:
            raise Problem(
                422,
                "key-used",
                "Key used for something else",
                "This Idempotency-Key came with another request before.",
                "Use a new key for every new write.",
            )
        if row[1] is None:
            raise _running()
        response = answered(row[2], row[1])
        response.headers["idempotent-replayed"] = "true"
        return response

    def _sql(self, statement: Any, *parameters: Any) -> int:
        with self._app.database.connection() as connection:
            return connection.execute(statement, parameters).rowcount


def _running() -> Problem:
    return Problem(
        409,
        "key-running",
        "Still running, or never finished",
        "A write under this Idempotency-Key was begun and has not been answered.",
        "Try again in a while; if it stays so, look whether it was done, and use a new key.",
        headers={"Retry-After": "5"},
    )


async def _once(request: Request, key: Given = None) -> Once:
    """The write of this request; the route's person must have been found before."""
    body = await request.body()
    asked = f"{request.method} {request.url.path}?{request.url.query}\n".encode("utf-8", "surrogatepass")
    person = request.state.person
    whose = f"{'token' if person.is_token else 'person'}:{person.name}"
    return Once(installation(request), whose, key, hashlib.sha256(asked + body).digest())


OncePerKey = Annotated[Once, Depends(_once)]
