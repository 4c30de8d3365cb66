"""Facts get into the book once and in order: what could go wrong between the log and the book, and the run that bills."""

from tests.mutants import Mutant

INGEST = "tests/consumers/test_ingest.py::"
KAFKA = "tests/consumers/test_kafka_source.py::"
BOOK = "tests/ledger/test_book.py::"

MUTANTS = [
    Mutant(
        "auto-commit",
        "consumers/kafka_source.py",
        "enable_auto_commit=False,",
        "enable_auto_commit=True,",
        "tests/consumers/test_kafka_hints.py::test_nothing_is_committed_that_was_not_told",
    ),
    Mutant(
        "offsets committed before the write",
        "consumers/ingest.py",
        "        self._book.append(decided.events, slices=slices,",
        "        self._source.commit({(p.topic, p.partition): p.records[-1].offset + 1 for p in polled})\n"
        "        self._book.append(decided.events, slices=slices,",
        INGEST + "test_the_log_is_told_only_what_the_book_has",
    ),
    Mutant(
        "no dedupe: a repeat is news",
        "consumers/deciding.py",
        "        heard = hear(known, same)\n",
        "        heard = Heard.NEW\n",
        INGEST + "test_a_repeat_is_ignored_in_its_own_batch_in_a_later_one_and_after_a_restart",
    ),
    Mutant(
        "no dedupe: an id may stand in the book twice",
        "ledger/migrations/0002_book.sql",
        "CREATE UNIQUE INDEX daybook_events_event_id_idx",
        "CREATE INDEX daybook_events_event_id_idx",
        BOOK + "test_taken_event_ids_are_named",
    ),
    Mutant(
        "dedupe outside the transaction: positions are committed by themselves",
        "ledger/writing.py",
        "    _move_positions(cursor, batch.positions)\n",
        "    _move_positions(cursor, batch.positions)\n    cursor.connection.commit()\n",
        BOOK + "test_taken_version_is_a_conflict_and_nothing_is_written",
    ),
    Mutant(
        "dedupe outside the transaction: polls kept aside are committed by themselves",
        "consumers/ingest.py",
        "dead_letters=conflicts, also=also)",
        "dead_letters=conflicts)\n        with self._book.database.connection() as own, own.cursor() as aside:\n"
        "            decided.polls.keep(aside)",
        INGEST + "test_a_poll_is_kept_aside_with_its_batch_or_not_at_all",
    ),
    Mutant(
        "db-functions flag accepted",
        "ledger/database.py",
        "        refuse_forbidden_settings(os.environ)\n",
        "",
        BOOK + "test_nothing_is_opened_under_a_setting_that_loses_events",
    ),
    Mutant(
        "db-functions flag not known",
        "ledger/database.py",
        'if name.upper().endswith("POSTGRES_ENABLE_DB_FUNCTIONS") and value',
        'if name == "POSTGRES_ENABLE_DB_FUNCTIONS" and value',
        BOOK + "test_setting_that_loses_events_is_refused",
    ),
    Mutant(
        "`id > last` on a sequence",
        "ledger/writing.py",
        "    LOCK TABLE ledger.daybook_events IN EXCLUSIVE MODE;\n    SELECT b.batch_id, b.last_id,",
        "    SELECT 1;\n    SELECT nextval('ledger.daybook_events_notification_id_seq'),"
        " 100 * currval('ledger.daybook_events_notification_id_seq'),",
        BOOK + "test_a_reader_misses_nothing_when_the_first_writer_commits_last",
    ),
    Mutant(
        "no lock while a batch is written",
        "ledger/writing.py",
        "    LOCK TABLE ledger.daybook_events IN EXCLUSIVE MODE;\n    SELECT b.batch_id,",
        "    SELECT 1;\n    SELECT b.batch_id,",
        BOOK + "test_two_writers_at_once_leave_gapless_batches_in_order_of_commit",
    ),
    Mutant(
        "read_uncommitted",
        "consumers/kafka_source.py",
        'isolation_level="read_committed"',
        'isolation_level="read_uncommitted"',
        KAFKA + "test_records_of_an_aborted_transaction_are_never_seen",
    ),
    Mutant(
        "new event id on retry: a decision's",
        "domain/ids.py",
        '    return stream_id("event", str(stream), str(version))',
        '    return uuid_of(__import__("secrets").randbits(128))',
        "tests/domain/test_ids.py::test_a_rerun_gives_its_event_the_same_id",
    ),
    Mutant(
        "new event id on retry: an event saved through the library",
        "ledger/recorder.py",
        '    return uuid5(EVENT_IDS, f"{stream_id}/{version}")',
        '    return __import__("uuid").uuid4()',
        "tests/ledger/test_library_path.py::test_saved_events_are_in_the_book_and_the_chain",
    ),
    Mutant(
        "state published before the commit",
        "consumers/ingest.py",
        "        self._book.append(decided.events, slices=slices,",
        "        self._streams.remember(decided.streams, decided.partitions)\n"
        "        self._book.append(decided.events, slices=slices,",
        INGEST + "test_what_was_decided_for_a_batch_that_failed_is_not_remembered",
    ),
    Mutant(
        "posted key dropped",
        "projections/decisions.py",
        "    counts = _posting_counts(cursor, list(taken))\n",
        "    counts = _posting_counts(cursor, list(taken))\n    posted = taken = {}\n",
        "tests/runs/test_generate_races.py::test_two_runs_at_once_issue_once",
    ),
    Mutant(
        "posted key is no key",
        "projections/migrations/0100_books.sql",
        "    PRIMARY KEY (client_id, item_key, posting_no)\n",
        "    CHECK (posting_no > 0)\n",
        "tests/runs/test_posted_key.py::test_an_item_cannot_be_posted_twice_as_the_same_posting",
    ),
    Mutant(
        "position not checked",
        "ledger/writing.py",
        "        WHERE t.notification_id < (SELECT first FROM given WHERE name = excluded.application_name)\n",
        "",
        BOOK + "test_slice_that_begins_at_or_below_the_stored_position_is_refused",
    ),
    Mutant(
        "position checked by the last offset only",
        "ledger/writing.py",
        "(SELECT first FROM given WHERE name = excluded.application_name)",
        "excluded.notification_id",
        BOOK + "test_slice_that_begins_at_or_below_the_stored_position_is_refused",
    ),
    Mutant(
        "retry without read-back",
        "ledger/book.py",
        "            recorded = self._read_back(batch) if conn is None else None\n",
        "            recorded = None\n",
        "tests/ledger/test_crashes.py::test_lost_acknowledgement_of_a_commit_is_looked_up",
    ),
    Mutant(
        "read-back without the lock",
        "ledger/book.py",
        '                cursor.execute("LOCK TABLE ledger.daybook_events IN EXCLUSIVE MODE")\n',
        "",
        "tests/ledger/test_crashes.py::test_commit_that_is_still_under_way_is_waited_for_before_it_is_given_up",
    ),
]
