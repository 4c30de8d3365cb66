"""What a refused request is told: problem+json for programs, a page for people; always with what to do about it."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from psycopg import Error as DatabaseError
from psycopg_pool import PoolTimeout
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from daybook.feeding import NobodyConsumes
from daybook.web.access import NotAllowed, SignInNeeded, to_sign_in
from daybook.web.limits import TooMany
from daybook.web.plain import page
from projections.version import Overtaken
from projections.views import ViewsBehind
from runs.errors import AsOfBeforeSeries, NothingThere, Refused

MEDIA_TYPE: Final = "application/problem+json"
MOST_ERRORS: Final = 100


class FieldError(BaseModel):
    """One thing that is wrong with a request."""

    model_config = ConfigDict(extra="forbid")

    where: str = Field(description="The part of the request, e.g. body.confirmed.0.currency.")
    what: str = Field(description="What is wrong with it.")


class ProblemDetails(BaseModel):
    """An answer that says no (RFC 9457), and what to do."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "type": "urn:daybook:problem:not-allowed",
                "title": "Not allowed",
                "status": 403,
                "detail": "ann is a viewer; this needs a biller.",
                "what_to_do": "Ask an admin for the role (`daybook user add NAME --role ROLE`).",
                "errors": [],
            }
        },
    )

    type: str
    title: str
    status: int
    detail: str
    what_to_do: str
    errors: list[FieldError] = []


