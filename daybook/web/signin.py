"""Signing in with a one-time link, and out again; there are no passwords. `oidc` is the other way in."""

from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import RedirectResponse, Response

from daybook.web import oidc, people
from daybook.web.access import client_address, cookie_name, installation, set_cookie, signed_in
from daybook.web.limits import limited
from daybook.web.plain import page

router = APIRouter(include_in_schema=False)

Secret = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{20,100}$")]


@router.get("/sign-in")
def sign_in(request: Request) -> Response:
    """Says how to get in."""
    if signed_in(request) is not None:
        return RedirectResponse("/", status_code=303)
    provider = oidc.configured(request)
    if provider is not None and "out" in request.query_params:
        return oidc.signed_out(provider)
    if provider is not None:
        below = ["Or with a link that works once, for 15 minutes. Whoever runs Daybook makes one with: daybook login-link NAME"]
        there = (oidc.start_url(provider), f"Sign in with {provider.host}")
        return page("Sign in", [], link=there, below=below, home=False)
    return page(
        "Sign in",
        [
            "Daybook has no passwords: you sign in with a link that works once, for 15 minutes.",
            "Whoever runs Daybook makes one with: daybook login-link NAME",
        ],
        home=False,
    )


@router.get("/sign-in/{secret}")
def confirm(request: Request, secret: Secret) -> Response:
    """Asks for a click: a mail scanner that follows the link must not use it up."""
    limited(request, "sign-in", client_address(request))
    if not people.link_is_good(installation(request), secret):
        return _no_good()
    said = ["This link signs you in to Daybook, once."]
    return page("Sign in", said, action=f"/sign-in/{secret}", button="Sign in", home=False)


@router.post("/sign-in/{secret}")
def use(request: Request, secret: Secret) -> Response:
    """Uses the link up and starts a session."""
    limited(request, "sign-in", client_address(request))
    app = installation(request)
    session = people.use_link(app, secret)
    if session is None:
        return _no_good()
    before = request.cookies.get(cookie_name(request))
    if before:
        people.end_session(app, before)
    response = RedirectResponse("/", status_code=303)
    set_cookie(request, response, session)
    return response


@router.post("/sign-out")
def sign_out(request: Request) -> Response:
    """Ends the session, here and in the database."""
    secret = request.cookies.get(cookie_name(request))
    if secret:
        people.end_session(installation(request), secret)
    response = RedirectResponse("/sign-in" if oidc.configured(request) is None else "/sign-in?out=1", status_code=303)
    response.delete_cookie(cookie_name(request), path="/", secure=request.app.state.secure, httponly=True, samesite="lax")
    return response


def _no_good() -> Response:
    return page(
        "This link is no good",
        ["It was used already, is older than 15 minutes, or was copied in part.", "Ask for a new one: daybook login-link NAME"],
        status=410,
        home=False,
    )
