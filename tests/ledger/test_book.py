"""A batch is recorded whole or not at all, once, in an order that never changes."""

import threading
from datetime import timedelta
from uuid import uuid4

import psycopg
import pytest
from ledger_entries import SOURCE, TOPIC, dead_letter, new_event, new_events, offsets

from ledger.book import Book, BookBusy, DeadLetter, EventIdTaken, NewEvent, PositionConflict, RecordedEvent, VersionConflict
from ledger.database import Database, ForbiddenSetting, refuse_forbidden_settings
from ledger.keyring import Keyring


def test_events_come_back_as_they_were_written(book: Book) -> None:
    events = [new_event(offset=41), new_event(state=b'"\xc3\xa9"', client_id="é")]
    batch = book.append(events)
    assert (batch.batch_id, batch.first_position, batch.last_position) == (1, 1, 2)
    read = book.read(0, 10)
    assert [NewEvent(*event[3:]) for event in read] == events
    assert [(event.position, event.batch_id, event.recorded_at) for event in read] == [
        (1, 1, batch.recorded_at),
        (2, 1, batch.recorded_at),
    ]
    assert read[0].source == (TOPIC, 3, 41)
    assert read[1].source is None


def test_events_without_body_hash_or_source_come_back_so(book: Book) -> None:
    bare = new_event()._replace(body_hash=None)
    book.append([bare])
    assert NewEvent(*book.read(0, 1)[0][3:]) == bare


def test_streams_are_loaded_together_and_in_order(book: Book) -> None:
    first, second, unknown = uuid4(), uuid4(), uuid4()
    book.append([new_event(first, 1), new_event(second, 1), new_event(first, 2)])
    loaded = book.load([first, second, unknown])
    assert {stream: [event.version for event in events] for stream, events in loaded.items()} == {
        first: [1, 2],
        second: [1],
        unknown: [],
    }


def test_reading_stops_where_it_is_told(book: Book) -> None:
    book.append(new_events(10))
    assert [event.position for event in book.read(3, 4)] == [4, 5, 6, 7]
    assert [event.position for event in book.read(3, 4, upto=5)] == [4, 5]


def test_history_is_one_clients_and_may_stop_early(book: Book) -> None:
    book.append([new_event(client_id=client) for client in ("acme", "bolt", "acme", "acme")])
    assert [event.position for event in book.history("acme")] == [1, 3, 4]
    assert [event.position for event in book.history("acme", upto=3)] == [1, 3]


def test_book_knows_what_was_known_at_an_instant(book: Book) -> None:
    assert book.head() == 0
    first = book.append(new_events(2))
    second = book.append(new_events(3))
    assert book.head() == 5
    assert book.batch_at(first.recorded_at - timedelta(seconds=1)) == 0
    assert book.batch_at(first.recorded_at) in (2, 5)  # 5 only if both fell into one microsecond
    assert book.batch_at(second.recorded_at) == 5


def test_positions_move_with_the_events(book: Book) -> None:
    book.append(new_events(3), slices=[offsets(0, 2), offsets(10, 19, partition=4)])
    assert book.position(SOURCE, TOPIC, 3) == 2
    assert book.positions(SOURCE) == {(TOPIC, 3): 2, (TOPIC, 4): 19}
    assert book.position(SOURCE, TOPIC, 5) is None


@pytest.mark.parametrize(("first", "last"), [(0, 9), (5, 9), (9, 9), (9, 30), (3, 40)])
def test_slice_that_begins_at_or_below_the_stored_position_is_refused(book: Book, first: int, last: int) -> None:
    book.append(new_events(1), slices=[offsets(0, 9)])
    with pytest.raises(PositionConflict) as refused:
        book.append([new_event()], slices=[offsets(first, last), offsets(0, 5, partition=4)])
    assert refused.value.stored == {f"{SOURCE}:{TOPIC}:3": 9}
    assert book.head() == 1
    assert book.positions(SOURCE) == {(TOPIC, 3): 9}


def test_slice_may_leave_a_gap(book: Book) -> None:
    book.append([], slices=[offsets(0, 9)])
    book.append([], slices=[offsets(12, 12)])
    assert book.position(SOURCE, TOPIC, 3) == 12


@pytest.mark.parametrize("slices", [[offsets(0, 1), offsets(2, 3)], [offsets(4, 3)]])
def test_senseless_slices_are_a_bug(book: Book, slices: list[object]) -> None:
    with pytest.raises(ValueError, match="one slice a partition"):
        book.append([], slices=slices)  # type: ignore[arg-type]


