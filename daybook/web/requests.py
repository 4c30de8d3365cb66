"""Around every request: its id, one line in the log, its duration, the headers that protect the answer, and no stack traces."""

import time
import traceback
import uuid
from typing import Any, Final

import structlog
from starlette.requests import Request

from daybook.web import metrics
from daybook.web.guard import Asgi, Receive, Scope, Send
from daybook.web.problems import answer, problem_of

log = structlog.get_logger("daybook.web")

POLICY: Final = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src {images}; object-src 'none'; base-uri 'none';"
    " form-action 'self'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=()",
}
HSTS: Final = "max-age=31536000"
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
MOST_PLACES: Final = 12
QUIET: Final = ("/healthz", "/readyz", "/metrics", "/static")


class Recorded:
    """The outermost part: everything inside is answered somehow, and every answer is written down."""

    def __init__(self, app: Asgi, *, secure: bool) -> None:
        self._app = app
        self._secure = secure

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.monotonic()
        request_id = uuid.uuid4().hex
        status = 0

        async def sending(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                self._protect(message, scope, request_id)
            await send(message)

        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        fault = None
        try:
            await self._app(scope, receive, sending)
        except Exception as error:  # a bug: written down with its trace, answered without it
            fault = error
            if status:
                raise
            await answer(Request(scope, receive), problem_of(error))(scope, receive, sending)
        finally:
            self._record(scope, status, time.monotonic() - started, fault)

    def _protect(self, message: Any, scope: Scope, request_id: str) -> None:
        given = {name for name, _ in message["headers"]}
        path = scope["path"]
        images = "'self' data:" if path == "/docs" else "'self'"
        ours = {**HEADERS, "x-request-id": request_id, "content-security-policy": POLICY.format(images=images)}
        if self._secure:
            ours["strict-transport-security"] = HSTS
        if not path.startswith("/static/"):
            ours["cache-control"] = "no-store"
        message["headers"] = [
            *message["headers"],
            *((n.encode(), v.encode()) for n, v in ours.items() if n.encode() not in given),
        ]

    def _record(self, scope: Scope, status: int, took_s: float, fault: Exception | None) -> None:
        route = _route(scope)
        method = scope["method"] if scope["method"] in METHODS else "other"  # a stranger must not make labels
        metrics.REQUESTS.labels(method, route, str(status)).observe(took_s)
        person = scope.get("state", {}).get("person")
        write = log.error if fault is not None else log.debug if scope["path"].startswith(QUIET) else log.info
        write(
            "request",
            method=method,
            route=route,
            status=status,
            ms=round(took_s * 1000, 1),
            person=person.name if person is not None else None,
            **({"trace": _trace(fault)} if fault is not None else {}),
        )


def _route(scope: Scope) -> str:
    """The template of the address, never the address: a stranger must not make labels, nor a secret get into the log."""
    known = getattr(scope.get("route"), "path", None)
    if known is not None:
        return str(known)
    path = scope["path"]
    return "/openapi.json" if path == "/openapi.json" else "/static" if path.startswith("/static/") else "unmatched"


def _trace(fault: Exception) -> str:
    """Where a bug is: places and kinds, no values, for those may be personal."""
    places = [f"{one.filename}:{one.lineno} {one.name}" for one in traceback.extract_tb(fault.__traceback__)]
    return " < ".join([type(fault).__name__, *reversed(places[-MOST_PLACES:])])
