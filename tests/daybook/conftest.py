"""`daybook` in this process, on a database of its own."""

import io
import logging
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest
import structlog

from daybook import cli, demo_month
from tests.daybook.commands import Run, Said


@pytest.fixture
def run(database: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Runs `daybook` in this process on a database of its own, nobody at the terminal."""
    for name, value in {"DATABASE_URL": database.dsn_owner, "HOME": str(tmp_path), "TODAY": "2026-05-31", "USER": "ann"}.items():
        monkeypatch.setenv(f"DAYBOOK_{name}", value)
    monkeypatch.setattr(cli, "_log_to_stderr", lambda: None)  # it keeps the stream of its first call
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    monkeypatch.setattr(sys, "stdin", io.StringIO())

    def one(*words: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["daybook", *words])
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as ended:
            cli.main()
        code = ended.value.code
        assert isinstance(code, int)
        return Said(code, out.getvalue(), err.getvalue())

    yield one
    structlog.reset_defaults()


@pytest.fixture
def month(run: Run, tmp_path: Path) -> Run:
    """The same with the demo month taken in."""
    assert run("ingest", *map(str, demo_month.write(tmp_path / "facts"))).code == 0
    return run
