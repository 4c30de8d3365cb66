"""What the demo MSP's systems counted: Thornfield's devices every night, Swilly Bay's workplaces every Friday."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from daybook.demo_catalogue import MOVED_ON, RENEWED_ON, Fact, envelope

DEVICES: Final = "managed-device"
WORKPLACE: Final = "workplace"
_POLLED_AT: Final = time(2, 30)
_FRIDAY: Final = 5
_JUNE: Final = date(2026, 6, 1)

_GREW_ON: Final = date(2026, 4, 14)
"""Thornfield's laundry came on that night: four devices more."""
_RETIRED_ON: Final = date(2026, 4, 16)
"""Swilly Bay retired five workplaces; Intune was told on 8 May."""
_CLEANED_UP_AT: Final = datetime(2026, 5, 8, 10, 40, tzinfo=UTC)


def may_counts() -> list[Fact]:
    """May's polls."""
    return list(_polls(RENEWED_ON, _JUNE))


def earlier_counts() -> list[Fact]:
    """The polls of March and April, as they were at the time, and the RMM's correction on the day after its slip."""
    slip = _count("thornfield", DEVICES, "rmm", 52, _GREW_ON, revision=2, said_at=datetime(2026, 4, 15, 8, tzinfo=UTC))
    return [*_polls(MOVED_ON, RENEWED_ON), slip]


def back_dated_counts() -> list[Fact]:
    """Said in May about April: five workplaces were gone from the 16th, and two polls after it had counted them still."""
    polls = _fridays(_RETIRED_ON, RENEWED_ON)
    return [
        _count("swilly-bay", WORKPLACE, "intune", 24, day, revision=2, said_at=_CLEANED_UP_AT) for day in (_RETIRED_ON, *polls)
    ]


def _polls(first: date, end: date) -> Iterator[Fact]:
    for number in range((end - first).days):
        day = first + timedelta(days=number)
        # On the night of the growth the agents of two devices had not reported yet: corrected the next morning.
        by_rmm = 48 if day < _GREW_ON else 50 if day == _GREW_ON else 52
        yield _count("thornfield", DEVICES, "rmm", by_rmm, day)
    for day in (first, *_fridays(first + timedelta(days=1), end)):
        enrolled = 50 if day < _GREW_ON else 54
        yield _count("thornfield", DEVICES, "intune", enrolled, day)  # two are enrolled and in a drawer
        yield _count("thornfield", DEVICES, "entra", enrolled + 1, day)  # and one has left, but not the directory
        workplaces = 29 if day < RENEWED_ON else 24
        yield _count("swilly-bay", WORKPLACE, "intune", workplaces, day)
        yield _count("swilly-bay", WORKPLACE, "rmm", 29 if day < _RETIRED_ON else 24, day)


def _fridays(first: date, end: date) -> Iterator[date]:
    for number in range((end - first).days):
        day = first + timedelta(days=number)
        if day.isoweekday() == _FRIDAY:
            yield day


def _count(
    client_id: str,
    product: str,
    system: str,
    quantity: int,
    day: date,
    *,
    revision: int = 1,
    said_at: datetime | None = None,
) -> Fact:
    as_of = datetime.combine(day, _POLLED_AT, UTC)
    key = (client_id, product, system, day.isoformat(), revision)
    fields = {
        **envelope(system, said_at or as_of, "SeatCountReported", *key),
        "client_id": client_id,
        "product": product,
        "system": system,
        "quantity": quantity,
        "as_of": as_of,
        "revision": revision,
    }
    return "daybook.seats", "SeatCountReported", fields
