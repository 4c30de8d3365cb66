"""Prices contract lines period by period, a served day at a time (D3, D4, S1-S5), and lists the lines that wait."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

from .arithmetic import eight_places, is_currency, to_minor
from .facts import State, known_contract, known_zone
from .periods import STEP, Period
from .rating import Item, ItemKey, Rating, Waiting, part
from .rules import WAITING_ORDER
from .seats import Seats

RATED = ("RecurringLine", "SeatLine")
ServedDay = tuple[date, State, State]
"""A day with the contract's state and the line's."""


class Recurring:
    """The contract lines of one book of facts for one billing date."""

    def __init__(self, rating: Rating) -> None:
        self.rating, self.facts, self.as_of, self.rules = rating, rating.facts, rating.as_of, rating.rules
        self.seats = Seats(self.facts, self.as_of)
        self._twice: dict[str, set[tuple[str, str]]] = {}
        self.staying: list[ItemKey] = []  # client and the beginning of the keys of what waiting lines have billed

    def contract_lines(self) -> Iterator[Item | Waiting]:
        """The items of every recurring line that are due, and the lines that wait."""
        for client_id, contracts in self.facts.contracts.items():
            for contract_id in contracts:
                kinds: dict[str, str] = {}
                for state in self.facts.ever_in_force(client_id, contract_id):
                    kinds |= {line.fields["line_id"]: line.kind for line in state["lines"]}
                for line_id, kind in kinds.items():
                    yield from self._contract_line(client_id, contract_id, line_id, kind)

    def _contract_line(self, client_id: str, contract_id: str, line_id: str, kind: str) -> Iterator[Item | Waiting]:
        if kind == "RateLine":
            return
        beginning = (client_id, f"line/{part(contract_id)}/{part(line_id)}/")
        reasons = self._reasons(client_id, contract_id, line_id, kind)
        is_served = kind not in RATED or self._served_by_now(client_id, contract_id, line_id)
        if reasons:
            self.staying.append(beginning)
        if kind in RATED and self._is_readable(client_id, contract_id, line_id):
            for period, served in self._periods(client_id, contract_id, line_id):
                reason = self._tax_reason(client_id, served)
                if reason:
                    reasons.add(reason)
                    self.staying.append((beginning[0], beginning[1] + period.start.isoformat()))
                elif beginning not in self.staying and self._is_due(period, served):
                    price = self._seat_item if kind == "SeatLine" else self._recurring_item
                    yield price(client_id, contract_id, line_id, period, served)
        if reasons and is_served:
            reason = min(reasons, key=WAITING_ORDER.index)
            yield Waiting(client_id, "contract_line", f"{contract_id}/{line_id}", reason)

    def _reasons(self, client_id: str, contract_id: str, line_id: str, kind: str) -> set[str]:
        """Why nothing of the line can be billed."""
        client = self.facts.client_on(client_id, self.as_of)
        reasons = set() if kind in RATED else {"not_yet_supported"}
        if client is None:
            return reasons | {"unknown_client"}
        if not known_zone(client["time_zone"]) or client["status"] not in ("active", "closed"):
            reasons.add("unknown_value")
        if not is_currency(client["currency"]) or not self._is_readable(client_id, contract_id, line_id):
            reasons.add("unknown_value")
        if (contract_id, line_id) in self._counted_twice(client_id):
            reasons.add("ambiguous_line")
        if any(state["prices_include_tax"] for state, _ in self._states(client_id, contract_id, line_id)):
            reasons.add("not_yet_supported")
        return reasons

    def _counted_twice(self, client_id: str) -> set[tuple[str, str]]:
        """Seat lines that serve the same day for the same product (S5), one day at a time."""
        if client_id not in self._twice:
            found: set[tuple[str, str]] = set()
            lines = {
                (name, line.fields["line_id"])
                for name in self.facts.contracts[client_id]
                for state in self.facts.contracts[client_id][name]
                for line in state["lines"]
                if line.kind == "SeatLine"
            }
            day = date(2025, 9, 1)
            while day < date(2027, 1, 1) and len(lines) > 1:
                of_product: dict[str, set[tuple[str, str]]] = defaultdict(set)
                for contract_id, state in self.facts.serving(client_id, day).items():
                    for line in state["lines"]:
                        if line.kind == "SeatLine" and line.serves(day):
                            of_product[line.fields["product"]].add((contract_id, line.fields["line_id"]))
                found = found.union(*(lines for lines in of_product.values() if len(lines) > 1))
                day += timedelta(days=1)
            self._twice[client_id] = found
        return self._twice[client_id]

    def _states(self, client_id: str, contract_id: str, line_id: str) -> Iterator[tuple[State, State]]:
        """Each state of the contract that ever holds with the line in it, and the line."""
        for state in self.facts.ever_in_force(client_id, contract_id):
            for line in state["lines"]:
                if line.fields["line_id"] == line_id:
                    yield state, line.fields

    def _is_readable(self, client_id: str, contract_id: str, line_id: str) -> bool:
        return all(
            known_contract(state)
            and is_currency(state["currency"])
            and line["timing"] in ("advance", "arrears")
            and (line["frequency"] or state["frequency"]) in STEP
            for state, line in self._states(client_id, contract_id, line_id)
        )

    def _tax_reason(self, client_id: str, served: list[ServedDay]) -> str:
        """Why a period's tax can't be told, if so: without proration only its first day has a say."""
        if self.facts.client_on(client_id, self.as_of) is None:
            return ""
        used = served if served[0][2].get("prorate", True) else served[:1]
        codes = {line["tax_code"] for _, _, line in used}
        return max(self.rating.tax_code(client_id, code, None)[1] for code in codes)

    def _served_by_now(self, client_id: str, contract_id: str, line_id: str) -> bool:
        return any(
            line.fields["line_id"] == line_id and max(state["starts_on"], state["effective_from"]) <= self.as_of
            for state in self.facts.ever_in_force(client_id, contract_id)
            for line in state["lines"]
        )

    def _periods(self, client_id: str, contract_id: str, line_id: str) -> Iterator[tuple[Period, list[ServedDay]]]:
        """Each period that has begun, is served and was opened."""
        for period in self.facts.periods_of(client_id, contract_id, line_id, self.as_of):
            served = list(self._served(client_id, contract_id, line_id, period))
            if served and not self.facts.is_closed(client_id, period.start):
                yield period, served

    def _is_due(self, period: Period, served: list[ServedDay]) -> bool:
        return served[0][2]["timing"] == "advance" or (period.end - self.as_of).days <= 1

    def _served(self, client_id: str, contract_id: str, line_id: str, period: Period) -> Iterator[ServedDay]:
        """Each served day with the contract's state and the line's."""
        for day in period.days():
            state = self.facts.contract_on(client_id, contract_id, day)
            for line in state["lines"] if state else ():
                if line.kind in RATED and line.fields["line_id"] == line_id and line.serves(day):
                    yield day, state, line.fields

    def _recurring_item(
        self, client_id: str, contract_id: str, line_id: str, period: Period, served: list[ServedDay]
    ) -> Item:
        _, state, first = served[0]
        full_days = (period.end - period.full_start).days
        days: dict[tuple[Decimal, Decimal], int] = defaultdict(int)  # (quantity, price) -> days
        for _, _, line in served:
            days[line["quantity"], line["unit_price"]] += 1
        if not first["prorate"]:
            days = {(first["quantity"], first["unit_price"]): full_days}
        shares = [Fraction(q) * Fraction(p) * Fraction(n, full_days) for (q, p), n in days.items()]
        if self.rules.recurring_rounding == "each":
            net_minor = sum(to_minor(share, state["currency"], self.rules) for share in shares)
        else:
            net_minor = to_minor(sum(shares, Fraction()), state["currency"], self.rules)
        prices = {price for _, price in days}
        quantity = sum((Fraction(q) * Fraction(n, full_days) for (q, _), n in days.items()), Fraction())
        return Item(
            client_id=client_id,
            item_key=f"line/{part(contract_id)}/{part(line_id)}/{period.start.isoformat()}",
            currency=state["currency"],
            kind=first["description"],
            quantity=eight_places(quantity) if len(prices) == 1 else None,
            unit_price=prices.pop() if len(prices) == 1 else None,
            hours=Fraction(),
            net_minor=net_minor,
            tax_code=self.rating.tax_code(client_id, first["tax_code"], None)[0],
            service_from=served[0][0],
            service_to=served[-1][0],
        )

    def _seat_item(
        self, client_id: str, contract_id: str, line_id: str, period: Period, served: list[ServedDay]
    ) -> Item:
        _, state, last = served[-1]
        amount, quantity, unit_price = self.seats.price(client_id, period, served)
        return Item(
            client_id=client_id,
            item_key=f"line/{part(contract_id)}/{part(line_id)}/{period.start.isoformat()}",
            currency=state["currency"],
            kind=last["description"],
            quantity=eight_places(quantity) if quantity is not None else None,
            unit_price=unit_price,
            hours=Fraction(),
            net_minor=to_minor(amount, state["currency"], self.rules),
            tax_code=self.rating.tax_code(client_id, last["tax_code"], None)[0],
            service_from=served[0][0],
            service_to=served[-1][0],
        )
