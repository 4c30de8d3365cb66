"""One process's run: opens the installation, says so, waits at the barrier, generates all, prints what it issued.

A few clients a transaction, so that a run has many: what is killed is killed between and within them.
"""

import json
import sys
from datetime import date

from daybook.app import now, opened
from daybook.settings import load
from runs import generate as runs_generate

BARRIER = 7_205_999
CLIENTS_AT_ONCE = 3


def main() -> None:
    runs_generate.CLIENTS_AT_ONCE = CLIENTS_AT_ONCE
    with opened(load()) as app:
        with app.database.connection() as waiting:
            waiting.execute("SET LOCAL lock_timeout = '60s'")
            waiting.execute("SELECT pg_advisory_xact_lock_shared(%s)", (BARRIER,))
        outcome = runs_generate.generate(app.views, date.fromisoformat(sys.argv[1]), now())
    print(json.dumps({"issued": [d.number for d in outcome.documents], "refused": len(outcome.refused)}))


if __name__ == "__main__":
    main()
