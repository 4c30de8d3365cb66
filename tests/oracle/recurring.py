"""Prices recurring lines period by period, a served day at a time (D3, D4, S1), and lists the lines that wait."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from fractions import Fraction

from .arithmetic import eight_places, is_currency, to_minor
from .facts import Line, State, known_contract, known_zone
from .periods import STEP, Period
from .rating import Item, Rating, Waiting, part

ServedDay = tuple[date, State, State]
"""A day with the contract's state and the line's."""


class Recurring:
    """The contract lines of one book of facts for one billing date."""

    def __init__(self, rating: Rating) -> None:
        self.rating, self.facts, self.as_of, self.rules = rating, rating.facts, rating.as_of, rating.rules

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
        name = f"{contract_id}/{line_id}"
        if kind == "RecurringLine":
            reason = self._line_reason(client_id, contract_id, line_id)
            if reason and self._served_by_now(client_id, contract_id, line_id):
                yield Waiting(client_id, "contract_line", name, reason)
            elif not reason:
                yield from self._recurring_items(client_id, contract_id, line_id)
        elif kind != "RateLine":
            unknown = self.facts.client_on(client_id, self.as_of) is None
            yield Waiting(client_id, "contract_line", name, "unknown_client" if unknown else "not_yet_supported")

    def _line_reason(self, client_id: str, contract_id: str, line_id: str) -> str:
        client = self.facts.client_on(client_id, self.as_of)
        if client is None:
            return "unknown_client"
        reason = ""
        for state in self.facts.ever_in_force(client_id, contract_id):
            for line in state["lines"]:
                if line.fields["line_id"] == line_id and not reason:
                    reason = self._state_reason(client, state, line)
        return reason

    def _state_reason(self, client: State, state: State, line: Line) -> str:
        _, tax_reason = self.rating.tax_code(client["client_id"], line.fields["tax_code"], None)
        if tax_reason:
            return tax_reason
        known = (
            known_contract(state)
            and is_currency(state["currency"])
            and known_zone(client["time_zone"])
            and client["status"] in ("active", "closed")
            and line.fields["timing"] in ("advance", "arrears")
            and (line.fields["frequency"] or state["frequency"]) in STEP
        )
        if not known:
            return "unknown_value"
        return "not_yet_supported" if state["prices_include_tax"] else ""

    def _served_by_now(self, client_id: str, contract_id: str, line_id: str) -> bool:
        return any(
            line.fields["line_id"] == line_id and max(state["starts_on"], state["effective_from"]) <= self.as_of
            for state in self.facts.ever_in_force(client_id, contract_id)
            for line in state["lines"]
        )

    def _recurring_items(self, client_id: str, contract_id: str, line_id: str) -> Iterator[Item]:
        for period in self.facts.periods_of(client_id, contract_id, line_id, self.as_of):
            served = list(self._served(client_id, contract_id, line_id, period))
            if not served or self.facts.is_closed(client_id, period.start):
                continue
            if served[0][2]["timing"] == "arrears" and (period.end - self.as_of).days > 1:
                continue
            yield self._recurring_item(client_id, contract_id, line_id, period, served)

    def _served(self, client_id: str, contract_id: str, line_id: str, period: Period) -> Iterator[ServedDay]:
        """Each served day with the contract's state and the line's."""
        for day in period.days():
            state = self.facts.contract_on(client_id, contract_id, day)
            for line in state["lines"] if state else ():
                if line.kind == "RecurringLine" and line.fields["line_id"] == line_id and line.serves(day):
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
