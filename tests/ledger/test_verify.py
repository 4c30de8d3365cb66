"""Any change to what was recorded is found, and said where."""

import pytest
from ledger_entries import dead_letter, new_event, new_events, offsets

from ledger.book import Book
from ledger.database import Database
from ledger.verify import Check, verify


@pytest.fixture
def full_book(book: Book) -> Book:
    """Batches of events, of positions only, and of a dead letter."""
    stream = new_event()
    book.append([stream, *new_events(4)], slices=[offsets(0, 9)])
    book.append([], slices=[offsets(10, 19)])
    book.append([stream._replace(version=2, event_id=new_event().event_id)], slices=[offsets(20, 20)])
    book.append([], slices=[offsets(21, 21)], dead_letters=[dead_letter(21), dead_letter(22)])
    book.append(new_events(6))
    return book


def forge(database: Database, *changes: str) -> dict[str, str]:
    """What an administrator with every right did, and what `verify` says about it."""
    with database.owner() as owner:
        owner.execute("SET session_replication_role = replica")
        for change in changes:
            assert owner.execute(change.encode()).rowcount != 0
    return {check.check: check.detail for check in verify(database) if not check.ok}


def test_untouched_book_is_sound(full_book: Book, database: Database) -> None:
    heard: list[int] = []
    checks = verify(database, heard.append)
    assert [check for check in checks if not check.ok] == []
    assert checks[0].detail.startswith("5 batches, 12 events, head ")
    assert heard == [12]


def test_empty_book_is_sound(book: Book, database: Database) -> None:
    assert all(check.ok for check in verify(database))


def test_pages_join_without_a_seam(full_book: Book, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ledger.verify.EVENTS_A_PAGE", 4)
    monkeypatch.setattr("ledger.verify.BATCHES_A_PAGE", 2)
    assert all(check.ok for check in verify(database))


@pytest.mark.parametrize(
    "edit",
    [
        "state = '{\"worked_minutes\":5}'",
        "topic = 'time_entry.withdrawn.v1'",
        "client_id = 'bolt'",
        "originator_id = gen_random_uuid()",
        "event_id = gen_random_uuid()",
        "body_hash = null",
        "source_offset = 99",
        "digest = sha256('x')",
    ],
)
def test_edited_event_is_named(full_book: Book, database: Database, edit: str) -> None:
    faults = forge(database, f"UPDATE ledger.daybook_events SET {edit} WHERE notification_id = 8")
    assert faults["chain"].startswith("event 8 in batch 5 was edited: stream ")


def test_first_edited_event_is_the_one_named(full_book: Book, database: Database) -> None:
    faults = forge(
        database,
        "UPDATE ledger.daybook_events SET topic = 'x' WHERE notification_id IN (3, 9)",
        "UPDATE ledger.batches SET tzdata = '1970a' WHERE batch_id = 5",
    )
    assert faults["chain"].startswith("event 3 in batch 1 ")


def test_event_moved_to_another_position_is_found(full_book: Book, database: Database) -> None:
    faults = forge(
        database,
        "UPDATE ledger.daybook_events SET notification_id = 100 WHERE notification_id = 7",
        "UPDATE ledger.daybook_events SET notification_id = 7 WHERE notification_id = 8",
        "UPDATE ledger.daybook_events SET notification_id = 8 WHERE notification_id = 100",
    )
    assert faults["chain"].startswith("batch 5 (events 7 to 12) does not match")


@pytest.mark.parametrize(
    "edit",
    [
        "recorded_at = recorded_at - interval '1 microsecond'",
        "positions = '{}'",
        "tzdata = '1970a'",
        "dead_letters = 1",
        "hash = sha256('x')",
    ],
)
def test_edited_batch_is_named(full_book: Book, database: Database, edit: str) -> None:
    faults = forge(database, f"UPDATE ledger.batches SET {edit} WHERE batch_id = 3")
    assert faults["chain"].startswith("batch 3 (events 6 to 6) does not match")


def test_removed_event_is_found(full_book: Book, database: Database) -> None:
    faults = forge(database, "DELETE FROM ledger.daybook_events WHERE notification_id = 6")
    assert faults["batches"] == "event 6 of batch 3 is missing"
    assert "chain" in faults


def test_event_slipped_in_is_found(full_book: Book, database: Database) -> None:
    faults = forge(
        database,
        "INSERT INTO ledger.daybook_events SELECT gen_random_uuid(), 1, topic, state, 99, 5, client_id, gen_random_uuid(), "
        "body_hash, source_topic, source_partition, source_offset, digest FROM ledger.daybook_events WHERE notification_id = 12",
    )
    assert faults["batches"] == "1 events lie in no batch, the first at position 99"


def test_removed_batch_is_found(full_book: Book, database: Database) -> None:
    faults = forge(database, "DELETE FROM ledger.batches WHERE batch_id = 2")
    assert faults["batches"] == "batch 2 is missing"
    assert "rewritten" in faults["chain"]


def test_head_cut_off_is_seen_from_the_head_kept_elsewhere(full_book: Book, database: Database) -> None:
    kept = full_book.head_hash()
    faults = forge(
        database,
        "DELETE FROM ledger.daybook_events WHERE batch_id = 5",
        "DELETE FROM ledger.batches WHERE batch_id = 5",
    )
    assert faults == {}
    assert full_book.head_hash() != kept


def test_batch_dated_back_is_found(full_book: Book, database: Database) -> None:
    faults = forge(database, "UPDATE ledger.batches SET recorded_at = recorded_at - interval '1 day' WHERE batch_id = 4")
    assert faults["recorded_at"] == "batch 4 is dated before batch 3"


def test_position_turned_back_is_found(full_book: Book, database: Database) -> None:
    faults = forge(database, "UPDATE ledger.daybook_tracking SET notification_id = 3 WHERE application_name LIKE 'kafka:%'")
    assert faults == {"positions": "kafka:test-cluster:daybook.time:3 is kept as 3, but the batches end at 21"}


def test_stream_with_a_gap_is_found(full_book: Book, database: Database) -> None:
    gap = new_event(version=3)
    full_book.append([gap])
    [fault] = [check for check in verify(database) if not check.ok]
    assert fault == Check("streams", False, f"stream {gap.stream_id} has 1 events with versions from 3 to 3")


def test_edited_dead_letter_is_found(full_book: Book, database: Database) -> None:
    faults = forge(database, "UPDATE ledger.dead_letters SET error = 'nothing to see' WHERE number = 2")
    assert faults == {"dead_letters": "dead letter 2 of batch 4 was edited"}


def test_exchanged_dead_letter_is_found(full_book: Book, database: Database) -> None:
    faults = forge(
        database,
        "DELETE FROM ledger.dead_letters WHERE number = 1",
        'INSERT INTO ledger.dead_letters SELECT batch_id, 3, topic, partition, "offset", key, value, reason, error, schema_id, '
        "first_seen, digest FROM ledger.dead_letters WHERE number = 2",
    )
    assert faults == {"dead_letters": "the dead letters of batch 4 are not those that were written"}


def test_dead_letters_kept_long_enough_may_go(full_book: Book, database: Database) -> None:
    assert full_book.purge_dead_letters(dead_letter().first_seen) == 0
    assert full_book.purge_dead_letters(dead_letter().first_seen.replace(year=2027)) == 2
    assert full_book.dead_letters() == []
    assert all(check.ok for check in verify(database))
