"""People, their sessions and login links, and API tokens, in Postgres; a secret is kept only as its SHA-256."""

import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from daybook.app import App
from ledger.database import Connection
from runs.errors import NothingThere, Refused

Role = Literal["viewer", "biller", "admin"]
ROLES: Final[tuple[Role, ...]] = ("viewer", "biller", "admin")
"""Each may do what those before it may."""

LINK_LASTS: Final = timedelta(minutes=15)
SESSION_LASTS: Final = timedelta(days=7)
SESSION_IDLES: Final = timedelta(hours=12)
TOKEN_PREFIX: Final = "daybook_"
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}")


@dataclass(frozen=True, slots=True)
class Person:
    """Who asks: a person who signed in, or the name of an API token; and what they may do."""

    name: str
    role: Role
    is_token: bool = False

    def may(self, role: Role) -> bool:
        """Whether this person may do what a role may."""
        return ROLES.index(self.role) >= ROLES.index(role)


def add_person(app: App, name: str, role: str) -> str:
    """Adds someone, or gives them another role; says which of the two it did."""
    _check_name(name)
    wanted = check_role(role)
    with app.database.connection() as connection:
        known = connection.execute("SELECT role FROM access.people WHERE name = %s AND removed_at IS NULL", (name,)).fetchone()
        connection.execute(
            "INSERT INTO access.people (name, role) VALUES (%s, %s)"
            " ON CONFLICT (name) DO UPDATE SET role = excluded.role, removed_at = NULL",
            (name, wanted),
        )
    return "added" if known is None else "kept as it was" if known[0] == wanted else f"was {known[0]}, changed"


def remove_person(app: App, name: str) -> None:
    """Takes someone's access away at once; raises NothingThere."""
    with app.database.connection() as connection:
        done = connection.execute(
            "UPDATE access.people SET removed_at = clock_timestamp() WHERE name = %s AND removed_at IS NULL", (name,)
        ).rowcount
        # Whoever gets this name next is somebody else, and so is whoever had it, with whatever account.
        connection.execute("DELETE FROM access.identities WHERE person = %s", (name,))
    if not done:
        raise _nobody(name)
    sign_out_everywhere(app, name)


def sign_out_everywhere(app: App, name: str) -> int:
    """Ends all of a person's sessions and unused login links; gives how many sessions there were."""
    with app.database.connection() as connection:
        connection.execute(
            "UPDATE access.login_links SET used_at = clock_timestamp() WHERE person = %s AND used_at IS NULL", (name,)
        )
        return connection.execute(
            "UPDATE access.sessions SET revoked_at = clock_timestamp()"
            " WHERE person = %s AND revoked_at IS NULL AND expires_at > clock_timestamp()",
            (name,),
        ).rowcount


def people(app: App) -> Sequence[tuple[str, Role]]:
    """Everybody who has access, by name."""
    with app.database.connection() as connection:
        return connection.execute(
            'SELECT name, role FROM access.people WHERE removed_at IS NULL ORDER BY name COLLATE "C"'
        ).fetchall()


def make_link(app: App, name: str) -> str:
    """A secret that signs this person in once, within fifteen minutes; raises NothingThere."""
    secret = secrets.token_urlsafe(32)
    with app.database.connection() as connection:
        connection.execute("DELETE FROM access.login_links WHERE expires_at < clock_timestamp() - interval '30 days'")
        made = connection.execute(
            "INSERT INTO access.login_links (secret_sha256, person, expires_at)"
            " SELECT %s, name, clock_timestamp() + %s FROM access.people WHERE name = %s AND removed_at IS NULL",
            (hash_of(secret), LINK_LASTS, name),
        ).rowcount
    if not made:
        raise _nobody(name)
    return secret


def link_is_good(app: App, secret: str) -> bool:
    """Whether a link could still be used; looking does not use it up."""
    with app.database.connection() as connection:
        found = connection.execute(
            "SELECT 1 FROM access.login_links JOIN access.people ON name = person AND removed_at IS NULL"
            " WHERE secret_sha256 = %s AND used_at IS NULL AND expires_at > clock_timestamp()",
            (hash_of(secret),),
        ).fetchone()
    return found is not None


def use_link(app: App, secret: str) -> str | None:
    """Uses up a login link; gives the secret of the new session, or nothing if the link is used, old or unknown."""
    with app.database.connection() as connection:
        # One statement: of two that use a link at the same moment, one finds it used.
        used = connection.execute(
            "UPDATE access.login_links SET used_at = clock_timestamp() FROM access.people"
            " WHERE secret_sha256 = %s AND used_at IS NULL AND expires_at > clock_timestamp()"
            " AND name = person AND removed_at IS NULL RETURNING person",
            (hash_of(secret),),
        ).fetchone()
        return None if used is None else start_session(connection, used[0])


