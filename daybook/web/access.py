"""Who may reach a route: a session's cookie or a bearer token, and the role the route asks for.

A route says `Depends(require("biller"))`; the person is then in `request.state.person` (and is the dependency's value).
The installation is `request.app.state.daybook`.
"""

from collections.abc import Callable
from typing import Final

from fastapi import Request
from fastapi.responses import RedirectResponse, Response

from daybook.app import App
from daybook.web import people
from daybook.web.limits import limited
from daybook.web.people import Person, Role

DEMO_PERSON: Final = "demo"


class SignInNeeded(Exception):
    """Nobody is signed in, or the token is no good."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class NotAllowed(Exception):
    """The person's role may not do that."""

    def __init__(self, person: Person, needed: Role) -> None:
        super().__init__(f"{person.name} is a {person.role}; this needs a {needed}")
        self.person = person
        self.needed = needed


def require(role: Role) -> Callable[[Request], Person]:
    """A dependency that lets through whoever may do what `role` may; the generated matrix test reads `.role`."""

    def required(request: Request) -> Person:
        person = identify(request)
        if not person.may(role):
            raise NotAllowed(person, role)
        return person

    required.role = role  # type: ignore[attr-defined]
    return required


def identify(request: Request) -> Person:
    """Who asks; raises SignInNeeded. A token that is sent counts alone, whatever the cookie says."""
    app = installation(request)
    header = request.headers.get("authorization")
    if header is not None:
        scheme, _, token = header.partition(" ")
        person = people.person_of_token(app, token.strip()) if scheme.lower() == "bearer" else None
        if person is None:
            limited(request, "sign-in", client_address(request))
            raise SignInNeeded("The bearer token is unknown, expired or revoked.")
    else:
        secret = request.cookies.get(cookie_name(request))
        person = people.person_of_session(app, secret) if secret else None
        if person is None:
            raise SignInNeeded("Nobody is signed in.")
    request.state.person = person
    return person


def signed_in(request: Request) -> Person | None:
    """Who asks, if anybody is signed in: for pages that everybody may see."""
    try:
        return identify(request)
    except SignInNeeded:
        return None


def installation(request: Request) -> App:
    """The opened installation."""
    found: App = request.app.state.daybook
    return found


def client_address(request: Request) -> str:
    """The address a request came from, as a key for limits."""
    return request.client.host if request.client is not None else "?"


def cookie_name(request: Request) -> str:
    """The session cookie; the prefix makes browsers refuse one that is not secure and of this very host."""
    return "__Host-daybook" if request.app.state.secure else "daybook"


def set_cookie(request: Request, response: Response, secret: str) -> None:
    """Hands the session's secret to the browser."""
    response.set_cookie(
        cookie_name(request),
        secret,
        max_age=int(people.SESSION_LASTS.total_seconds()),
        path="/",
        httponly=True,
        samesite="lax",
        secure=request.app.state.secure,
    )


def to_sign_in(request: Request) -> Response:
    """Sends a browser to the sign-in page; htmx is told to load it whole."""
    if request.headers.get("hx-request"):
        return Response(status_code=401, headers={"HX-Redirect": "/sign-in"})
    return RedirectResponse("/sign-in", status_code=303)


def link_url(app: App, secret: str, base: str | None = None) -> str:
    """The address of a login link."""
    return f"{(app.settings.public_url or base or 'http://127.0.0.1:8000').rstrip('/')}/sign-in/{secret}"


def demo_link(app: App, base: str | None = None) -> str:
    """The address that signs in to the demo, as a person who may do everything there; for `./run demo` to print."""
    people.add_person(app, DEMO_PERSON, "admin")
    return link_url(app, people.make_link(app, DEMO_PERSON), base)
