"""Laws of settling, in memory: whatever happens and in whatever order it becomes known, no money is made and none is lost."""

import random
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from domain.receivables import Account, Issued, Received, Returned, WrittenOff
from domain.settling import carry_on, in_order, settle
from tests.budget import budget
from tests.evidence import saw
from tests.oracle.receivables import Document, GivenUp, Payment, Return, Said, Standing, Terms, standing
from tests.unshrunk import PHASES

MARCH = date(2026, 3, 1)
Happened = Issued | Received | Returned | WrittenOff
minor = st.integers(1, 40).map(lambda n: n * 25)
hours = st.integers(0, 23)
# Days ago; -1 is tomorrow, which then is today: most of what is said comes after all that was said before.
late = st.sampled_from([-1] * 6 + [0] * 4 + [1, 9])
# Of invoices by their place: -1 is the last one issued, 0 the next.
places = st.lists(st.sampled_from([-3, -2, -1, -1, 0, 1]), max_size=2)


class Settling(RuleBasedStateMachine):
    """One account of one client whose clock is UTC; a day passes now and then."""

    def __init__(self, counts: Counter[str]) -> None:
        super().__init__()
        self.counts = counts
        self.today = MARCH
        self.said: list[Said] = []
        self.happened: list[Happened] = []
        self.counted: list[Happened] = []
        self.invoices: list[Document] = []
        self.payments: list[Payment] = []
        self.terms: list[Terms] = []
        self.carried = Account()
        self.whole = Account()

    @initialize(use_credit=st.booleans())
    def begins(self, use_credit: bool) -> None:
        self.agree(date(2020, 1, 1), use_credit)

    def agree(self, since: date, use_credit: bool) -> None:
        """New terms; the invoices before them stay as they are."""
        one = Terms(revision=len(self.terms) + 1, since=since, zone="UTC", use_credit=use_credit)
        self.terms.append(one)
        self.said.append(one)

    @rule(use_credit=st.booleans())
    def change_terms(self, use_credit: bool) -> None:
        before = self.whole
        self.agree(self.day(-1), use_credit)
        self.counts["terms changed"] += 1
        assert self.settled(self.happened) == before

    def issued(self, one: Document) -> Issued:
        """With what the terms of its day say of credit."""
        in_force = [terms for terms in self.terms if terms.since <= one.issued_on][-1]
        return Issued(
            number=one.number, issued_on=one.issued_on, due_on=one.due_on, total_minor=one.total, corrects=one.takes_back,
            takes_credit=in_force.use_credit,
        )  # fmt: skip

    # ---- what happens ----

    def tell(self, said: Said, happened: Happened) -> None:
        """To the oracle, to the account anew, and to the account carried on where that may be."""
        self.said.append(said)
        self.happened.append(happened)
        self.whole = self.settled(self.happened)
        self.counts[type(said).__name__] += 1
        order = in_order(*_kinds(self.happened))
        if order[: len(self.counted)] == self.counted:
            carry_on(self.carried, order[len(self.counted) :])
            self.counts["carried on"] += 1
        else:
            self.carried = self.settled(self.happened)
        self.counted = order

    def settled(self, happened: list[Happened]) -> Account:
        return settle(*_kinds(happened))

    def day(self, ago: int) -> date:
        """A day as drawn from `late`."""
        if ago < 0:
            self.today += timedelta(days=1)
            return self.today
        return self.today - timedelta(days=ago)

    def at(self, hour: int, ago: int) -> datetime:
        """An hour of it."""
        day = self.day(ago)
        return datetime(day.year, day.month, day.day, hour, tzinfo=UTC)

    @rule(days=st.sampled_from([1, 1, 3, 30]))
    def days_pass(self, days: int) -> None:
        self.today += timedelta(days=days)

    @rule(total=st.one_of(minor, st.just(0)), ago=late, terms=st.sampled_from([0, 5, 30]))
    def issue(self, total: int, ago: int, terms: int) -> None:
        day = self.day(ago)
        one = Document(
            number=_number(len(self.invoices)), currency="GBP", issued_on=day, due_on=day + timedelta(days=terms), total=total
        )
        self.invoices.append(one)
        self.tell(one, self.issued(one))

    @precondition(lambda self: self.invoices)
    @rule(of=places, amount=minor, ago=late)
    def credit(self, of: list[int], amount: int, ago: int) -> None:
        takes = tuple((number, amount) for number in dict.fromkeys(self.numbers(of)))
        day = self.day(ago)
        one = Document(
            number=f"CN{len(self.said):03}", currency="GBP", issued_on=day, due_on=day, total=-amount * max(len(takes), 1),
            takes_back=takes,
        )  # fmt: skip
        self.tell(one, self.issued(one))

    @rule(amount=minor, surcharge=st.sampled_from([0, 0, 20]), names=places, hour=hours, ago=late)
    def pay(self, amount: int, surcharge: int, names: list[int], hour: int, ago: int) -> None:
        self.paid(amount, surcharge, self.numbers(names), hour, ago)

    @precondition(lambda self: len(self.open) > 1)
    @rule(data=st.data(), amount=minor, hour=hours)
    def pay_some(self, data: st.DataObject, amount: int, hour: int) -> None:
        """Of what is open, in an order of the payer's own."""
        names = data.draw(st.permutations(self.open))
        self.paid(amount, 0, tuple(names[:3]), hour, -1)

    @property
    def open(self) -> list[str]:
        """The numbers of invoices of which something is to be paid."""
        return [number for number, item in self.whole.items.items() if item.outstanding_minor > 0]

    def paid(self, amount: int, surcharge: int, names: tuple[str, ...], hour: int, ago: int) -> None:
        at = self.at(hour, ago)
        one = Payment(
            event_id=f"e{len(self.said):03}", said_at=at, client="own", payment=_payment(len(self.payments)), currency="GBP",
            charged=amount + surcharge, surcharge=surcharge, at=at, names=names,
        )  # fmt: skip
        self.payments.append(one)
        received = Received(
            payment_id=one.payment, amount_minor=amount, received_at=at, received_on=at.date(), invoice_numbers=one.names,
            surcharge_minor=surcharge,
        )  # fmt: skip
        self.tell(one, received)

    @rule(rest=minor, total=minor, hour=hours, twice=st.booleans())
    def pay_ahead(self, rest: int, total: int, hour: int, twice: bool) -> None:
        """More than all that is open, for an invoice that is issued only then."""
        for _ in range(1 + twice):
            self.pay(self.whole.outstanding_minor + rest, 0, [0], hour, -1)
        self.issue(total, -1, 5)

    @rule(number=st.integers(0, 40), amount=minor, hour=hours, ago=late)
    def give_back(self, number: int, amount: int, hour: int, ago: int) -> None:
        """Some of a payment, which may be said only later."""
        self.back(_payment(number % (len(self.payments) + 1)), amount, hour, ago)

    @precondition(lambda self: self.payments)
    @rule(data=st.data(), hour=hours)
    def charge_back(self, data: st.DataObject, hour: int) -> None:
        """All of a payment, its surcharge too: what it paid is open again."""
        one = data.draw(st.sampled_from(self.payments))
        self.back(one.payment, one.charged, hour, -1)

    def back(self, payment: str, amount: int, hour: int, ago: int) -> None:
        at, name = self.at(hour, ago), f"r{len(self.said):03}"
        one = Return(
            event_id=name, said_at=at, client="own", refund=name, payment=payment, currency=None, amount=amount, at=at
        )  # fmt: skip
        self.tell(
            one, Returned(refund_id=name, payment_id=payment, amount_minor=amount, returned_at=at, returned_on=at.date())
        )  # fmt: skip

    @precondition(lambda self: self.invoices)
    @rule(data=st.data(), amount=minor, ago=late)
    def write_off(self, data: st.DataObject, amount: int, ago: int) -> None:
        self.give_up(data.draw(st.sampled_from(self.invoices)).number, amount, ago)

    def give_up(self, number: str, amount: int, ago: int) -> None:
        day = self.day(ago)
        self.tell(
            GivenUp(number=number, currency="GBP", amount=amount, on=day),
            WrittenOff(number=number, amount_minor=amount, written_off_on=day),
        )

    @precondition(lambda self: self.open)
    @rule(data=st.data(), amount=minor, hour=hours)
    def give_up_what_is_paid(self, data: st.DataObject, amount: int, hour: int) -> None:
        """Both on one day: what is given up is what is left at its close."""
        number = data.draw(st.sampled_from(self.open))
        self.give_up(number, self.whole.items[number].outstanding_minor, -1)
        self.paid(amount, 0, (number,), hour, 0)

    def numbers(self, of: list[int]) -> tuple[str, ...]:
        """Of invoices near the next one."""
        return tuple(_number(len(self.invoices) + one) for one in of if len(self.invoices) + one >= 0)

    # ---- what holds ----

    @invariant()
    def it_is_what_the_oracle_says(self) -> None:
        if self.happened:
            oracle = standing("own", self.said).accounts.get("GBP", Standing())
            assert _seen(self.whole) == _expected(oracle)

    @invariant()
    def carried_on_is_settled_anew(self) -> None:
        assert self.carried == self.whole

    @invariant()
    def what_is_open_is_what_was_billed_and_neither_paid_nor_given_up(self) -> None:
        own = self.whole
        paid = Counter[str]()
        for one in own.allocations:
            paid[one.number] += one.amount_minor
            assert 0 <= paid[one.number] <= own.items[one.number].document.total_minor
        billed = sum(item.document.total_minor for item in own.items.values())
        given_up = sum(item.written_off_minor for item in own.items.values())
        assert billed == sum(one.total for one in self.invoices)
        assert given_up <= sum(one.amount for one in self.said if isinstance(one, GivenUp))
        assert own.outstanding_minor == billed - given_up - paid.total()
        for number, item in own.items.items():
            assert item.applied_minor == paid[number]
            assert min(item.applied_minor, item.written_off_minor, item.outstanding_minor) >= 0

    @invariant()
    def credit_is_what_came_and_neither_pays_nor_went_back(self) -> None:
        own = self.whole
        used = Counter[str]()
        for one in own.allocations:
            used[one.source] += one.amount_minor
            assert used[one.source] >= 0
        for source in own.sources.values():
            assert source.applied_minor == used[source.name] == sum(source.allocated.values()) <= source.amount_minor
            assert min(source.returned_minor, source.unapplied_minor, *source.allocated.values(), 0) >= 0
        came = sum(one.charged - one.surcharge for one in self.payments)
        noted = sum(-one.total for one in self.said if isinstance(one, Document) and one.total < 0)
        returned = sum(source.returned_minor for source in own.sources.values())
        assert own.unapplied_minor == came + noted - used.total() - returned

    @invariant()
    def every_minor_unit_moved(self) -> None:
        assert sum(one.amount_minor for one in self.whole.movements) == self.whole.outstanding_minor - self.whole.unapplied_minor

    def teardown(self) -> None:
        """In whatever order it all became known, the account is the same; what we give up has the order of our decisions."""
        rng = random.Random(len(self.said))
        *facts, given_up = _kinds(self.happened)
        for _ in range(3):
            shuffled = [one for kind in facts for one in rng.sample(kind, len(kind))]
            assert self.settled([*shuffled, *given_up]) == self.whole
        _count(self.whole, self.counts)


