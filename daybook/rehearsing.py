"""What facts would bill or credit if they were said now: read as the front door reads them, rated by the views' own engine."""

from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from daybook.app import App, now
from projections.preview import Fact, preview
from projections.preview_result import Preview
from schemas.codec import check_envelope, encode, key_of
from schemas.files import BadFact, read
from schemas.json_lines import from_object
from schemas.message import Message, WireError
from schemas.topics import TOPIC_OF

MOST_FACTS = 10_000
"""More are no change that a person looks at before it is made."""


class NotReadable(Exception):
    """A fact that would be set aside; the message names its field and what would be right."""


class TooManyFacts(Exception):
    """More facts than a preview takes: preview a part of them."""


def read_object(envelope: Any) -> Fact:
    """A JSON-lines object as a fact; raises NotReadable where it would be refused, or end as a dead letter."""
    try:
        _, record, fields = from_object(envelope)
    except ValueError as error:
        raise NotReadable(str(error)) from error
    return checked(record, fields)


def checked(record: str, fields: dict[str, Any]) -> Fact:
    """The same, of fields that were read already."""
    try:
        encode(record, fields)
        check_envelope(TOPIC_OF[record], key_of(record, fields), Message(record, 1, 0, fields))
    except ValueError as error:
        raise NotReadable(str(error)) from error
    except WireError as error:
        raise NotReadable(f"{record}: {error.detail}") from error
    return record, fields


def read_files(paths: Sequence[Path], bad: list[BadFact]) -> list[Fact]:
    """The facts of files in order; lines that cannot be read are added to `bad`. Raises TooManyFacts."""
    found: list[Fact] = []
    for path in paths:
        for one in read(path):
            if isinstance(one, BadFact):
                bad.append(one)
                continue
            try:
                found.append(checked(one.record, one.fields))
            except NotReadable as error:
                bad.append(BadFact(path.name, f"{path.name}: {error}", b"", "invalid_envelope"))
            if len(found) > MOST_FACTS:
                raise TooManyFacts(f"{path.name}: more than {MOST_FACTS} facts; preview a part of them")
    return found


def rehearse(app: App, facts: Iterable[Fact], as_of: date) -> Preview:
    """The difference that facts would make as of a billing date; nothing is written but the opening of today."""
    if as_of == app.settings.business_date():
        app.open_today()
    app.views.catch_up()
    return preview(app.views, list(facts), as_of, now())