_SAYS_NO: Final = {
    400: "The request could not be read.",
    401: "No token or session, or no good one.",
    403: "The role does not allow it, or another site's page sent it.",
    404: "There is no such thing.",
    409: "Refused: nothing was changed.",
    413: "The body is too long.",
    421: "Asked by a host name that is not this installation's.",
    422: "The request does not fit; `errors` says where.",
    429: "Too often; Retry-After says how long to wait.",
    503: "The database or the views are out of reach; try again.",
}
DECLARED: Final[dict[int | str, dict[str, Any]]] = {
    status: {"description": text, "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}}}
    for status, text in _SAYS_NO.items()
}
"""What an operation may answer instead, for OpenAPI."""


class Problem(Exception):
    """A request is refused; the answer says what is wrong and what to do."""

    def __init__(
        self,
        status: int,
        name: str,
        title: str,
        detail: str,
        what_to_do: str,
        *,
        errors: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.headers = dict(headers or {})
        self.title = title
        self.what_to_do = what_to_do
        self.detail = detail
        self.body: dict[str, Any] = {
            "type": f"urn:daybook:problem:{name}",
            "title": title,
            "status": status,
            "detail": detail,
            "what_to_do": what_to_do,
            "errors": [{"where": where, "what": what} for where, what in errors[:MOST_ERRORS]],
        }

    def response(self) -> Response:
        """The answer for programs."""
        return Response(
            json.dumps(self.body, ensure_ascii=True), status_code=self.status, headers=self.headers, media_type=MEDIA_TYPE
        )


AT_A_PAGE: Final = {
    "nothing-there": ("", "Check the address, or find it again in its list."),
    "no-address": (
        "There is nothing at this address.", "Check it, or find what you look for in the queue, under Time or under Invoices.",
    ),
    "invalid": ("The address is not as Daybook's own pages write it.", "Go back, and follow the link again."),
    "bad-request": ("", "Go back, and follow the link again."),
}  # fmt: skip
"""What is wrong (null: what a program is told) and what to do, for people at a page."""
LISTS: Final = {
    "/clients": "To the clients", "/invoices": "To the invoices", "/payments": "To the payments", "/time": "To the time entries",
    "/reminders": "To the reminders", "/charge-types": "To the charge types",
}  # fmt: skip


def answer(request: Request, problem: Problem) -> Response:
    """The answer for whoever asks: programs ask below /api, or for JSON; everybody else gets a page."""
    if wants_json(request.url.path, request.headers.get("accept", "")):
        return problem.response()
    name = problem.body["type"].rpartition(":")[2]
    detail, what_to_do = AT_A_PAGE.get(name, ("", problem.what_to_do))
    said = [detail or f"{problem.detail.rstrip('.')}.", what_to_do.replace("`", "")]
    back = _list_of(request.url.path) if problem.status == 404 else None
    response = page(problem.title, said, status=problem.status, back=back)
    response.headers.update(problem.headers)
    return response


def _list_of(path: str) -> tuple[str, str] | None:
    """The list in which somebody finds what is not at this address: its address, and what it is called."""
    first = "/" + path.split("/")[1]
    return (first, LISTS[first]) if first in LISTS else None


def wants_json(path: str, accept: str) -> bool:
    """Whether the asker is a program."""
    return path.startswith(("/api/", "/openapi.json", "/healthz", "/readyz", "/metrics")) or "json" in accept


def problem_of(error: Exception) -> Problem:
    """The answer to an error that people's commands, the database or the framework raise."""
    match error:
        case Problem():
            return error
        case SignInNeeded():
            return Problem(
                401,
                "sign-in-needed",
                "Sign in",
                error.detail,
                "Send `Authorization: Bearer TOKEN` (`daybook token add NAME --role ROLE`), or sign in with a login link.",
                headers={"WWW-Authenticate": 'Bearer realm="daybook"'},
            )
        case NotAllowed():
            return Problem(
                403, "not-allowed", "Not allowed", f"{error}.", "Ask an admin for the role (`daybook user add NAME --role ROLE`)."
            )
        case TooMany():
            return Problem(
                429,
                "too-many",
                "Too often",
                f"That was asked too often ({error.args[0]}).",
                f"Wait {error.wait_s} seconds and try again.",
                headers={"Retry-After": str(error.wait_s)},
            )
        case NothingThere():
            todo = "Check the id; the lists of the API name what there is."
            return Problem(404, "nothing-there", "Not there", _first_line(error), todo)
        case AsOfBeforeSeries():
            return Problem(409, "as-of-before-series", "Dated too early", _first_line(error), "Use a later as_of.")
        case Refused():
            todo = "Nothing was changed: look at it again, then decide."
            return Problem(409, "refused", "Refused", _first_line(error), todo)
        case NobodyConsumes():
            todo = "Start `daybook worker`; what was sent is kept."
            return Problem(503, "nobody-consumes", "Not handled yet", _first_line(error), todo)
        case ViewsBehind():
            todo = "Try again; `daybook doctor` says more."
            return Problem(503, "views-behind", "Not up to date yet", _first_line(error), todo)
        case Overtaken():
            todo = "The operator stops this process and starts the new version (docs/operations.md, Upgrade)."
            return Problem(503, "overtaken", "Being upgraded", f"{_first_line(error)}.", todo, headers={"Retry-After": "5"})
        case PoolTimeout() | DatabaseError():
            return Problem(
                503,
                "database-away",
                "The database does not answer",
                "The database could not be reached, or gave up.",
                "Try again shortly; if it stays so, the operator runs `daybook doctor`.",
                headers={"Retry-After": "5"},
            )
        case _:
            return Problem(
                500,
                "fault",
                "Something is broken",
                "Daybook failed at this; nothing half done is kept.",
                "Try again; if it stays so, report it with the request id of the answer's X-Request-Id header.",
            )


def add_handlers(app: FastAPI) -> None:
    """Makes the application answer errors this way."""

    def handled(request: Request, error: Exception) -> Response:
        if isinstance(error, SignInNeeded) and not wants_json(request.url.path, request.headers.get("accept", "")):
            return to_sign_in(request)
        return answer(request, problem_of(error))

    for kind in (
        Problem, SignInNeeded, NotAllowed, TooMany, Refused, NobodyConsumes, ViewsBehind, Overtaken, PoolTimeout, DatabaseError
    ):  # fmt: skip
        app.add_exception_handler(kind, handled)

    def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return answer(request, _of_http(error))

    def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        errors = [(".".join(str(part) for part in one["loc"]), str(one["msg"])) for one in error.errors()]
        return answer(
            request,
            Problem(
                422,
                "invalid",
                "Not understood",
                "; ".join(f"{where}: {what}" for where, what in errors[:3]),
                "Correct what `errors` names; /docs shows what each operation takes.",
                errors=errors,
            ),
        )

    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(RequestValidationError, invalid)


def _of_http(error: HTTPException) -> Problem:
    match error.status_code:
        case 404:
            name, title, todo = "no-address", "Not there", "Check the address; /docs lists every operation."
        case 405:
            name, title, todo = "method", "Not that way", "Use a method that the Allow header names."
        case 413:
            name, title, todo = "too-large", "Too large", "Send it in smaller parts."
        case _:
            name, title, todo = "bad-request", "Not understood", "Correct the request; /docs shows what each operation takes."
    return Problem(error.status_code, name, title, str(error.detail), todo, headers=error.headers)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
