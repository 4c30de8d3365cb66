"""An OpenID provider, over the network: where it signs people in, and whose account came back; bounded in time and size.

Nothing is remembered between sign-ins: its description and its keys are asked for each time, so that a key it has changed
or withdrawn counts at once. People sign in a few times a week; two more requests each time are nothing.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import re
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

import httpx2
import structlog

from daybook.settings import LOOPBACK, Settings
from daybook.web.idtoken import Untrue, claims_of

log = structlog.get_logger("daybook.web")

CALLBACK: Final = "/sign-in/oidc/callback"
WITHIN_S: Final = 8.0
"""How long a person waits for everything the provider is asked at one click, in seconds."""
MOST_BYTES: Final = 512 * 1024
LONGEST_NAME: Final = 200
CODE: Final = re.compile(r"[a-z_]{1,40}")
"""An error's name as OAuth writes it: anything else is not repeated to anybody."""
_HEADERS: Final = {"accept": "application/json", "accept-encoding": "identity", "user-agent": "Daybook"}


class Trouble(Exception):
    """The provider is away, or answers what cannot count; the message goes on after its name, and names no person."""


@dataclass(frozen=True, slots=True)
class Provider:
    """Who proves who somebody is, and what Daybook is to them."""

    issuer: str
    client_id: str
    client_secret: str | None = field(repr=False)
    claim: str
    public_url: str
    within_s: float = WITHIN_S

    @property
    def host(self) -> str:
        """What people know it by."""
        return urlsplit(self.issuer).hostname or self.issuer

    @property
    def redirect_uri(self) -> str:
        """Where it sends people back to: to be registered there, to the letter."""
        return self.public_url + CALLBACK

    @property
    def scope(self) -> str:
        """No more of a person than is needed to know who it is."""
        return "openid email" if self.claim == "email" else "openid profile"


@dataclass(frozen=True, slots=True)
class Account:
    """Who was proved: an account for ever, and what it is called now; nothing where that is absent or not verified."""

    subject: str
    said: str | None
    unverified: bool = False


def provider_of(settings: Settings) -> Provider | None:
    """The provider that is configured; the settings have been checked."""
    issuer, client_id, public = settings.oidc_issuer, settings.oidc_client_id, settings.public_url
    if issuer is None or client_id is None or public is None:
        return None
    secret = settings.oidc_client_secret or None  # an empty one is a public client, too
    return Provider(issuer, client_id, secret, settings.oidc_claim, public.rstrip("/"))


async def sign_in_url(provider: Provider, state: str, browser: str) -> str:
    """Where to send somebody to sign in; raises Trouble."""
    async with _asking(provider) as ask:
        about = await ask.about()
    asked = {
        "response_type": "code",
        "client_id": provider.client_id,
        "redirect_uri": provider.redirect_uri,
        "scope": provider.scope,
        "state": state,
        "nonce": _derived(browser, "nonce", state),
        "code_challenge": _base64(hashlib.sha256(_derived(browser, "verifier", state).encode()).digest()),
        "code_challenge_method": "S256",
    }
    address = _address(provider, about, "authorization_endpoint")
    return _with(address, asked)


async def sign_out_url(provider: Provider) -> str:
    """Where somebody ends their session at the provider (RP-initiated logout); raises Trouble where it has no such place."""
    async with _asking(provider) as ask:
        address = _address(provider, await ask.about(), "end_session_endpoint")
    return _with(address, {"client_id": provider.client_id})


async def account(provider: Provider, code: str, state: str, browser: str, answered_as: str | None) -> Account:
    """Whose account a code stands for; `answered_as` is the issuer that the answer named (RFC 9207). Raises Trouble."""
    async with _asking(provider) as ask:
        about = await ask.about()
        if answered_as != provider.issuer and (
            answered_as is not None or about.get("authorization_response_iss_parameter_supported") is True
        ):
            raise Trouble("is not who answered (iss): begin again")
        tokens = await ask.exchange(about, code, _derived(browser, "verifier", state))
        keys = await ask.get(_address(provider, about, "jwks_uri"), "its keys")
        nonce = _derived(browser, "nonce", state)
        try:
            claims = claims_of(
                tokens["id_token"], keys, issuer=provider.issuer, client_id=provider.client_id, nonce=nonce, now=time.time()
            )
        except Untrue as error:
            raise Trouble(f"sent an ID token that does not count: {error}") from None
        if lacking(provider, claims) and "userinfo_endpoint" in about:
            more = await ask.userinfo(about, tokens.get("access_token"))
            if more.get("sub") == claims["sub"]:
                claims = {**more, **claims}
    return account_of(provider, claims)


def lacking(provider: Provider, claims: dict[str, Any]) -> bool:
    """Whether the token is silent on who it is; providers may keep that for a second question."""
    return provider.claim not in claims or (provider.claim == "email" and "email_verified" not in claims)


def account_of(provider: Provider, claims: dict[str, Any]) -> Account:
    """Who the claims mean: an e-mail address counts only where the provider has verified it."""
    said = claims.get(provider.claim)
    if not isinstance(said, str) or not 0 < len(said) <= LONGEST_NAME or not said.isprintable():
        return Account(claims["sub"], None)
    if provider.claim == "email" and claims.get("email_verified") is not True:
        return Account(claims["sub"], None, unverified=True)
    return Account(claims["sub"], said)


