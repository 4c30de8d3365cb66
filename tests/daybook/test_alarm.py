"""Where dead letters rise, whoever runs the installation hears of it within seconds, by each of the ways there are."""

import time
from pathlib import Path
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from daybook import alarm
from daybook.app import opened
from daybook.settings import SettingsError, load
from daybook.web.metrics import scrape
from tests.daybook.commands import Run
from tests.system.installation import Installation, wait

LIMIT = 5
HEARD_WITHIN_S = 10.0


@pytest.fixture
def few(run: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """An installation where five dead letters in ten minutes are too many."""
    monkeypatch.setenv("DAYBOOK_DEAD_LETTER_ALARM", str(LIMIT))
    return run


def arrive(count: int) -> None:
    with opened(load()) as app:
        app.log().append([("daybook.time", b"acme", b"no message", ())] * count)


def doctor(run: Run) -> dict[str, Any]:
    (found,) = run("doctor", "--only", "dead letters", "--json").rows
    return found


def recent() -> str:
    with opened(load()) as app:
        return next(line for line in scrape(app).decode().splitlines() if line.startswith("daybook_dead_letters_recent "))


def test_doctor_and_metrics_tell_one_from_many(few: Run) -> None:
    assert (doctor(few)["ok"], recent()) == (True, "daybook_dead_letters_recent 0.0")
    arrive(LIMIT - 1)
    assert few("worker", "--once").code == 0
    assert "waiting: 4 undecodable" in doctor(few)["detail"]
    assert recent() == "daybook_dead_letters_recent 4.0"
    arrive(1)
    assert few("worker", "--once").code == 0
    assert "rising: 5 in 10 minutes, 5 undecodable on daybook.time" in doctor(few)["detail"]
    assert few("dead-letters", "dismiss", *_places(few), "--reason", "a test").code == 0
    assert "rising" in doctor(few)["detail"], "what was settled came all the same"


def _places(run: Run) -> list[str]:
    return [f"{row['topic']}/{row['partition']}/{row['offset']}" for row in run("dead-letters", "--json").rows]


def test_the_log_says_once_that_they_rise_and_once_that_they_do_not(few: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alarm, "LOOK_EVERY_S", 0.0)
    structlog.reset_defaults()  # all levels
    with opened(load()) as app, capture_logs() as lines:
        watch = alarm.Alarm(app)
        watch.step()
        app.log().append([("daybook.time", b"acme", b"no message", ())] * LIMIT)
        assert few("worker", "--once").code == 0
        for _ in range(3):
            watch.step()
        monkeypatch.setattr(alarm, "WITHIN", alarm.WITHIN * 0)  # ten minutes later
        for _ in range(3):
            watch.step()
    said = [(line["event"], line["log_level"]) for line in lines if line["event"].startswith("dead_letters_")]
    assert said == [("dead_letters_rising", "error"), ("dead_letters_calm", "info")]


def test_a_running_worker_says_it_within_seconds(database: Any, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    installation = Installation(database.dsn_owner, home, environment={"DAYBOOK_DEAD_LETTER_ALARM": str(LIMIT)})
    with installation.worker() as worker:
        with opened(load(home).model_copy(update={"database_url": database.dsn_owner})) as app:
            app.log().append([("daybook.time", b"acme", b"no message", ())] * LIMIT)
        wait(lambda: bool(worker.batches()), worker.check, within_s=60)
        began = time.monotonic()
        wait(lambda: "dead_letters_rising" in worker.log.read_text(), worker.check, within_s=2 * HEARD_WITHIN_S)
        assert time.monotonic() - began < HEARD_WITHIN_S
        assert worker.stop() == 0


@pytest.mark.parametrize("given", ["0", "many"])
def test_a_limit_that_is_none_is_refused(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAYBOOK_DEAD_LETTER_ALARM", given)
    with pytest.raises(SettingsError, match="DEAD_LETTER_ALARM"):
        load()
