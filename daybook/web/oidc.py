"""Signing in at an OpenID provider: there, back, and in. The provider says who somebody is; Daybook says what they may do.

The authorization code flow with PKCE (RFC 9700). There is no address to come back to but Daybook's own start page: none is
taken from a request.
"""

import re
from typing import Annotated, Final

import structlog
from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from daybook.web import identities, people
from daybook.web.access import client_address, cookie_name, installation, set_cookie
from daybook.web.identities import AnotherAccount, Unknown, Welcome
from daybook.web.limits import limited
from daybook.web.plain import page
from daybook.web.provider import CALLBACK, CODE, Account, Provider, Trouble, account, sign_in_url, sign_out_url

log = structlog.get_logger("daybook.web")
router = APIRouter(include_in_schema=False)

START: Final = "/sign-in/oidc"
LEAVE: Final = "/sign-in/oidc/leave"
SECRET: Final = re.compile(r"[A-Za-z0-9_-]{43}")
LINKS_WORK: Final = "A login link signs you in all the same: daybook login-link NAME"

Given = Annotated[str | None, Query(max_length=4_096)]


@router.get(START)
async def start(request: Request) -> Response:
    """Sends a browser to the provider."""
    limited(request, "sign-in", client_address(request))
    provider = configured(request)
    if provider is None:
        return _not_here()
    state, browser = await run_in_threadpool(identities.begin, installation(request))
    try:
        address = await sign_in_url(provider, state, browser)
    except Trouble as error:
        return _trouble(provider, error)
    response = RedirectResponse(address, status_code=303)
    _keep(request, response, state, browser)
    return response


@router.get(CALLBACK)
async def back(request: Request, state: Given = None, code: Given = None, error: Given = None, iss: Given = None) -> Response:
    """Takes in whoever comes back from the provider."""
    limited(request, "sign-in", client_address(request))
    provider = configured(request)
    if provider is None:
        return _not_here()
    app = installation(request)
    state = state if state is not None and SECRET.fullmatch(state) else ""
    browser = request.cookies.get(_cookie(request, state), "")
    if not state or not browser or not await run_in_threadpool(identities.finish, app, state, browser):
        return _begin_again(provider)
    if error is not None or code is None:
        return _refused(provider, error or "")
    try:
        found = await account(provider, code, state, browser, iss)
    except Trouble as trouble:
        return _trouble(provider, trouble)
    outcome = await run_in_threadpool(identities.welcome, app, provider.issuer, found.subject, found.said)
    log.info("oidc_sign_in", provider=provider.host, outcome=type(outcome).__name__)
    if not isinstance(outcome, Welcome):
        return _stranger(provider, outcome, found)
    before = request.cookies.get(cookie_name(request))
    if before:
        await run_in_threadpool(people.end_session, app, before)
    response = RedirectResponse("/", status_code=303)
    set_cookie(request, response, outcome.secret)
    _forget(request, response)
    return response


@router.get(LEAVE)
async def leave(request: Request) -> Response:
    """Sends a browser to the provider's own signing out; Daybook's session is ended already."""
    limited(request, "sign-in", client_address(request))
    provider = configured(request)
    if provider is None:
        return _not_here()
    try:
        address = await sign_out_url(provider)
    except Trouble as error:
        said = [f"{provider.host} {error}.", "You are signed out of Daybook. Sign out over there as well."]
        return page(f"Not signed out of {provider.host}", said, status=502, home=False)
    return RedirectResponse(address, status_code=303)


def signed_out(provider: Provider) -> Response:
    """Says that the provider would let this browser in again without asking."""
    said = [
        f"You are signed out of Daybook. {provider.host} may still know this browser: then one click signs in again here.",
        "On a computer that others use too, sign out over there as well.",
    ]
    return page("Signed out", said, link=(LEAVE, f"Sign out of {provider.host} too"))


def configured(request: Request) -> Provider | None:
    """The provider, if there is one."""
    found: Provider | None = request.app.state.oidc
    return found


def start_url(provider: Provider) -> str:
    """Where signing in begins: at the public address, for it ends there, and the cookie must be there."""
    return provider.public_url + START


