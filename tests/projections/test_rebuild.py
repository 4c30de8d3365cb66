"""Rebuilt = live = rated whole, with decisions in the middle, whatever the machine's zone, locale and hash seed."""

import json
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest

from daybook import demo_month
from projections import documents, queue, views
from projections.queue import Filter
from projections.views import LOCK
from runs import decide
from runs.errors import Refused
from runs.generate import generate
from runs.open_day import open_day
from schemas.codec import encode, key_of
from tests.budget import budget
from tests.evidence import saw
from tests.oracle.story import NOON, Story, recurring
from tests.projections.office import Hashes, Office, differing
from tests.projections.storm import Storm

MAY = date(2026, 5, 31)
DAYBOOK = [str(Path(sys.executable).parent / "daybook")]
STORMS = 3 * budget("permutations", "orders")

NewOffice = Callable[[], Office]


def tell_demo(office: Office) -> None:
    open_day(office.book, MAY, NOON)
    office.take([(topic, key_of(record, fields), encode(record, fields)) for topic, record, fields in demo_month.facts()])


def test_live_is_rebuilt_is_rated_whole_while_invoices_are_issued(
    new_office: NewOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    issued = seats = 0
    for seed in range(STORMS):
        office = new_office()
        weather(office, Storm(seed), monkeypatch)
        before = office.live()
        office.views.rebuild()
        assert differing(office.live(), before) == [], f"storm {seed}"
        issued += office.rows("SELECT count(*) FROM posted")[0][0]
        seats += office.rows("SELECT count(*) FROM seat_charges WHERE net_minor > 0")[0][0]
    assert issued > STORMS
    assert seats > STORMS
    told = f"{issued} postings, {seats} seat segments"
    saw(f"rebuild: {STORMS} storms of facts, runs, holds and adjustments (seeds 0 up), {told}: live = rebuilt")


def weather(office: Office, storm: Storm, monkeypatch: pytest.MonkeyPatch) -> None:
    """Facts, runs and people's decisions in any order, checked every so often with folds of other batch sizes."""
    rng, day = storm.rng, date(2026, 4, 30)
    office.take(storm.opening())
    open_day(office.book, day, NOON)
    for step in range(16):
        office.take(storm.facts(rng.randint(1, 6)))
        if rng.random() < 0.6:
            office.views.follow()
        if rng.random() < 0.3:
            decide_anything(office, rng)
        if rng.random() < 0.3:
            day = min(day + timedelta(days=rng.choice((1, 12))), date(2026, 6, 20))
            open_day(office.book, day, NOON)
        if rng.random() < 0.35:
            generate(office.views, day, NOON)
        if step % 4 == 3:
            with monkeypatch.context() as patch:
                patch.setattr(views, "BATCH", rng.choice((1, 3, 10, 5_000)))
                office.assert_settled()


def decide_anything(office: Office, rng: random.Random) -> None:
    office.views.catch_up()
    items = office.rows('SELECT client_id, item_key, currency FROM charges ORDER BY client_id COLLATE "C", item_key COLLATE "C"')
    if not items:
        return
    item = decide.Item(*rng.choice(items))
    try:
        match rng.randrange(3):
            case 0:
                decide.hold(office.book, item, reason="look at it", by="me", at=NOON)
            case 1:
                decide.release(office.book, item, reason="seen", by="me", at=NOON)
            case _:
                decide.adjust(office.book, item, rng.choice((-500, 700)), None, reason="goodwill", by="me", at=NOON)
    except Refused:
        pass


def test_entry_invoiced_twice_while_its_credit_is_held_rebuilds(office: Office) -> None:
    story = Story(rounding_scope="ticket").entry("a", 25, ticket_id="t1").entry("b", 25, ticket_id="t1")
    told = len(story.said)
    office.take(story.said)
    open_day(office.book, MAY, NOON)
    generate(office.views, MAY, NOON)
    office.take(story.entry("a", 25, ticket_id="t2", revision=2).said[told:])
    ((key,),) = office.rows("SELECT item_key FROM charges WHERE ticket_id = 't1'")
    decide.hold(office.book, decide.Item("acme", key, "GBP"), reason="wait", by="me", at=NOON)
    generate(office.views, MAY, NOON)
    assert len(office.rows("SELECT DISTINCT item_key FROM posted")) == 2
    office.assert_settled()
    told = len(story.said)
    office.take(story.entry("a", 40, ticket_id="t2", revision=3, approve=False).said[told:])
    office.assert_settled()


def test_entry_waiting_in_its_old_ticket_stays_when_a_sibling_changes(office: Office) -> None:
    story = Story(rounding_scope="ticket").entry("a", 25, ticket_id="t1").entry("b", 25, ticket_id="t1")
    office.take(story.said)
    open_day(office.book, MAY, NOON)
    generate(office.views, MAY, NOON)
    told = len(story.said)
    story.entry("a", 25, ticket_id="t2", revision=2, approve=False)  # moved, not yet approved: its old minutes stay
    office.take(story.said[told:])
    office.views.catch_up()
    told = len(story.said)
    story.entry("b", 40, ticket_id="t1", revision=2)
    office.take(story.said[told:])
    office.assert_settled()
    assert office.rows("SELECT id, reason FROM waiting") == [("a", "amended_after_invoicing")]
    assert office.rows("SELECT sum(due_minor)::bigint FROM reporting.charges") == [(2500,)]


def test_decision_on_an_entry_that_never_came_is_seen_until_it_comes(office: Office) -> None:
    open_day(office.book, MAY, NOON)
    before = NOON - timedelta(days=1)
    story = Story().decide("Approved", "lost", revision=2).decide("Rejected", "lost", at=before)
    story.say("TimeEntryWithdrawn", client_id="nobody", time_entry_id="gone", revision=1, reason="", at=before)
    office.take(story.said)
    office.assert_settled()
    assert office.rows("SELECT client_id, what, id, reason, since, minutes FROM waiting ORDER BY 1") == [
        ("acme", "time_entry", "lost", "entry_not_seen", before, 0),
        ("nobody", "time_entry", "gone", "entry_not_seen", before, 0),
    ]
    told = len(story.said)
    office.take(story.entry("lost", 30, revision=2, approve=False).said[told:])
    office.assert_settled()
    assert office.rows("SELECT id FROM waiting") == [("gone",)]
    assert office.rows("SELECT due_minor FROM reporting.charges") == [(5000,)]


def test_reading_another_day_leaves_the_live_tables_alone(office: Office) -> None:
    """A statement prepared on the live tables must not be taken for one on the temporary tables that hide them."""
    tell_demo(office)
    before = office.live()
    for _ in range(8):
        office.take([])
        open_day(office.book, MAY, NOON)
        office.views.follow()
        with office.views.reading(as_of=date(2026, 4, 30)) as cursor:
            assert queue.rows(cursor, date(2026, 4, 30), Filter()) == []
        assert differing(office.fresh(), before) == []
        assert differing(office.live(), before) == []


def cli(office: Office, *words: str, **environment: str) -> str:
    done = subprocess.run(
        [*DAYBOOK, *words], env=office.environment(**environment), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def hashes(office: Office, **environment: str) -> Hashes:
    return {row["view"]: row["hash"] for row in json.loads(cli(office, "hash", "--json", **environment))}


ELSEWHERE = [
    {"TZ": "Pacific/Kiritimati", "LC_ALL": "C", "PYTHONHASHSEED": "1"},
    {"TZ": "America/St_Johns", "LC_ALL": "tr_TR.UTF-8", "PYTHONHASHSEED": "4242"},
]


def test_rebuild_elsewhere_ends_in_the_same_state(new_office: NewOffice) -> None:
    office = new_office()
    tell_demo(office)
    generate(office.views, MAY, NOON, client_ids=["acme", "tarn"])
    here = hashes(office, PYTHONHASHSEED="0", TZ="UTC")
    for elsewhere in ELSEWHERE:
        cli(office, "rebuild", **elsewhere)
        assert hashes(office, **elsewhere) == here
    assert all(row["ok"] for row in json.loads(cli(office, "verify", "--json", **ELSEWHERE[0])))


def test_taking_facts_in_elsewhere_ends_in_the_same_state(new_office: NewOffice, tmp_path: Path) -> None:
    paths = [str(path) for path in demo_month.write(tmp_path / "facts")]
    states = []
    for environment in ({"TZ": "UTC", "PYTHONHASHSEED": "0"}, *ELSEWHERE):
        office = new_office()
        cli(office, "ingest", *paths, **environment)
        states.append(hashes(office, **environment))
        del states[-1]["ledger_batches"]  # the chain holds when each batch was recorded
    assert states[1:] == states[:-1]


def test_rebuild_while_others_write_ends_at_the_live_state(office: Office) -> None:
    tell_demo(office)
    storm = Storm(5)
    office.take(storm.opening())
    generate(office.views, MAY, NOON, client_ids=["fenwick"])
    stop, failed = threading.Event(), []

    def write() -> None:
        try:
            while not stop.is_set():
                office.take(storm.facts(5))
                generate(office.views, MAY, NOON, client_ids=["acme", "buildco"])
        except Exception as error:
            failed.append(error)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(4):
            batches = office.rows("SELECT count(*) FROM ledger.batches")[0][0]
            while office.rows("SELECT count(*) FROM ledger.batches")[0][0] < batches + 3 and not failed:
                time.sleep(0.01)
            office.views.rebuild()
    finally:
        stop.set()
        writer.join(timeout=60)
    assert failed == []
    office.assert_settled()


def test_rebuild_killed_in_the_middle_leaves_the_live_state(office: Office) -> None:
    tell_demo(office)
    generate(office.views, MAY, NOON)
    before = office.live()
    slow = (
        "import time, projections.views as v, daybook.cli as c\n"
        "v.BATCH = 20\n"
        "move = v._move\n"
        "def slowly(*a):\n"
        "    move(*a); print('moved', flush=True); time.sleep(0.05)\n"
        "v._move = slowly\n"
        "import sys; sys.argv = ['daybook', 'rebuild']; c.main()\n"
    )
    for after in (1, 8):
        with subprocess.Popen([sys.executable, "-c", slow], env=office.environment(), stdout=subprocess.PIPE, text=True) as one:
            assert one.stdout is not None
            for _ in range(after):
                assert one.stdout.readline() == "moved\n"
            one.send_signal(signal.SIGKILL)
        assert differing(office.live(), before) == []
    office.views.rebuild()
    assert differing(office.live(), before) == []
    assert differing(office.fresh(), before) == []


def test_one_runner_at_a_time(new_office: NewOffice) -> None:
    office = new_office()
    tell_demo(office)
    with office.book.database.connection() as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
        assert office.views.follow() is False
        assert office.views.position() == 0
        with pytest.raises(views.ViewsBehind):
            office.views.catch_up(timeout_s=0.2)
        connection.execute("SELECT pg_advisory_unlock(%s)", (LOCK,))
    assert office.views.follow() is True


def test_many_runners_at_once_end_in_the_same_state(office: Office) -> None:
    others = [views.Views(office.book) for _ in range(4)]
    stop = threading.Event()
    failed: list[Exception] = []

    def follow(one: views.Views) -> None:
        try:
            while not stop.is_set():
                one.follow()
                time.sleep(0.002)
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=follow, args=(one,)) for one in others]
    for thread in threads:
        thread.start()
    storm = Storm(11)
    office.take(storm.opening())
    open_day(office.book, MAY, NOON)
    for _ in range(25):
        office.take(storm.facts(4))
    generate(office.views, MAY, NOON)
    stop.set()
    for thread in threads:
        thread.join(timeout=30)
    assert failed == []
    office.assert_settled()


