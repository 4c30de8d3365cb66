"""`daybook web` in a process of its own, reached as a browser does: signed in by a link, one connection kept open."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from benchmarks.month_home import MAY

ROOT: Final = Path(__file__).parents[1]
WHO: Final = "lead"
START_S: Final = 60.0
ANSWER_S: Final = 900.0
KEPT_S: Final = 5.0


def environment(home: Path, dsn: str) -> dict[str, str]:
    """What a process of the installation is told."""
    own = {"DAYBOOK_DATABASE_URL": dsn, "DAYBOOK_HOME": str(home), "DAYBOOK_TODAY": MAY.isoformat()}
    return {**{name: value for name, value in os.environ.items() if not name.startswith("DAYBOOK_")}, **own}


def command(told: Mapping[str, str], *arguments: str) -> str:
    """What a command prints."""
    done = subprocess.run(
        [sys.executable, "-m", "daybook.cli", *arguments], cwd=ROOT, env=told, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"daybook {arguments[0]}: {done.stderr[-500:]}")
    return done.stdout


class Web:
    """A signed-in browser on a server of its own."""

    def __init__(self, port: int, log: Path) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_S)
        self._log = log
        self._used = 0.0
        self.cookie = ""

    def get(self, path: str, **headers: str) -> http.client.HTTPResponse:
        """A page; its body is read whole by `body`."""
        return self._ask("GET", path, None, headers)

    def post(self, path: str, form: Mapping[str, str]) -> http.client.HTTPResponse:
        """Sends a form."""
        return self._ask("POST", path, urlencode(form).encode(), {"Content-Type": "application/x-www-form-urlencoded"})

    def body(self, path: str, **headers: str) -> str:
        """The text of a page that must be there."""
        response = self.get(path, **headers)
        text = response.read().decode()
        if response.status != 200:
            raise RuntimeError(f"GET {path}: {response.status} {text[:300]}")
        return text

    def pages(self, path: str) -> int:
        """Follows a list to its end, as the Link header says; gives the number of its rows."""
        count, next_path = 0, path
        while next_path:
            response = self.get(next_path)
            count += len(json.loads(response.read()))
            found = re.match(r"<([^>]+)>", response.headers.get("link", ""))
            next_path = found[1] if found else ""
        return count

    def sign_in(self, told: Mapping[str, str]) -> None:
        """Uses a login link: looks at it, then clicks."""
        command(told, "user", "add", WHO, "--role", "admin")
        path = urlsplit(command(told, "login-link", WHO).strip()).path
        self.body(path)
        response = self.post(path, {})
        response.read()
        self.cookie = (response.headers["set-cookie"] or "").partition(";")[0]
        if response.status != 303 or not self.cookie:
            raise RuntimeError(f"signing in: {response.status}")

    def logged(self, event: str) -> list[dict[str, Any]]:
        """The lines of the server's log of one kind."""
        lines = self._log.read_text(encoding="utf-8").splitlines()
        said = [json.loads(line) for line in lines if line.startswith("{")]
        return [one for one in said if one.get("event") == event]

    def _ask(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> http.client.HTTPResponse:
        if time.monotonic() - self._used > KEPT_S:
            self._connection.close()  # the server is about to; the next request opens it again
        self._used = time.monotonic()
        own = {"Cookie": self.cookie} if self.cookie else {}
        self._connection.request(method, path, body, {**headers, **own})
        return self._connection.getresponse()


@contextmanager
def serving(home: Path, dsn: str) -> Iterator[Web]:
    """A server on a free port, and a browser that is signed in to it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    told = environment(home, dsn)
    with tempfile.TemporaryDirectory(prefix="daybook-month-") as folder:
        log = Path(folder) / "web.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "daybook.cli", "web", "--port", str(port)], cwd=ROOT, env=told, stdout=out, stderr=out
            )
            try:
                web = Web(port, log)
                _wait(web, process, log)
                web.sign_in(told)
                yield web
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(timeout=120)


def _wait(web: Web, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        try:
            response = web.get("/healthz")
            response.read()
            if response.status == 200:
                return
        except OSError:
            web._connection.close()
        if process.poll() is not None:
            break
        time.sleep(0.05)
    raise RuntimeError(f"the server did not start: {log.read_text(errors='replace')[-500:]}")
