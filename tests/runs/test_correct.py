"""Credit: it adds to what was issued, and ends where it would have from scratch (product K1, K2, M5-M7)."""

from datetime import UTC, datetime, timedelta

import pytest

from runs import correct, decide
from runs.errors import AsOfBeforeSeries, NothingThere, Refused
from tests.runs.correcting import INV, JUNE_2, credit, issued, lines, stands, unapplied, void, write_off
from tests.runs.shop import MAY, NOW, Shop
from tests.saying import approved, line, said

# ---- credit, to be billed again ----


def test_credited_line_mirrors_it_and_returns_to_the_queue_where_it_is_billed_again(shop: Shop) -> None:
    issued(shop)
    done = credit(shop, line_no=1)
    note = done.note
    assert note is not None
    assert (note.number, note.mode, note.by, note.credits) == ("CN-000001", "rebill", "ann", INV)
    assert shop.app.book.keyring.decrypt(note.reason) == "disputed"
    assert lines(note) == [("-1", -15_000, -3_000, (INV, 1))]
    assert note.lines[0].line.unit_price == 150, "a negative quantity at a positive price (M5)"
    assert stands(shop) == {INV: ("partly_paid", 9_000)}
    assert [(one.item_key, one.net_minor, one.corrects) for one in shop.queue()] == [
        ("time/e1", 15_000, {"number": INV, "line_no": 1})
    ]
    shop.assert_sound()
    (again,) = shop.generate().documents
    assert (again.number, again.net_minor, again.tax_minor) == ("INV-000002", 15_000, 3_000)
    assert shop.generate().documents == []
    shop.assert_sound()


def test_line_is_credited_once_and_what_did_it_is_named(shop: Shop) -> None:
    issued(shop)
    credit(shop, line_no=1)
    for mode in ("rebill", "waive"):
        with pytest.raises(Refused, match=r"nothing is left of INV-000001 line 1 .* by CN-000001 line 1$"):
            credit(shop, line_no=1, mode=mode)
    credit(shop, line_no=2)
    with pytest.raises(Refused, match=r"nothing is left of INV-000001 to credit: .* CN-000001, CN-000002"):
        credit(shop)
    assert stands(shop) == {INV: ("settled", 0)}
    assert unapplied(shop) == 0


def test_whole_document_credits_what_is_left_of_it(shop: Shop) -> None:
    issued(shop)
    shop.tell(approved("e1", revision=2, worked_minutes=45))
    (own,) = shop.generate().documents
    assert own.total_minor == -4_500
    done = credit(shop)
    assert done.note is not None
    assert lines(done.note) == [("-0.75", -11_250, -2_250, (INV, 1)), ("-0.5", -7_500, -1_500, (INV, 2))]
    assert stands(shop) == {INV: ("settled", 0)}
    assert unapplied(shop) == 0
    assert sorted(one.net_minor for one in shop.queue()) == [7_500, 11_250]
    shop.assert_sound()


def test_line_of_a_later_difference_is_credited_by_its_own_figures(shop: Shop) -> None:
    issued(shop)
    shop.tell(approved("e1", revision=2, worked_minutes=120))
    shop.generate()
    assert lines(credit(shop, "INV-000002").note) == [("-1", -15_000, -3_000, ("INV-000002", 1))]
    assert stands(shop) == {INV: ("open", 27_000), "INV-000002": ("settled", 0)}
    assert [one.net_minor for one in shop.queue()] == [15_000]
    assert lines(credit(shop, line_no=1).note) == [("-1", -15_000, -3_000, (INV, 1))]
    assert [one.net_minor for one in shop.queue()] == [30_000]
    assert unapplied(shop) == 0
    shop.assert_sound()


