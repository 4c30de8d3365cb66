"""The embedded log keeps Kafka's promises: order within a partition, gapless offsets, one partition a key."""

import threading
from datetime import UTC, datetime, timedelta

import pytest

from ledger.book import Book, Slice
from ledger.database import Database
from ledger.embedded_log import EmbeddedLog, LogPosition, murmur2, partition_of
from ledger.keyring import Keyring


@pytest.fixture
def log(database: Database, keyring: Keyring) -> EmbeddedLog:
    """The log of the fresh database."""
    return EmbeddedLog(database, keyring)


@pytest.mark.parametrize(  # from Kafka's own UtilsTest
    ("key", "signed"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_partition_is_kafkas_own_choice(key: bytes, signed: int) -> None:
    assert murmur2(key) == signed % 2**32
    assert partition_of(key, 12) == (signed % 2**31) % 12


def test_records_come_back_in_order(log: EmbeddedLog) -> None:
    places = log.append([("t", b"acme", b"%d" % n, (("h", b"\xff"), ("none", None))) for n in range(5)])
    partition = partition_of(b"acme", 12)
    assert places == [LogPosition("t", partition, offset) for offset in range(5)]
    records = log.read("t", partition, 2, 2)
    assert [(record.offset, record.key, record.value) for record in records] == [(2, b"acme", b"2"), (3, b"acme", b"3")]
    assert records[0].headers == (("h", b"\xff"), ("none", None))
    assert log.read("t", partition, 5, 10) == []
    assert log.end_offsets() == {("t", partition): 5}


def test_absent_and_empty_values_differ(log: EmbeddedLog) -> None:
    log.append([("t", None, None, ()), ("t", b"", b"", ())], partitions=1)
    assert [(record.key, record.value, record.headers) for record in log.read("t", 0, 0, 9)] == [(None, None, ()), (b"", b"", ())]
    assert log.append([]) == []


def test_several_partitions_are_read_together(log: EmbeddedLog) -> None:
    log.append([("t", b"k%d" % n, b"v", ()) for n in range(40)], partitions=3)
    starts = {("t", 0): 1, ("t", 1): 0, ("t", 2): 1_000}
    records = log.read_next(starts, 100)
    ends = log.end_offsets()
    assert [(record.partition, record.offset) for record in records] == [
        *((0, offset) for offset in range(1, ends["t", 0])),
        *((1, offset) for offset in range(ends["t", 1])),
    ]
    assert len(log.read_next(starts, 4)) == 4


def test_offsets_are_gapless_under_several_writers(log: EmbeddedLog) -> None:
    def write() -> None:
        for n in range(20):
            log.append([("t", b"k%d" % key, b"%d" % n, ()) for key in range(6)], partitions=4)

    writers = [threading.Thread(target=write) for _ in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    ends = log.end_offsets()
    assert sum(ends.values()) == 3 * 20 * 6
    for (topic, partition), end in ends.items():
        assert [record.offset for record in log.read(topic, partition, 0, 1_000)] == list(range(end))


def test_values_are_encrypted_where_they_lie(log: EmbeddedLog, database: Database) -> None:
    log.append([("t", b"acme", b"canary", (("h", b"canary"),))])
    with database.connection() as connection:
        row = connection.execute("SELECT value, headers FROM ledger.embedded_log").fetchone()
    assert row is not None
    assert b"canary" not in row[0] + row[1]
    assert b"Y2FuYXJ5" not in row[1]


def test_purge_spares_what_is_not_in_the_book_and_offsets_go_on(log: EmbeddedLog, book: Book) -> None:
    log.append([("t", b"acme", b"%d" % n, ()) for n in range(5)], partitions=1)
    later = datetime.now(UTC) + timedelta(days=1)
    assert log.purge(later) == 0
    book.append([], slices=[Slice(f"kafka:{log.cluster_id}", "t", 0, 0, 2)])
    assert log.purge(later - timedelta(days=2)) == 0
    assert log.purge(later) == 3
    assert [record.offset for record in log.read("t", 0, 0, 10)] == [3, 4]
    assert log.append([("t", b"acme", b"5", ())], partitions=1) == [LogPosition("t", 0, 5)]


def test_cluster_is_named_once_for_ever(log: EmbeddedLog, database: Database, keyring: Keyring) -> None:
    assert log.cluster_id.startswith("embedded:")
    assert EmbeddedLog(database, keyring).cluster_id == log.cluster_id
