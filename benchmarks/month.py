"""A large provider's month: 5,000 clients, 400,000 approved entries, 20 lines an invoice; reading the queue and Generate All.

    python -m benchmarks.month --home DIR [--clients 5000] [--entries 400000] [--rounds 3] [--only reads|runs]

The first call builds the month in DIR through the product's own ingest path and views, which are kept: later calls only
measure. Everything is measured against a baseline in the same round: reading against the queue's own SQL run bare, and
against a plain SELECT of the same rows; a run against a plain COPY of the rows it writes.
"""

import argparse
import json
import time
from pathlib import Path

import structlog

from benchmarks.month_facts import Size
from benchmarks.month_home import month
from benchmarks.month_reads import reads
from benchmarks.month_runs import runs


def main() -> None:
    """Builds the month where it is not there yet, measures it, and prints what was seen as JSON lines."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--home", type=Path, required=True, help="where the month is kept")
    parser.add_argument("--clients", type=int, default=5_000)
    parser.add_argument("--entries", type=int, default=400_000, help="approved entries; one in fifty more is not approved")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--times", type=int, default=12, help="readings of each kind a round")
    parser.add_argument("--only", choices=("reads", "runs"))
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    started = time.monotonic()
    with month(given.home, Size(clients=given.clients, entries=given.entries)) as found:
        _say(json.dumps({"clients": given.clients, "approved_entries": given.entries, "built": found.built}))
        if given.only != "runs":
            for name, figures in reads(found, given.rounds, given.times).items():
                _say(json.dumps({"read": name, **figures}))
        if given.only != "reads":
            _say(json.dumps(runs(found, given.rounds, _say)))
    _say(json.dumps({"rounds": given.rounds, "took_s": round(time.monotonic() - started)}))


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    main()
