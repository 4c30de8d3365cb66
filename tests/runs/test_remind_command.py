"""`daybook remind`, and the worker that does the same all the time: claimed, sent, and told by a sign of life."""

import json
import threading
import time
from datetime import UTC, date, datetime, timedelta
from email import message_from_bytes
from pathlib import Path

import pytest

from daybook import reminding, worker
from daybook.heartbeat import last_beats
from daybook.settings import Settings
from runs import remind
from tests.runs import shop
from tests.runs.reminding import client, invoiced, kept, paid, policy, tick
from tests.runs.shop import NOW, Shop, catalogue, environment

HOUR = 18_000


@pytest.fixture
def owing(empty_shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """Acme and Bolt owe 180.00 each since 31 May; reminders a day after, which is the day of a command."""
    monkeypatch.setattr(shop, "environment", lambda app: {**environment(app), "DAYBOOK_TODAY": "2026-06-01"})
    empty_shop.tell(catalogue(), client("acme"), client("bolt"), policy(due_offsets_days=[1]))
    invoiced(empty_shop, ["acme", "bolt"])
    return empty_shop


def mails(of: Shop) -> list[tuple[str, str]]:
    """(whom to, which notice by its Message-ID) of what lies in the folder."""
    files = sorted((of.app.settings.home / "outbox").rglob("*.eml"))
    found = [message_from_bytes(Path(one).read_bytes()) for one in files]
    return sorted((str(one["To"]), str(one["Message-ID"])) for one in found)


def test_command_claims_and_sends_once(owing: Shop) -> None:
    owing.tell(paid("bolt", "INV-000002", HOUR, "p1"))
    looked = owing.command("remind", "--as-of", "2026-06-01", "--dry-run", "--json")
    assert looked.returncode == 0, looked.stderr
    assert kept(owing) == []
    done = owing.command("remind", "--as-of", "2026-06-01", "--json")
    assert done.returncode == 0, done.stderr
    rows = {one["notice_id"]: (one["client_id"], one["state"], one["why_not"]) for one in json.loads(done.stdout)}
    assert rows == {
        "new_invoice/INV-000001": ("acme", "sent", None), "new_invoice/INV-000002": ("bolt", "sent", None),
        "due/INV-000001/+1/2026-05-31": ("acme", "sent", None), "due/INV-000002/+1/2026-05-31": ("bolt", "not_sent", "paid"),
    }  # fmt: skip
    assert {one["notice_id"] for one in json.loads(looked.stdout)} == rows.keys(), "what was shown is what was done"
    assert [to for to, _ in mails(owing)] == ["ap@acme.example", "ap@acme.example", "ap@bolt.example"]
    assert {mid for _, mid in mails(owing)} == {one.message_id for one in kept(owing)}
    again = owing.command("remind", "--as-of", "2026-06-01")
    assert (again.returncode, "nothing is to be sent" in again.stdout, len(mails(owing))) == (0, True, 3)
    owing.assert_sound()


def test_invoice_that_was_not_mailed_in_time_is_listed_with_what_to_do_and_sent_when_asked_for(
    owing: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No worker ran for a fortnight; Bolt paid meanwhile, so that only Acme still misses its invoice."""
    monkeypatch.setattr(shop, "environment", lambda app: {**environment(app), "DAYBOOK_TODAY": "2026-06-14"})
    owing.tell(policy(due_offsets_days=[], revision=2), paid("bolt", "INV-000002", HOUR, "p1"))
    listed = owing.command("remind", "--dry-run", "--json")
    assert listed.returncode == 0, listed.stderr
    assert [(one["notice_id"], one["state"], one["why_not"]) for one in json.loads(listed.stdout)] == [
        ("new_invoice/INV-000001", "not_sent", "missed")
    ]
    said = " ".join(owing.command("remind").stdout.replace("│", " ").split())
    assert "not sent within 14 days" in said
    assert "--missed`, or its PDF by hand" in said
    assert (kept(owing), mails(owing)) == ([], []), "nobody is mailed of old invoices unless somebody asks for it"
    done = owing.command("remind", "--missed", "--json")
    assert done.returncode == 0, done.stderr
    assert [(one["client_id"], one["state"]) for one in json.loads(done.stdout)] == [("acme", "sent")]
    assert [to for to, _ in mails(owing)] == ["ap@acme.example"]
    assert "nothing is due" in owing.command("remind", "--missed").stdout
    owing.assert_sound()


@pytest.mark.parametrize("command", [["rebuild"], ["rebuild", "notices"], ["verify"], ["hash"]])
def test_command_that_rebuilds_or_verifies_sends_nothing_that_is_due(owing: Shop, command: list[str]) -> None:
    tick(owing, date(2026, 6, 1))
    before, head = kept(owing), owing.app.book.head()
    done = owing.command(*command)
    assert done.returncode == 0, done.stderr
    assert (mails(owing), kept(owing), owing.app.book.head()) == ([], before, head)
    assert len(before) == 4


def test_command_of_one_client_leaves_the_others(owing: Shop) -> None:
    done = owing.command("remind", "--as-of", "2026-06-01", "--client", "bolt")
    assert done.returncode == 0, done.stderr
    assert {one.client_id for one in kept(owing)} == {"bolt"}


def test_payment_after_the_claim_takes_the_mail_back(owing: Shop) -> None:
    tick(owing, date(2026, 6, 1))
    owing.tell(paid("acme", "INV-000001", HOUR, "p1"))
    counts = reminding.send(owing.app, reminding.office_of(owing.app.settings))
    assert (counts.sent, counts.withdrawn) == (3, 1)
    withdrawn = [(one.notice_id, one.reason) for one in kept(owing) if one.state == "withdrawn"]
    assert withdrawn == [("due/INV-000001/+1/2026-05-31", "paid")]


def test_worker_that_returns_has_told_everybody(owing: Shop) -> None:
    worker.run(owing.app, once=True, stop=threading.Event())
    assert {one.state for one in kept(owing)} == {"sent"}
    assert [to for to, _ in mails(owing)] == ["ap@acme.example", "ap@bolt.example"]


def test_worker_tells_of_new_invoices_and_says_that_it_lives(owing: Shop) -> None:
    stop = threading.Event()
    running = threading.Thread(target=worker.run, args=(owing.app,), kwargs={"stop": stop})
    running.start()
    try:
        _until(lambda: len(mails(owing)) == 2)
        owing.tell(client("cove"))
        invoiced(owing, ["cove"])
        _until(lambda: len(mails(owing)) == 3)
        _until(lambda: any(one.part == "worker/reminders" and one.problem == "" for one in last_beats(owing.app)))
    finally:
        stop.set()
        running.join(timeout=60)


def test_ticks_go_through_everybody_once_a_day_and_otherwise_only_through_who_changed(owing: Shop) -> None:
    asked: list[list[str] | None] = []
    ticker = reminding.Ticker(owing.app)

    def claiming(app: object, as_of: date | None, at: datetime, client_ids: list[str] | None = None) -> remind.Outcome:
        asked.append(client_ids)
        return reminding_claim(owing.app, as_of, at, client_ids)

    reminding_claim = reminding.claim
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reminding, "claim", claiming)
        ticker.tick(NOW)
        ticker.tick(NOW)
        assert asked == [None], "its own claims are no news"
        owing.tell(paid("acme", "INV-000001", HOUR, "p1"))
        ticker.tick(NOW)
        assert asked == [None, ["acme"]]
        owing.tell(policy(due_offsets_days=[2], revision=2))
        ticker.tick(NOW)
        assert asked == [None, ["acme"], None], "what is said of everybody is everybody's"


def test_message_ids_and_senders_are_of_the_address_people_use(tmp_path: Path) -> None:
    def named(**given: str) -> tuple[str, str]:
        settings = Settings(home=tmp_path, **given)  # type: ignore[arg-type]
        return reminding.host_of(settings), reminding.mail_from(settings)

    assert named() == ("daybook.invalid", "billing@daybook.invalid")
    assert named(public_url="https://msp.example/x") == ("daybook.msp.example", "billing@msp.example")
    assert named(smtp_url="smtps://ar%40msp.example:secret@mail.example") == ("daybook.invalid", "ar@msp.example")


def _until(holds: object, within_s: float = 30) -> None:
    assert callable(holds)
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.1)


def test_quarter_of_an_hour_is_where_days_begin_somewhere() -> None:
    at = datetime(2026, 6, 1, 11, 44, tzinfo=UTC)
    turns = {reminding.Ticker._quarter(at + timedelta(minutes=n)) for n in range(17)}
    assert len(turns) == 3
