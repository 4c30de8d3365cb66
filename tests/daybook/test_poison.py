"""Bad messages of every kind: each set aside or kept waiting with its reason, the good ones land, and a fix takes them in."""

import json
import threading
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

import pytest

from daybook.app import opened
from daybook.settings import load
from schemas.registry import published
from tests.daybook.commands import Run, refused
from tests.oracle.story import NOON, Story
from tests.oracle.world import Said

Message = tuple[str, bytes | None, bytes | None]
MAY = "2026-05-31"
DAY = {"worked_on": date(2026, 5, 20)}


def entry(number: int, **fields: Any) -> Said:
    """An entry under an id of its own, not approved."""
    said = Story().entry(f"bad-{number}", 50, approve=False, **fields).said[-1]
    said.fields["event_id"] = f"00000000-0000-4000-8000-{0xBAD000 + number:012x}"
    return said


def varint(number: int) -> bytes:
    """A long as Avro writes it."""
    number, raw = (number << 1) ^ (number >> 63), b""
    while number > 0x7F:
        raw, number = raw + bytes([number & 0x7F | 0x80]), number >> 7
    return raw + bytes([number])


def text(said: bytes) -> bytes:
    """A text as Avro writes it."""
    return varint(len(said)) + said


def changed(number: int, change: Callable[[bytes], bytes]) -> Message:
    topic, key, value = entry(number).message()
    return topic, key, change(value)


def swapped(number: int, what: bytes, by: bytes) -> Message:
    """One text of a message replaced by other bytes."""
    return changed(number, lambda value: value.replace(text(what), by, 1))


def other_type(number: int) -> Message:
    """The bytes of an approval under the schema of an entry."""
    frame = entry(number).message()[2][:5]
    about = {"client_id": "acme", "time_entry_id": f"bad-{number}", "revision": 1, "approver_id": "boss"}
    topic, key, value = Story().say("TimeEntryApproved", **about).said[-1].message()
    return topic, key, frame + value[5:]


def not_a_number(_number: int) -> Message:
    """A rate that is NaN: as IEEE writes it, for decimals of this contract cannot say it."""
    topic, key, value = Story().charge_type("NAN", rate="12345.67").said[-1].message()
    rate = (1_234_567_000_000).to_bytes(6, "big")  # 12345.67 in hundred-millionths
    assert value.count(rate) == 1, "the rate is not where it is looked for"
    return topic, key, value.replace(text(rate), text(b"\x7f" * 20 + b"NaN"))


DEAD: dict[str, tuple[Callable[[int], Message], str]] = {
    "truncated": (lambda n: changed(n, lambda value: value[:-9]), "undecodable"),
    "unknown schema": (lambda n: changed(n, lambda value: b"\0\0\0\x27\x0f" + value[5:]), "unknown_schema"),
    "a length beyond all bounds": (lambda n: swapped(n, b"acme", varint(2**40) + b"acme"), "undecodable"),
    "another type": (other_type, "undecodable"),
    "not a number": (not_a_number, "undecodable"),
    "a NUL character": (lambda n: swapped(n, b"ann", text(b"an\0")), "undecodable"),
    "half a surrogate pair": (lambda n: swapped(n, b"ann", text(b"\xed\xa0\x80")), "undecodable"),
    "more than a megabyte": (lambda n: entry(n, note="x" * 1_100_000).message(), "too_large"),
    "tombstone": (lambda n: (*entry(n).message()[:2], None), "undecodable"),
    "under another's key": (lambda n: ("daybook.time", b"bolt", entry(n).message()[2]), "invalid_envelope"),
}
"""What cannot be read or trusted, and the reason it is set aside for."""
PARKED: dict[str, tuple[dict[str, Any], str | None]] = {
    "negative quantity": ({"worked_minutes": -50}, "impossible_value"),
    "year 9999": ({"worked_on": date(9999, 12, 31)}, None),
}
"""What can be read and cannot be billed now, and the reason it waits for; null: it waits for its day."""


def put(messages: list[Message]) -> None:
    with opened(load()) as app:
        app.log().append([(*message, ()) for message in messages])


def waits(run: Run, *words: str) -> dict[str, tuple[str, str | None]]:
    return {row["id"]: (row["reason"], row["dead_letter"]) for row in run("waiting", "--json", *words).rows}


def acme(run: Run) -> tuple[int, int] | None:
    """How many lines of acme are due, and what they come to in pence."""
    rows = {row["client_id"]: (row["lines"], row["net_minor"]) for row in run("queue", "--as-of", MAY, "--json").rows}
    return rows.get("acme")


