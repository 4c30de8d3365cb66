"""What a run that is cut off would keep to itself: each failure is told at once, and each test that takes long by name."""

import sys
import threading
import time
from typing import Final

import pytest

LONG_S: Final = 120.0
LOOK_EVERY_S: Final = 60.0


class Watching:
    """A plugin of the process that hears of all tests: the only one, or pytest-xdist's controller."""

    def __init__(self) -> None:
        self._began: dict[str, float] = {}
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look, name="watching", daemon=True)

    def pytest_sessionstart(self) -> None:
        """Begins to look."""
        self._thread.start()

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Notes when it began."""
        self._began[nodeid] = time.monotonic()

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Forgets it."""
        self._began.pop(nodeid, None)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Tells a failure now; the summary has it whole."""
        if report.failed:
            crash = getattr(report.longrepr, "reprcrash", None)
            told = str(crash.message if crash is not None else report.longrepr).splitlines() or [""]
            say(f"FAILED {report.when} of {report.nodeid}: {told[0][:300]}")

    def pytest_sessionfinish(self) -> None:
        """Ends looking."""
        self._end.set()

    def _look(self) -> None:
        while not self._end.wait(LOOK_EVERY_S):
            now = time.monotonic()
            for nodeid, began in sorted(self._began.copy().items(), key=lambda one: one[1]):
                if now - began >= LONG_S:
                    say(f"running for {now - began:.0f} s: {nodeid}")


def say(line: str) -> None:
    """Past pytest's capture: to what the terminal or CI shows."""
    print(f"\n{line}", file=sys.__stderr__, flush=True)