def _number(place: int) -> str:
    return f"I{place:03}"


def _payment(place: int) -> str:
    return f"p{place:03}"


def _kinds(happened: list[Happened]) -> tuple[list[Issued], list[Received], list[Returned], list[WrittenOff]]:
    """By their kinds; money that went back counts once its payment is known."""
    received = [one for one in happened if isinstance(one, Received)]
    known = {one.payment_id for one in received}
    return (
        [one for one in happened if isinstance(one, Issued)],
        received,
        [one for one in happened if isinstance(one, Returned) and one.payment_id in known],
        [one for one in happened if isinstance(one, WrittenOff)],
    )


def _seen(account: Account) -> Any:
    return (
        {number: item.outstanding_minor for number, item in account.items.items()},
        {key: source.unapplied_minor for key, source in account.sources.items()},
        [(one.source, one.number, one.amount_minor, one.allocated_on) for one in account.allocations],
    )


def _expected(one: Standing) -> Any:
    return (
        {number: one.owed(number) for number in one.invoices},
        {source: one.left(source) for source in one.came},
        [(source, number, amount, day) for (_, source), number, amount, day in one.paid],
    )


def _count(account: Account, counts: Counter[str]) -> None:
    """How often what is hard came about: a run in which nothing pays anything says little."""
    counts["histories"] += 1
    for one in account.allocations:
        source = account.sources.get(("payment", one.source))
        counts["taken back" if one.amount_minor < 0 else "allocations"] += 1
        document = account.items[one.number].document
        if source is not None and source.day < document.issued_on and not document.takes_credit:
            counts["named ahead"] += 1


def test_no_history_makes_or_loses_money() -> None:
    counts: Counter[str] = Counter()
    run_state_machine_as_test(
        lambda: Settling(counts),  # type: ignore[arg-type]
        settings=settings(
            max_examples=budget("receivables", "settling"), stateful_step_count=budget("receivables", "steps"), deadline=None,
            suppress_health_check=list(HealthCheck), print_blob=True, phases=PHASES,
        ),
    )  # fmt: skip
    hard = ("allocations", "taken back", "named ahead", "carried on")
    assert min(counts[one] for one in hard) > counts["histories"] / 4, counts
    saw(f"settling by laws: {dict(counts)}; anew = carried on = oracle = shuffled")
