"""What is said to be left behind is what the queue shows, on the open day and on any other."""

from datetime import date

import pytest

from projections import queue
from projections.left_behind import held, unapproved
from runs import decide
from tests.oracle.story import NOON
from tests.projections.office import Office
from tests.projections.test_rebuild import tell_demo

DAYS = [date(2026, 5, 31), date(2026, 5, 15), date(2026, 7, 1)]


@pytest.mark.parametrize("day", DAYS)
def test_left_behind_is_what_the_queue_says(office: Office, day: date) -> None:
    tell_demo(office)
    office.views.catch_up()
    for row in office.rows("SELECT client_id, item_key, currency FROM reporting.charges WHERE due_minor <> 0 ORDER BY 1, 2")[::5]:
        decide.hold(office.book, decide.Item(*row), reason="wait", by="me", at=NOON)
    office.views.catch_up()
    with office.views.reading(as_of=day) as cursor:
        rows = queue.rows(cursor, day, queue.Filter())
    with office.views.reading() as cursor:
        found, undecided = held(cursor, day), unapproved(cursor, day)
        assert [one.client for one in held(cursor, day, ["acme"])] == ["Acme Corp"]
        assert unapproved(cursor, day, ["buildco"]) == []
    wanted = [(r.client_name, r.currency, r.held_lines, r.held_minor) for r in rows if r.held_lines]
    assert sorted(wanted) == [(one.client, one.currency, one.lines, one.net_minor) for one in found] != []
    minutes: dict[str, int] = {}
    for row in rows:
        if row.unapproved_minutes:
            minutes[row.client_name] = minutes.get(row.client_name, 0) + row.unapproved_minutes
    assert minutes == {one.client: one.minutes for one in undecided} != {}
