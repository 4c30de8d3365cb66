"""Reminders on a real database: claimed once, caught up once, and never after a payment (product R4)."""

from datetime import UTC, date, datetime, timedelta

import pytest

from daybook.app import App
from daybook.settings import Settings
from ledger.book import Book
from ledger.database import Database
from ledger.keyring import Keyring
from projections.views import Views
from runs import remind
from runs.errors import Refused
from tests.runs.reminding import LateViews, client, ids, invoiced, kept, late_reminders, paid, policy, tick, withdraw
from tests.runs.shop import MAY, NOW, Shop, catalogue
from tests.saying import said

HOUR = 18_000  # 150.00 and 20 % tax


@pytest.fixture
def reminding(empty_shop: Shop) -> Shop:
    """Acme owes A-like INV-000001 of 180.00, due in 30 days on 30 June; reminders 3 days before and 7 and 14 after."""
    empty_shop.tell(catalogue(), client("acme", terms_days=30), policy(due_offsets_days=[-3, 7, 14]))
    invoiced(empty_shop, ["acme"])
    return empty_shop


def due(offset: str) -> str:
    return f"due/INV-000001/{offset}/2026-06-30"


def test_new_invoice_is_claimed_at_once_and_once(reminding: Shop) -> None:
    assert ids(tick(reminding, MAY)) == ["new_invoice/INV-000001"]
    assert ids(tick(reminding, MAY)) == []
    (notice,) = kept(reminding)
    assert (notice.kind, notice.rule, notice.numbers, notice.balance_minor, notice.state) == (
        "new_invoice", "new_invoice", ("INV-000001",), HOUR, "claimed",
    )  # fmt: skip
    assert [reminding.app.book.keyring.decrypt(one) for one in notice.to] == ["ap@acme.example"]
    assert notice.message_id.endswith("@daybook.invalid>")


def test_nothing_is_claimed_of_what_was_issued_long_ago(reminding: Shop) -> None:
    assert ids(tick(reminding, MAY + timedelta(days=14))) == []
    assert ids(tick(reminding, MAY + timedelta(days=13))) == ["new_invoice/INV-000001"]


def test_due_reminders_before_and_after_each_once(reminding: Shop) -> None:
    tick(reminding, MAY)
    told = {
        day.isoformat(): found
        for day in (date(2026, 6, 20) + timedelta(days=n) for n in range(40))
        if (found := ids(tick(reminding, day)) + ids(tick(reminding, day)))
    }
    assert told == {"2026-06-27": [due("-3")], "2026-07-07": [due("+7")], "2026-07-14": [due("+14")]}


def test_outage_is_caught_up_once_by_the_latest_rule(reminding: Shop) -> None:
    tick(reminding, MAY)
    assert ids(tick(reminding, date(2026, 7, 20))) == [due("+14")]
    assert ids(tick(reminding, date(2026, 7, 21))) == []
    assert ids(tick(reminding, date(2026, 7, 10))) == [], "an earlier rule is never sent after a later one"


def test_paid_invoice_is_not_reminded_of(reminding: Shop) -> None:
    tick(reminding, MAY)
    reminding.tell(paid("acme", "INV-000001", HOUR, "p1"))
    outcome = tick(reminding, date(2026, 7, 7))
    assert (ids(outcome), [one.why_not for one in outcome.left]) == ([], ["paid"])


def test_credit_that_pays_nothing_yet_counts(reminding: Shop) -> None:
    tick(reminding, MAY)
    # Its day is after all that is asked about: settled from the close of that day, and received all the same.
    reminding.tell(paid("acme", "no-such-number", HOUR, "p1", currency="GBP"))
    assert ids(tick(reminding, date(2026, 7, 7))) == []


def test_claim_sees_a_payment_the_views_have_not_taken_in(reminding: Shop) -> None:
    tick(reminding, MAY)
    reminding.tell(paid("acme", "INV-000001", HOUR, "p1"))
    position = reminding.app.views.position()
    assert position < reminding.app.book.head(), "the views lag"
    assert ids(tick(reminding, date(2026, 7, 7))) == []


