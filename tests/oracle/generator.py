"""A provider's half-year as it would arrive: late, twice, out of order and in part unreadable, the same for every seed."""

import random
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from . import poison
from .wire import Produced
from .world import BASIC_TYPES, ODD_TYPES, Client, Said, World

Message = tuple[str, bytes | None, bytes | None]
"""Topic, key and value in production order."""

_STORIES = {
    "approved": 640,
    "undecided": 50,
    "rejected": 30,
    "rejected_then_amended": 40,
    "amended_undecided": 30,
    "amended_approved": 50,
    "withdrawn": 20,
    "rejected_then_approved": 20,
    "approved_then_rejected": 10,
    "tie": 5,
    "wrong_revision": 5,
    "fixed_minutes": 50,
    "impossible": 10,
    "unknown_type": 7,
    "unknown_client": 5,
    "second_client": 6,
    "unknown_contract": 6,
    "odd_type": 20,
    "seats": 120,
}


def facts(
    seed: int,
    n: int,
    clients: int | None = None,
    *,
    repeats: float = 0.05,
    reordered: float = 0.02,
    poisoned: float = 0.01,
    furthest: int = 5_000,
) -> list[Message]:
    """`n` messages in production order; `clients` defaults to one per 250 messages.

    `repeats`, `reordered` and `poisoned` are shares of `n`; a reordered message moves by up to `furthest` places.
    """
    rng = random.Random(seed)
    world = World(rng, clients or max(6, n // 250))
    bad, again = int(n * poisoned), int(n * repeats)
    told = _told(world, n - bad - again)
    told.sort(key=lambda said: said.at)
    places: list[tuple[float, Message]] = []
    for place, said in enumerate(told):
        moved = rng.uniform(-furthest, furthest) if rng.random() < reordered else 0
        places.append((place + moved, said.message()))
    for _ in range(again):
        place, message = places[rng.randrange(len(told))]
        places.append((place + rng.uniform(0, furthest), message))
    for kind in poison.kinds(rng, bad):
        place = rng.randrange(len(told))
        places.append((place + rng.uniform(0, 50), poison.message(kind, rng, world, told[place])))
    places.sort(key=lambda placed: placed[0])
    return [message for _, message in places]


def place(messages: Sequence[Message], partitions: int = 12) -> list[Produced]:
    """The messages as Kafka's default partitioner would lay them down."""
    ends: dict[tuple[str, int], int] = {}
    produced = []
    for topic, key, value in messages:
        partition = _partition(key, partitions)
        offset = ends.get((topic, partition), 0)
        ends[topic, partition] = offset + 1
        produced.append(Produced(topic, partition, offset, key, value))
    return produced


@cache
def _partition(key: bytes | None, partitions: int) -> int:
    return 0 if key is None else (murmur2(key) & 0x7FFFFFFF) % partitions


def murmur2(data: bytes) -> int:
    """Kafka's key hash (32 bits, seed 0x9747b28c)."""
    m, mask = 0x5BD1E995, 0xFFFFFFFF
    h = 0x9747B28C ^ len(data)
    whole = len(data) & ~3
    for i in range(0, whole, 4):
        k = int.from_bytes(data[i : i + 4], "little") * m & mask
        k = (k ^ k >> 24) * m & mask
        h = (h * m & mask) ^ k
    if rest := data[whole:]:
        h = (h ^ int.from_bytes(rest, "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return h ^ h >> 15


def _told(world: World, count: int) -> list[Said]:
    told = list(world.said)
    if len(told) > count:
        raise ValueError(f"{count} facts are too few for {len(world.clients)} clients: at least {len(told)}")
    stories, weights = list(_STORIES), list(_STORIES.values())
    number = 0
    while len(told) < count:
        number += 1
        told += _story(world, world.rng.choices(stories, weights)[0], number)
    return told[:count]


def _story(world: World, story: str, number: int) -> Iterator[Said]:
    """One entry's life, or what a system counted on some days."""
    rng, client = world.rng, world.rng.choice(world.clients)
    if story == "seats":
        yield from _seat_counts(world, client)
        return
    entry = _entry(world, client, number)
    logged_at = datetime.combine(entry["worked_on"], datetime.min.time(), UTC) + timedelta(
        hours=rng.choice((18, 20, 30)), seconds=rng.randrange(36_000)
    )
    decided_at = logged_at + timedelta(hours=rng.choice((1, 5, 30, 200)), seconds=rng.randrange(3_600))
    later = decided_at + timedelta(hours=rng.choice((2, 100)), seconds=rng.randrange(3_600))
    last = later + timedelta(hours=rng.choice((1, 50)))
    about = {"client_id": entry["client_id"], "time_entry_id": entry["time_entry_id"]}

    def approved(revision: int, at: datetime, minutes: int | None = None) -> Said:
        said = world.say(
            "TimeEntryApproved", at, **about, revision=revision, approver_id="boss", billable_minutes=minutes
        )
        if rng.random() < 0.04:
            said.at = logged_at - timedelta(hours=rng.randrange(1, 40))  # arrives before its entry
        return said

    def rejected(revision: int, at: datetime) -> Said:
        return world.say("TimeEntryRejected", at, **about, revision=revision, approver_id="boss", reason="why?")

    def amended(revision: int, at: datetime) -> Said:
        fields = entry | _change(world, entry) | {"revision": revision, "reason": "corrected"}
        return world.say("TimeEntryAmended", at, **fields)

    entry |= _oddity(world, story, entry)
    about |= {"client_id": entry["client_id"]}
    yield world.say("TimeEntryLogged", logged_at, **entry)
    match story:
        case "undecided":
            return
        case "rejected":
            yield rejected(1, decided_at)
        case "rejected_then_amended":
            yield from (rejected(1, decided_at), amended(2, later), approved(2, last))
        case "amended_undecided":
            yield from (approved(1, decided_at), amended(2, later))
        case "amended_approved":
            yield from (approved(1, decided_at), amended(2, later), approved(2, last))
        case "withdrawn":
            yield from [approved(1, decided_at)] if rng.random() < 0.6 else []
            yield world.say("TimeEntryWithdrawn", later, **about, revision=2)
        case "rejected_then_approved":
            yield from (rejected(1, decided_at), approved(1, later))
        case "approved_then_rejected":
            yield from (approved(1, decided_at), rejected(1, later))
        case "tie":
            yield from (approved(1, decided_at), rejected(1, decided_at))
        case "wrong_revision":
            yield from (amended(2, later), approved(rng.choice((1, 3)), last))
        case "fixed_minutes":
            yield approved(1, decided_at, rng.choice((0, 7, 30, 60, 95, 480)))
        case "second_client":
            yield approved(1, decided_at)
            yield from _second_client(world, client, entry, decided_at)
        case _:
            yield approved(1, decided_at)


def _entry(world: World, client: Client, number: int) -> dict[str, Any]:
    rng = world.rng
    worked_on = world.day(date(2026, 3, 1), date(2026, 6, 9))
    charge_type = rng.choices(BASIC_TYPES, (40, 20, 10, 15, 15))[0]
    worked = rng.choice((5, 10, 15, 20, 25, 37, 45, 50, 55, 60, 75, 90, 125, 200, 480, 0))
    started_at = None
    if rng.random() < 0.8:
        zone = ZoneInfo(client.zone) if client.zone != "Mars/Olympus" else UTC
        clock = datetime.combine(worked_on, datetime.min.time(), zone) + timedelta(minutes=rng.randrange(420, 1_100))
        started_at = clock.astimezone(UTC)
    has_ticket = rng.random() < 0.7
    if has_ticket and rng.random() < 0.4:
        client.tickets += 1
    ticket = max(1, client.tickets - rng.randrange(3))
    named = rng.random() < 0.5 and bool(client.contracts)
    return {
        "client_id": client.client_id,
        "time_entry_id": f"E-{number:06}" if number % 50 else f"INC#{number}/α 3",
        "revision": 1,
        "ticket_id": (f"T-{ticket}" if ticket % 7 else f"T/{ticket} ü%") if has_ticket else None,
        "project_id": rng.choice(("P-1", "P-2")) if charge_type == "PRJ" else None,
        "contract_id": rng.choice(client.contracts) if named else None,
        "agent_id": f"agent-{rng.randrange(20)}",
        "charge_type": charge_type,
        "worked_on": worked_on,
        "started_at": started_at,
        "ended_at": started_at + timedelta(minutes=worked) if started_at and rng.random() < 0.9 else None,
        "worked_minutes": worked,
        "deducted_minutes": rng.choice((0, 0, 0, 0, min(5, worked), worked)) if rng.random() < 0.3 else 0,
        "note": rng.choice(("", "Reset password", "Patched the server – twice")),
    }


def _seat_counts(world: World, client: Client) -> Iterator[Said]:
    """A few counts: polls that repeat, a bounce, a correction of the same instant, one said weeks late, one that cannot be."""
    rng = world.rng
    about = {
        "client_id": client.client_id,
        "product": rng.choice(("m365", "m365", "m365", "backup")),
        "system": rng.choice(("csp", "rmm", "csp", "manual")),
    }
    counted_at = datetime(2026, 2, 1, tzinfo=UTC) + timedelta(minutes=rng.randrange(130 * 24 * 60))
    quantity = rng.choice((0, 4, 9, 10, 11, 25, 26, 48, 52, -1))
    for step in range(rng.choice((1, 1, 2, 3))):
        said_at = counted_at + timedelta(days=rng.choice((0, 0, 0, 40)), minutes=5)
        yield world.say("SeatCountReported", said_at, **about, quantity=quantity, as_of=counted_at, revision=step + 1)
        counted_at += timedelta(hours=rng.choice((0, 1, 24, 300)))
        quantity = max(-1, quantity + rng.choice((0, 0, 4, -3)))


def _change(world: World, entry: dict[str, Any]) -> dict[str, Any]:
    rng = world.rng
    change = rng.random()
    if change < 0.5:
        worked = entry["worked_minutes"] + rng.choice((5, 15, 30))
        return {"worked_minutes": worked}
    if change < 0.7:
        return {"charge_type": rng.choice(BASIC_TYPES)}
    if change < 0.85:
        moved = entry["worked_on"] + timedelta(days=rng.choice((-3, -1, 1)))
        return {"worked_on": moved, "started_at": None, "ended_at": None}
    return {"note": "worded better"}


def _oddity(world: World, story: str, entry: dict[str, Any]) -> dict[str, Any]:
    rng = world.rng
    match story:
        case "impossible":
            started_at = datetime(2026, 5, 5, 12, tzinfo=UTC)
            wrong = rng.choice(
                (
                    {"worked_minutes": -30, "deducted_minutes": 0},
                    {"deducted_minutes": entry["worked_minutes"] + 1},
                    {"started_at": started_at, "ended_at": started_at - timedelta(minutes=1)},
                )
            )
            return {"charge_type": rng.choice(("REM", "ONS", "CUS"))} | wrong
        case "unknown_type":
            return {"charge_type": "NEVER-DEFINED"}
        case "unknown_client":
            return {"client_id": f"GHOST-{rng.randrange(3)}", "contract_id": None}
        case "unknown_contract":
            return {"contract_id": "K-NEVER"}
        case "odd_type":
            return {"charge_type": rng.choice(ODD_TYPES)}
    return {}


def _second_client(world: World, client: Client, entry: dict[str, Any], at: datetime) -> Iterator[Said]:
    """Another client says the same entry id, sometimes with an earlier clock."""
    rng = world.rng
    other = rng.choice([one for one in world.clients if one is not client])
    said_at = at + timedelta(hours=rng.choice((-300, 5)))
    copied = entry | {"client_id": other.client_id, "contract_id": None}
    said = world.say("TimeEntryLogged", said_at, **copied)
    said.at = at + timedelta(hours=1)
    yield said
    about = {"client_id": other.client_id, "time_entry_id": entry["time_entry_id"]}
    yield world.say("TimeEntryApproved", at + timedelta(hours=8), **about, revision=1, approver_id="boss")