def state(run: Run) -> dict[str, str]:
    """What the views hold; the ledger's own chain tells when each batch came."""
    book = ("ledger_batches", "dead_letters")
    return {row["view"]: row["hash"] for row in run("hash", "--json").rows if row["view"] not in book}


def test_each_of_twelve_kinds_has_its_fate_and_stops_nobody(run: Run) -> None:
    assert len(DEAD) + len(PARKED) == 12
    story = Story().entry("good-1", 60)
    mixed: list[Message] = [said.message() for said in story.said]
    for number, (make, _) in enumerate(DEAD.values()):
        mixed.append(make(number))
        mixed += [said.message() for said in story.entry(f"good-{number + 2}", 60).said[-2:]]
    for name, (fields, _) in PARKED.items():
        mixed += [said.message() for said in story.entry(name, fields.get("worked_minutes", 50), **DAY | fields).said[-2:]]
    put(mixed)
    assert run("worker", "--once").code == 0
    dead = run("dead-letters", "--json").rows
    assert sorted(row["reason"] for row in dead) == sorted(reason for _, reason in DEAD.values())
    (row,) = run("queue", "--as-of", MAY, "--json").rows
    assert (row["lines"], row["net_minor"]) == (len(DEAD) + 1, (len(DEAD) + 1) * 10_000)
    waiting = waits(run)
    for name, (_, reason) in PARKED.items():
        assert waiting.get(name, (None, None))[0] == reason
    lines = run("queue", "--lines", "--as-of", "9999-12-31", "--json").rows
    assert "time/year%209999" in {line["item_key"] for line in lines}
    assert all(check["ok"] for check in run("verify", "--json").rows)


@pytest.fixture
def schema_to_come() -> Iterator[Callable[[], None]]:
    """This version does not know the newest schema of entries yet; the function given brings the version that does."""
    frame = entry(0).message()[2][:5]
    writers = published().writers
    known = writers.pop(frame)

    def fix() -> None:
        writers[frame] = known

    yield fix
    fix()


def ahead_of_its_schema(run: Run) -> Story:
    """Two entries that an older version cannot read, approved; a third, of another client, is not approved."""
    story = Story().client("bolt").entry("e1", 50).entry("e2", 70).entry("e3", 30, client_id="bolt", approve=False)
    put([said.message() for said in story.said])
    assert run("worker", "--once").code == 0
    assert [row["reason"] for row in run("dead-letters", "--json").rows] == ["unknown_schema"] * 3
    return story


def test_what_depends_on_a_dead_letter_waits_with_that_reason_and_names_it(
    run: Run, schema_to_come: Callable[[], None]
) -> None:
    story = ahead_of_its_schema(run)
    put([story.decide("Approved", "never-logged").said[-1].message()])
    assert run("worker", "--once").code == 0
    places = {f"{row['topic']}/{row['partition']}/{row['offset']}" for row in run("dead-letters", "--json").rows}
    waiting = waits(run)
    assert waiting["never-logged"] == ("entry_not_seen", None)
    assert {waiting[id_][0] for id_ in ("e1", "e2")} == {"depends_on_dead_letter"}
    assert {waiting["e1"][1], waiting["e2"][1]} <= places
    assert waiting["e1"][1] != waiting["e2"][1]
    assert waiting["e1"][1] in run("waiting").out.replace("\n", "")
    assert waits(run, "--client", "bolt") == {}


def test_replay_after_a_fix_ends_as_if_they_had_been_read_at_once(
    run: Run, schema_to_come: Callable[[], None]
) -> None:
    ahead_of_its_schema(run)
    stay = run("dead-letters", "replay", "--json")
    assert (stay.code, [row["outcome"] for row in stay.rows]) == (1, [None] * 3)
    assert all("unknown_schema" in row["detail"] for row in stay.rows)
    schema_to_come()
    would = run("dead-letters", "replay", "--dry-run", "--json")
    assert [row["outcome"] for row in would.rows] == ["recorded"] * 3
    assert acme(run) is None
    place = would.rows[0]["place"]
    assert [row["place"] for row in run("dead-letters", "replay", place, "--json").rows] == [place]
    assert run("dead-letters", "replay", "--reason", "schema 7 is published").code == 0
    assert run("dead-letters", "--json").rows == []
    assert {row["outcome"] for row in run("dead-letters", "--all", "--json").rows} == {"recorded"}
    assert waits(run) == {"e3": ("awaiting_approval", None)}
    assert acme(run) == (2, 20_000)
    once = state(run)
    again = run("dead-letters", "replay", place, "--json")
    assert (again.code, again.rows[0]["detail"]) == (1, "it was settled meanwhile")
    assert state(run) == once
    assert all(check["ok"] for check in run("verify", "--json").rows)
    # Each line leads back to the message itself, not to the replay.
    explained = json.loads(run("explain", "time/e1", "--json").out)
    assert place.startswith("daybook.time/")
    assert {event["topic"] for event in explained[0]["source_events"]} == {"daybook.time"}


