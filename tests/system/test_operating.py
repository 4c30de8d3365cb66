"""Whoever runs Daybook is told within seconds and by name what has died, hangs or stands still; the processes are real."""

import json
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from confluent_kafka import Producer
from prometheus_client.parser import text_string_to_metric_families

from ledger.book import Book, NewEvent
from ledger.database import Database
from ledger.keyring import Keyring
from producers.kafka_files import produce
from tests.broker import Broker
from tests.chaos.fleet import ONE_WORKER
from tests.producers.scenes import delete_topics, numbers_by_client, read_all
from tests.saying import Row, approved, said
from tests.system.installation import DAYBOOK, ROOT, Installation, Worker, running, wait

pytest_plugins = ["tests.broker"]
pytestmark = pytest.mark.kafka
NOTICED_WITHIN_S = 60.0  # beside other tests on two cores; alone it takes 5 to 20
BASICS: list[Row] = [
    said("ProviderDefined"), said("TaxCodeDefined"), said("ChargeTypeDefined"), said("InvoiceSeriesDefined"),
    said("InvoiceSeriesDefined", code="CREDIT", prefix="CN-", document="credit_note"), said("ClientDefined"),
]  # fmt: skip


@dataclass
class Served:
    """`daybook web` of an installation, as its operator's tools see it."""

    base: str

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(self.base + path, timeout=20) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def checks(self) -> dict[str, Any]:
        """The checks of /readyz by name; its status agrees with them."""
        status, text = self.get("/readyz")
        assert status in (200, 503), text
        found = {check["check"]: check for check in json.loads(text)["checks"]}
        assert status == (200 if all(check["ok"] for check in found.values()) else 503)
        return found

    def wrong(self) -> dict[str, str]:
        return {name: check["detail"] for name, check in self.checks().items() if not check["ok"]}

    def metrics(self, name: str) -> dict[str, float]:
        families = text_string_to_metric_families(self.get("/metrics")[1])
        (found,) = [family for family in families if family.name == name]
        return {next(iter(sample.labels.values())): sample.value for sample in found.samples}

    def becomes(self, met: Callable[[dict[str, str]], bool]) -> dict[str, str]:
        """Waits until what is wrong is as expected; gives it."""
        deadline = time.monotonic() + NOTICED_WITHIN_S
        while not met(wrong := self.wrong()):
            assert time.monotonic() < deadline, wrong
            time.sleep(0.5)
        return wrong


@contextmanager
def serve(installation: Installation) -> Iterator[Served]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with (installation.home / "web.log").open("wb") as log:
        process = subprocess.Popen(
            [*DAYBOOK, "web", "--port", str(port)], cwd=ROOT, env=installation.env(), stdout=log, stderr=log,
        )  # fmt: skip
    served = Served(f"http://127.0.0.1:{port}")
    try:
        wait(lambda: answers(served), lambda: still_runs(process, installation), within_s=30)
        yield served
    finally:
        process.kill()
        process.wait()


def still_runs(process: "subprocess.Popen[bytes]", installation: Installation) -> None:
    assert process.poll() is None, (installation.home / "web.log").read_text()[-3000:]


def answers(served: Served) -> bool:
    try:
        return served.get("/healthz")[0] == 200
    except OSError:
        return False


@pytest.fixture
def served(installation: Installation) -> Iterator[Served]:
    with serve(installation) as running:
        yield running


def test_a_worker_that_is_frozen_killed_or_stopped_is_missed_within_seconds(installation: Installation, served: Served) -> None:
    assert "none was ever seen" in served.wrong()["worker consumer"]
    parts = {"worker consumer", "worker views", "worker reminders"}
    parts |= {f"publisher {name}" for name in ("invoices", "notices", "dead-letters")}
    with installation.worker() as worker:
        served.becomes(lambda wrong: not wrong)
        assert served.checks().keys() == {"database", "migrations", "views", *parts}
        worker.signal(signal.SIGSTOP)
        frozen = time.monotonic()
        wrong = served.becomes(lambda wrong: wrong.keys() == parts)
        assert time.monotonic() - frozen < 20
        assert wrong["worker consumer"].startswith("dead consumer: the last was seen ")
        assert served.metrics("daybook_heartbeat_age_seconds")["worker/consumer"] > 14
        assert served.metrics("daybook_ready")["worker consumer"] == 0
        worker.signal(signal.SIGCONT)
        served.becomes(lambda wrong: not wrong)
        worker.kill()
        served.becomes(lambda wrong: wrong.keys() == parts)
        worker.start()
        served.becomes(lambda wrong: not wrong)
        assert worker.stop() == 0
        assert served.wrong().keys() == parts, "one that was stopped in order is not waited for"


