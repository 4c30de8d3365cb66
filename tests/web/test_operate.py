"""What operators see: alive, ready, metrics, the doctor; and the whole thing on a real server."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from prometheus_client.parser import text_string_to_metric_families

from daybook import doctor
from daybook.app import App
from daybook.settings import Settings
from projections.views import LOCK
from tests.conftest import ROOT
from tests.saying import approved
from tests.web.conftest import Web
from tests.web.test_events import sent


def checks(web: Web) -> dict[str, bool]:
    return {one["check"]: one["ok"] for one in web.anonymous().get("/readyz").json()["checks"]}


def with_settings(web: Web, **changed: object) -> Web:
    """The same installation, told something else."""
    app = web.app
    return Web(App(app.settings.model_copy(update=changed), app.database, app.book, app.views))


def test_alive_and_ready(web: Web) -> None:
    client = web.anonymous()
    assert client.get("/healthz").json() == {"status": "ok"}
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (200, "ready")
    assert checks(web) == {"database": True, "migrations": True, "views": True}


def test_not_ready_when_the_views_are_far_behind(office: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "MOST_BEHIND", 3)
    office.rows("UPDATE books.positions SET position = 0")
    with office.app.database.owner() as other:
        other.execute("SELECT pg_advisory_lock(%s)", (LOCK,))  # another runner has the views, and is slow
        answer = office.anonymous().get("/readyz")
        other.execute("SELECT pg_advisory_unlock(%s)", (LOCK,))
    assert answer.status_code == 503
    assert "positions behind" in answer.text
    assert "daybook worker" in answer.text
    office.app.views.rebuild()
    assert checks(office)["views"]


def test_not_ready_when_something_stops_the_views_and_the_facts_are_kept(office: Web) -> None:
    with office.app.database.owner() as owner:
        owner.execute("ALTER TABLE books.charges RENAME TO mislaid")
    told = office.program("biller").post("/api/v1/events", json=sent(*approved("late")))
    assert [one["outcome"] for one in told.json()] == ["recorded", "recorded"]
    answer = office.anonymous().get("/readyz")
    assert answer.status_code == 503
    (found,) = [one for one in answer.json()["checks"] if not one["ok"]]
    assert (found["check"], found["detail"].split(":")[:2]) == ("views", ["stopped", " UndefinedTable"])
    with office.app.database.owner() as owner:
        owner.execute("ALTER TABLE books.mislaid RENAME TO charges")
    assert checks(office)["views"]


def test_not_ready_when_a_newer_version_has_migrated(office: Web) -> None:
    with office.app.database.owner() as owner:
        owner.execute("INSERT INTO ledger.migrations (number, name, checksum) VALUES (98, '0098_of_tomorrow', '')")
    answer = office.anonymous().get("/readyz")
    assert answer.status_code == 503
    (found,) = [one for one in answer.json()["checks"] if not one["ok"]]
    assert found["check"] == "migrations"
    assert "0098_of_tomorrow, which this version does not know" in found["detail"]


def test_not_ready_when_the_database_is_away(web: Web) -> None:
    class Away:
        def connection(self, _timeout_s: float | None = None) -> None:
            from psycopg_pool import PoolTimeout

            raise PoolTimeout("no connection")

    app = cast(App, SimpleNamespace(settings=web.app.settings, database=Away(), book=web.app.book, views=web.app.views))
    client = Web(app).anonymous()
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["checks"][0]["ok"]) == (503, False)
    asked = client.get("/api/v1/queue", headers={"authorization": "Bearer x"})
    assert (asked.status_code, asked.headers["retry-after"]) == (503, "5")
    assert client.get("/healthz").status_code == 200


def test_metrics_count_what_happened(office: Web) -> None:
    client = office.program("biller")
    client.get("/api/v1/queue")
    text = client.get("/metrics").text
    families = {family.name: family for family in text_string_to_metric_families(text)}
    values = {name: {tuple(s.labels.values()): s.value for s in family.samples} for name, family in families.items()}
    assert values["daybook_queue_lines"][()] == 2
    assert values["daybook_queue_clients"][()] == 2
    assert values["daybook_view_lag_positions"] == {("work",): 0} or set(values["daybook_view_lag_positions"].values()) == {0}
    assert values["daybook_records"]["daybook.time",] == 5
    assert values["daybook_waiting"]["awaiting_approval",] == 1
    assert families["daybook_invoices_issued"].samples == []
    routes = {sample.labels["route"] for sample in families["daybook_request_seconds"].samples}
    assert "/api/v1/queue" in routes


def test_metrics_need_a_token_where_strangers_may_come(office: Web) -> None:
    public = with_settings(office, public_url="https://books.example")
    assert public.anonymous().get("/metrics").status_code == 401
    assert public.program("viewer").get("/metrics").status_code == 200
    assert office.anonymous().get("/metrics").status_code == 200


def test_strangers_make_no_labels(web: Web) -> None:
    client = web.program("viewer")
    for n in range(5):
        client.request(f"X{n}", f"/nowhere/{n}")
        client.get(f"/nowhere/{n}", headers={"host": f"h{n}.example"})
    text = client.get("/metrics").text
    assert "/nowhere" not in text
    assert 'method="X' not in text


def test_doctor_says_what_to_do(office: Web) -> None:
    settings = office.app.settings
    found = {one.check: one for one in doctor.examine(settings)}
    assert [check for check, one in found.items() if not one.ok] == ["people"]
    assert "daybook user add" in found["people"].what_to_do
    office.browser("admin")
    settings.keyring_path.chmod(0o644)
    odd = settings.model_copy(update={"public_url": "http://books.example"})
    found = {one.check: one for one in doctor.examine(odd)}
    assert {check for check, one in found.items() if not one.ok} == {"keyring", "address"}
    assert found["keyring"].what_to_do.startswith("chmod 600")


def test_doctor_says_that_a_database_was_not_migrated_or_is_not_there(empty_dsn: str, tmp_path: Path) -> None:
    [found] = doctor.examine(Settings(database_url=empty_dsn, home=tmp_path))
    assert not found.ok


def test_the_documented_file_of_settings_names_them_all() -> None:
    text = (ROOT / "docs" / "daybook.toml").read_text("utf-8")
    plain = "\n".join(line.removeprefix("# ") if " = " in line and line.startswith("# ") else line for line in text.splitlines())
    assert set(tomllib.loads(plain)) == set(Settings.model_fields)


@pytest.fixture
def served(office: Web) -> Iterator[tuple[Web, str]]:
    """`daybook web` as a process of its own."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = office.app.settings
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DAYBOOK_")}
    own = {"DAYBOOK_DATABASE_URL": str(settings.database_url), "DAYBOOK_HOME": str(settings.home), "DAYBOOK_TODAY": "2026-05-31"}
    process = subprocess.Popen(
        [sys.executable, "-m", "daybook.cli", "web", "--port", str(port)],
        cwd=ROOT, env=kept | own, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5)
                break
            except OSError:
                assert process.poll() is None, process.stdout.read() if process.stdout else ""
                assert time.monotonic() < deadline
                time.sleep(0.1)
        yield office, f"http://127.0.0.1:{port}"
        process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=30)[0]
        lines = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
        asked = [line for line in lines if line["event"] == "request"]
        assert {"method", "route", "status", "ms", "request_id", "person"} <= set(asked[-1])
        assert process.returncode == 0, said
    finally:
        process.kill()
        process.wait()


def test_a_real_server_serves_writes_down_and_stops_in_order(served: tuple[Web, str]) -> None:
    web, base = served
    token = web.program("viewer").headers["authorization"]
    asked = urllib.request.Request(f"{base}/api/v1/queue", headers={"authorization": token})
    with urllib.request.urlopen(asked, timeout=10) as answer:
        assert len(json.load(answer)) == 2
        assert "server" not in answer.headers
        assert answer.headers["x-content-type-options"] == "nosniff"
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(urllib.request.Request(base, headers={"host": "evil.example"}), timeout=10)
    assert refused.value.code == 421
