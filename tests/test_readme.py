"""Every `sh` block of the README is run as a reader would run it, in a copy of the tree, and prints what the README shows.

Two things differ from a reader's shell: `./run` finds an environment that is installed already (the one the tests run
in), and `./run test` runs one file of tests, since it is the tests that run this.
`docker compose up` is not run: its file is compared with the addresses that the README gives.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.broker import Broker, missing
from tests.conftest import make_reachable_folder

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMPOSE = "docker compose up --wait kafka postgres\n"
ALL_TESTS, SOME_TESTS = "./run test", "./run test tests/domain/test_money.py"
WITHIN_S = 120.0


def blocks(language: str) -> list[str]:
    """The README's fenced blocks of a language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


BROKER = [block for block in blocks("sh") if "export DAYBOOK_KAFKA=" in block]
PYTHON_ONLY = [block for block in blocks("sh") if block != COMPOSE and block not in BROKER]


class Reader:
    """Somebody with a fresh clone and an empty home, who types the README's blocks into one shell."""

    def __init__(self, folder: Path) -> None:
        self.clone = folder / "daybook"
        self.home = folder / "home"
        self.home.mkdir(mode=0o755)
        hidden = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info")
        shutil.copytree(ROOT, self.clone, ignore=hidden)
        self._venv = _installed(folder / "venv")

    def types(self, *lines: str) -> str:
        """Runs lines in one shell; gives what they print, on both outputs. Fails on the first line that fails."""
        left_out = re.compile(r"DAYBOOK_(?!TEST_)|CI$|VIRTUAL_ENV$")
        environment = {name: value for name, value in os.environ.items() if not left_out.match(name)}
        # As root the default home is no one's own: a block that says nothing of it must not touch the machine's.
        environment |= {"HOME": str(self.home), "DAYBOOK_HOME": str(self.home / ".daybook"), "DAYBOOK_VENV": str(self._venv)}
        done = subprocess.run(
            ["/bin/sh", "-euxc", "\n".join(lines)],
            cwd=self.clone, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, timeout=WITHIN_S, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"the last line shown failed:\n{done.stdout[-4000:]}"
        assert "installing" not in done.stdout, "`./run` would have installed into the environment of these tests"
        return done.stdout


def _installed(venv: Path) -> Path:
    """An environment that `./run` takes as it is: programs that hand over to this Python."""
    (venv / "bin").mkdir(parents=True)
    for name, start in {"python": "", "daybook": "-m daybook.cli"}.items():
        program = venv / "bin" / name
        program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {start} "$@"\n')
        program.chmod(0o755)
    (venv / ".installed").write_text("kept by hand\n")
    return venv


@pytest.fixture(scope="module")
def reader() -> Iterator[Reader]:
    """One reader for the whole README: later blocks build on what earlier ones did."""
    folder = make_reachable_folder()
    yield Reader(folder)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def printed(reader: Reader) -> str:
    """What the blocks print that need nothing but Python."""
    text = "".join(PYTHON_ONLY)
    assert text.count(f"{ALL_TESTS}\n") == 1
    return reader.types(*text.replace(f"{ALL_TESTS}\n", f"{SOME_TESTS}\n").splitlines())


def test_every_block_is_of_a_known_kind() -> None:
    assert blocks("sh").count(COMPOSE) == 1
    assert len(BROKER) == 1
    assert PYTHON_ONLY[:2] == ["./run demo --no-serve\n", f"{ALL_TESTS}\n"]
    assert len(re.findall(r"^```", README, re.MULTILINE)) == 2 * (len(blocks("sh")) + len(blocks("text")))


def test_blocks_that_need_only_python_work(printed: str) -> None:
    assert " passed" in printed
    assert "INV-000043" in printed, "29 invoices of March and April, and May's 14"


@pytest.mark.parametrize("shown", blocks("text"), ids=lambda shown: shown.split("\n")[0])
def test_what_the_readme_shows_is_what_is_printed(printed: str, shown: str) -> None:
    found = 0
    text = _plain(printed)
    for line in _plain(shown).splitlines():
        pattern = re.escape(line).replace(re.escape("..."), ".*?")
        match = re.compile(pattern).search(text, found)
        assert match, f"not printed, or not in this order: {line}"
        found = match.end()


@pytest.mark.kafka
def test_broker_block_works(printed: str, reader: Reader, empty_dsn: str) -> None:
    assert printed  # the demo's facts are what it produces
    reason = missing()
    if reason is not None:
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    with Broker() as broker:
        block = _given(BROKER[0], {"DAYBOOK_KAFKA": broker.bootstrap, "DAYBOOK_DATABASE_URL": empty_dsn})
        said = _plain(reader.types(*block.splitlines()))
    assert "14 clients, GBP 31,640.00" in said
    assert "INV-000014 yarrow" in said
    assert "arithmetic 22 min worked -> 30 min" in said


def test_compose_file_serves_the_addresses_of_the_broker_block() -> None:
    compose = (ROOT / "compose.yaml").read_text(encoding="utf-8")
    ports = set(re.findall(r'^ +- "([\d.]+:\d+):\d+"$', compose, re.MULTILINE))
    login = dict(re.findall(r"^ +POSTGRES_(USER|DB): (\w+)$", compose, re.MULTILINE))
    exported = dict(re.findall(r"^export (\w+)=(.*)$", BROKER[0], re.MULTILINE))
    assert exported["DAYBOOK_KAFKA"] in ports
    server = exported["DAYBOOK_DATABASE_URL"].partition("@")[2].partition("/")[0]
    assert server in ports
    assert exported["DAYBOOK_DATABASE_URL"] == f"postgresql://{login['USER']}@{server}/{login['DB']}"


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def _given(block: str, values: dict[str, str]) -> str:
    """The block with its `export` lines saying other values."""
    for name, value in values.items():
        block, count = re.subn(
            rf"^export {name}=.*$", lambda _, n=name, v=value: f"export {n}={shlex.quote(v)}", block, flags=re.M
        )
        assert count == 1, name
    return block


def _plain(text: str) -> str:
    """Text without the rules of tables and with single spaces."""
    lines = (" ".join(re.sub(r"[^\w\s!-~]|\|", " ", line).split()) for line in text.splitlines())
    return "\n".join(line for line in lines if line)