def start_session(connection: Connection, name: str) -> str | None:
    """The secret of a new session of somebody who has just proved who they are; nothing for who was removed meanwhile."""
    session = secrets.token_urlsafe(32)
    connection.execute("DELETE FROM access.sessions WHERE expires_at < clock_timestamp() - interval '30 days'")
    started = connection.execute(
        "INSERT INTO access.sessions (secret_sha256, person, expires_at)"
        " SELECT %s, name, clock_timestamp() + %s FROM access.people WHERE name = %s AND removed_at IS NULL",
        (hash_of(session), SESSION_LASTS, name),
    ).rowcount
    return session if started else None


def person_of_session(app: App, secret: str) -> Person | None:
    """Whose session this is, if it is still good; notes that it was used."""
    hash_ = hash_of(secret)
    with app.database.connection() as connection:
        row = connection.execute(
            "SELECT p.name, p.role, s.seen_at < clock_timestamp() - interval '1 minute'"
            " FROM access.sessions s JOIN access.people p ON p.name = s.person AND p.removed_at IS NULL"
            " WHERE s.secret_sha256 = %s AND s.revoked_at IS NULL AND s.expires_at > clock_timestamp()"
            " AND s.seen_at > clock_timestamp() - %s",
            (hash_, SESSION_IDLES),
        ).fetchone()
        if row is not None and row[2]:
            connection.execute("UPDATE access.sessions SET seen_at = clock_timestamp() WHERE secret_sha256 = %s", (hash_,))
    return None if row is None else Person(row[0], row[1])


def end_session(app: App, secret: str) -> None:
    """Signs out."""
    with app.database.connection() as connection:
        connection.execute(
            "UPDATE access.sessions SET revoked_at = clock_timestamp() WHERE secret_sha256 = %s AND revoked_at IS NULL",
            (hash_of(secret),),
        )


def add_token(app: App, name: str, role: str, lasts: timedelta) -> tuple[str, datetime]:
    """A new API token and when it expires: shown this once. Raises Refused where the name is in use."""
    _check_name(name)
    if not timedelta(0) < lasts <= timedelta(days=3660):
        raise Refused("a token lasts at least a day and at most ten years: choose --days between 1 and 3660")
    token = TOKEN_PREFIX + secrets.token_urlsafe(32)
    with app.database.connection() as connection:
        row = connection.execute(
            "INSERT INTO access.tokens AS t (name, secret_sha256, role, expires_at)"
            " VALUES (%s, %s, %s, clock_timestamp() + %s)"
            " ON CONFLICT (name) DO UPDATE SET secret_sha256 = excluded.secret_sha256, role = excluded.role,"
            " created_at = excluded.created_at, expires_at = excluded.expires_at, revoked_at = NULL"
            " WHERE t.revoked_at IS NOT NULL OR t.expires_at <= clock_timestamp() RETURNING expires_at",
            (name, hash_of(token), check_role(role), lasts),
        ).fetchone()
    if row is None:
        raise Refused(f"there is a token {name} already: choose another name, or `daybook token revoke {name}` first")
    return token, row[0]


def revoke_token(app: App, name: str) -> None:
    """Ends a token at once; raises NothingThere."""
    with app.database.connection() as connection:
        done = connection.execute(
            "UPDATE access.tokens SET revoked_at = clock_timestamp() WHERE name = %s AND revoked_at IS NULL", (name,)
        ).rowcount
    if not done:
        raise NothingThere(f"there is no token {name!r} in use: `daybook token list` shows them")


def tokens(app: App) -> Sequence[tuple[str, Role, datetime]]:
    """The tokens in use, by name, with their scope and when they expire."""
    with app.database.connection() as connection:
        return connection.execute(
            "SELECT name, role, expires_at FROM access.tokens WHERE revoked_at IS NULL AND expires_at > clock_timestamp()"
            ' ORDER BY name COLLATE "C"'
        ).fetchall()


def person_of_token(app: App, token: str) -> Person | None:
    """What a token may do, if it is still good."""
    with app.database.connection() as connection:
        row = connection.execute(
            "SELECT name, role FROM access.tokens"
            " WHERE secret_sha256 = %s AND revoked_at IS NULL AND expires_at > clock_timestamp()",
            (hash_of(token),),
        ).fetchone()
    return None if row is None else Person(row[0], row[1], is_token=True)


def check_role(role: str) -> Role:
    """The role of a name; raises Refused naming those there are."""
    for known in ROLES:
        if role == known:
            return known
    raise Refused(f"there is no role {role!r}: choose {', '.join(ROLES)}")


def _check_name(name: str) -> None:
    if not NAME.fullmatch(name):
        raise Refused(f"{name!r} is no name: use up to 64 letters, digits and . _ @ + -")


def _nobody(name: str) -> NothingThere:
    return NothingThere(f"nobody is called {name!r}: `daybook user add {name} --role biller` adds them")


def hash_of(secret: str) -> bytes:
    """What is kept of a secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
