"""An upgrade to polls kept aside: the counts that an older version booked, all of them, are what later polls are measured by."""

import random
from typing import Any

import psycopg
import pytest

from consumers import polls
from ledger.migrate import migrate
from runs.open_day import open_day
from tests.conftest import MIGRATION_FOLDERS
from tests.oracle.story import NOON, Story
from tests.projections.office import Office, differing
from tests.projections.test_polls import MAY, NewOffice, agreed, day_of_polls, ledger_size, no_repeats, poll, state_of

MIGRATION = "0004_seat_polls"
_POLLS = (
    "SELECT stream_id, system, as_of, event_id, occurred_at, revision, quantity, state, client_id, body_hash, source_topic,"
    " source_partition, source_offset FROM ledger.seat_polls ORDER BY event_id"
)


def upgrade(office: Office) -> None:
    """The ledger as it was before there were polls, then the migration."""
    with psycopg.connect(office.book.database.dsn_owner) as connection:
        connection.execute("DROP TABLE ledger.seat_polls")
        connection.execute("DELETE FROM ledger.migrations WHERE name = %s", [MIGRATION])
    assert migrate(office.book.database.dsn_owner, MIGRATION_FOLDERS) == [MIGRATION]
    office.loop = office.new_loop()


def every_poll_booked(office: Office, monkeypatch: pytest.MonkeyPatch, messages: Any) -> None:
    """As an older version did, which knew no repeats."""
    with monkeypatch.context() as patched:
        patched.setattr(polls, "repeats", no_repeats)
        open_day(office.book, MAY, NOON)
        office.take(messages)


def test_the_counts_of_a_filled_ledger_are_the_polls_that_were_heard(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    said = [*agreed(Story()).said, *day_of_polls(random.Random(3)), poll(90, 10, 48, system="rmm", revision=7, later=3)]
    every_poll_booked(office, monkeypatch, said)
    before = office.rows(_POLLS)
    booked, aside = ledger_size(office)
    assert len(before) == booked > 6
    assert aside == 0
    upgrade(office)
    assert office.rows(_POLLS) == before


def test_after_the_upgrade_a_repeat_of_what_was_booked_is_kept_aside(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    every_poll_booked(office, monkeypatch, [*agreed(Story()).said, poll(0, 60, 48), poll(1, 120, 48)])
    assert ledger_size(office) == (2, 0)
    upgrade(office)
    office.take([poll(0, 60, 48), poll(2, 180, 48)])
    assert ledger_size(office) == (2, 1), "one said again, and one that repeats what was booked"
    office.take([poll(3, 150, 52)])
    assert ledger_size(office) == (4, 0), "a count between the two makes the repeat an event"
    office.assert_settled()


@pytest.mark.parametrize("seed", range(3))
def test_half_a_history_before_the_upgrade_and_half_after_ends_as_without_one(
    new_office: NewOffice, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    rng = random.Random(seed)
    messages = [*agreed(Story()).said, *day_of_polls(rng)]
    expected = state_of(new_office(), messages, rng)
    office = new_office()
    rng.shuffle(messages)
    every_poll_booked(office, monkeypatch, messages[: len(messages) // 2])
    upgrade(office)
    office.take(messages[len(messages) // 2 :])
    assert differing(office.live(), expected) == []
    assert differing(office.live(), office.fresh()) == []
