"""A document that took exactly what was due is posted without rating anything again, and the views end as if all were rated."""

import re
from datetime import date
from typing import Any

import pytest

from projections import taken, work
from projections.views import Views
from runs.generate import Outcome, generate
from schemas.codec import encode, key_of
from tests.oracle.story import NOON
from tests.projections.office import Office
from tests.projections.test_rebuild import tell_demo
from tests.saying import said

MAY = date(2026, 5, 31)


@pytest.fixture
def month(office: Office) -> Office:
    """The demo's month, due and not invoiced yet."""
    tell_demo(office)
    office.views.catch_up()
    return office


def run(office: Office, *client_ids: str) -> Outcome:
    return generate(office.views, MAY, NOON, client_ids=client_ids or None)


def told(office: Office, record: str, **given: Any) -> None:
    topic, name, fields = said(record, **given)
    office.take([(topic, key_of(name, fields), encode(name, fields))])


def test_generating_all_rates_nothing_again(month: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    issued = run(month)
    lines = sum(len(document.lines) for document in issued.documents)
    assert lines > 50

    def never(*_given: object, **_more: object) -> None:
        raise AssertionError("an item was rated again")

    with monkeypatch.context() as patched:
        patched.setattr(work, "rate_some", never)
        patched.setattr(work, "rate_clients", never)
        month.views.catch_up()
    assert month.rows("SELECT count(*) FROM due_lines WHERE due_on <= '2026-05-31'") == [(0,)]
    assert month.rows("SELECT count(*) FROM reporting.charges WHERE posted_minor <> 0")[0][0] >= lines - 5
    month.assert_settled()


def test_document_on_what_was_amended_since_is_rated_anew(month: Office) -> None:
    """The run took 22 minutes; the amendment is in the book before the views see the document, in one batch or in two."""
    entry = entry_of(run(month, "acme"), 22)
    told(month, "TimeEntryAmended", time_entry_id=entry, revision=2, worked_minutes=90, worked_on="2026-05-01")
    month.assert_settled()
    assert waiting(month, entry) == ["amended_after_invoicing"]


def test_amendment_between_the_look_and_the_document_is_not_overlooked(month: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    follow = Views.follow
    amended: list[str] = []
    append = month.book.append

    def first_an_amendment(events: Any, **given: Any) -> Any:
        if not amended and given.get("conn") is not None:
            found = re.search(rb'"time_entry_id":"(TE-\d+)","minutes":22,', events[0].state)
            assert found is not None
            amended.append(found[1].decode())
            told(month, "TimeEntryAmended", time_entry_id=amended[0], revision=2, worked_minutes=90, worked_on="2026-05-01")
            follow(month.views)
        return append(events, **given)

    monkeypatch.setattr(month.book, "append", first_an_amendment)
    run(month, "acme")
    month.assert_settled()
    assert waiting(month, amended[0]) == ["amended_after_invoicing"]


def test_difference_to_an_earlier_document_is_rated_anew(month: Office) -> None:
    entry = entry_of(run(month, "acme"), 22)
    told(month, "TimeEntryAmended", time_entry_id=entry, revision=2, worked_minutes=90, worked_on="2026-05-01")
    told(month, "TimeEntryApproved", time_entry_id=entry, revision=2)
    (document,) = run(month, "acme").documents
    assert [line.corrects is not None for line in document.lines] == [True]
    month.assert_settled()
    assert month.rows("SELECT count(*) FROM due_lines WHERE client_id = 'acme' AND due_on <= '2026-05-31'") == [(0,)]


def test_line_that_is_not_the_documents_own_stays(month: Office) -> None:
    """Only the very line that was due is taken off: here the view was tampered with, so everything is rated anew."""
    issued = run(month, "acme")
    events = [event for event in month.book.read(0, 5_000) if event.topic in taken.TOPICS]
    with month.books() as cursor:
        cursor.execute("UPDATE due_lines SET line = line || ' ' WHERE client_id = 'acme' AND due_on <= '2026-05-31'")
        left = {(client_id, key) for client_id, key, _ in taken.take(cursor, events)}
    assert left == {("acme", line.item_key) for document in issued.documents for line in document.lines}
    month.assert_settled()


def entry_of(outcome: Outcome, minutes: int) -> str:
    """The entry of so many minutes on a run's documents."""
    found = {m.time_entry_id for d in outcome.documents for line in d.lines for m in line.members if m.minutes == minutes}
    return min(found)


def waiting(office: Office, entry: str) -> list[str]:
    return [reason for (reason,) in office.rows(f"SELECT reason FROM waiting WHERE id = '{entry}'")]