def test_claim_from_a_view_that_never_hears_of_the_payment_is_not_made(reminding: Shop) -> None:
    """The payment is in the book as the snapshot is taken, and no view takes it in: nothing is claimed rather than too much."""
    tick(reminding, MAY)
    left = [paid("acme", "INV-000001", HOUR, "p1")]
    late = LateViews(reminding, lambda: True, lambda: reminding.tell(left.pop()) if left else None)
    with pytest.raises(Refused):
        tick(reminding, date(2026, 7, 7), views=late)
    assert late_reminders(reminding) == []
    assert [one.kind for one in kept(reminding)] == ["new_invoice"]


def test_payment_between_claim_and_mail_takes_the_reminder_back(reminding: Shop) -> None:
    tick(reminding, MAY)
    tick(reminding, date(2026, 7, 7))
    notice = next(one for one in kept(reminding) if one.kind == "due_reminder")
    assert remind.still_wanted(reminding.app.views, notice) is None
    reminding.tell(paid("acme", "INV-000001", HOUR, "p1"))
    assert remind.still_wanted(reminding.app.views, notice) == "paid"
    withdraw(reminding, notice, "paid")
    assert [one.state for one in kept(reminding) if one.kind == "due_reminder"] == ["withdrawn"]
    assert ids(tick(reminding, date(2026, 7, 8))) == []
    reminding.assert_sound()


def test_payment_that_waits_pauses_reminders_until_it_is_settled(reminding: Shop) -> None:
    tick(reminding, MAY)
    reminding.tell(paid("?", "INV-000001", HOUR, "p1"))
    assert [one.why_not for one in tick(reminding, date(2026, 7, 7)).left] == ["payment_pending"]
    reminding.tell(paid("other", "x", HOUR, "p1"), said("ClientDefined", client_id="other"))
    assert ids(tick(reminding, date(2026, 7, 8))) == [due("+7")], "it was somebody else's"


def test_payment_in_another_currency_pauses_reminders(reminding: Shop) -> None:
    tick(reminding, MAY)
    reminding.tell(paid("acme", "INV-000001", HOUR, "p1", currency="EUR"))
    assert [one.why_not for one in tick(reminding, date(2026, 7, 7)).left if one.kind == "due_reminder"] == ["payment_pending"]


def test_chargeback_pauses_reminders(reminding: Shop) -> None:
    tick(reminding, MAY)
    back = said(
        "PaymentChargedBack", client_id="acme", payment_id="p1", refund_id="r1", amount_minor=HOUR, at=NOW + timedelta(days=1)
    )
    reminding.tell(paid("acme", "INV-000001", HOUR, "p1"), back)
    assert [one.why_not for one in tick(reminding, date(2026, 7, 7)).left] == ["charged_back"]
    reminding.tell(paid("acme", "INV-000001", HOUR, "p2", at=NOW + timedelta(days=2)))
    assert [one.why_not for one in tick(reminding, date(2026, 7, 7)).left] == ["paid"]


def test_client_without_address_or_opted_out_is_told_nothing(empty_shop: Shop) -> None:
    empty_shop.tell(
        catalogue(), said("ClientDefined", payment_terms_days=0), client("out"), policy(due_offsets_days=[1]),
        policy("out", opted_out=True),
    )  # fmt: skip
    invoiced(empty_shop, ["acme", "out"])
    outcome = tick(empty_shop, date(2026, 6, 1))
    assert outcome.claimed == []
    assert {(one.client_id, one.kind): one.why_not for one in outcome.left} == {
        ("acme", "new_invoice"): "no_address", ("acme", "due_reminder"): "no_address",
        ("out", "new_invoice"): "opted_out", ("out", "due_reminder"): "opted_out",
    }  # fmt: skip
    empty_shop.tell(client("acme", revision=2), policy("out", opted_out=False, revision=2))
    assert len(ids(tick(empty_shop, date(2026, 6, 1)))) == 4


