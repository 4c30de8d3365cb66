"""A preview is what the queue says once the fact was really sent, and leaves no trace: against storms of random facts."""

import random
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from projections import documents, queue
from projections.preview import COPIED, MOST_CLIENTS, Fact, preview
from projections.preview_result import Preview, State, compared
from runs import decide
from runs.generate import generate
from runs.open_day import open_day
from schemas.codec import decode
from tests.budget import budget
from tests.evidence import saw
from tests.oracle.world import Said
from tests.projections.office import Office
from tests.projections.storm import Storm

NOW = datetime(2026, 6, 2, 9, tzinfo=UTC)
MAY = date(2026, 5, 31)
DAYS = (MAY, MAY, date(2026, 4, 30), date(2026, 6, 30))
NEWS = ("contract", "contract", "contract", "client", "catalogue", "entry", "decision", "seats", "withdrawal", "money")


def fact(said: Said) -> Fact:
    """A random fact as it is read from the wire."""
    message = decode(said.message()[2])
    return message.record, message.fields


def state(office: Office, as_of: date) -> State:
    """The whole queue as people see it, all clients."""
    office.views.catch_up()
    with office.views.reading(as_of=as_of) as cursor:
        names = dict(cursor.execute("SELECT client_id, name FROM clients").fetchall())
        return queue.lines(cursor, as_of, queue.Filter()), documents.waiting(cursor), names


def traces(office: Office) -> dict[str, Any]:
    """Everything that a preview might change: every row of every table, every view's hash, the keys, the log."""
    views = office.live()
    with office.book.database.owner() as connection:
        names = connection.execute(
            "SELECT table_schema, table_name FROM information_schema.tables"
            " WHERE table_schema NOT IN ('pg_catalog', 'information_schema') AND table_type = 'BASE TABLE' ORDER BY 1, 2"
        ).fetchall()
        rows: dict[str, Any] = {}
        for schema, name in names:
            digest = "md5(coalesce(string_agg(md5(t::text), '' ORDER BY md5(t::text)), ''))"
            text = f'SELECT count(*), {digest} FROM "{schema}"."{name}" t'
            rows[f"{schema}.{name}"] = connection.execute(text.encode()).fetchone()
    keys = office.book.keyring.path
    return {
        "rows": rows, "head": office.book.head_hash(), "views": views,
        "keys": keys.read_bytes() if keys.exists() else b"", "log": office.log.end_offsets(),
    }  # fmt: skip


def news(storm: Storm, kind: str, number: int) -> Said:
    """A random fact that mostly counts: a state with a higher revision than all before, of a contract that did not move."""
    said: Said = getattr(storm, kind)()
    if kind in ("contract", "client", "catalogue", "entry") and storm.rng.random() < 0.8:
        said.fields["revision"] = 10 + number
        if kind == "contract" and storm.rng.random() < 0.8:
            said.fields["starts_on"] = date(2026, 1, 1)
            said.fields["contract_id"] = storm.rng.choice(("K1", "K2", "K3"))
    return said


