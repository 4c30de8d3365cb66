"""Toxiproxy, which stands in a link and cuts it, slows it down or swallows what goes over it: one Go program."""

import json
import os
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

from tests.broker import free_port

ROOT = Path(__file__).resolve().parents[2]
MODULE = "github.com/Shopify/toxiproxy/v2/cmd/server"
VERSION = "v2.12.0"
HOW_TO_GET_IT = "Debian, Ubuntu: apt install golang-go; macOS: brew install go"
ANSWERS_WITHIN_S = 20.0


def require() -> None:
    """Skips where it cannot be had; on a build server it fails, for a silent skip would pass for a green light."""
    if shutil.which("go") is None and not _program().is_file():
        reason = f"Toxiproxy needs Go, which is not on the path ({HOW_TO_GET_IT})"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)


def program() -> Path:
    """The program, built by Go from its module on first use."""
    wanted = _program()
    if not wanted.is_file():
        wanted.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=wanted.parent) as folder:
            command = ["go", "install", f"{MODULE}@{VERSION}"]
            env = {**os.environ, "GOBIN": folder, "GOFLAGS": "-mod=mod"}
            done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=600, check=False)
            assert done.returncode == 0, f"Go could not build Toxiproxy:\n{done.stderr[-2000:]}"
            (Path(folder) / "server").rename(wanted)
    return wanted


def _program() -> Path:
    cache = Path(os.environ.get("DAYBOOK_TEST_TOXIPROXY") or ROOT / ".cache" / "toxiproxy").resolve()
    return cache / f"server-{VERSION}"


class Toxiproxy:
    """A running one; each link is named, and has a port of its own."""

    def __init__(self) -> None:
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [str(program()), "-host", "127.0.0.1", "-port", str(self._port)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        deadline = time.monotonic() + ANSWERS_WITHIN_S
        while not self._answers():
            assert time.monotonic() < deadline, "Toxiproxy does not answer"
            time.sleep(0.05)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def link(self, name: str, upstream_port: int, port: int | None = None) -> "Link":
        """A new link to a port of this machine."""
        port = port or free_port()
        wanted = {"name": name, "listen": f"127.0.0.1:{port}", "upstream": f"127.0.0.1:{upstream_port}", "enabled": True}
        self.ask("POST", "/proxies", wanted)
        return Link(self, name, port)

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> None:
        """One request to its API."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._port}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10):
            pass

    def _answers(self) -> bool:
        try:
            self.ask("GET", "/version")
        except (urllib.error.URLError, OSError):
            return False
        return True


class Link:
    """One connection between two programs, to be spoilt and healed."""

    def __init__(self, toxiproxy: Toxiproxy, name: str, port: int) -> None:
        self._toxiproxy, self._name, self.port = toxiproxy, name, port

    def cut(self) -> None:
        """Closes what is open, and refuses what comes."""
        self._toxiproxy.ask("POST", f"/proxies/{self._name}", {"enabled": False})

    def spoil(self, kind: str, stream: str = "downstream", **attributes: int) -> None:
        """Adds a toxic: `latency` (latency, jitter in ms), `bandwidth` (rate in KB/s), `timeout` (swallows; 0: for ever)."""
        toxic = {"name": f"{kind}-{stream}", "type": kind, "stream": stream, "toxicity": 1.0, "attributes": attributes}
        self._toxiproxy.ask("POST", f"/proxies/{self._name}/toxics", toxic)

    def heal(self) -> None:
        """As it was; what had been swallowed stays lost."""
        self._toxiproxy.ask("POST", "/reset")
