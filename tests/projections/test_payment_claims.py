"""Money of nobody that two say is theirs: it counts once, for the first who said so, whatever the order of arrival."""

from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest

from tests.projections.office import Office
from tests.projections.test_receivables import office_with_invoices, pay, waiting

AT = datetime(2026, 5, 2, 12, tzinfo=UTC)
SAID = [("?", AT), ("buildco", AT + timedelta(hours=2)), ("acme", AT + timedelta(hours=1))]


@pytest.mark.parametrize("order", list(permutations(SAID)), ids=lambda order: " ".join(who for who, _ in order))
def test_the_earliest_statement_has_it_and_the_other_waits(office: Office, order: tuple[tuple[str, datetime], ...]) -> None:
    office_with_invoices(office)
    for client_id, at in order:
        pay(office, "p1", 5_000, 2, month=5, client_id=client_id, at=at)
        office.views.catch_up()
    assert waiting(office) == [("buildco", "payment", "p1", "client_changed")]
    assert office.rows("SELECT client_id, applied_minor, unapplied_minor FROM credits") == [("acme", 5_000, 0)]
    office.assert_settled()


def test_two_clients_with_payments_of_one_id_that_nobody_matched_are_two_payments(office: Office) -> None:
    office_with_invoices(office)
    for client_id in ("acme", "buildco"):
        pay(office, "p1", 5_000, 2, month=5, client_id=client_id)
    assert waiting(office) == [("buildco", "payment", "p1", "unknown_client")]
    assert office.rows("SELECT client_id, pays_minor FROM credits ORDER BY 1") == [("acme", 5_000), ("buildco", 5_000)]


def test_another_amount_is_another_payment_and_both_clients_keep_theirs(office: Office) -> None:
    office_with_invoices(office)
    pay(office, "p1", 5_000, 2, month=5, client_id="?")
    pay(office, "p1", 5_000, 2, month=5)
    pay(office, "p1", 4_000, 2, month=5, client_id="buildco")
    assert waiting(office) == [("buildco", "payment", "p1", "unknown_client")]
    office.assert_settled()