def test_document_that_replaced_a_price_is_taken_back_by_exactly_what_it_billed(shop: Shop) -> None:
    issued(shop)
    shop.tell(said("ChargeTypeDefined", revision=2, rates={"GBP": "160", "EUR": "170"}, minimum_minutes=15, increment_minutes=15))
    (dearer,) = shop.generate().documents
    assert (dearer.number, dearer.net_minor) == ("INV-000002", 1_500)
    note = void(shop, "INV-000002").note
    assert note is not None
    assert (note.net_minor, note.total_minor) == (-1_500, -1_800)
    assert stands(shop) == {INV: ("open", 27_000), "INV-000002": ("settled", 0)}
    assert unapplied(shop) == 0
    assert sum(one.net_minor for one in shop.queue()) == 1_500, "what it billed is due again"
    shop.assert_sound()
    assert [d.net_minor for d in shop.generate().documents] == [1_500]
    assert shop.generate().documents == []
    shop.assert_sound()
    # What the credit note put back stands for the first invoice's line, and is replaced again: nothing is left of it there.
    with pytest.raises(Refused, match="nothing is left of INV-000001 line 1"):
        credit(shop, line_no=1)


def test_discount_made_since_goes_with_its_line(shop: Shop) -> None:
    issued(shop)
    shop.adjust("time/e1", -2_500)
    shop.generate()
    note = credit(shop, line_no=1).note
    assert note is not None
    assert (note.net_minor, note.tax_minor) == (-12_500, -2_500)
    assert sum(one.net_minor for one in shop.queue()) == 12_500
    shop.generate()
    assert shop.queue() == []
    shop.assert_sound()


def test_discount_on_the_same_document_goes_with_its_line_and_cannot_be_credited_alone(shop: Shop) -> None:
    shop.tell(approved())
    shop.adjust("time/e1", -2_500)
    shop.generate()
    with pytest.raises(Refused, match="INV-000001 line 2 takes off: there is nothing to credit"):
        credit(shop, line_no=2)
    note = credit(shop, line_no=1, mode="waive").note
    assert note is not None
    assert (note.net_minor, note.total_minor) == (-12_500, -15_000)
    assert shop.queue() == []
    assert shop.generate().documents == []
    shop.assert_sound()


def test_credit_of_a_held_item_leaves_it_held(shop: Shop) -> None:
    issued(shop)
    shop.hold("time/e1")
    credit(shop, line_no=1)
    assert shop.generate().documents == []
    shop.release("time/e1")
    assert [d.net_minor for d in shop.generate().documents] == [15_000]


def test_entry_rejected_after_its_credit_is_not_credited_again(shop: Shop) -> None:
    issued(shop)
    credit(shop, line_no=1)
    shop.tell(said("TimeEntryRejected", time_entry_id="e1", at=JUNE_2))
    assert shop.queue() == []
    assert shop.generate().documents == []
    shop.assert_sound()


def test_tickets_seats_and_fees_are_credited_like_time(shop: Shop) -> None:
    shop.tell(said("ChargeTypeDefined", code="DESK", name="Desk", rounding_scope="ticket"))
    shop.tell(*(approved(name, ticket_id="T1", charge_type="DESK") for name in ("a", "b")))
    from_may = {"starts_on": "2026-05-01", "effective_from": "2026-05-01"}
    shop.tell(said("ContractDefined", **from_may, lines=[line("RecurringLine"), line("SeatLine", line_id="s")]))
    shop.tell(said("SeatCountReported", quantity=3, as_of=datetime(2026, 5, 1, tzinfo=UTC)))
    (document,) = shop.generate().documents
    assert len(document.lines) >= 3
    note = credit(shop).note
    assert note is not None
    assert (note.net_minor, note.tax_minor) == (-document.net_minor, -document.tax_minor)
    assert sum(one.net_minor for one in shop.queue()) == document.net_minor
    shop.assert_sound()
    (again,) = shop.generate().documents
    assert (again.net_minor, again.tax_minor) == (document.net_minor, document.tax_minor)
    credit(shop, again.number, mode="waive")
    assert shop.queue() == []
    assert shop.generate().documents == []
    shop.assert_sound()


def test_price_that_holds_the_tax_is_taken_back_to_the_cent(shop: Shop) -> None:
    shop.tell(said("ContractDefined", prices_include_tax=True))
    shop.tell(approved(worked_minutes=35))
    (document,) = shop.generate().documents
    for mode in ("rebill", "waive"):
        note = credit(shop, document.number, mode=mode).note
        assert note is not None
        assert (note.net_minor, note.tax_minor) == (-document.net_minor, -document.tax_minor)
        shop.assert_sound()
        found = shop.generate().documents
        assert [d.total_minor for d in found] == ([document.total_minor] if mode == "rebill" else [])
        document = found[0] if found else document


