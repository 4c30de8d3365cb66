"""`daybook worker`, whose group misses it after 3 seconds instead of 10: so that more of a run is work than waiting.

Where DAYBOOK_TEST_FREEZE names a file that exists, it takes the file away and freezes with half a batch sent to the
database: the worst moment there is, as it holds the book's lock. While the file that DAYBOOK_TEST_HANG names is there,
its consumer hangs, and its other threads go on.
"""

import os
import signal
import time
from pathlib import Path
from typing import Any

import psycopg

from consumers.kafka_source import KafkaSource
from daybook.cli import main

SESSION_TIMEOUT_MS = 3_000
FREEZE = Path(os.environ.get("DAYBOOK_TEST_FREEZE") or "/nowhere")
HANG = Path(os.environ.get("DAYBOOK_TEST_HANG") or "/nowhere")
LARGE = 10_000


def write(copy: psycopg.Copy, buffer: Any) -> None:
    """psycopg's own, but for the pause."""
    if len(buffer) > LARGE and FREEZE.exists():
        really_write(copy, buffer[: len(buffer) // 2])
        FREEZE.unlink()
        os.kill(os.getpid(), signal.SIGSTOP)
        buffer = buffer[len(buffer) // 2 :]
    really_write(copy, buffer)


def poll(source: KafkaSource, *asked: Any) -> Any:
    """The source's own, but for the pause."""
    while HANG.exists():
        time.sleep(0.1)
    return really_poll(source, *asked)


if __name__ == "__main__":
    really_write = psycopg.Copy.write
    psycopg.Copy.write = write  # type: ignore[method-assign]
    really_poll = KafkaSource.poll
    KafkaSource.poll = poll  # type: ignore[method-assign]
    settings = KafkaSource.__init__.__kwdefaults__
    assert settings is not None
    settings.update(session_timeout_ms=SESSION_TIMEOUT_MS, heartbeat_interval_ms=500)
    main()
