"""Fifty payments of one invoice at once, each said through three channels: it is paid once, and the rest is credit."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from daybook import feeding
from runs.generate import generate
from schemas.json_lines import dump
from tests.evidence import saw
from tests.saying import said
from tests.web.conftest import Web

ROOT = Path(__file__).parents[2]
EACH = 10_00
PAYMENTS = 50


def test_fifty_payments_of_one_invoice_by_three_channels_pay_it_once(office: Web, tmp_path: Path) -> None:
    biller = office.program("biller")
    generate(office.app.views, date(2026, 5, 31), datetime(2026, 5, 31, 9, tzinfo=UTC))
    [(number, total)] = office.rows("SELECT number, total_minor FROM books.invoices WHERE client_id = 'acme'")
    assert 0 < total < PAYMENTS * EACH
    rows = [
        said(
            "PaymentReceived", client_id="acme", payment_id=f"p{n:02}", amount_minor=EACH, currency="GBP", method="bank",
            occurred_at="2026-05-31T13:00:00Z", received_at="2026-05-31T12:00:00Z", invoice_numbers=[number],
            surcharge_minor=0, fee_minor=0, provider=None, provider_ref=None,
        )
        for n in range(PAYMENTS)
    ]  # fmt: skip
    lines = [dump(record, fields) for _, record, fields in rows]
    path = tmp_path / "payments.jsonl"
    path.write_text("\n".join(reversed(lines)) + "\n", encoding="utf-8")

    def over_http(line: str) -> list[str]:
        answer = biller.post("/api/v1/events", json=json.loads(line))
        assert answer.status_code == 200, answer.text
        return [one["outcome"] for one in answer.json()]

    def by_library(row: Any) -> None:
        feeding.feed(office.app, [row], feeding.Fed())

    def by_command() -> None:
        url = office.app.settings.database_url
        assert url is not None
        given = {"DAYBOOK_DATABASE_URL": url, "DAYBOOK_HOME": str(office.app.settings.home), "DAYBOOK_TODAY": "2026-05-31"}
        done = subprocess.run(
            [sys.executable, "-m", "daybook.cli", "ingest", str(path)],
            cwd=ROOT, env={**os.environ, **given}, capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

    with ThreadPoolExecutor(9) as pool:
        command = pool.submit(by_command)
        posted = [pool.submit(over_http, line) for line in lines]
        fed = [pool.submit(by_library, row) for row in rows[::5]]
        for one in (command, *fed, *posted):
            one.result()
    office.app.views.catch_up()

    assert office.rows("SELECT count(*), sum(amount_minor)::int8 FROM books.payments") == [(PAYMENTS, PAYMENTS * EACH)]
    found = office.rows("SELECT applied_minor, outstanding_minor, status FROM books.open_items WHERE number = %s", number)
    assert found == [(min(PAYMENTS * EACH, total), 0, "settled")]
    [(applied, unapplied)] = office.rows("SELECT sum(applied_minor)::int8, sum(unapplied_minor)::int8 FROM books.credits")
    assert (applied, unapplied) == (total, PAYMENTS * EACH - total)
    paying = office.rows("SELECT source FROM books.credits WHERE applied_minor > 0 ORDER BY 1")
    assert [name for (name,) in paying] == [f"p{n:02}" for n in range(-(-total // EACH))], "by their ids, of one instant"
    [balance] = biller.get("/api/v1/balances?client=acme").json()
    assert (balance["outstanding_minor"], balance["unapplied_minor"]) == (0, PAYMENTS * EACH - total)
    once = sum(one.result() == ["recorded"] for one in posted)
    saw(f"50 payments at once over HTTP, by command and by library: each counted once ({once} came first over HTTP)")
