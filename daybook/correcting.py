"""What the command line, the API and the pages say of a correction that was made."""

from typing import Any

from runs.correct import Corrected


def shown(made: Corrected, done: str) -> dict[str, Any]:
    """A correction with fixed keys: `done` is `credited`, `voided` or `written off`; money is below zero, as it takes off."""
    note = made.note
    return {
        "done": done.replace(" ", "_"),
        "number": made.number,
        "client_id": made.client_id,
        "currency": made.currency,
        "credit_note": note.number if note is not None else None,
        "mode": note.mode if note is not None else None,
        "net_minor": note.net_minor if note is not None else -made.written_off_minor,
        "tax_minor": note.tax_minor if note is not None else 0,
        "total_minor": note.total_minor if note is not None else -made.written_off_minor,
        "batch": made.batch,
    }