def test_empty_batch_is_a_bug(book: Book) -> None:
    with pytest.raises(ValueError, match="nothing"):
        book.append([])


def test_taken_version_is_a_conflict_and_nothing_is_written(book: Book) -> None:
    stream = uuid4()
    book.append([new_event(stream, 1)])
    with pytest.raises(VersionConflict):
        book.append([new_event(), new_event(stream, 1)], slices=[offsets(0, 1)])
    assert book.head() == 1
    assert book.positions(SOURCE) == {}


def test_taken_event_ids_are_named(book: Book) -> None:
    events = new_events(3)
    book.append(events[:2])
    again = [event._replace(stream_id=uuid4()) for event in events]
    with pytest.raises(EventIdTaken) as refused:
        book.append(again)
    assert refused.value.event_ids == {events[0].event_id, events[1].event_id}
    assert book.head() == 2


def test_event_id_twice_in_a_batch_is_named(book: Book) -> None:
    event = new_event()
    with pytest.raises(EventIdTaken) as refused:
        book.append([event, event._replace(stream_id=uuid4())])
    assert refused.value.event_ids == {event.event_id}


def test_positions_stay_gapless_after_refusals(book: Book) -> None:
    event = new_event()
    book.append([event])
    for _ in range(3):
        with pytest.raises(EventIdTaken):
            book.append([*new_events(5), event._replace(stream_id=uuid4())])
    assert book.append(new_events(2))[:3] == (2, 2, 3)


def test_dead_letters_are_kept_encrypted_and_come_back(book: Book, database: Database) -> None:
    letters = [dead_letter(7), DeadLetter("t", 0, 1, None, None, "undecodable", "no value", 17, dead_letter().first_seen)]
    batch = book.append([], slices=[offsets(7, 7)], dead_letters=letters)
    assert [(kept.batch_id, kept.letter) for kept in book.dead_letters()] == [(batch.batch_id, letter) for letter in letters]
    with database.connection() as connection:
        row = connection.execute("SELECT key, value FROM ledger.dead_letters WHERE number = 1").fetchone()
    assert row is not None
    assert b"acme" not in row[0]
    assert b"not avro" not in row[1]


def test_rows_of_others_are_written_in_the_same_transaction(book: Book, database: Database) -> None:
    with database.owner() as owner:
        owner.execute("CREATE TABLE ledger.seen (position bigint, batch_id bigint)")
        owner.execute("GRANT ALL ON ledger.seen TO daybook_app")

    def also(cursor: psycopg.Cursor[tuple[object, ...]], first_position: int, batch_id: int) -> None:
        cursor.execute("INSERT INTO ledger.seen VALUES (%s, %s)", [first_position, batch_id])

    def fails(cursor: psycopg.Cursor[tuple[object, ...]], first_position: int, batch_id: int) -> None:
        also(cursor, first_position, batch_id)
        raise RuntimeError("a bug")

    book.append(new_events(2))
    book.append(new_events(2), also=also)
    with pytest.raises(RuntimeError):
        book.append(new_events(2), also=fails)
    with database.connection() as connection:
        assert connection.execute("SELECT * FROM ledger.seen").fetchall() == [(3, 2)]
    assert book.head() == 4


def test_unique_key_of_others_keeps_its_own_error(book: Book, database: Database) -> None:
    def also(cursor: psycopg.Cursor[tuple[object, ...]], *_: int) -> None:
        cursor.execute("INSERT INTO ledger.embedded_log_ends VALUES ('t', 0, 1), ('t', 0, 1)")

    with pytest.raises(psycopg.errors.UniqueViolation):
        book.append(new_events(1), also=also)
    assert book.head() == 0


def test_append_takes_part_in_the_callers_transaction(book: Book, database: Database) -> None:
    with database.connection() as connection:
        book.append([new_event()], conn=connection)
        assert book.head() == 0
    assert book.head() == 1
    with database.connection() as connection:
        book.append([new_event()], conn=connection)
        connection.rollback()  # the command was refused after all
    assert book.head() == 1


def test_id_taken_by_the_callers_own_transaction_is_named(book: Book, database: Database) -> None:
    event = new_event()
    with database.connection() as connection:
        book.append([event], conn=connection)
        with pytest.raises(EventIdTaken) as refused:
            book.append([event._replace(stream_id=uuid4())], conn=connection)
        connection.rollback()
    assert refused.value.event_ids == {event.event_id}


