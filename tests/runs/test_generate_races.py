"""What lands between looking and issuing is refused with both figures or is the next difference: never lost, never twice."""

import threading
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from domain.decisions import ItemHeld
from domain.ids import event_id, stream_id
from ledger.book import NewEvent
from ledger.event_codec import encode
from projections import decisions
from runs import decide, issuing
from runs import generate as generate_module
from runs.errors import AsOfBeforeSeries
from runs.generate import Outcome
from tests.saying import approved, line, said

from .shop import MAY, NOW, Shop, billed

ACME = ("acme", "GBP")
E1 = "time/e1"
APRIL = date(2026, 4, 30)
JUNE = date(2026, 6, 30)


def figures(outcome: Outcome) -> list[tuple[str, str, int | None, int | None]]:
    return [(one.client_id, one.reason, one.confirmed_minor, one.now_minor) for one in outcome.refused]


def nets(outcome: Outcome) -> list[int]:
    return [document.net_minor for document in outcome.documents]


LATER: dict[str, tuple[Callable[[Shop], Any], int | None]] = {
    "a late fact": (lambda shop: shop.tell(approved("late")), 30000),
    "a fact that changes the figure": (lambda shop: shop.tell(approved(revision=2, worked_minutes=90)), 22500),
    "a withdrawal": (lambda shop: shop.tell(said("TimeEntryWithdrawn", revision=2)), None),
    "a hold": (lambda shop: shop.hold(E1), None),
    "an adjustment": (lambda shop: shop.adjust(E1, -2500), 12500),
    "a price from ever": (lambda shop: shop.tell(said("ChargeTypeDefined", revision=2, rates={"GBP": "160"})), 16000),
    "another run": (lambda shop: shop.generate(), None),
}


@pytest.mark.parametrize("what", LATER)
def test_what_lands_after_looking_is_refused_with_both_figures(shop: Shop, what: str) -> None:
    shop.tell(approved())
    saw = shop.plan()
    assert saw == {ACME: 15000}
    happens, now = LATER[what]
    happens(shop)
    before = len(shop.documents())
    outcome = shop.generate(confirmed=saw)
    assert nets(outcome) == []
    assert figures(outcome) == [("acme", "changed", 15000, now)]
    assert len(shop.documents()) == before
    second = shop.generate(confirmed=shop.plan())
    assert nets(second) == ([] if now is None else [now])
    assert shop.generate().documents == []
    shop.assert_sound()


def test_others_go_on_when_one_client_is_refused(shop: Shop) -> None:
    shop.tell(said("ClientDefined", client_id="zoo"), approved(), approved("z1", client_id="zoo"))
    saw = shop.plan()
    shop.tell(approved("late", client_id="zoo"), said("ClientDefined", client_id="new"), approved("n1", client_id="new"))
    outcome = shop.generate(confirmed=saw)
    assert [d.client_id for d in outcome.documents] == ["acme"]
    assert figures(outcome) == [("new", "changed", None, 15000), ("zoo", "changed", 15000, 30000)]


@pytest.mark.parametrize("what", ["a hold", "an adjustment", "another run"])
@pytest.mark.parametrize("confirming", [True, False])
def test_decision_that_lands_just_before_the_lock_counts(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, what: str, confirming: bool
) -> None:
    """The run has caught up with the views and knows whom to bill; then somebody decides, and no view has followed yet."""
    shop.tell(approved())
    saw = shop.plan()
    happens, now = LATER[what]
    happened: list[bool] = []

    def first_something_happens(connection: Any, client_ids: list[str]) -> dict[str, int]:
        if not happened:
            happened.append(True)
            happens(shop)
        return decide.lock_clients(connection, client_ids)

    monkeypatch.setattr(generate_module, "lock_clients", first_something_happens)
    outcome = shop.generate(confirmed=saw if confirming else None)
    if confirming:
        assert (nets(outcome), figures(outcome)) == ([], [("acme", "changed", 15000, now)])
    else:
        assert (nets(outcome), figures(outcome)) == ([] if now is None else [now], [])
    assert len(shop.documents()) <= 1, "the item is on no second document"
    shop.assert_sound()