def test_known_at_says_what_was_printed_before_a_late_batch(office: Office) -> None:
    tell_demo(office)
    story = Story().contract(recurring("310")).entry("e", 50)
    office.take(story.said)
    generate(office.views, MAY, NOON, client_ids=["acme", "tarn"])
    then = ("--known-at", office.rows("SELECT max(recorded_at) FROM ledger.batches")[0][0].isoformat())
    commands = (
        ("queue", "--json", "--as-of", "2026-05-31"), ("queue", "--lines", "--json", "--as-of", "2026-05-31"),
        ("queue", "--json", "--as-of", "2026-05-15"), ("waiting", "--json"), ("invoices", "--json"),
    )  # fmt: skip
    printed = [cli(office, *command) for command in commands]
    told = len(story.said)
    story.contract(recurring("290"), revision=2).entry("e", 80, revision=2).entry("f", 30, approve=False).tax_code("X", "5")
    office.take(story.said[told:])
    generate(office.views, MAY, NOON, client_ids=["acme", "buildco"])
    after = [cli(office, *command) for command in commands]
    assert all(now != before for now, before in zip(after, printed, strict=True))
    assert [cli(office, *command, *then) for command in commands] == printed


def test_as_known_before_the_first_fact_there_is_nothing(office: Office) -> None:
    tell_demo(office)
    office.live()
    with office.views.reading(known_at=NOON - timedelta(days=3_000)) as cursor:
        assert documents.invoices(cursor) == []
        assert queue.rows(cursor, MAY, Filter()) == []
