"""Why a line is what it is, printed: of an issued document, or of an item that is still in the queue."""

from collections.abc import Iterator, Sequence
from typing import Any

from daybook.printing import as_json as print_json
from daybook.printing import money, plain, say
from daybook.showing import opened
from ledger.keyring import PREFIX, Keyring
from projections.item import Item


def item_lines(found: Item) -> list[dict[str, Any]]:
    """What is due of a queue item, under the keys of an explained document's line; one without a number where nothing is due."""
    nothing = {"line_no": None, "description": "nothing is due", "currency": found.currency, "net_minor": found.due_minor,
               "corrects": None, "rule": None, "arithmetic": found.explanation}  # fmt: skip
    return [
        {
            "number": None,
            "client_id": found.client_id,
            "item_key": found.item_key,
            **line,
            "due_on": found.due_on,
            "rated_minor": found.rated_minor,
            "adjusted_minor": found.adjusted_minor,
            "posted_minor": found.posted_minor,
            "due_minor": found.due_minor,
            "adjustments": found.adjustments,
            "postings": found.postings,
            "hold": found.hold,
            "entries": found.entries,
            "source_count": found.source_count,
            "source_events": found.events,
        }
        for line in found.lines or [nothing]
    ]


def print_lines(lines: Sequence[dict[str, Any]], keyring: Keyring, as_json: bool) -> None:
    """Why lines are what they are, down to the messages they came from; personal text in clear where its key is known."""
    clear = [_in_clear(plain(line), keyring) for line in lines]
    if as_json:
        print_json(clear)
        return
    for line, after in zip(clear, [*clear[1:], None], strict=True):
        # All lines of a queue item rest on the same events and decisions: told once, behind the last.
        shared = after is not None and line["number"] is None
        for told in (*_told(line), *(() if shared else _origin(line))):
            say(told)


def _in_clear(said: Any, keyring: Keyring) -> Any:
    """What was said, as JSON has it, personal text opened where its key is still known."""
    match said:
        case str() if said.startswith(PREFIX):
            return opened(said, keyring)
        case dict():
            return {name: _in_clear(value, keyring) for name, value in said.items()}
        case list():
            return [_in_clear(value, keyring) for value in said]
    return said


def _told(line: dict[str, Any]) -> Iterator[str]:
    """What a line is, and how it was worked out."""
    currency = line["currency"] or ""
    if line["number"] is not None:
        yield f"{line['number']} line {line['line_no']}: {line['description']}  [{line['item_key']}]"
        taxed = f", tax {line['tax_code']} {line['tax_percent']} % = {money(line['tax_minor'], currency)}"
    else:
        yield f"{line['item_key']} of {line['client_id']}: {line['description']}"
        taxed = ", tax when it is issued" if line["rule"] is not None else ""
    if line["rule"] is not None:
        yield f"  rule        {line['rule']}"
    yield f"  arithmetic  {line['arithmetic']}"
    if currency:
        yield f"  net         {money(line['net_minor'], currency)}{taxed}"
    if line["corrects"]:
        yield f"  corrects    {line['corrects']['number']} line {line['corrects']['line_no']}"
    for place in line.get("corrected_by", ()):
        yield f"  corrected   by {place['number']} line {place['line_no']}"


def _origin(line: dict[str, Any]) -> Iterator[str]:
    """What people did with an item that is still in the queue, what of it was issued before, and each message behind it."""
    for one in line.get("adjustments", ()):
        amount, undone = money(one["amount_minor"], one["currency"]), " (taken back)" if one["taken_back"] else ""
        yield f"  adjusted    {amount} by {one['by']} at {one['at']}: {one['reason']}{undone}"
    for one in line.get("postings", ()):
        yield f"  issued      {money(one['net_minor'], one['currency'])} on {one['number']}"
    if hold := line.get("hold"):
        yield f"  held        by {hold['by']} at {hold['at']}: {hold['reason']}"
    for event in line["source_events"]:
        where = f"{event['topic']}/{event['partition']}/{event['offset']}" if event["topic"] else "a person's decision"
        yield f"  from        {event['event']} {event['event_id']} at {where}, batch {event['batch']}"
