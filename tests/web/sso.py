"""Daybook with a provider beside it, and somebody who goes there and back."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
from fastapi.testclient import TestClient

from daybook.settings import Settings
from daybook.web import people
from daybook.web.provider import CALLBACK
from tests.web.conftest import BASE, Web
from tests.web.issuer import Claims, Issuer, issuing


@dataclass
class Sso:
    """A Daybook that signs people in at a provider."""

    web: Web
    issuer: Issuer

    def somebody(self, role: str = "biller", **claims: Any) -> str:
        """A person here with an account there, whose subject is their name's; gives the name."""
        name = f"p{secrets.token_hex(6)}@example.com"
        people.add_person(self.web.app, name, role)
        self.account(f"sub-{name}", email=name, email_verified=True, **claims)
        return name

    def account(self, subject: str, **claims: Any) -> str:
        """An account at the provider; gives its subject."""
        self.issuer.accounts[subject] = claims
        return subject

    def goes(self, client: TestClient) -> str:
        """Somebody clicks; gives the provider's address that they are sent to."""
        sent = client.get("/sign-in/oidc")
        assert sent.status_code == 303, sent.text
        return str(sent.headers["location"])

    def returns(self, address: str, subject: str) -> str:
        """Somebody signs in there; gives where the provider sends them."""
        back = httpx2.post(address, data={"sub": subject})
        assert back.status_code == 302, back.text
        return str(back.headers["location"]).removeprefix(self.web.asgi.state.oidc.public_url)

    def signs_in(self, name: str, client: TestClient | None = None, subject: str | None = None) -> httpx2.Response:
        """All of it; gives Daybook's last answer."""
        client = client or self.web.anonymous()
        return client.get(self.returns(self.goes(client), subject or f"sub-{name}"))

    def sessions(self, name: str) -> int:
        """How many sessions of somebody are open."""
        [(found,)] = self.web.rows("SELECT count(*) FROM access.sessions WHERE person = %s AND revoked_at IS NULL", name)
        return int(found)

    def everybody(self) -> list[Any]:
        """Who there is, and whose account is whose: to see that nothing was made."""
        return self.web.rows("SELECT name, role, removed_at FROM access.people ORDER BY 1") + self.web.rows(
            "SELECT issuer, subject, person FROM access.identities ORDER BY 1, 2"
        )


@contextmanager
def sso(web: Web, public_url: str = BASE, *, secure: bool = False, **settings: Any) -> Iterator[Sso]:
    """An installation like `web` with a provider of its own."""
    with issuing() as issuer:
        issuer.redirect_uris = (public_url + CALLBACK,)
        given: Claims = {"oidc_client_id": issuer.client_id, "oidc_client_secret": issuer.client_secret, **settings}
        known = web.app.settings
        told = Settings(
            database_url=known.database_url, home=known.home, today=known.today,
            public_url=public_url, oidc_issuer=issuer.address, **given,
        )  # fmt: skip
        yield Sso(Web(replace(web.app, settings=told), secure=secure), issuer)


def sent(address: str) -> dict[str, str]:
    """The query of an address."""
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}


def refused(one: Sso, answer: Any, status: int, name: str) -> None:
    """Nobody was signed in, nothing was made, and the page is one of ours."""
    assert answer.status_code == status, answer.text
    assert "daybook=" not in answer.headers.get("set-cookie", "")
    assert '<main class="container plain">' in answer.text
    assert one.sessions(name) == 0
    assert one.web.rows("SELECT 1 FROM access.identities WHERE person = %s", name) == []