def test_a_consumer_that_hangs_beside_a_living_view_thread_is_named(installation: Installation, served: Served) -> None:
    hang = installation.home / "hang"
    installation.environment["DAYBOOK_TEST_HANG"] = str(hang)
    with running(Worker(installation, ONE_WORKER)) as worker:
        served.becomes(lambda wrong: not wrong)
        hang.touch()
        wrong = served.becomes(lambda wrong: "worker consumer" in wrong)
        assert wrong.keys() == {"worker consumer"}
        assert wrong["worker consumer"].startswith("dead consumer: it says nothing, though its process lives")
        assert served.metrics("daybook_silent_threads")["worker/consumer"] == 1
        assert served.metrics("daybook_silent_threads")["worker/views"] == 0
        found = installation.json_of("doctor", exit_code=1)
        assert "worker consumer" in {one["check"] for one in found if not one["ok"]}
        hang.unlink()
        served.becomes(lambda wrong: not wrong)
        worker.check()


def test_a_consumer_that_another_writer_keeps_waiting_says_so_and_goes_on(installation: Installation, served: Served) -> None:
    with installation.worker() as worker, psycopg.connect(installation.dsn) as holder:
        served.becomes(lambda wrong: not wrong)
        # Whoever holds the ledger keeps a batch from being recorded; views are only read and written, and go on.
        holder.execute("LOCK TABLE ledger.daybook_events IN EXCLUSIVE MODE")
        produce([said("ClientDefined", client_id="late")], str(installation.kafka))
        wrong = served.becomes(lambda wrong: "worker consumer" in wrong)
        assert wrong == {"worker consumer": "facts cannot be recorded: another writer holds the book: try again"}
        before = installation.positions()
        holder.rollback()
        served.becomes(lambda wrong: not wrong)
        wait(lambda: installation.positions() != before, worker.check, within_s=NOTICED_WITHIN_S)


def test_a_view_thread_that_meets_a_bug_is_named_and_the_consumer_goes_on(installation: Installation, served: Served) -> None:
    with installation.worker() as worker, Database(installation.dsn, pool_size=2) as database:
        served.becomes(lambda wrong: not wrong)
        # An event that no fold can read stands for a bug in one: it is no error of the database.
        book = Book(database, Keyring(installation.home / "keyring.jsonl"))
        known = {"topic": "time_entry.logged.v1", "client_id": "acme", "body_hash": bytes(16)}
        book.append([NewEvent(stream_id=uuid4(), version=1, state=b"{}", event_id=uuid4(), **known)])
        wrong = served.becomes(lambda wrong: "worker views" in wrong)
        # The reminders read the views, and meet the same bug when their turn comes.
        assert wrong.keys() <= {"worker views", "worker reminders"}
        assert re.fullmatch(r"the views cannot be kept: \w+: see the log", wrong["worker views"])
        before = installation.positions()
        produce([said("ClientDefined", client_id="later")], str(installation.kafka))
        wait(lambda: installation.positions() != before, worker.check, within_s=NOTICED_WITHIN_S)
        assert '"views_failed"' in worker.tail()


def test_a_stopped_publisher_is_shown_and_goes_on_after_a_decision(installation: Installation, served: Served) -> None:
    kafka = str(installation.kafka)
    installation.environment["DAYBOOK_DEAD_LETTER_BYTES"] = "true"
    with installation.worker() as worker:
        first = issue(installation, served, "e1")
        wait(lambda: told(kafka) == first, worker.check, within_s=NOTICED_WITHIN_S)
        assert_resume_refused(installation, "invoices has not stopped, it goes on by itself", "daybook.invoices", "--at", "0")
        delete_topics(kafka, "daybook.invoices")
        wait(lambda: topics_made(installation), within_s=NOTICED_WITHIN_S)
        second = issue(installation, served, "e2", but=("publisher invoices",))
        wrong = served.becomes(lambda wrong: "stopped:" in wrong.get("publisher invoices", ""))
        assert wrong.keys() == {"publisher invoices"}
        assert "daybook.invoices was deleted" in wrong["publisher invoices"]
        assert served.metrics("daybook_publisher_stopped") == {"invoices": 1, "notices": 0, "dead-letters": 0}
        assert served.metrics("daybook_publisher_lag_messages")["invoices"] == 1
        assert served.metrics("daybook_publisher_lag_seconds")["invoices"] > 0
        (doctors,) = [one for one in installation.json_of("doctor", exit_code=1) if one["check"] == "publisher invoices"]
        assert "daybook publisher resume daybook.invoices" in doctors["what_to_do"]
        status, *_ = installation.json_of("publisher", exit_code=1)
        assert (status["publisher"], status["stopped"], status["waiting"]) == ("invoices", True, 1)
        assert_resume_refused(installation, "nothing is published to 'daybook.time'", "daybook.time", "--at", "0")
        assert_resume_refused(installation, "is not in the ledger, which goes from 0 to ", "invoices", "--at", "999999999")
        assert_resume_refused(installation, "is not in the ledger", "invoices", "--at", "-1")
        assert_resume_refused(installation, "give either --at POSITION or --after NUMBER", "invoices")
        assert_resume_refused(installation, "no document A-9999", "invoices", "--after", "A-9999")
        assert_resume_refused(installation, "--reason is empty", "invoices", "--at", "0", reason=" ")
        assert told(kafka) == []
        (last_read,) = first
        decision = ("daybook.invoices", "--after", last_read, "--reason", "readers have it")
        said_so = installation.run("publisher", "resume", *decision).stdout
        assert said_so.startswith("invoices goes on after position ")
        assert "1 to tell" in said_so
        wait(lambda: told(kafka) == second, worker.check, within_s=NOTICED_WITHIN_S)
        served.becomes(lambda wrong: not wrong)
        with psycopg.connect(installation.dsn) as connection:
            decided = connection.execute("SELECT publisher, reason, problem FROM ledger.published_decisions").fetchall()
        assert [(publisher, reason) for publisher, reason, _ in decided] == [("invoices", "readers have it")]
        assert "was deleted" in decided[0][2]
        assert_dead_letter_comes_with_its_bytes(kafka)


