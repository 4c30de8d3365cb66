"""An upgrade: accounts that an older version settled by other rules are settled anew, without `daybook rebuild`."""

import random
from datetime import date
from typing import Any

import psycopg
import pytest

from ledger.migrate import migrate
from projections import receivables_heal
from projections.balances import balances
from tests.conftest import MIGRATION_FOLDERS
from tests.oracle.receivables import NOBODY, Document, GivenUp, Payment, Return, Terms
from tests.oracle.story import Story
from tests.projections.office import Office, differing
from tests.projections.till import Till, noon_of

MARCH = date(2026, 3, 1)
MIGRATION = "0113_settle_again.sql"
CLIENTS = 120


def fill(office: Office, clients: int) -> None:
    """Some invoices, payments, returns and write-offs of each client; some of what is said waits."""
    office.take(Story().said[:2])
    rng = random.Random(5)
    for n in range(clients):
        till, number = Till(office, f"c{n:04}"), 0
        if n % 10:
            till.say(Terms(revision=1, since=date(2025, 1, 1), zone="UTC", use_credit=n % 2 == 0), 0)
        if n % 7:
            for invoice in ("I1", "I2"):
                total = rng.randrange(1, 9) * 100
                document = Document(number=invoice, currency="GBP", issued_on=MARCH, due_on=MARCH, total=total)
                till.say(document, number := number + 1)
        whose = NOBODY if n % 13 == 0 else "own"
        till.say(
            Payment(
                event_id=f"event {n}1", said_at=noon_of(MARCH, 15), client=whose, payment="p1", currency="GBP", charged=500,
                surcharge=0, at=noon_of(MARCH, 14), names=("I2",),
            ),
            number := number + 1,
        )  # fmt: skip
        if n % 5 or not n:
            till.say(
                Return(
                    event_id=f"event {n}2", said_at=noon_of(MARCH, 17), client="own", refund="r1",
                    payment="p1" if n % 3 else "p9", currency=None, amount=200, at=noon_of(MARCH, 16),
                ),
                number := number + 1,
            )  # fmt: skip
        if n % 7 and n % 4 == 0:
            till.say(GivenUp(number="I1", currency="GBP", amount=100, on=MARCH), number + 1)
    office.views.catch_up()


def as_an_older_version_left_it(office: Office) -> None:
    """Other rules: nothing was ever paid or given back, and what waited was not listed."""
    with psycopg.connect(office.book.database.dsn_owner) as connection:
        connection.execute("SET search_path = books")
        connection.execute("DELETE FROM allocations")
        connection.execute("UPDATE open_items SET applied_minor = 0, outstanding_minor = total_minor - written_off_minor")
        connection.execute("UPDATE credits SET applied_minor = 0, returned_minor = 0, unapplied_minor = pays_minor")
        connection.execute("DELETE FROM waiting WHERE what = 'refund'")


def upgrade(office: Office) -> None:
    """The migration, as on a database that has not had it yet."""
    with psycopg.connect(office.book.database.dsn_owner) as connection:
        connection.execute("DROP INDEX books.settled_again_idx")
        connection.execute("DELETE FROM ledger.migrations WHERE name = %s", [MIGRATION.removesuffix(".sql")])
    assert migrate(office.book.database.dsn_owner, MIGRATION_FOLDERS) == [MIGRATION.removesuffix(".sql")]


def marked(office: Office) -> int:
    return len(office.rows("SELECT DISTINCT client_id FROM settled WHERE last_rank = -1"))


def test_what_an_older_version_settled_is_healed_by_following(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(office, CLIENTS)
    right = office.live()
    as_an_older_version_left_it(office)
    assert {"open_items", "credits", "allocations"} <= set(differing(office.live(), right))
    upgrade(office)
    assert marked(office) == CLIENTS + 1  # those of nobody's money are one more
    goes: list[int] = []

    def heal(cursor: Any, cache: Any) -> int:
        goes.append(_heal(cursor, cache))
        return goes[-1]

    _heal = receivables_heal.heal
    monkeypatch.setattr(receivables_heal, "heal", heal)
    office.views.follow()
    assert goes == [50, 50, 21, 0]
    assert marked(office) == 0
    assert differing(office.live(), right) == []
    assert differing(office.live(), office.fresh()) == []


def test_before_it_is_healed_balances_are_right_and_nothing_is_carried_on(office: Office) -> None:
    fill(office, 12)
    with office.views.reading() as cursor:
        right = balances(cursor, date(2026, 6, 1))
    as_an_older_version_left_it(office)
    upgrade(office)
    with office.views.reading() as cursor:
        assert balances(cursor, date(2026, 6, 1)) == right
    # What comes first after the upgrade is followed first, and settles its client anew.
    late = Document(number="I9", currency="GBP", issued_on=date(2026, 4, 1), due_on=date(2026, 4, 1), total=700)
    Till(office, "c0001").say(late, 9)
    office.views.follow()
    assert marked(office) == 0
    assert differing(office.live(), office.fresh()) == []