def test_what_was_sent_again_meanwhile_is_a_repeat(run: Run, schema_to_come: Callable[[], None]) -> None:
    story = ahead_of_its_schema(run)
    schema_to_come()
    put([said.message() for said in story.said])
    assert run("worker", "--once").code == 0
    before = state(run)
    done = run("dead-letters", "replay", "--json")
    assert (done.code, [row["outcome"] for row in done.rows]) == (0, ["repeat"] * 3)
    assert state(run) == before


def test_several_at_once_and_a_worker_beside_them_record_each_once(run: Run, schema_to_come: Callable[[], None]) -> None:
    from consumers.replay import replay
    from ledger import dead_letters

    story = ahead_of_its_schema(run)
    schema_to_come()
    put([said.message() for said in story.said])
    outcomes: list[str | None] = []
    failed: list[Exception] = []

    def one() -> None:
        try:
            with opened(load()) as app:
                given = [one for page in dead_letters.waiting(app.database, app.book.keyring) for one in page]
                together.wait(timeout=30)
                outcomes.extend(done.outcome for done in replay(app.book, given, "ann", "again"))
        except Exception as error:
            failed.append(error)

    together = threading.Barrier(5)
    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    together.wait(timeout=30)
    assert run("worker", "--once").code == 0
    for thread in threads:
        thread.join(timeout=60)
    assert failed == []
    assert len([outcome for outcome in outcomes if outcome is not None]) == 3
    assert acme(run) == (2, 20_000)
    assert all(check["ok"] for check in run("verify", "--json").rows)


def test_one_can_be_looked_into_and_dismissed_with_a_reason(run: Run) -> None:
    topic, _, value = entry(1, note="as agreed").message()
    put([(topic, b"bolt", value), ("daybook.time", b"acme", None)])
    assert run("worker", "--once").code == 0
    listed = run("dead-letters", "--json").rows
    places = [f"{row['topic']}/{row['partition']}/{row['offset']}" for row in listed]
    assert "as agreed" not in run("dead-letters").out + run("dead-letters", "--json").out
    shown = [run("dead-letters", "show", place, "--json").rows[0] for place in places]
    (wrong_key,) = [row for row in shown if row["key"] == "bolt"]
    assert wrong_key["type"] == "TimeEntryLogged"
    assert wrong_key["event"]["note"] == "as agreed"
    assert "bad-1" in run("dead-letters", "show", wrong_key["place"]).out
    refused(run("dead-letters", "show", "daybook.time/3/999"), "no dead letter")
    refused(run("dead-letters", "show", "daybook.time"), "no place")
    refused(run("dead-letters", "dismiss", places[0]), "--reason")
    assert run("dead-letters", "dismiss", places[0], "--reason", "the sender sent it again").code == 0
    refused(run("dead-letters", "dismiss", places[0], "--reason", "twice"), "settled already")
    assert [f"{row['topic']}/{row['partition']}/{row['offset']}" for row in run("dead-letters", "--json").rows] == places[1:]
    assert [row["outcome"] for row in run("dead-letters", "--all", "--json").rows] == ["dismissed", None]


def test_known_at_does_not_name_what_came_later(run: Run, schema_to_come: Callable[[], None]) -> None:
    story = Story().decide("Approved", "e1", at=NOON - timedelta(days=1))
    put([said.message() for said in story.said])
    assert run("worker", "--once").code == 0
    with opened(load()) as app, app.database.connection() as connection:
        row = connection.execute("SELECT max(recorded_at) FROM ledger.batches").fetchone()
    assert row is not None
    put([story.entry("e1", 50, approve=False).said[-1].message()])
    assert run("worker", "--once").code == 0
    assert waits(run)["e1"][0] == "depends_on_dead_letter"
    assert waits(run, "--known-at", row[0].isoformat())["e1"] == ("entry_not_seen", None)