def test_a_publisher_that_hangs_is_named_and_goes_on(installation: Installation, served: Served, own_broker: Broker) -> None:
    before = told(own_broker.bootstrap)
    with installation.worker() as worker:
        first = issue(installation, served, "e1")
        wait(lambda: told(own_broker.bootstrap) == sorted(before + first), worker.check, within_s=NOTICED_WITHIN_S)
        adjusted = ("adjust", "time/e1", "--amount", "10", "--reason", "parking")
        installation.run(*adjusted)
        own_broker.freeze()
        try:
            second = [one["number"] for one in installation.json("invoice", "--as-of", "2026-05-31", "--accept-changes")]
            wrong = served.becomes(lambda wrong: "publisher invoices" in wrong)
            # It hangs in a call that it gives up after 15 s: whichever is noticed first.
            hangs, gave_up = "dead publisher invoices: it says nothing, though its process lives", "invoices are not published"
            assert wrong["publisher invoices"].startswith((hangs, gave_up))
            assert "worker views" not in wrong
        finally:
            own_broker.thaw()
        wait(lambda: told(own_broker.bootstrap) == sorted(before + first + second), worker.check, within_s=60)
        served.becomes(lambda wrong: not wrong)


def issue(installation: Installation, served: Served, entry: str, but: tuple[str, ...] = ()) -> list[str]:
    """One approved entry through Kafka, and its document; gives the document's number."""
    produce([*BASICS, *approved(entry)], str(installation.kafka))
    served.becomes(lambda wrong: not wrong.keys() - set(but))
    arguments = ("invoice", "--as-of", "2026-05-31", "--accept-changes")
    deadline = time.monotonic() + NOTICED_WITHIN_S
    while not (documents := installation.json(*arguments)):
        assert time.monotonic() < deadline, "the entry did not come"
        time.sleep(0.2)
    return [document["number"] for document in documents]


def told(bootstrap: str) -> list[str]:
    found = numbers_by_client(read_all(bootstrap, "daybook.invoices", partitions=12))
    return sorted(number for numbers in found.values() for number in numbers)


def topics_made(installation: Installation) -> bool:
    # A topic that is just being deleted cannot be made yet.
    done = subprocess.run([*DAYBOOK, "topics"], cwd=ROOT, env=installation.env(), capture_output=True, text=True, check=False)
    return "created daybook.invoices" in done.stdout


def assert_resume_refused(installation: Installation, why: str, *arguments: str, reason: str = "tried") -> None:
    assert why in installation.run("publisher", "resume", *arguments, "--reason", reason, exit_code=2).stderr


def assert_dead_letter_comes_with_its_bytes(bootstrap: str) -> None:
    producer = Producer({"bootstrap.servers": bootstrap})
    producer.produce("daybook.time", key=b"acme", value=b"\x01not ours")
    producer.flush(20)
    deadline = time.monotonic() + NOTICED_WITHIN_S
    while not (letters := read_all(bootstrap, "daybook.dead-letters", partitions=12)):
        assert time.monotonic() < deadline, "no dead letter was announced"
        time.sleep(0.2)
    assert [(one.key, one.value, one.headers["reason"]) for one in letters] == [(b"acme", b"\x01not ours", b"undecodable")]
