"""What is counted, for Prometheus: requests as they come, the rest read from the database when it is asked for."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Final

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest

from daybook import alarm, doctor
from daybook.app import App
from daybook.heartbeat import LastBeat, last_beats, silent
from producers.following import feeds_of
from producers.standing import Standing, standings

REGISTRY: Final = CollectorRegistry()
REQUESTS: Final = Histogram(
    "daybook_request_seconds",
    "How long requests took.",
    ("method", "route", "status"),
    registry=REGISTRY,
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2.5, 10, 60),
)
_QUEUE: Final = """
    SELECT count(*), count(DISTINCT d.client_id), count(*) FILTER (WHERE h.item_key IS NOT NULL)
    FROM books.due_lines d LEFT JOIN books.holds h USING (client_id, item_key)
    WHERE d.due_on <= (SELECT day FROM books.business_day)
"""


def scrape(app: App) -> bytes:
    """Everything, in Prometheus' text format."""
    own = CollectorRegistry()
    own.register(_FromDatabase(app))
    return generate_latest(own) + generate_latest(REGISTRY)


class _FromDatabase:
    def __init__(self, app: App) -> None:
        self._app = app

    def describe(self) -> list[Metric]:
        """Nothing: a registry that asks would collect once too often."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The figures as they are now, in one snapshot."""
        with self._app.database.connection() as connection, connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            yield from _ledger(cursor)
            yield from _views(cursor)
        yield from _threads(last_beats(self._app))
        if self._app.settings.kafka is not None:
            yield from _publishers(standings(feeds_of(self._app.book), self._app.database))
        ready = GaugeMetricFamily("daybook_ready", "1 where a check of /readyz is well, 0 where it is not.", labels=["check"])
        for finding in doctor.ready(self._app):
            ready.add_metric([finding.check], finding.ok)
        yield ready


def _threads(beats: Sequence[LastBeat]) -> Iterator[Metric]:
    age = GaugeMetricFamily("daybook_heartbeat_age_seconds", "Since the newest of such threads was last seen.", labels=["part"])
    newest: dict[str, float] = {}
    for beat in beats:
        newest.setdefault(beat.part, beat.ago_s)
    for part, ago_s in newest.items():
        age.add_metric([part], ago_s)
    yield age
    hung = GaugeMetricFamily("daybook_silent_threads", "Threads that hang while their process lives.", labels=["part"])
    counts = Counter(beat.part for beat in silent(beats, doctor.DEAD_AFTER_S))
    for part in newest:
        hung.add_metric([part], counts[part])
    yield hung


def _publishers(stand: Sequence[Standing]) -> Iterator[Metric]:
    families = [
        GaugeMetricFamily(f"daybook_publisher_{name}", text, labels=["publisher"])
        for name, text in (
            ("position", "The last position in the ledger that readers were told of."),
            ("lag_messages", "What stands in the ledger and readers were not told of yet."),
            ("lag_seconds", "How long the oldest of these has been waiting."),
            ("stopped", "1 where a publisher stands still until a person decides."),
            ("retrying", "1 where it meets with trouble and tries again by itself."),
        )
    ]
    for one in stand:
        retrying = one.problem is not None and not one.stopped
        values = (one.published, one.backlog.count, doctor.waiting_s(one), one.stopped, retrying)
        for family, value in zip(families, values, strict=True):
            family.add_metric([one.publisher], value)
    yield from families


def _ledger(cursor: Any) -> Iterator[Metric]:
    batches, events = cursor.execute(
        "SELECT coalesce(max(batch_id), 0), coalesce(max(last_id), 0) FROM ledger.batches"
    ).fetchone()
    yield _counter("daybook_batches", "Transactions of the ledger.", batches)
    yield _counter("daybook_events", "The position of the newest event.", events)
    positions = CounterMetricFamily("daybook_records", "Records of a topic that are in the book.", labels=["topic"])
    for topic, count in cursor.execute(
        "SELECT split_part(reverse(split_part(reverse(application_name), ':', 2)), ':', 1), sum(notification_id + 1)"
        " FROM ledger.daybook_tracking WHERE starts_with(application_name, 'kafka:') GROUP BY 1 ORDER BY 1"
    ).fetchall():
        positions.add_metric([topic], float(count))
    yield positions
    letters = GaugeMetricFamily("daybook_dead_letters", "Dead letters that wait for somebody.", labels=["reason"])
    for reason, count in cursor.execute(
        "SELECT d.reason, count(*) FROM ledger.dead_letters d LEFT JOIN ledger.dead_letters_settled s USING (batch_id, number)"
        " WHERE s.outcome IS NULL GROUP BY 1 ORDER BY 1"
    ).fetchall():
        letters.add_metric([reason], count)
    yield letters
    text = "Messages set aside in the last ten minutes."
    yield GaugeMetricFamily("daybook_dead_letters_recent", text, value=alarm.recent(cursor))


def _views(cursor: Any) -> Iterator[Metric]:
    lag = GaugeMetricFamily("daybook_view_lag_positions", "How far a view is behind the ledger.", labels=["view"])
    for view, behind in cursor.execute(doctor.LAGS).fetchall():
        lag.add_metric([view], behind)
    yield lag
    lines, clients, held = cursor.execute(_QUEUE).fetchone()
    yield GaugeMetricFamily("daybook_queue_lines", "Lines that are due on the business day.", value=lines)
    yield GaugeMetricFamily("daybook_queue_clients", "Clients with lines that are due.", value=clients)
    yield GaugeMetricFamily("daybook_queue_held_lines", "Lines that are due and held.", value=held)
    waiting = GaugeMetricFamily("daybook_waiting", "What is kept and not billed.", labels=["reason"])
    for reason, count in cursor.execute("SELECT reason, count(*) FROM books.waiting GROUP BY 1 ORDER BY 1").fetchall():
        waiting.add_metric([reason], count)
    yield waiting
    issued = CounterMetricFamily("daybook_invoices_issued", "Documents that were issued.", labels=["kind"])
    for kind, count in cursor.execute("SELECT kind, count(*) FROM books.invoices GROUP BY 1 ORDER BY 1").fetchall():
        issued.add_metric([kind], count)
    yield issued


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(name, text, value=value)
