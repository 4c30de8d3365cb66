"""Which tax code and percent a line carries, looked at on the tax point (product M7)."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from domain.catalogue import TaxCodeDefined
from domain.client_account import ClientDefined
from domain.terms import Catalogue

MOST_PERCENT = 1_000
KINDS = ("standard", "zero", "exempt", "reverse_charge", "outside_scope")


@dataclass(frozen=True, slots=True)
class Tax:
    """A tax code with its percent on the day of issue and the wording the law asks for."""

    code: str
    percent: Decimal
    kind: str
    wording: str | None


def tax_for(own_code: str | None, client: ClientDefined, catalogue: Catalogue, tax_point: date) -> Tax | None:
    """The tax of a line: its own code's, else the client's; a client's code that is not `standard` wins over all.

    `own_code` is the contract line's, else the charge type's.
    Null where no code is named, or where nobody defined it for that day.
    """
    clients = _on(client.tax_code, catalogue, tax_point)
    if client.tax_code is not None and clients is None:
        return None  # it might have been one that wins over all
    if clients is not None and clients.kind != "standard":
        return _tax(clients)
    own = _on(own_code, catalogue, tax_point) if own_code is not None else clients
    return _tax(own) if own is not None else None


def _on(code: str | None, catalogue: Catalogue, day: date) -> TaxCodeDefined | None:
    states = catalogue.tax_codes.get(code) if code is not None else None
    state = states.on(day) if states is not None else None
    # A kind nobody knows must not quietly mean "no tax", nor may a rate that can't be.
    return state if state is not None and state.kind in KINDS and 0 <= state.rate <= MOST_PERCENT else None


def _tax(state: TaxCodeDefined) -> Tax:
    # What is not taxed has no percent, whatever was typed into the rate.
    percent = state.rate if state.kind == "standard" else Decimal(0)
    return Tax(state.code, percent, state.kind, state.wording)
