"""Servers that are away and links that are cut, slow or swallow everything: it says so, and catches up without a hand."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count

import psycopg
import pytest

from producers.kafka_files import produce
from tests.budget import budget
from tests.chaos.conftest import Site
from tests.chaos.fleet import ONE_WORKER, peak_rss_mb
from tests.evidence import saw
from tests.producers.scenes import delete_topics
from tests.saying import said
from tests.system.installation import Installation, Worker
from tests.system.test_operating import Served, serve

pytestmark = pytest.mark.kafka

CATCHES_UP_WITHIN_S = 120.0  # on a machine that is busy with other tests; what it took is reported
Spoil = Callable[[Site], None]

# The first ones are CI's; a slow link is the mildest fault, and takes the longest.
SPOILT: list[tuple[str, str, Spoil]] = [
    ("postgres", "cut", lambda site: site.to_postgres.cut()),
    ("broker", "half-open", lambda site: site.to_broker.spoil("timeout", timeout=0)),
    ("postgres", "half-open", lambda site: site.to_postgres.spoil("timeout", timeout=0)),
    ("broker", "cut", lambda site: site.to_broker.cut()),
    ("postgres", "slow", lambda site: site.to_postgres.spoil("latency", latency=150, jitter=50)),
    ("broker", "slow", lambda site: site.to_broker.spoil("latency", latency=700, jitter=300)),
]


@contextmanager
def working(installation: Installation) -> Iterator[Worker]:
    worker = Worker(installation, ONE_WORKER)
    try:
        worker.start()
        yield worker
    finally:
        worker.kill()


def tell(installation: Installation, *client_ids: str) -> None:
    """A fact of each, to the broker directly."""
    produce([said("ClientDefined", client_id=one, name=one) for one in client_ids], installation.kafka or "")


def known(installation: Installation, told: list[str]) -> list[str]:
    """The clients of this test in the book, one by one; those of earlier tests are still in the topics."""
    prefix = told[0].rpartition("-")[0]
    with psycopg.connect(installation.dsn) as connection:
        rows = connection.execute("SELECT client_id FROM ledger.daybook_events WHERE topic = 'client.defined.v1'").fetchall()
    return sorted(client_id for (client_id,) in rows if client_id.startswith(prefix))


def catches_up(installation: Installation, worker: Worker, told: list[str]) -> float:
    """Waits until exactly these facts are in the book; gives how long it took."""
    began = time.monotonic()
    while (found := known(installation, told)) != sorted(told):
        worker.check()
        assert time.monotonic() < began + CATCHES_UP_WITHIN_S, f"{found} of {told}\n{worker.tail()}"
        time.sleep(0.1)
    return time.monotonic() - began


@pytest.mark.parametrize(
    ("link", "how", "spoil"), [pytest.param(*one, id="-".join(one[:2])) for one in SPOILT[: budget("chaos", "links")]]
)
def test_a_spoilt_link_is_named_and_healed(
    site: Site, installation: Installation, linked: Installation, served: Served, link: str, how: str, spoil: Spoil
) -> None:
    names = fresh_names(f"{link}-{how}")
    with working(linked) as worker:
        served.becomes(lambda wrong: not wrong)
        told = [next(names)]
        tell(installation, told[-1])
        catches_up(installation, worker, told)
        spoil(site)
        told += [next(names) for _ in range(3)]
        tell(installation, *told[-3:])
        reason = ""
        if how == "slow":
            catches_up(installation, worker, told)
        else:
            wrong = served.becomes(lambda wrong: "worker consumer" in wrong or any("publisher" in one for one in wrong))
            reason = "; ".join(f"{name}: {detail}" for name, detail in wrong.items())
            assert known(installation, told) == sorted(told[:-3])
        for one in (site.to_broker, site.to_postgres):
            one.heal()
        seconds = catches_up(installation, worker, told)
        served.becomes(lambda wrong: not wrong)
        peak = peak_rss_mb(worker.pid)
        assert peak < budget("chaos", "rss_mb")
        assert worker.stop() == 0
    reason = reason[:120] or "nothing"
    saw(f"link to the {link} {how}: /readyz said {reason!r}; caught up {seconds:.1f} s after healing; RSS {peak} MB")


def test_servers_that_are_away_when_it_starts_are_waited_for(
    site: Site, installation: Installation, linked: Installation
) -> None:
    names = fresh_names("away")
    told = [next(names)]
    with serve(installation) as served:
        for link, check in ((site.to_postgres, "worker consumer"), (site.to_broker, "worker consumer")):
            link.cut()
            tell(installation, told[-1])
            with working(linked) as worker:
                served.becomes(lambda wrong, check=check: check in wrong)  # type: ignore[misc]
                time.sleep(3)
                worker.check()
                link.heal()
                seconds = catches_up(installation, worker, told)
                served.becomes(lambda wrong: not wrong)
                assert worker.stop() == 0
            saw(f"a link that was down when the worker started: facts {seconds:.1f} s after it was there")
            told.append(next(names))


def test_a_database_that_is_killed_is_missed_and_found_again(
    site: Site, installation: Installation, served: Served
) -> None:
    names = fresh_names("killed")
    told = [next(names)]
    with working(installation) as worker:
        served.becomes(lambda wrong: not wrong)
        tell(installation, told[-1])
        catches_up(installation, worker, told)
        site.postgres.kill()
        missed = time.monotonic()
        wrong = served.becomes(bool)
        assert wrong == {"database": "it does not answer"}
        missed_s = time.monotonic() - missed
        told.append(next(names))
        tell(installation, told[-1])
        site.postgres.start()
        seconds = catches_up(installation, worker, told)
        served.becomes(lambda wrong: not wrong)
        assert worker.stop() == 0
    saw(f"a killed database: /readyz said so after {missed_s:.1f} s; facts {seconds:.1f} s after it was back")


def test_a_source_topic_that_is_deleted_is_named_and_the_others_go_on(installation: Installation, served: Served) -> None:
    names = fresh_names("deleted")
    told = [next(names)]
    with working(installation) as worker:
        served.becomes(lambda wrong: not wrong)
        tell(installation, told[-1])
        catches_up(installation, worker, told)
        delete_topics(installation.kafka or "", "daybook.seats")
        wrong = served.becomes(lambda wrong: "worker consumer" in wrong)
        assert "daybook.seats" in wrong["worker consumer"], wrong
        told.append(next(names))
        tell(installation, told[-1])
        catches_up(installation, worker, told)
        installation.run("topics", "--partitions", "12")
        try:
            wrong = served.becomes(lambda wrong: "deleted and created again" in wrong.get("worker consumer", ""))
        except AssertionError:
            print("TAIL", worker.tail())
            raise
        assert "Set the position by hand; the other topics go on." in wrong["worker consumer"]
        told.append(next(names))
        tell(installation, told[-1])
        catches_up(installation, worker, told)
        # Nothing of it is in this book, so that a worker that starts anew has nothing to doubt.
        assert worker.stop() == 0
        worker.start()
        served.becomes(lambda wrong: not wrong)
        assert worker.stop() == 0


def fresh_names(prefix: str) -> Iterator[str]:
    return (f"{prefix}-{n}" for n in count())