def _cookie(request: Request, state: str) -> str:
    """A cookie for each sign-in that was begun: two tabs, or two clicks, do not spoil one another."""
    return f"{'__Host-' if request.app.state.secure else ''}daybook-oidc-{people.hash_of(state).hex()[:16]}"


def _keep(request: Request, response: Response, state: str, browser: str) -> None:
    response.set_cookie(
        _cookie(request, state),
        browser,
        max_age=int(identities.ATTEMPT_LASTS.total_seconds()),
        path="/",
        httponly=True,
        samesite="lax",
        secure=request.app.state.secure,
    )


def _forget(request: Request, response: Response) -> None:
    for name in request.cookies:
        if name.removeprefix("__Host-").startswith("daybook-oidc-"):
            response.delete_cookie(name, path="/", secure=request.app.state.secure, httponly=True, samesite="lax")


def _not_here() -> Response:
    said = ["This Daybook has no provider to sign in at (DAYBOOK_OIDC_ISSUER).", LINKS_WORK]
    return page("No sign-in of this kind", said, status=404, home=False)


def _begin_again(provider: Provider) -> Response:
    said = [
        "It was begun in another browser or longer than ten minutes ago, or it was used already.",
        "Nobody was signed in by it. Begin once more from here; or go on, if you are in already.",
    ]
    return page("This sign-in cannot be finished", said, status=400, link=_again(provider))


def _refused(provider: Provider, error: str) -> Response:
    known = error if CODE.fullmatch(error) else "no reason given"
    log.warning("oidc_refused", provider=provider.host, error=known)
    said = [
        "You stopped there, or may not use Daybook by its rules."
        if known == "access_denied"
        else f"It refused: {known}. Whoever runs Daybook finds out more there.",
        LINKS_WORK,
    ]
    return page(f"{provider.host} did not sign you in", said, status=403, home=False, link=_again(provider))


def _trouble(provider: Provider, trouble: Trouble) -> Response:
    said = [
        f"{provider.host} {trouble}.",
        "Nobody was signed in. Try again; if it stays so, tell whoever runs Daybook.",
        LINKS_WORK,
    ]
    return page(f"Signing in with {provider.host} does not work now", said, status=502, home=False, link=_again(provider))


def _stranger(provider: Provider, outcome: Unknown | AnotherAccount, found: Account) -> Response:
    """Who the provider knows and Daybook does not: what to ask for, in words to copy."""
    host, title, command = provider.host, "Daybook does not know you yet", None
    match outcome:
        case AnotherAccount(name):
            title = "That is another account"
            said = [
                f"{host} calls you {name}. Here {name} is somebody who signs in with another account there.",
                "If that was you, before your account was made anew, ask Daybook's admin to run, once:",
            ]
            command = f"daybook user unlink {name}"
        case Unknown(_, None) if found.unverified:
            title = "Your e-mail address is not verified"
            said = [
                f"{host} has not made sure that your e-mail address is yours, so it proves nothing here.",
                f"Have it verified at {host}, or ask Daybook's admin for another claim (DAYBOOK_OIDC_CLAIM, docs/sign-in.md).",
            ]
        case Unknown("", None):
            said = [
                f"{host} does not say what Daybook knows people by ({provider.claim}).",
                "Ask Daybook's admin: docs/sign-in.md.",
            ]
        case Unknown(what, None):
            said = [
                f"{host} calls you {what} ({provider.claim}), which cannot be a name here: letters, digits and . _ @ + - only.",
                "Ask Daybook's admin for another claim: DAYBOOK_OIDC_CLAIM, docs/sign-in.md.",
            ]
        case Unknown(_, name):
            said = [
                f"{host} calls you {name}, and nobody of that name may use this Daybook.",
                "Ask its admin to run this, with the role you need (viewer, biller or admin), and sign in again:",
            ]
            command = f"daybook user add {name} --role viewer"
    return page(title, said, status=403, command=command, home=False, link=_again(provider))


def _again(provider: Provider) -> tuple[str, str]:
    return start_url(provider), "Try again"
