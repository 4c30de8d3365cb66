"""What no request passes: another site's form, an unknown host name, a body without end."""

from collections.abc import Awaitable, Callable, Collection
from typing import Any, Final
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException

from daybook.web.plain import page
from daybook.web.problems import Problem, wants_json

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[Any], Awaitable[None]]
Asgi = Callable[[Any, Any, Any], Awaitable[None]]

SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})
FOR_PROBES: Final = frozenset({"/healthz", "/readyz"})
"""A probe asks by whatever address it has; these say nothing that is worth a guard."""
MOST_BYTES: Final = 1 << 20
MOST_EVENT_BYTES: Final = 8 << 20


class Guard:
    """Refuses before anything else looks at the request."""

    def __init__(self, app: Asgi, *, public_url: str | None) -> None:
        self._app = app
        self._hosts = trusted_hosts(public_url)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on, or answers it here."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name: value.decode("latin-1") for name, value in reversed(scope["headers"])}
        most = MOST_EVENT_BYTES if scope["path"] == "/api/v1/events" else MOST_BYTES
        problem = self._problem(scope, headers, most)
        if problem is not None:
            await _answer(problem, scope, headers)(scope, receive, send)
            return
        await self._app(scope, _capped(receive, most), send)

    def _problem(self, scope: Scope, headers: dict[bytes, str], most: int) -> Problem | None:
        host = headers.get(b"host", "")
        if scope["path"] not in FOR_PROBES and not is_trusted(host, self._hosts):
            return Problem(
                421,
                "unknown-host",
                "Unknown host name",
                "This Daybook does not answer to the host name that was asked for.",
                "Set DAYBOOK_PUBLIC_URL to the address people use, or ask by 127.0.0.1 or localhost.",
            )
        if scope["method"] not in SAFE and is_cross_site(headers, host):
            return Problem(
                403,
                "cross-site",
                "From another site",
                "The request was sent by a page of another site.",
                "Do it on Daybook's own page, or send a token without a browser.",
            )
        length = headers.get(b"content-length", "0")
        if not length.isdigit() or int(length) > most:
            return _too_large(most)
        return None


def trusted_hosts(public_url: str | None) -> frozenset[str]:
    """The host names that are ours: the public URL's, and always this machine's own."""
    if public_url is None:
        return LOOPBACK
    return LOOPBACK | {urlsplit(public_url).netloc.lower(), (urlsplit(public_url).hostname or "").lower()}


def is_trusted(host: str, trusted: Collection[str]) -> bool:
    """Whether a Host header names this installation, whatever the port on this machine."""
    host = host.lower()
    name, _, port = host.rpartition(":") if not host.endswith("]") else (host, "", "")
    return host in trusted or (port.isdigit() and name in trusted)


def is_cross_site(headers: dict[bytes, str], host: str) -> bool:
    """Whether a browser says that another site's page sends this; a cookie that is Lax passes ports, this does not."""
    site = headers.get(b"sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = headers.get(b"origin")
    return origin is not None and urlsplit(origin).netloc.lower() != host.lower()


def _capped(receive: Receive, most: int) -> Receive:
    taken = 0

    async def capped() -> dict[str, Any]:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > most:
            raise HTTPException(413, f"The body is longer than {most} bytes.")
        return message

    return capped


def _too_large(most: int) -> Problem:
    return Problem(413, "too-large", "Too large", f"The body is longer than {most} bytes.", "Send it in smaller parts.")


def _answer(problem: Problem, scope: Scope, headers: dict[bytes, str]) -> Asgi:
    if wants_json(scope["path"], headers.get(b"accept", "")):
        return problem.response()
    return page(problem.title, [problem.detail, problem.what_to_do], status=problem.status, home=False)