def opened(office: Office, seed: int, facts: int) -> Storm:
    """A provider in the midst of its business: random facts, some of them invoiced, adjusted, held, and changed since."""
    storm = Storm(seed)
    open_day(office.book, MAY, NOW)
    office.take([*storm.opening(), *storm.facts(facts)])
    office.views.catch_up()
    generate(office.views, MAY, NOW, client_ids=["acme", "Büro & Söhne/2"])
    office.take(storm.facts(facts // 2))
    office.views.catch_up()
    with office.views.reading() as cursor:
        lines = queue.lines(cursor, MAY, queue.Filter())
        some = [decide.find_item(cursor, one.item_key, one.client_id) for one in lines[:: max(len(lines) // 4, 1)]]
    for item in {(one.client_id, one.item_key): one for one in some}.values():
        if storm.rng.random() < 0.5:
            decide.hold(office.book, item, reason="ask", by="ann", at=NOW)
        else:
            decide.adjust(office.book, item, -250, item.currency, reason="goodwill", by="ann", at=NOW)
    return storm


def test_a_preview_is_what_the_queue_says_after_the_fact_was_sent(new_office: Callable[[], Office]) -> None:
    looked_at, changed, waited, worlds = 0, 0, 0, budget("preview", "worlds")
    for seed in range(worlds):
        office = new_office()
        storm = opened(office, seed, 60)
        rng = random.Random(seed)
        for number in range(budget("preview", "facts")):
            said = news(storm, rng.choice(NEWS), number)
            as_of = rng.choice(DAYS)
            before = state(office, as_of)
            found = preview(office.views, [fact(said)], as_of, NOW)
            office.take([said])
            after = state(office, as_of)
            assert found == compared(before, after, as_of=as_of, repeats=0, left_out=0), (seed, said)
            looked_at += 1
            changed += bool(found.lines)
            waited += bool(found.waiting)
    saw(f"previews that equal the queue afterwards: {looked_at}, of which {changed} change lines and {waited} what waits")
    assert changed > looked_at // 8
    assert waited > looked_at // 10


def test_a_preview_of_several_facts_is_that_of_all_of_them_together(office: Office) -> None:
    storm = opened(office, 77, 60)
    facts = [storm.contract(), storm.client(), storm.catalogue(), storm.entry(), storm.contract()]
    before = state(office, MAY)
    found = preview(office.views, [fact(one) for one in facts], MAY, NOW)
    office.take(facts)
    assert found == compared(before, state(office, MAY), as_of=MAY, repeats=0, left_out=0)
    assert found.lines


@pytest.mark.parametrize("as_of", [MAY, date(2026, 6, 30)])
def test_a_preview_leaves_no_trace(office: Office, as_of: date) -> None:
    storm = opened(office, 5, 60)
    before = traces(office)
    for kind in dict.fromkeys(NEWS):
        preview(office.views, [fact(getattr(storm, kind)())], as_of, NOW)
    stranger = storm.say("ClientDefined", client_id="new", name="New", currency="GBP", time_zone="UTC", address=["1 High Street"])
    preview(office.views, [fact(stranger)], as_of, NOW)
    assert traces(office) == before
    assert len(before["rows"]) > len(COPIED)


def test_traces_would_show(office: Office) -> None:
    """The check above sees a change that is committed."""
    storm = opened(office, 5, 20)
    before = traces(office)
    office.take([storm.contract()])
    after = traces(office)
    assert {name for name in before if before[name] != after[name]} >= {"rows", "head", "log", "views"}


def test_a_fact_that_is_in_the_book_already_changes_nothing(office: Office) -> None:
    storm = opened(office, 6, 40)
    said = storm.contract()
    office.take([said])
    office.views.catch_up()
    found = preview(office.views, [fact(said)], MAY, NOW)
    assert found == Preview(as_of=MAY, sums=(), lines=(), waiting=(), repeats=1, left_out=0)


def test_a_charge_type_of_very_many_clients_is_looked_at_in_part_and_says_so(office: Office) -> None:
    storm = Storm(8)
    open_day(office.book, MAY, NOW)
    office.take(storm.opening())
    count = MOST_CLIENTS + 7
    worked = {"charge_type": "REMOTE", "worked_on": date(2026, 5, 20), "worked_minutes": 60, "agent_id": "ann", "note": ""}
    for number in range(count):
        client_id = f"c{number:04}"
        about = {"client_id": client_id, "time_entry_id": f"x{number}", "revision": 1}
        office.take(
            [
                storm.say("ClientDefined", client_id=client_id, name=client_id, currency="GBP", time_zone="UTC"),
                storm.say("TimeEntryLogged", **about, **worked),
                storm.say("TimeEntryApproved", **about, approver_id="boss"),
            ]
        )
    office.views.catch_up()
    dearer = storm._charge_type("REMOTE", 9, date(2025, 1, 1), "entry", rates={"GBP": Decimal(999)})
    found = preview(office.views, [fact(dearer)], MAY, NOW)
    assert found.left_out == 7
    assert len({one.client_id for one in found.sums}) == MOST_CLIENTS
