"""A sender that dies between the server's answer and its record: every mail arrives, always under its one Message-ID."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ledger.database import Database
from tests import evidence
from tests.budget import budget
from tests.producers.mailroom import MailRoom, mail_room
from tests.producers.post_office import PostOffice, post_office
from tests.runs.shop import ROOT

LONGEST_MS = 120


@pytest.fixture
def room(database: Database, tmp_path: Path) -> MailRoom:
    return mail_room(database, tmp_path)


def test_killed_senders_lose_no_mail_and_repeat_under_the_same_id(room: MailRoom) -> None:
    kills, seed = budget("mail", "kills"), 11
    rng = random.Random(seed)
    names = [f"client{n:03d}" for n in range(budget("mail", "notices"))]
    room.mailed(*names)
    wanted = {one.message_id for one in room.notices()}
    assert len(wanted) == len(names)
    between = elsewhere = 0
    with post_office() as post:
        while between < kills:
            if kill_after(room, post, mails=rng.randint(2, 4), within_ms=rng.random() * LONGEST_MS):
                between += 1
            else:
                elsewhere += 1
                assert elsewhere <= 5 * kills, "the kills come at the wrong moment"
        assert {state for state, _ in room.states()} == {"claimed", "sent"}, "nothing was left to be finished: more notices"
        finish(room, post)
        taken = post.ids()
    assert taken.keys() == wanted
    assert room.states() == [("sent", 1)] * len(names)
    repeats = sum(count - 1 for count in taken.values())
    assert 1 <= repeats <= between + elsewhere
    room.shop.assert_sound()
    evidence.saw(
        f"mail: seed {seed}, {between} counted kill -9 between the server's answer and the record ({elsewhere} more elsewhere):"
        f" {len(wanted)} mails, 0 missing, {repeats} repeated, each under its own Message-ID"
    )


def sender(room: MailRoom, post: PostOffice, longest_ms: int) -> subprocess.Popen[str]:
    app = room.shop.app
    assert app.settings.database_url is not None
    command = [sys.executable, "-m", "tests.producers.killable_mail", app.settings.database_url]
    command += [str(app.settings.keyring_path), post.url, str(longest_ms)]
    return subprocess.Popen(command, cwd=ROOT, env={**os.environ}, stdout=subprocess.PIPE, text=True)


def kill_after(room: MailRoom, post: PostOffice, *, mails: int, within_ms: float) -> bool:
    """Kills a sender that has made progress, a moment after one more mail; gives whether it had not recorded that one."""
    with sender(room, post, LONGEST_MS) as process:
        assert process.stdout is not None
        lines: list[str] = []
        for line in process.stdout:
            lines.append(line.strip())
            if lines.count("sent") >= mails:
                break
        time.sleep(within_ms / 1000)
        process.kill()
        lines += [line.strip() for line in process.stdout if line.startswith(("sent", "recorded", "done"))]
        process.wait(timeout=20)
    assert "recorded" in lines, "no progress before the kill"
    assert "done" not in lines, "there was nothing left to send: more notices"
    return lines[-1] == "sent"


def finish(room: MailRoom, post: PostOffice) -> None:
    """Another sender does the rest."""
    until = time.monotonic() + 60
    while {state for state, _ in room.states()} != {"sent"}:
        assert time.monotonic() < until, room.states()
        with sender(room, post, 0) as process:
            out, _ = process.communicate(timeout=60)
        assert process.returncode == 0
        assert "done" in out
