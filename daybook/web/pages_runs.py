"""Runs that generate invoices in the background: one at a time in this process, remembered until it ends."""

import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final

import structlog

from daybook.app import App, now
from runs.errors import AsOfBeforeSeries, Refused
from runs.generate import Confirmed, Outcome, generate

log = structlog.get_logger("daybook.web")

MOST_REMEMBERED: Final = 20


@dataclass(slots=True)
class Run:
    """One run: who started it, how far it is, and what came of it."""

    run_id: str
    as_of: date
    by: str
    started_at: datetime
    documents_asked: int
    clients_done: int = 0
    clients_due: int = 0
    ended_at: datetime | None = None
    outcome: Outcome = field(default_factory=Outcome)
    wrong: str = ""

    @property
    def running(self) -> bool:
        """Not done yet."""
        return self.ended_at is None

    def moved(self, done: int, due: int) -> None:
        """Notes how many clients are done."""
        self.clients_done, self.clients_due = done, due


class RunUnderWay(Refused):
    """Another run is under way in this process."""

    def __init__(self, run: Run) -> None:
        super().__init__(f"{run.by} is generating invoices just now")
        self.run = run


class Desk:
    """Starts runs, one at a time, and remembers the last ones."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runs: OrderedDict[str, Run] = OrderedDict()

    def start(self, app: App, as_of: date, by: str, confirmed: Confirmed, client_ids: Sequence[str] | None) -> Run:
        """Starts a run in the background; raises RunUnderWay."""
        with self._lock:
            for other in self._runs.values():
                if other.running:
                    raise RunUnderWay(other)
            run = Run(uuid.uuid4().hex, as_of, by, now(), len(confirmed), clients_due=len({key[0] for key in confirmed}))
            self._runs[run.run_id] = run
            while len(self._runs) > MOST_REMEMBERED:
                self._runs.popitem(last=False)

        def work() -> Outcome:
            if as_of == app.settings.business_date():
                app.open_today()
            # The page of a run shows totals only.
            outcome = generate(
                app.views, as_of, run.started_at, client_ids=client_ids, confirmed=confirmed, progress=run.moved, keep_lines=False
            )
            app.views.catch_up()
            outcome.stages.end("catch up after")
            return outcome

        threading.Thread(target=_carry_out, args=(run, work), name=f"run-{run.run_id}", daemon=True).start()
        return run

    def find(self, run_id: str) -> Run | None:
        """A run that this process remembers."""
        with self._lock:
            return self._runs.get(run_id)

    def under_way(self) -> Run | None:
        """The run that is not done yet, if any."""
        with self._lock:
            return next((run for run in self._runs.values() if run.running), None)


def _carry_out(run: Run, work: Callable[[], Outcome]) -> None:
    """Whatever happens is noted on the run: nobody else waits for this thread."""
    try:
        run.outcome = work()
    except AsOfBeforeSeries as error:
        run.wrong = f"{str(error).partition(';')[0]}. Nothing was issued: generate as of that later day."
    except Refused as error:
        run.wrong = f"{error}."
    except Exception as error:
        run.wrong = "Daybook failed at this. What was issued before stands; what was not can be generated again."
        log.error("run_failed", run=run.run_id, exc_info=error)
    finally:
        run.ended_at = now()
        log.info(
            "invoices_generated", run=run.run_id, as_of=str(run.as_of), by=run.by, documents=len(run.outcome.documents),
            refused=len(run.outcome.refused), ms=round((run.ended_at - run.started_at).total_seconds() * 1000),
            stages_ms=run.outcome.stages.ms,
        )  # fmt: skip