@asynccontextmanager
async def _asking(provider: Provider) -> AsyncIterator["_Questions"]:
    """Everything that is asked at one click, within its time; whatever goes wrong is a Trouble, and is written down."""
    try:
        async with asyncio.timeout(provider.within_s), await asyncio.to_thread(_client, provider.within_s) as client:
            yield _Questions(provider, client)
    except (TimeoutError, Trouble) as error:
        trouble = error if isinstance(error, Trouble) else Trouble(f"did not answer within {provider.within_s:g} seconds")
        log.warning("oidc_trouble", provider=provider.host, problem=str(trouble))
        raise trouble from None


def _client(within_s: float) -> httpx2.AsyncClient:
    try:
        return httpx2.AsyncClient(headers=_HEADERS, verify=_trusted(), timeout=within_s, follow_redirects=False)
    except (OSError, ValueError, ImportError, httpx2.InvalidURL) as error:
        where = "look at this machine's proxy settings and certificates"
        raise Trouble(f"cannot be asked: {where} ({type(error).__name__})") from None


@cache
def _trusted() -> ssl.SSLContext:
    """Whose certificates count: those that this machine trusts, read once, for that takes a while."""
    return httpx2.create_ssl_context()


class _Questions:
    """What can be asked of a provider within one connection."""

    def __init__(self, provider: Provider, client: httpx2.AsyncClient) -> None:
        self._provider = provider
        self._client = client

    async def about(self) -> dict[str, Any]:
        """The provider's description of itself, by the very issuer that is configured."""
        issuer = self._provider.issuer
        about = await self.get(issuer.rstrip("/") + "/.well-known/openid-configuration", "its description")
        if about.get("issuer") != issuer:
            raise Trouble("calls itself by another address than DAYBOOK_OIDC_ISSUER says: they must be alike, to the last /")
        return about

    async def exchange(self, about: dict[str, Any], code: str, verifier: str) -> dict[str, Any]:
        """The tokens for a code."""
        provider = self._provider
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": provider.redirect_uri,
            "code_verifier": verifier,
        }
        headers = {}
        ways = about.get("token_endpoint_auth_methods_supported")
        if provider.client_secret is None:
            form["client_id"] = provider.client_id
        elif isinstance(ways, list) and "client_secret_basic" not in ways and "client_secret_post" in ways:
            form |= {"client_id": provider.client_id, "client_secret": provider.client_secret}
        else:
            pair = f"{quote(provider.client_id, safe='')}:{quote(provider.client_secret, safe='')}"
            headers["authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
        address = _address(provider, about, "token_endpoint")
        status, tokens = await self._ask("POST", address, "the sign-in's token", data=form, headers=headers)
        if status != 200:
            error = tokens.get("error")
            why = error if isinstance(error, str) and CODE.fullmatch(error) else f"status {status}"
            ours = ": look at DAYBOOK_OIDC_CLIENT_ID and _SECRET" if why in ("invalid_client", "unauthorized_client") else ""
            raise Trouble(f"refused to finish the sign-in ({why}){ours}")
        if not isinstance(tokens.get("id_token"), str):
            raise Trouble("sent no ID token: is it OpenID Connect, or OAuth alone?")
        return tokens

    async def userinfo(self, about: dict[str, Any], access_token: Any) -> dict[str, Any]:
        """What else the provider says of whoever signed in."""
        if not isinstance(access_token, str) or not access_token.isascii() or not access_token.isprintable():
            raise Trouble("sent no access token to ask who it is")
        headers = {"authorization": f"Bearer {access_token}"}
        return await self.get(_address(self._provider, about, "userinfo_endpoint"), "who it is", headers=headers)

    async def get(self, address: str, what: str, **more: Any) -> dict[str, Any]:
        """A JSON object that the provider has."""
        status, found = await self._ask("GET", address, what, **more)
        if status != 200:
            raise Trouble(f"answered with status {status}, asked for {what}")
        return found

    async def _ask(self, method: str, address: str, what: str, **more: Any) -> tuple[int, dict[str, Any]]:
        body = b""
        try:
            async with self._client.stream(method, address, **more) as response:
                async for part in response.aiter_raw():
                    body += part
                    if len(body) > MOST_BYTES:
                        raise Trouble(f"answered far too much, asked for {what}")
        except httpx2.TimeoutException:
            raise TimeoutError from None  # as the clock around all questions would
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            raise Trouble(f"cannot be reached, asked for {what} ({type(error).__name__})") from None
        try:
            found = json.loads(body)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise Trouble(f"answered something that is no JSON object (status {response.status_code}), asked for {what}")
        return response.status_code, found


def _address(provider: Provider, about: dict[str, Any], name: str) -> str:
    """One of the addresses that the provider names: https, or within this machine where the provider is."""
    found = about.get(name)
    try:
        parts = urlsplit(found if isinstance(found, str) and found.isascii() and found.isprintable() and " " not in found else "")
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if host and not parts.fragment:
        if parts.scheme == "https":
            return str(found)
        if parts.scheme == "http" and host in LOOPBACK and urlsplit(provider.issuer).scheme == "http":
            return str(found)
    raise Trouble(f"names no usable {name}")


def _with(address: str, asked: dict[str, str]) -> str:
    return f"{address}{'&' if '?' in address else '?'}{urlencode(asked)}"


def _derived(browser: str, what: str, state: str) -> str:
    """A secret of this one sign-in that only the browser's cookie can bring back: the database need not keep it."""
    return _base64(hmac.digest(browser.encode("utf-8", "replace"), f"{what}:{state}".encode("utf-8", "replace"), "sha256"))


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
