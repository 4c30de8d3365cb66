"""Sign-ins at an OpenID provider that are under way, and which account there is whose here; in Postgres."""

import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from daybook.app import App
from daybook.web.people import NAME, hash_of, sign_out_everywhere, start_session
from ledger.database import Connection
from runs.errors import NothingThere

ATTEMPT_LASTS: Final = timedelta(minutes=10)
"""How long somebody may take at the provider: passwords, a second factor."""


@dataclass(frozen=True, slots=True)
class Welcome:
    """A session was started; `secret` is its cookie."""

    secret: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nobody here has that name; `name` is nothing where the provider's value cannot be one."""

    said: str
    name: str | None


@dataclass(frozen=True, slots=True)
class AnotherAccount:
    """The name is somebody's who has signed in with another account of the provider before."""

    name: str


Outcome = Welcome | Unknown | AnotherAccount


def begin(app: App) -> tuple[str, str]:
    """Notes a sign-in that begins; gives its state, which travels, and the browser's secret, which does not."""
    state, browser = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    with app.database.connection() as connection:
        connection.execute("DELETE FROM access.oidc_attempts WHERE expires_at < clock_timestamp() - interval '1 day'")
        connection.execute(
            "INSERT INTO access.oidc_attempts (state_sha256, browser_sha256, expires_at) VALUES (%s, %s, clock_timestamp() + %s)",
            (hash_of(state), hash_of(browser), ATTEMPT_LASTS),
        )
    return state, browser


def finish(app: App, state: str, browser: str) -> bool:
    """Whether this browser began this sign-in, within ten minutes, and comes back for the first time."""
    with app.database.connection() as connection:
        done = connection.execute(
            "UPDATE access.oidc_attempts SET used_at = clock_timestamp() WHERE state_sha256 = %s AND browser_sha256 = %s"
            " AND used_at IS NULL AND expires_at > clock_timestamp()",
            (hash_of(state), hash_of(browser)),
        ).rowcount
    return bool(done)


def welcome(app: App, issuer: str, subject: str, said: str | None) -> Outcome:
    """Whose session starts when an account of the provider was proved.

    Who is bound to the account is that person, whatever the account is called by now.
    Else `said` (an e-mail address, a login) names the person, who is bound to the account from then on.
    """
    with app.database.connection() as connection:
        bound = connection.execute(
            "SELECT person FROM access.identities WHERE issuer = %s AND subject = %s", (issuer, subject)
        ).fetchone()
        name = bound[0] if bound is not None else said if said is not None and NAME.fullmatch(said) else None
        if name is None or not _is_here(connection, name):
            return Unknown(said or "", name)
        if bound is None and not _bind(connection, issuer, subject, name):
            return AnotherAccount(name)
        session = start_session(connection, name)
    return Unknown(said or "", name) if session is None else Welcome(session)


def unlink(app: App, name: str) -> int:
    """Frees a person from their accounts and ends their sessions: the next to sign in by that name is bound.

    Gives how many accounts there were; raises NothingThere for nobody's name.
    """
    with app.database.connection() as connection:
        if not _is_here(connection, name):
            raise NothingThere(f"nobody is called {name!r}: `daybook user list` shows everybody")
        freed = connection.execute("DELETE FROM access.identities WHERE person = %s", (name,)).rowcount
    # Whoever should not have been bound must not stay in either.
    sign_out_everywhere(app, name)
    return freed


def _is_here(connection: Connection, name: str) -> bool:
    """Whether somebody may sign in; held until the transaction's end, so that a removal comes wholly before or after."""
    return (
        connection.execute("SELECT 1 FROM access.people WHERE name = %s AND removed_at IS NULL FOR SHARE", (name,)).fetchone()
        is not None
    )


def _bind(connection: Connection, issuer: str, subject: str, name: str) -> bool:
    """Binds an account to a person who has none of that provider's; of two at the same moment one is bound."""
    connection.execute(
        "INSERT INTO access.identities (issuer, subject, person) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
        (issuer, subject, name),
    )
    found = connection.execute(
        "SELECT subject FROM access.identities WHERE issuer = %s AND person = %s", (issuer, name)
    ).fetchone()
    return found is not None and found[0] == subject
