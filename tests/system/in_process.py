"""The product's own pipeline inside the test's process, on the embedded log and a real Postgres: where bugs can be planted."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import structlog
from typer.testing import CliRunner

from consumers.ingest import Totals
from daybook import cli
from daybook.app import App, opened
from daybook.feeding import run_embedded
from daybook.settings import Settings
from tests.oracle.generator import Message
from tests.oracle.wire import Produced
from tests.system.installation import Installation


@dataclass
class InProcess:
    """An installation without Kafka, whose commands run in this process."""

    installation: Installation

    def feed(self, messages: Sequence[Message]) -> Totals:
        """Puts messages as they are into the log, and runs the loop and the views over them."""
        totals = Totals()
        with self._opened() as app:
            app.open_today()
            app.log().append([(topic, key, value, ()) for topic, key, value in messages])
            run_embedded(app, totals)
            app.views.catch_up()
        return totals

    def produced(self) -> list[Produced]:
        """Every message as it lies in the log."""
        with self._opened() as app:
            log = app.log()
            return [
                Produced(*record[:5])
                for (topic, partition), end in sorted(log.end_offsets().items())
                for record in log.read(topic, partition, 0, end)
            ]

    def json(self, *arguments: str) -> list[dict[str, Any]]:
        """The objects a command prints."""
        with _quiet():
            done = CliRunner().invoke(
                cli.app,
                [*arguments, "--json"],
                env=dict.fromkeys(_SETTINGS) | self.installation.env(),
                catch_exceptions=False,
            )
        assert done.exit_code == 0, done.output
        found: list[dict[str, Any]] = json.loads(done.stdout)
        return found

    @contextmanager
    def _opened(self) -> Iterator[App]:
        own = self.installation
        with _quiet(), opened(Settings(database_url=own.dsn, home=own.home, today=own.today)) as app:
            yield app


_SETTINGS = [f"DAYBOOK_{name.upper()}" for name in Settings.model_fields]


@contextmanager
def _quiet() -> Iterator[None]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    try:
        yield
    finally:
        structlog.reset_defaults()
