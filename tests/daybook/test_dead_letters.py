"""Every dead letter can be come at: a page at a time for people, all of them for programs."""

import pytest

from daybook import app
from daybook.settings import load
from projections import dead_letters
from tests.daybook.commands import Run, refused

COUNT = 450


@pytest.fixture
def broken(run: Run) -> Run:
    """More dead letters than a page, some of one batch."""
    with app.opened(load()) as found:
        log = found.log()
        log.append([("daybook.time", b"acme", b"no message", ())] * COUNT)
    assert run("worker", "--once").code == 0
    return run


def test_people_see_a_page_and_what_is_left(broken: Run) -> None:
    first = broken("dead-letters")
    assert first.out.count("undecodable") == 200
    assert f"1 to 200 of {COUNT}; 250 more: --offset 200" in first.out
    last = broken("dead-letters", "--limit", "100", "--offset", "400")
    assert last.out.count("undecodable") == 50
    assert "more" not in last.out
    refused(broken("dead-letters", "--limit", "0"))


@pytest.mark.parametrize("page", [1, 7, COUNT, COUNT + 1])
def test_programs_get_all_in_order(broken: Run, page: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dead_letters, "PAGE", page)
    rows = broken("dead-letters", "--json").rows
    assert [row["offset"] for row in rows] == list(range(COUNT))
    assert broken("dead-letters", "--json", "--limit", "10", "--offset", "445").rows == rows[445:]


def test_none_is_an_empty_list(run: Run) -> None:
    assert run("dead-letters", "--json").out == "[]\n"
    assert run("dead-letters").code == 0