def test_opting_out_between_claim_and_mail_takes_it_back(reminding: Shop) -> None:
    tick(reminding, MAY)
    (notice,) = kept(reminding)
    reminding.tell(policy("acme", opted_out=True))
    assert remind.still_wanted(reminding.app.views, notice) == "opted_out"


def test_balance_below_the_minimum_is_let_go_until_it_is_not(reminding: Shop) -> None:
    tick(reminding, MAY)
    reminding.tell(policy("acme", minimum_balance_minor=HOUR + 1))
    assert [one.why_not for one in tick(reminding, date(2026, 7, 7)).left] == ["below_minimum"]
    reminding.tell(policy("acme", minimum_balance_minor=HOUR, revision=2))
    assert ids(tick(reminding, date(2026, 7, 8))) == [due("+7")]


def test_statement_goes_out_on_its_day_and_is_caught_up_once(reminding: Shop) -> None:
    tick(reminding, MAY)
    reminding.tell(policy("acme", statement={"day_of_month": 31, "weekday": None}, at=datetime(2026, 6, 29, tzinfo=UTC)))
    assert ids(tick(reminding, date(2026, 6, 29))) == [due("-3")]
    assert ids(tick(reminding, date(2026, 6, 30))) == ["statement/GBP/2026-06-30"], "June has no 31st"
    assert ids(tick(reminding, date(2026, 6, 30))) == []
    found = ids(tick(reminding, date(2026, 9, 3)))
    assert found == [due("+14"), "statement/GBP/2026-08-31"], "July's was missed: the latest stands for both"


def test_due_date_is_over_when_the_clients_own_day_is(empty_shop: Shop) -> None:
    zones = {"east": "Etc/GMT-12", "here": "UTC", "west": "Etc/GMT+12"}
    empty_shop.tell(catalogue(), *(client(name, time_zone=zone) for name, zone in zones.items()))
    empty_shop.tell(policy(due_offsets_days=[1], new_invoice=False))
    numbers = invoiced(empty_shop, list(zones))
    who = {number: name for name, number in numbers.items()}
    midnight = datetime(2026, 6, 1, tzinfo=UTC)

    def told(at: datetime) -> list[str]:
        outcome = tick(empty_shop, at.date(), at, by_their_clocks=True)
        return [who[one.numbers[0]] for one in outcome.claimed]

    minute = timedelta(minutes=1)
    assert told(midnight - timedelta(hours=12) - minute) == []
    assert told(midnight - timedelta(hours=12)) == ["east"]
    assert told(midnight - minute) == []
    assert told(midnight) == ["here"]
    assert told(midnight + timedelta(hours=12) - minute) == []
    assert told(midnight + timedelta(hours=12)) == ["west"]


def test_rebuild_tells_nobody_anything_and_ends_in_the_same_state(reminding: Shop) -> None:
    tick(reminding, MAY)
    tick(reminding, date(2026, 7, 7))
    before, head = kept(reminding), reminding.app.book.head()
    hashes = {view: hash_ for view, hash_, _ in reminding.app.views.hashes()}
    reminding.app.views.rebuild()
    assert kept(reminding) == before
    assert reminding.app.book.head() == head
    assert {view: hash_ for view, hash_, _ in reminding.app.views.hashes()} == hashes
    assert ids(tick(reminding, date(2026, 7, 7))) == []
    reminding.assert_sound()


def test_forgotten_client_has_no_address(reminding: Shop) -> None:
    reminding.app.book.keyring.forget("acme")
    assert [one.why_not for one in tick(reminding, MAY).left] == ["no_address"]


def other_process(shop: Shop, database: Database) -> Views:
    keyring = Keyring(shop.app.settings.keyring_path)
    settings: Settings = shop.app.settings
    book = Book(database, keyring)
    return App(settings, database, book, Views(book)).views
