"""Given facts, when a day is rated or invoiced, then these items, lines and reasons: the domain alone, no database."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import chain
from typing import Any

from domain.difference import Adjustment, DueLine, Posting, due_lines
from domain.invoice import Document, Draft, draft, issued, postings, series_for
from domain.rate_contracts import rate_contracts
from domain.rate_time import rate_time
from domain.rated import RatedItem
from domain.readings import SeatCountReported
from domain.seat_counts import History, seat_history
from domain.terms import Catalogue, ClientTerms, catalogue_of, client_terms
from domain.time_entry import TimeEntry, evolve
from projections.decisions import standing_entries
from tests.saying import Row, event_of, said

MAY = date(2026, 5, 31)
JUNE = date(2026, 6, 30)


def usual(**client: Any) -> list[Row]:
    """A provider with one charge type at 150.00 and 20 % tax, and a client in pounds."""
    return [said("ProviderDefined"), said("TaxCodeDefined"), said("ChargeTypeDefined"), said("ClientDefined", **client)]


class Given:
    """One client's books as they stand: what was said, what was adjusted and what was invoiced."""

    def __init__(self, *facts: Row | Iterable[Row], client_id: str = "acme", foreign: Sequence[str] = ()) -> None:
        self.client_id = client_id
        self.facts: list[Any] = []
        self.posted: dict[tuple[str, str], list[Posting]] = {}
        self.adjustments: dict[str, list[Adjustment]] = {}
        self.documents: list[Document] = []
        self.foreign = frozenset(foreign)
        self.waiting: dict[str, str] = {}
        self.also(*facts)

    def also(self, *facts: Row | Iterable[Row]) -> "Given":
        """More was said."""
        rows = chain.from_iterable([one] if isinstance(one, tuple) and isinstance(one[0], str) else one for one in facts)
        self.facts += [event_of(record, fields) for _, record, fields in rows]
        return self

    def adjusted(self, item_key: str, amount_minor: int, currency: str = "GBP") -> "Given":
        """A person changed what an item costs."""
        mine = self.adjustments.setdefault(item_key, [])
        name = f"a{len(mine) + 1}"
        mine.append(Adjustment(adjustment_id=name, currency=currency, amount_minor=amount_minor, reason="", event_id=name))
        return self

    @property
    def catalogue(self) -> Catalogue:
        """The provider's catalogue."""
        return catalogue_of(self.facts)

    @property
    def terms(self) -> ClientTerms:
        """The client's terms."""
        return client_terms(self.client_id, [f for f in self.facts if getattr(f, "client_id", None) == self.client_id])

    @property
    def entries(self) -> list[TimeEntry]:
        """The client's entries, folded."""
        found: dict[str, TimeEntry] = {}
        for fact in self.facts:
            if hasattr(fact, "time_entry_id") and fact.client_id == self.client_id:
                id_ = fact.time_entry_id
                found[id_] = evolve(found.get(id_) or TimeEntry(client_id=self.client_id, time_entry_id=id_), fact)
        return list(found.values())

    @property
    def seats(self) -> dict[str, History]:
        """What was counted of each product."""
        said = [f for f in self.facts if isinstance(f, SeatCountReported) and f.client_id == self.client_id]
        states = self.terms.states
        return {name: seat_history((f for f in said if f.product == name), states) for name in {f.product for f in said}}

    def rated(self, as_of: date = MAY) -> dict[str, RatedItem]:
        """Every item by key; what waits is in `waiting` by id, what stays in `staying`."""
        stands = standing_entries(self.posted).get(self.client_id, {})
        time = rate_time(
            self.entries, terms=self.terms, catalogue=self.catalogue, as_of=as_of, posted=stands, foreign=self.foreign
        )
        lines = rate_contracts(self.terms, self.catalogue, as_of, seats=self.seats)
        self.waiting = {one.id: one.reason for one in (*time.waiting, *lines.waiting)}
        self.staying = tuple(lines.staying)
        return {item.key: item for item in (*time.items, *lines.items)}

    def due(self, as_of: date = MAY) -> list[DueLine]:
        """Every due line in order of item."""
        rated = self.rated(as_of)
        found: list[DueLine] = []
        for key in sorted(rated.keys() | {key for _, key in self.posted}):
            item, history = rated.get(key), self.posted.get((self.client_id, key), [])
            if item is None and key.startswith(self.staying):
                continue
            due_on = item.due_on if item is not None else history[0].due_on
            found += due_lines(key, item, self.adjustments.get(key, ()), history, due_on=due_on)
        return [one for one in found if one.due_on <= as_of]

    def drafts(self, as_of: date = MAY) -> list[Draft]:
        """What a run would issue."""
        by_currency: dict[str, list[DueLine]] = {}
        for one in self.due(as_of):
            by_currency.setdefault(one.line.currency, []).append(one)
        terms = self.terms
        assert terms.latest is not None
        return [
            draft(
                lines,
                client=terms.states.first_or_on(as_of),
                terms_days=terms.latest.payment_terms_days,
                catalogue=self.catalogue,
                issued_on=as_of,
            )
            for _, lines in sorted(by_currency.items())
        ]

    def run(self, as_of: date = MAY) -> list[Document]:
        """Issues what is due."""
        made = []
        for one in self.drafts(as_of):
            assert self.terms.latest is not None
            series = series_for(self.terms.latest, self.catalogue, credit_note=one.is_credit_note, issued_on=as_of)
            number = series.number(sum(d.series == series.counter for d in self.documents) + 1)
            document = issued(
                one, number=number, series=series.counter, invoice_id=number, event_id=number,
                at=datetime(2026, 5, 31, tzinfo=UTC), saw_position=0,
            )  # fmt: skip
            self.documents.append(document)
            made.append(document)
            for key, posting in postings(document).items():
                self.posted.setdefault((self.client_id, key), []).append(posting)
        return made

    def amounts(self, as_of: date = MAY) -> dict[str, int]:
        """What each item is worth in minor units; of one currency."""
        return {key: sum(line.amount_minor for line in item.lines) for key, item in self.rated(as_of).items()}

    def shown(self, as_of: date = MAY) -> list[tuple[str, str, str, int]]:
        """(item, quantity, unit price, net minor) of each due line."""
        return [(d.item_key, plain(d.line.quantity), plain(d.line.unit_price), d.line.amount_minor) for d in self.due(as_of)]


def plain(value: Decimal) -> str:
    """A decimal as people write it."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def billed(documents: Iterable[Document]) -> list[tuple[str, str, str, int, int]]:
    """(item, quantity, unit price, net, tax) of each line of some documents."""
    return [
        (one.item_key, plain(one.line.quantity), plain(one.line.unit_price), one.net_minor, one.tax_minor)
        for document in documents
        for one in document.lines
    ]
