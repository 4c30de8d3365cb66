"""Whom a few letters mean: ids first, then whole names, then parts; nothing is guessed where two fit."""

import pytest

from projections.finding import MOST_SHOWN, Ambiguous, Named, Unknown, clients, meant, near
from tests.oracle.story import Story
from tests.projections.office import Office

KNOWN = [
    Named("acme", "Acme Corp"),
    Named("acme-eu", "Acme Europe"),
    Named("C-7", "Straße & Söhne"),
    Named("north", "Northmoor"),
    Named("n2", "North"),
]


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("acme", "acme"),  # an id wins over all that begin with it
        ("ACME", "acme"),
        ("acme corp", "acme"),
        (" Europe ", "acme-eu"),
        ("strasse", "C-7"),
        ("c-7", "C-7"),
        ("moor", "north"),
        ("north", "north"),  # an id to the letter, though it is another's whole name
    ],
)
def test_a_text_means_an_id_then_a_whole_name_then_a_part(given: str, found: str) -> None:
    assert meant("client", given, KNOWN).id == found


@pytest.mark.parametrize(("given", "candidates"), [("acm", ["acme", "acme-eu"]), ("NORTH", ["north", "n2"])])
def test_where_two_fit_both_are_named(given: str, candidates: list[str]) -> None:
    with pytest.raises(Ambiguous) as refused:
        meant("client", given, KNOWN)
    assert [one.id for one in refused.value.candidates] == candidates
    assert all(str(one) in str(refused.value) for one in refused.value.candidates)


@pytest.mark.parametrize(("given", "nearest"), [("acne", "acme"), ("Nrothmoor", "north"), ("Sohne", "C-7")])
def test_what_means_nothing_names_what_comes_near(given: str, nearest: str) -> None:
    with pytest.raises(Unknown) as refused:
        meant("client", given, KNOWN)
    assert refused.value.candidates[0].id == nearest
    assert "did you mean" in str(refused.value)


@pytest.mark.parametrize("given", ["", "  ", "zzz"])
def test_what_comes_near_nothing_says_what_there_is(given: str) -> None:
    with pytest.raises(Unknown, match=r"none comes near; there are acme \(Acme Corp\)"):
        meant("client", given, KNOWN)
    with pytest.raises(Unknown, match="there is none at all"):
        meant("client", given, [])


def test_a_refusal_stays_one_readable_line_among_thousands() -> None:
    many = [Named(f"c{n:05}", f"Client {n}") for n in range(30_000)]
    with pytest.raises(Ambiguous) as refused:
        meant("client", "client", many)
    assert str(refused.value).count("(Client") == MOST_SHOWN
    assert "29992 more" in str(refused.value)
    assert len(near("clinet 12", many)) == MOST_SHOWN


def test_a_client_nobody_defined_is_known_by_what_waits(office: Office) -> None:
    office.take(Story().client("acme", name="Acme Corp", revision=2).entry("e", 20, client_id="nobody").said)
    office.views.catch_up()
    with office.views.reading() as cursor:
        assert clients(cursor) == [Named("acme", "Acme Corp"), Named("nobody", "nobody")]
