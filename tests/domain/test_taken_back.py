"""What is taken back says why: a credit names the withdrawal or the rejection."""

from datetime import UTC, datetime

import pytest

from tests.domain.given import Given, usual
from tests.saying import approved, said


@pytest.mark.parametrize("taken_back", ["TimeEntryWithdrawn", "TimeEntryRejected"])
def test_credit_names_the_fact_that_took_the_entry_back(taken_back: str) -> None:
    books = Given(usual(), approved())
    books.run()
    revision = 2 if taken_back == "TimeEntryWithdrawn" else 1
    why = said(taken_back, revision=revision, at=datetime(2026, 6, 2, tzinfo=UTC))
    books.also(why)
    [credit] = books.due()
    assert credit.line.amount_minor == -15000
    assert why[2]["event_id"] in credit.sources