def test_append_outside_a_transaction_is_a_bug(book: Book, database: Database) -> None:
    with psycopg.connect(database.dsn, autocommit=True) as connection:
        with pytest.raises(ValueError, match="needs a transaction"):
            book.append([new_event()], conn=connection)
        with connection.transaction():
            book.append([new_event()], conn=connection)
    assert book.head() == 1


def test_append_within_a_stale_snapshot_is_a_bug(book: Book, database: Database) -> None:
    with database.connection() as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        with pytest.raises(ValueError, match="READ COMMITTED"):
            book.append([new_event()], conn=connection)
        connection.rollback()
        connection.isolation_level = None


def test_book_held_by_a_frozen_writer_is_refused_in_time(book: Book, database: Database) -> None:
    with database.connection() as frozen, database.connection() as connection:
        book.append([new_event()], conn=frozen)
        connection.execute("SET LOCAL lock_timeout = '100ms'")
        with pytest.raises(BookBusy):
            book.append([new_event()], conn=connection)
        connection.rollback()
        frozen.rollback()
    assert book.append([new_event()]).first_position == 1


def test_two_writers_at_once_leave_gapless_batches_in_order_of_commit(book: Book, database: Database, keyring: Keyring) -> None:
    failures: list[Exception] = []

    def write(partition: int) -> None:
        try:
            own = Book(database, keyring)
            for n in range(25):
                own.append(new_events(7), slices=[offsets(n, n, partition)])
        except Exception as error:
            failures.append(error)

    writers = [threading.Thread(target=write, args=[partition]) for partition in range(3)]
    for writer in writers:
        writer.start()
    seen: list[RecordedEvent] = []
    while any(writer.is_alive() for writer in writers):
        seen += book.read(seen[-1].position if seen else 0, 10_000)
    for writer in writers:
        writer.join()
    seen += book.read(seen[-1].position, 10_000)
    assert failures == []
    assert [event.position for event in seen] == list(range(1, 3 * 25 * 7 + 1))  # a tailing reader missed nothing
    assert sorted({event.batch_id for event in seen}) == list(range(1, 76))


def test_a_reader_misses_nothing_when_the_first_writer_commits_last(book: Book, database: Database) -> None:
    """Numbers given before the commit would let a reader pass over the slower of two writers for ever."""
    seen: list[RecordedEvent] = []
    with database.connection() as slow:
        book.append([new_event(client_id="slow")], conn=slow)
        fast = threading.Thread(target=book.append, args=[[new_event(client_id="fast")]])
        fast.start()
        fast.join(timeout=0.5)
        seen += book.read(0, 10)
    fast.join()
    seen += book.read(seen[-1].position if seen else 0, 10)
    assert sorted(event.client_id for event in seen) == ["fast", "slow"]


def test_a_listener_hears_of_each_batch(book: Book, database: Database) -> None:
    listener = database.listen("daybook_events")
    try:
        book.append([new_event()])
        assert [heard.channel for heard in listener.notifies(timeout=5, stop_after=1)] == ["daybook_events"]
    finally:
        listener.close()


def test_batches_never_go_back_in_time(book: Book, database: Database) -> None:
    book.append([new_event()])
    with database.owner() as owner:  # the server's clock was an hour ahead when the last batch was written
        owner.execute("ALTER TABLE ledger.batches DISABLE TRIGGER ALL")
        owner.execute("UPDATE ledger.batches SET recorded_at = recorded_at + interval '1 hour'")
    recorded = book.read(0, 1)[0].recorded_at
    assert book.append([new_event()]).recorded_at == recorded


def test_sessions_have_the_rights_and_time_outs_of_the_application(database: Database) -> None:
    with database.connection() as connection:
        settings = [
            connection.execute("SELECT current_setting(%s)", [name]).fetchone()
            for name in ("role", "lock_timeout", "idle_in_transaction_session_timeout", "TimeZone")
        ]
    assert settings == [("daybook_app",), ("5s",), ("10s",), ("UTC",)]


@pytest.mark.parametrize("name", ["POSTGRES_ENABLE_DB_FUNCTIONS", "DAYBOOK_POSTGRES_ENABLE_DB_FUNCTIONS"])
def test_setting_that_loses_events_is_refused(name: str) -> None:
    with pytest.raises(ForbiddenSetting):
        refuse_forbidden_settings({name: "y"})
    refuse_forbidden_settings({name: "n"})
    refuse_forbidden_settings({name: ""})


def test_nothing_is_opened_under_a_setting_that_loses_events(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTGRES_ENABLE_DB_FUNCTIONS", "y")
    with pytest.raises(ForbiddenSetting):
        Database(database.dsn_owner)
