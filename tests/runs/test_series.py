"""Numbers: two series may be defined to print the same ones."""

from tests.runs.shop import MAY, Shop
from tests.runs.test_generate_races import figures
from tests.saying import approved, said


def test_two_series_that_print_the_same_numbers_stop_only_who_comes_second(shop: Shop) -> None:
    shop.tell(
        said("InvoiceSeriesDefined"), said("InvoiceSeriesDefined", code="TWIN"),
        said("ClientDefined", client_id="one", invoice_series="MAIN"),
        said("ClientDefined", client_id="two", invoice_series="TWIN"),
        said("ClientDefined", client_id="zoe"),
    )  # fmt: skip
    shop.tell(*(approved(f"e-{name}", client_id=name) for name in ("one", "two", "zoe")))
    outcome = shop.generate(MAY)
    assert [(d.client_id, d.number) for d in outcome.documents] == [("one", "A-0001"), ("zoe", "INV-000001")]
    assert figures(outcome) == [("two", "number_taken", None, 15000)]
    assert figures(shop.generate(MAY)) == [("two", "number_taken", None, 15000)]
    shop.tell(said("InvoiceSeriesDefined", code="TWIN", revision=2, prefix="B-"))
    assert [d.number for d in shop.generate(MAY).documents] == ["B-0001"]
    shop.assert_sound()
