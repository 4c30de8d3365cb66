"""`python -m tests.mutants [NAME...]`: plants each fault in a copy of the tree; the test it names must fail, and only then.

Names are parts of names. Exit code 1 where one survives, breaks its test in another way, or does not apply.
"""

import importlib
import os
import pkgutil
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

import tests.mutants
from ledger.embedded import EmbeddedPostgres
from tests.conftest import make_reachable_folder
from tests.mutants import Mutant

ROOT = Path(__file__).parents[2]
ANSWER_WITHIN_S = 300.0
PASSED, FAILED = 0, 1  # of pytest: every other code says that nothing was tested


def every_mutant() -> list[Mutant]:
    """Those of every module of this package."""
    names = sorted(found.name for found in pkgutil.iter_modules(tests.mutants.__path__) if not found.name.startswith("_"))
    return [mutant for name in names for mutant in importlib.import_module(f"tests.mutants.{name}").MUTANTS]


def applied(mutant: Mutant, root: Path) -> str:
    """The file's text with the fault in it; ValueError where the old text does not occur exactly once."""
    text = (root / mutant.file).read_text("utf-8")
    if (count := text.count(mutant.old)) != 1:
        raise ValueError(f"{mutant.name}: its old text occurs {count} times in {mutant.file}")
    return text.replace(mutant.old, mutant.new)


def copy_tree(into: Path) -> None:
    """What git has, or would have."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():  # a file deleted and not committed yet is listed too
            (into / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, into / name)


def environment(copy: Path, database_url: str) -> dict[str, str]:
    """The copy comes before the installed product, for the tests and for every process they start."""
    own = {
        "PYTHONPATH": str(copy),
        "PYTHONDONTWRITEBYTECODE": "1",  # a stale .pyc must not hide a change within a second of the one before
        "DAYBOOK_TEST_DATABASE_URL": database_url,
        "DAYBOOK_TEST_SHRINK": "0",  # that a test fails is all that is asked
        "DAYBOOK_TEST_KAFKA_LIB": os.environ.get("DAYBOOK_TEST_KAFKA_LIB", str(ROOT / ".cache" / "kafka")),
    }
    return {**os.environ, **own}


def run(test: Sequence[str], copy: Path, database_url: str) -> tuple[int, str]:
    """Runs tests in the copy; pytest's exit code and what it said (-1: it hung)."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-W", "ignore", "-p", "no:cacheprovider", *test]
    try:
        done = subprocess.run(
            command, cwd=copy, env=environment(copy, database_url), capture_output=True, text=True,
            timeout=ANSWER_WITHIN_S, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as hung:
        return -1, str(hung)
    return done.returncode, done.stdout + done.stderr


def judged(mutant: Mutant, copy: Path, database_url: str) -> tuple[str, str]:
    """What became of a mutant, and what to look at where it was not killed."""
    try:
        wrong = applied(mutant, copy)
    except (OSError, ValueError) as error:
        return "does not apply", str(error)
    path = copy / mutant.file
    right = path.read_text("utf-8")
    path.write_text(wrong, "utf-8")
    try:
        code, said = run([mutant.test], copy, database_url)
    finally:
        path.write_text(right, "utf-8")
    match code:
        case _ if code == FAILED:
            return "killed", ""
        case _ if code == PASSED:
            return "SURVIVED", f"{mutant.test} passes with it"
        case _:
            return "broken", f"pytest ended with {code}:\n{said[-3000:]}"


def assert_the_copy_is_what_is_tested(copy: Path, database_url: str) -> None:
    """The environment has the product installed from the clone: a fault in the copy must be what Python sees."""
    for room in ("ledger", "consumers", "domain", "projections", "daybook", "tests"):
        found = subprocess.run(
            [sys.executable, "-c", f"import {room}; print({room}.__file__)"],
            cwd="/", env=environment(copy, database_url), capture_output=True, text=True, check=True,
        )  # fmt: skip
        if not Path(found.stdout.strip()).is_relative_to(copy):
            raise SystemExit(f"{room} is taken from {found.stdout.strip()}, not from the copy: nothing would be tested")


@contextmanager
def server() -> Iterator[str]:
    """One PostgreSQL for all runs."""
    given = os.environ.get("DAYBOOK_TEST_DATABASE_URL")
    home = make_reachable_folder()
    try:
        with nullcontext() if given else EmbeddedPostgres(home, throwaway=True) as started:
            yield given or (started.dsn if started is not None else "")
    finally:
        shutil.rmtree(home, ignore_errors=True)


def main(names: Sequence[str]) -> int:
    """Tries the mutants, prints a line for each, and gives the exit code."""
    mutants = [one for one in every_mutant() if not names or any(name in one.name for name in names)]
    if not mutants:
        print(f"no mutant is named {' or '.join(names)}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="daybook-mutants-") as folder, server() as url:
        copy = Path(folder).resolve()
        copy_tree(copy)
        assert_the_copy_is_what_is_tested(copy, url)
        tests_of = sorted({mutant.test for mutant in mutants})
        code, said = run(tests_of, copy, url)
        if code != PASSED:
            print(f"the tests do not pass without a mutant either:\n{said[-5000:]}", file=sys.stderr)
            return 1
        print(f"{len(tests_of)} tests pass without a mutant")
        left = 0
        for mutant in mutants:
            started = time.monotonic()
            became, why = judged(mutant, copy, url)
            print(f"{became:<14} {time.monotonic() - started:6.1f} s  {mutant.name}", flush=True)
            if became != "killed":
                left += 1
                print(f"    {why}", flush=True)
    print(f"{len(mutants) - left} of {len(mutants)} killed")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
