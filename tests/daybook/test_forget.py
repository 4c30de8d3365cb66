"""Who must answer for an erasure is told what went, what stays and until when; and is never told so of nobody."""

import re
from datetime import UTC, date, datetime, timedelta

from daybook import app
from daybook.settings import load
from daybook.worker import KEPT_FOR
from tests.daybook.commands import Run, refused


def test_forgetting_says_what_went_and_what_stays(month: Run) -> None:
    with app.opened(load()) as found:
        found.log().append([("daybook.time", key, b"no message", ()) for key in (b"acme", b"acme", b"tarn")])
    assert month("worker", "--once").code == 0
    said = month("forget", "acme", "--yes")
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("forgotten: acme\n")
    assert "435 whole messages of the embedded log" in said.out
    kept = re.search(r"2 dead letters of it, whole, until (\S+) \(kept 90 days\)", said.out)
    assert kept is not None, said.out
    assert abs(date.fromisoformat(kept[1]) - (datetime.now(UTC) + KEPT_FOR).date()) <= timedelta(days=1)
    with app.opened(load()) as found:
        assert sum(len(found.log().read(t, p, 0, 10)) for t, p in found.log().end_offsets()) == 0
    assert month("queue", "--client", "acme", "--json").rows[0]["net_minor"] == 187_500
    assert month("verify").code == 0


def test_what_is_not_there_is_not_said_to_stay(month: Run) -> None:
    assert "dead letter" not in month("forget", "acme", "--yes").out


def test_forgetting_asks_first_and_forgets_once(month: Run) -> None:
    refused(month("forget", "acme"), "--yes")
    assert month("forget", "acme", "--yes").code == 0
    refused(month("forget", "acme", "--yes"), "forgotten already")


def test_a_mistyped_client_is_told_apart_from_a_forgotten_one(month: Run) -> None:
    refused(month("forget", "Acme Corp", "--yes"), "the id to the letter, did you mean acme?")
    refused(month("forget", "acne", "--yes"), "did you mean acme (Acme Corp)?")
    refused(month("forget", "nobody", "--yes"), "none comes near")
    refused(month("forget", "provider", "--yes"), "own key")
    assert "Outlook profile" in month("explain", "time/TE-40002", "--json").out
