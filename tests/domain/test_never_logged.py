"""What is said about an entry that nobody logged."""

import pytest

from tests.domain.given import Given, usual
from tests.saying import said


@pytest.mark.parametrize("record", ["TimeEntryApproved", "TimeEntryRejected", "TimeEntryWithdrawn"])
def test_what_is_said_of_an_entry_nobody_logged_waits_until_it_is(record: str) -> None:
    books = Given(usual(), said(record, time_entry_id="lost"))
    assert books.rated() == {}
    assert books.waiting == {"lost": "entry_not_seen"}
    books.also(said("TimeEntryLogged", time_entry_id="lost"))
    books.rated()
    assert "entry_not_seen" not in books.waiting.values()