@pytest.mark.parametrize("seen", [True, False], ids=["views follow at once", "views follow later"])
@pytest.mark.parametrize("confirming", [True, False])
def test_fact_between_the_lock_and_the_snapshot(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, seen: bool, confirming: bool
) -> None:
    shop.tell(approved())
    saw = shop.plan()
    look = generate_module.look
    told: list[bool] = []

    def late(cursor: Any, client_ids: Any, as_of: Any) -> Any:
        if not told:
            told.append(True)
            shop.tell(approved("late"))
            if seen:
                # The snapshot of this look was taken before: a new one stands for a run that comes a moment later.
                shop.app.views.catch_up()
                with shop.app.views.reading() as later:
                    return look(later, client_ids, as_of)
        return look(cursor, client_ids, as_of)

    monkeypatch.setattr(generate_module, "look", late)
    outcome = shop.generate(confirmed=saw if confirming else None)
    if seen and confirming:
        assert (nets(outcome), figures(outcome)) == ([], [("acme", "changed", 15000, 30000)])
    else:
        assert (nets(outcome), figures(outcome)) == ([30000 if seen else 15000], [])
    rest = shop.generate()
    assert sum(nets(outcome)) + sum(nets(rest)) == 30000
    assert shop.generate().documents == []
    assert set(billed(shop.documents()).values()) == {1}
    shop.assert_sound()


def test_document_says_what_it_saw(shop: Shop) -> None:
    shop.tell(approved())
    (document,) = shop.generate().documents
    assert document.saw_position < shop.app.book.head()
    shop.tell(approved("late"))
    assert nets(shop.generate()) == [15000]


def test_hold_waits_for_the_run_that_has_the_client_and_counts_after_it(shop: Shop) -> None:
    shop.tell(approved(), approved("e2"))
    item = shop.item(E1)
    done = threading.Event()

    def hold() -> None:
        decide.hold(shop.app.book, item, reason="ask first", by="ann", at=NOW)
        done.set()

    holding = threading.Thread(target=hold)
    with shop.app.database.connection() as run:
        run.execute("SET LOCAL search_path = books")
        decide.lock_clients(run, ["acme"])
        holding.start()
        assert not done.wait(0.4), "the hold waits for the lock"
    holding.join()
    outcome = shop.generate()
    assert [[one.item_key for one in d.lines] for d in outcome.documents] == [["time/e2"]]
    shop.release(E1)
    assert nets(shop.generate()) == [15000]


def test_run_waits_for_a_hold_under_way_and_then_sees_it(shop: Shop) -> None:
    """The run was started first and waits; what it issues is decided by what is committed when it gets the lock."""
    shop.tell(approved())
    saw = shop.plan()
    outcomes: list[Outcome] = []
    running = threading.Thread(target=lambda: outcomes.append(shop.generate(confirmed=saw)))
    stream = stream_id("decisions", "acme", E1)
    id_ = event_id(stream, 1)
    held = ItemHeld(event_id=str(id_), occurred_at=NOW, client_id="acme", item_key=E1, by="ann", reason="")
    new = NewEvent(stream, 1, held.TOPIC, encode(held), "acme", id_)
    with shop.app.database.connection() as holding:
        holding.execute("SET LOCAL search_path = books")
        decide.lock_clients(holding, ["acme"])
        running.start()
        running.join(0.4)
        assert running.is_alive()
        shop.app.book.append([new], conn=holding, also=lambda cursor, first, _: decisions.apply(cursor, [(first, held)]))
    running.join()
    assert figures(outcomes[0]) == [("acme", "changed", 15000, None)]
    assert shop.documents() == []


