"""Seats as they are listed: of many clients the history is read only where systems disagree now, and says the same."""

import random
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from projections import seat_list
from tests.oracle.story import Story
from tests.oracle.world import Said
from tests.projections.office import Office

MAY = date(2026, 5, 31)
CLIENTS = [f"c{n:02}" for n in range(12)]


def counts(rng: random.Random) -> list[Said]:
    """Counts of two products by two systems of some clients, that agree, disagree for a while, or still do."""
    found = []
    for number in range(400):
        at = datetime(2026, 5, 1, rng.randrange(24), tzinfo=UTC) + timedelta(days=rng.randrange(34))
        fields = {
            "event_id": str(UUID(int=number + 10_000, version=4)), "source": "csp", "occurred_at": at,
            "client_id": rng.choice(CLIENTS), "product": rng.choice(("m365", "edr")), "system": rng.choice(("csp", "rmm")),
            "quantity": rng.choice((48, 48, 48, 52, -1)), "as_of": at, "revision": 1,
        }  # fmt: skip
        found.append(Said(at, "SeatCountReported", fields))
    return found


def test_who_disagrees_now_is_found_without_reading_every_history(office: Office) -> None:
    story = Story()
    for number, name in enumerate(CLIENTS):
        story.client(name, time_zone=("America/New_York", "Pacific/Auckland", "Europe/London")[number % 3], revision=2)
    office.take([*story.said, *counts(random.Random(4))])
    office.views.catch_up()
    seen = set()
    with office.views.reading() as cursor:
        for day in (MAY, date(2026, 5, 20), date(2026, 5, 9), date(2026, 5, 1), date(2026, 4, 1)):
            rows = seat_list.counted(cursor, day)
            systems = cursor.execute("SELECT DISTINCT client_id, product, system FROM seat_counts").fetchall()
            assert {(one.client_id, one.product, one.system) for one in rows} <= set(systems)
            alone = [one for client in CLIENTS for one in seat_list.counted(cursor, day, client)]
            assert rows == alone
            whole = seat_list.since_when(seat_list.variances(cursor, day))
            assert seat_list.disagreeing(cursor, day, rows) == whole
            page = [one for one in rows if one.client_id < "c05"]
            assert seat_list.disagreeing(cursor, day, page) == {key: on for key, on in whole.items() if key[0] < "c05"}
            seen |= whole.keys()
    assert len(rows) == 0
    assert len(seen) > 5, "hardly anybody disagreed: the test would prove nothing"