# ---- credit, given up ----


def test_waived_line_is_not_billed_again_and_a_later_amendment_bills_the_difference_only(shop: Shop) -> None:
    issued(shop)
    note = credit(shop, line_no=1, mode="waive").note
    assert note is not None
    assert (note.mode, lines(note)) == ("waive", [("-1", -15_000, -3_000, (INV, 1))])
    assert shop.queue() == []
    assert shop.generate().documents == []
    shop.assert_sound()
    shop.tell(approved("e1", revision=2, worked_minutes=90))
    assert [(d.net_minor, d.tax_minor) for d in shop.generate().documents] == [(7_500, 1_500)]
    assert shop.generate().documents == []
    shop.assert_sound()


@pytest.mark.parametrize("minutes", [30, 0])
def test_waived_line_that_shrinks_later_gives_back_nothing_more(shop: Shop, minutes: int) -> None:
    issued(shop)
    credit(shop, line_no=1, mode="waive")
    shop.tell(approved("e1", revision=2, worked_minutes=minutes))
    assert sum(d.total_minor for d in shop.generate().documents) == 0
    assert shop.generate().documents == []
    shop.assert_sound()
    shop.tell(approved("e1", revision=3, worked_minutes=75))
    assert sum(d.net_minor for d in shop.generate().documents) == 3_750, "an hour of it was given up"
    shop.assert_sound()


def test_waived_line_withdrawn_later_gives_back_nothing_more(shop: Shop) -> None:
    issued(shop)
    credit(shop, line_no=1, mode="waive")
    shop.tell(said("TimeEntryWithdrawn", time_entry_id="e1", revision=2))
    assert sum(d.total_minor for d in shop.generate().documents) == 0
    assert shop.generate().documents == []
    assert stands(shop)[INV] == ("partly_paid", 9_000)
    shop.assert_sound()


def test_waived_document_with_a_discount_gives_up_what_was_billed(shop: Shop) -> None:
    shop.tell(approved())
    shop.adjust("time/e1", -2_500)
    shop.generate()
    note = credit(shop, mode="waive").note
    assert note is not None
    assert note.net_minor == -12_500
    assert shop.generate().documents == []
    with pytest.raises(Refused, match="nothing is left of INV-000001 to credit"):
        credit(shop)
    shop.assert_sound()


def test_waiver_taken_back_is_billed(shop: Shop) -> None:
    issued(shop)
    credit(shop, line_no=1, mode="waive")
    given = shop.one("SELECT adjustment_id FROM books.adjustments")
    decide.take_back(shop.app.book, shop.item("time/e1"), given, reason="paid after all", by="ann", at=NOW)
    assert [d.net_minor for d in shop.generate().documents] == [15_000]
    assert shop.generate().documents == []
    shop.assert_sound()


# ---- what is refused ----


def test_credit_refuses_what_is_none_and_what_cannot_be(shop: Shop) -> None:
    issued(shop)
    with pytest.raises(NothingThere, match="there is no document INV-000009"):
        credit(shop, "INV-000009")
    with pytest.raises(NothingThere, match="INV-000001 has no line 3: it has lines 1 to 2"):
        credit(shop, line_no=3)
    with pytest.raises(Refused, match="say why"):
        correct.credit(shop.app.views, INV, None, mode="rebill", as_of=MAY, reason="  ", by="ann", at=NOW)
    with pytest.raises(AsOfBeforeSeries, match="INV-000001 is of 2026-05-31"):
        credit(shop, as_of=MAY - timedelta(days=1))
    credit(shop, line_no=1, as_of=MAY + timedelta(days=3))
    with pytest.raises(AsOfBeforeSeries, match="series credit_note has a document of 2026-06-03"):
        credit(shop, line_no=2)
    for act in (credit, void, write_off):
        with pytest.raises(Refused, match="CN-000001 is a credit note"):
            act(shop, "CN-000001")
    assert len(shop.documents()) == 2


def test_free_document_has_nothing_to_credit(shop: Shop) -> None:
    shop.tell(approved(billable_minutes=0))
    shop.generate()
    with pytest.raises(Refused, match="INV-000001 is free: there is nothing to credit"):
        void(shop)
