"""What the demo MSP tells its clients by itself: its own policy, and what three clients have asked for instead."""

from datetime import UTC, datetime
from typing import Any, Final

from daybook.demo_catalogue import Fact, envelope

_SAID_AT: Final = datetime(2026, 2, 26, 9, 30, tzinfo=UTC)
EVERYBODY: Final = "*"


def reminder_policies() -> list[Fact]:
    """The global policy and its exceptions; what a client's own policy leaves null is as for everybody."""
    return [
        _policy(
            EVERYBODY,
            new_invoice=True,
            statement={"day_of_month": 31, "weekday": None},
            due_offsets_days=[-3, 1, 14, 28],
            minimum_balance_minor=5_000,
            opted_out=False,
        ),
        _policy("thornfield", due_offsets_days=[7]),
        _policy("hollin-bank", statement={"day_of_month": None, "weekday": 5}),
        _policy("peakline", opted_out=True),
    ]


def _policy(client_id: str, **said: Any) -> Fact:
    fields: dict[str, Any] = {
        **envelope("psa", _SAID_AT, "ReminderPolicySet", client_id, 1),
        "client_id": client_id,
        "revision": 1,
        "new_invoice": None,
        "statement": None,
        "due_offsets_days": None,
        "minimum_balance_minor": None,
        "opted_out": None,
        **said,
    }
    return "daybook.clients", "ReminderPolicySet", fields
