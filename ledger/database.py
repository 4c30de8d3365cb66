"""How the rooms reach the database: as the application, which can't change what is written, or as the owner."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, LiteralString

import psycopg
from eventsourcing.utils import strtobool
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import TupleRow
from psycopg_pool import ConnectionPool

Connection = psycopg.Connection[TupleRow]
Cursor = psycopg.Cursor[TupleRow]

APP_ROLE = "daybook_app"
POOL_TIMEOUT_S = 30.0
LOCK_TIMEOUT_MS = 5_000
IDLE_IN_TRANSACTION_MS = 10_000

SESSION_SETTINGS = {
    "timezone": "UTC",
    "lock_timeout": f"{LOCK_TIMEOUT_MS}ms",
    # A frozen worker must not hold the book for ever.
    "idle_in_transaction_session_timeout": f"{IDLE_IN_TRANSACTION_MS}ms",
    # A worker whose machine vanished must not either.
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "client_connection_check_interval": "5s",
}


class ForbiddenSetting(Exception):
    """POSTGRES_ENABLE_DB_FUNCTIONS is set: it makes the event library lose events and positions; unset it."""


class Database:
    """The ledger's database: a pool of connections as `daybook_app`, and the owner's for migrating and verifying.

    `dsn_owner` may be left out where only one login is known (the embedded server): then the owner's login is used for
    both, and the application's connections switch to the role `daybook_app` as they open.
    """

    def __init__(self, dsn_app: str, dsn_owner: str | None = None, *, pool_size: int = 10) -> None:
        refuse_forbidden_settings(os.environ)
        self.dsn_owner = dsn_owner or dsn_app
        self.dsn = application_dsn(dsn_app)
        self.pool: ConnectionPool[Connection] = ConnectionPool(
            self.dsn,
            min_size=1,
            max_size=pool_size,
            open=False,
            timeout=POOL_TIMEOUT_S,
            check=ConnectionPool.check_connection,
            name="daybook",
        )
        self.pool.open()

    @contextmanager
    def connection(self, timeout_s: float | None = None) -> Iterator[Connection]:
        """A pooled connection as the application: committed at the end of the block, rolled back on an error.

        Raises PoolTimeout where none is to be had in `timeout_s` (the pool's 30 s).
        """
        with self.pool.connection(timeout_s) as connection:
            yield connection

    @contextmanager
    def owner(self, **settings: Any) -> Iterator[Connection]:
        """A connection of its own as the owner of the tables: for `migrate` and `verify`, never for daily work."""
        with psycopg.connect(self.dsn_owner, **settings) as connection:
            yield connection

    def listen(self, channel: LiteralString) -> Connection:
        """A connection outside the pool that hears a channel; the caller closes it, and polls as well (it may die)."""
        connection = psycopg.connect(self.dsn, autocommit=True)
        connection.execute(f"LISTEN {channel}")
        return connection

    def close(self) -> None:
        """Closes the pool."""
        self.pool.close()

    def __enter__(self) -> "Database":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def application_dsn(dsn: str) -> str:
    """The same database as the application sees it: the role without rights to change history, and our time-outs."""
    options = str(conninfo_to_dict(dsn).get("options") or "")
    settings = " ".join(f"-c {name}={value}" for name, value in {"role": APP_ROLE, **SESSION_SETTINGS}.items())
    return make_conninfo(dsn, options=f"{options} {settings}".strip(), keepalives_idle=10, keepalives_interval=5,
                         keepalives_count=3, tcp_user_timeout=15_000)  # fmt: skip


def refuse_forbidden_settings(environment: Mapping[str, str]) -> None:
    """Refuses to go on under a setting of the event library that silently loses events (reliability.md section 0)."""
    for name, value in environment.items():
        if name.upper().endswith("POSTGRES_ENABLE_DB_FUNCTIONS") and value and strtobool(value):
            raise ForbiddenSetting(f"{name}={value} makes the event library lose events and positions: unset it.")