def test_run_outlasts_somebody_who_has_a_client_for_longer_than_a_lock_waits(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.tell(approved())
    lock = decide.lock_clients

    def impatient(connection: Any, client_ids: list[str]) -> dict[str, int]:
        connection.execute("SET LOCAL lock_timeout = '100ms'")
        return lock(connection, client_ids)

    monkeypatch.setattr(generate_module, "lock_clients", impatient)
    outcomes: list[Outcome] = []
    running = threading.Thread(target=lambda: outcomes.append(shop.generate()))
    with shop.app.database.connection() as other:
        other.execute("SET LOCAL search_path = books")
        lock(other, ["acme"])
        running.start()
        running.join(0.4)
    running.join()
    assert nets(outcomes[0]) == [15000]


def test_two_runs_at_once_issue_once(shop: Shop) -> None:
    shop.tell(approved(), *(said("ClientDefined", client_id=f"c{n}") for n in range(5)))
    shop.tell(*(approved(f"x{n}", client_id=f"c{n}") for n in range(5)))
    outcomes: list[Outcome] = []
    both = [threading.Thread(target=lambda: outcomes.append(shop.generate())) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert sum(len(one.documents) for one in outcomes) == 6
    assert set(billed(shop.documents()).values()) == {1}
    shop.assert_sound()


def test_run_that_fails_after_taking_numbers_leaves_no_gap(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.tell(approved())

    def broken(*_: Any) -> None:
        raise RuntimeError("the power went")

    with monkeypatch.context() as patch:
        patch.setattr(decisions, "_count", broken)
        with pytest.raises(RuntimeError, match="power"):
            shop.generate()
    assert shop.documents() == []
    assert [d.number for d in shop.generate().documents] == ["INV-000001"]
    shop.assert_sound()


# ---- which day ----


def test_worked_in_may_and_approved_in_june_is_billed_as_of_may(shop: Shop) -> None:
    shop.open(date(2026, 6, 2))
    shop.tell(approved(worked_on="2026-05-20", approved_at=datetime(2026, 6, 2, 9, tzinfo=UTC)))
    shop.tell(approved("june", worked_on="2026-06-01", worked_minutes=30))
    (document,) = shop.generate(MAY).documents
    assert (document.issued_on, document.net_minor) == (MAY, 15000)
    assert nets(shop.generate(date(2026, 6, 2))) == [7500]
    assert shop.generate(date(2026, 6, 2)).documents == []


def test_after_may_was_invoiced_april_shows_nothing_and_is_refused(shop: Shop) -> None:
    shop.tell(said("ContractDefined", frequency="quarterly", lines=[line("RecurringLine", timing="advance")]))
    shop.tell(said("ChargeTypeDefined", code="DESK", name="Desk", rounding_scope="ticket"))
    days = {"a": "2026-04-28", "b": "2026-05-05"}
    shop.tell(*(approved(name, worked_on=day, ticket_id="T1", charge_type="DESK") for name, day in days.items()))
    assert nets(shop.generate(MAY)) == [30000 + 5000 + 5000]
    assert shop.queue(APRIL) == []
    with pytest.raises(AsOfBeforeSeries, match="series invoice has a document of 2026-05-31"):
        shop.generate(APRIL)
    shop.tell(approved("late", worked_on="2026-04-20"))
    assert [one.net_minor for one in shop.queue(APRIL)] == [15000]
    with pytest.raises(AsOfBeforeSeries, match="use --as-of 2026-05-31 or later"):
        shop.generate(APRIL)
    assert len(shop.documents()) == 1
    assert nets(shop.generate(MAY)) == [15000], "as the next difference, dated on"
    shop.assert_sound()


def test_document_before_the_last_of_its_series_is_refused_and_other_series_go_on(shop: Shop) -> None:
    shop.tell(said("InvoiceSeriesDefined"), said("ClientDefined", client_id="own", invoice_series="MAIN"))
    shop.tell(approved(worked_on="2026-04-20"))
    shop.generate(MAY)
    shop.tell(approved("e2", worked_on="2026-04-21"), approved("o1", client_id="own", worked_on="2026-04-20"))
    outcome = shop.generate(APRIL)
    assert [(d.client_id, d.number, d.issued_on) for d in outcome.documents] == [("own", "A-0001", APRIL)]
    assert figures(outcome) == [("acme", "as_of_before_series", None, 15000)]
    assert nets(shop.generate(MAY)) == [15000]
    shop.assert_sound()


def test_later_day_than_the_open_one_bills_what_is_served_by_then(shop: Shop) -> None:
    shop.tell(said("ContractDefined", lines=[line("RecurringLine")], starts_on="2026-05-01", effective_from="2026-05-01"))
    shop.tell(approved(), approved("june", worked_on="2026-06-10"))
    assert nets(shop.generate(JUNE)) == [15000 + 15000 + 5000 + 5000]
    assert shop.queue(MAY) == shop.queue(JUNE) == []
    shop.open(JUNE)
    assert shop.queue(JUNE) == []
    shop.assert_sound()


def test_held_item_stays_off_the_run_of_any_day(shop: Shop) -> None:
    shop.tell(approved())
    shop.hold(E1)
    assert shop.generate(MAY).documents == shop.generate(MAY + timedelta(days=3)).documents == []


# ---- documents ----


def test_credit_note_when_the_total_is_below_zero_and_invoice_when_it_is_zero(shop: Shop) -> None:
    shop.tell(approved())
    shop.generate()
    shop.tell(said("TimeEntryRejected", at=datetime(2026, 6, 1, tzinfo=UTC)))
    (credit,) = shop.generate().documents
    assert (credit.TOPIC, credit.number, credit.total_minor) == ("credit_note.issued.v1", "CN-000001", -18000)
    shop.tell(approved("free", billable_minutes=0))
    (nothing,) = shop.generate().documents
    assert (nothing.TOPIC, nothing.number, nothing.total_minor) == ("invoice.issued.v1", "INV-000002", 0)
    assert shop.generate().documents == []
    shop.assert_sound()


def test_two_currencies_of_a_client_are_two_documents_of_one_run(shop: Shop) -> None:
    shop.tell(said("ContractDefined", currency="EUR", is_default=False), said("ContractDefined", contract_id="C2"))
    shop.tell(approved(), approved("eur", contract_id="C1"))
    saw = shop.plan()
    assert saw == {("acme", "EUR"): 17000, ACME: 15000}
    outcome = shop.generate(confirmed=saw)
    assert [(d.currency, d.number, d.net_minor) for d in outcome.documents] == [
        ("EUR", "INV-000001", 17000), ("GBP", "INV-000002", 15000),
    ]  # fmt: skip
    # The same item in two currencies at once: mirrored in the one, billed in the other.
    shop.tell(said("ContractDefined", revision=2, is_default=False))
    assert [(d.currency, d.net_minor) for d in shop.generate().documents] == [("EUR", -17000), ("GBP", 15000)]
    assert shop.generate().documents == []
    shop.assert_sound()


def test_client_with_an_unknown_tax_code_waits_while_the_others_go_on(shop: Shop) -> None:
    shop.tell(said("ClientDefined", client_id="odd", tax_code="NOBODY"), approved(), approved("o1", client_id="odd"))
    assert [d.client_id for d in shop.generate().documents] == ["acme"]
    assert shop.waiting() == {"o1": "unknown_tax_code"}
    shop.tell(said("TaxCodeDefined", code="NOBODY"))
    assert [d.client_id for d in shop.generate().documents] == ["odd"]


def test_invoiced_item_of_a_client_whose_code_became_unknown_is_not_credited(shop: Shop) -> None:
    shop.tell(approved())
    shop.generate()
    shop.tell(said("ClientDefined", revision=2, tax_code="NOBODY"))
    assert shop.queue() == []
    assert shop.waiting() == {"e1": "unknown_tax_code"}


def test_entry_that_left_its_ticket_stays_in_it_while_undecided(shop: Shop) -> None:
    shop.tell(said("ChargeTypeDefined", code="DESK", name="Desk", rounding_scope="ticket"))
    shop.tell(*(approved(name, ticket_id="T1", charge_type="DESK") for name in ("a", "b")))
    shop.generate()
    shop.tell(said("TimeEntryAmended", time_entry_id="a", ticket_id="T2", charge_type="DESK"))
    shop.tell(approved("c", ticket_id="T1", charge_type="DESK"))
    assert [one.net_minor for one in shop.queue()] == [15000], "the other entry's difference only"
    shop.assert_sound()
    shop.tell(said("TimeEntryApproved", time_entry_id="a", revision=2))
    assert sorted(one.net_minor for one in shop.queue()) == [0, 15000]
    shop.generate()
    assert shop.queue() == []
    shop.assert_sound()


def test_rebuild_during_a_run_waits_for_it_and_neither_fails(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rebuild takes the book's lock and then every table: it must not come between a run's series and its events."""
    shop.tell(approved())
    lock = issuing.lock_series
    failed: list[BaseException] = []

    def rebuild() -> None:
        try:
            shop.app.views.rebuild()
        except BaseException as error:
            failed.append(error)

    rebuilding = threading.Thread(target=rebuild)

    def slow(*given: Any) -> Any:
        taken = lock(*given)
        rebuilding.start()
        rebuilding.join(0.6)
        assert rebuilding.is_alive(), "the rebuild waits"
        return taken

    monkeypatch.setattr(issuing, "lock_series", slow)
    assert nets(shop.generate()) == [15000]
    rebuilding.join()
    assert failed == []
    shop.assert_sound()
