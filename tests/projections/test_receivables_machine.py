"""Money in every order: whatever is said and whenever, the accounts are those of the rules, worked out a second time."""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import astuple
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from projections.balances import balances
from tests.budget import budget
from tests.evidence import saw
from tests.oracle.receivables import (
    NOBODY,
    Client,
    Document,
    GivenUp,
    Payment,
    Return,
    Said,
    Terms,
    can_be_true,
    standing,
    standing_first,
)
from tests.oracle.story import Story
from tests.projections.office import Office, differing
from tests.projections.till import Till, sums
from tests.unshrunk import PHASES

MARCH = date(2026, 3, 1)
LONG_AGO = date(2025, 1, 1)
ZONES = ("Europe/London", "Pacific/Auckland", "America/Los_Angeles")
zones = st.sampled_from([ZONES[0]] * 6 + list(ZONES[1:]))
NUMBERS = [f"I{n:02}" for n in range(1, 13)]
payments = st.sampled_from([f"p{n}" for n in range(1, 13)])
minor = st.integers(1, 40).map(lambda n: n * 25)
# Days ago; -1 is tomorrow, which then is today: most of what is said comes after all that was said before.
late = st.sampled_from([-1] * 16 + [0, 0, 1, 9])
# Numbers that are not issued yet are named as often as those that are: -1 is the last one issued, 0 the next.
named = st.lists(st.sampled_from([-3, -2, -1, 0, 0, 1]), max_size=2)
some_numbers = st.lists(st.sampled_from([-3, -2, -1]), min_size=1, max_size=2, unique=True)
currencies = st.sampled_from(["GBP", "GBP", "GBP", "EUR"])
hours = st.integers(0, 23)
whens = st.tuples(hours, late)


class Counts:
    """What all machines did together."""

    def __init__(self) -> None:
        self.machines = count(1)
        self.steps: Counter[str] = Counter()
        self.followed: Counter[str] = Counter()


class Money(RuleBasedStateMachine):
    """One client; a day passes now and then, and most of what is said is of today."""

    def __init__(self, office: Office, counts: Counts) -> None:
        super().__init__()
        number = next(counts.machines)
        self.office, self.counts = office, counts
        self.till, self.mirror = Till(office, f"c{number:04}"), Till(office, f"m{number:04}")
        self.said: list[Said] = []
        self.today = MARCH
        self.followed = True
        self.checked = 0
        self.issued: list[Document] = []
        self.paid: list[Payment] = []
        self.revision = 0
        self.use_credit = False
        self.pace = random.Random(0)

    def tell(self, one: Said) -> None:
        """To the book and, later, to the oracle."""
        self.till.say(one, len(self.said))
        self.said.append(one)
        self.followed = False
        self.counts.steps[type(one).__name__] += 1
        if self.pace.random() < 0.6:
            self.follow()

    def at(self, hour: int, days: int) -> datetime:
        """An hour of today, or of some days ago."""
        day = self.day(days)
        return datetime(day.year, day.month, day.day, hour, tzinfo=UTC)

    def day(self, ago: int) -> date:
        """A day as drawn from `late`."""
        if ago < 0:
            self.today += timedelta(days=1)
            return self.today
        return self.today - timedelta(days=ago)

    def numbers(self, places: list[int]) -> tuple[str, ...]:
        """Of invoices near the one that is issued next."""
        here = (len(self.issued) + place for place in places)
        return tuple(NUMBERS[place] for place in here if 0 <= place < len(NUMBERS))

    def id(self) -> str:
        """An event's."""
        return f"event {len(self.said):04}"

    # ---- what is said ----

    @initialize(known=st.sampled_from([True, True, True, False]), use_credit=st.booleans(), pace=st.integers(0, 1_000_000))
    def begins(self, known: bool, use_credit: bool, pace: int) -> None:
        self.pace = random.Random(pace)
        if known:
            self.define(ZONES[0], use_credit)

    @rule(zone=zones, uses=st.sampled_from([None, None, None, None, False, True]))
    def define_again(self, zone: str, uses: bool | None) -> None:
        """A new revision, of which settling mostly reads nothing new."""
        self.define(zone, self.use_credit if uses is None else uses)

    def define(self, zone: str, use_credit: bool) -> None:
        self.revision += 1
        self.use_credit = use_credit
        since = LONG_AGO if self.revision == 1 else self.today
        self.tell(Terms(revision=self.revision, since=since, zone=zone, use_credit=use_credit))

    @rule(days=st.sampled_from([1, 1, 3, 30]))
    def days_pass(self, days: int) -> None:
        self.today += timedelta(days=days)

    @precondition(lambda self: len(self.issued) < len(NUMBERS))
    @rule(total=st.one_of(minor, st.just(0)), ago=late, terms=st.sampled_from([0, 5, 30]), currency=currencies)
    def issue(self, total: int, ago: int, terms: int, currency: str) -> None:
        day = self.day(ago)
        number = NUMBERS[len(self.issued)]
        one = Document(number=number, currency=currency, issued_on=day, due_on=day + timedelta(days=terms), total=total)
        self.issued.append(one)
        self.tell(one)

    @rule(of=some_numbers, amount=minor, ago=late, currency=currencies)
    def credit(self, of: list[int], amount: int, ago: int, currency: str) -> None:
        day = self.day(ago)
        takes = tuple((number, amount) for number in self.numbers(of))
        number = f"CN{len(self.said):03}"
        total = -amount * len(takes)
        self.tell(Document(number=number, currency=currency, issued_on=day, due_on=day, total=total, takes_back=takes))

    @rule(
        payment=payments, amount=minor, surcharge=st.sampled_from([0, 0, 0, 20]), names=named, at=whens,
        currency=currencies, whose=st.sampled_from(["own", "own", "own", NOBODY]),
    )  # fmt: skip
    def pay(
        self, payment: str, amount: int, surcharge: int, names: list[int], at: tuple[int, int], currency: str, whose: str
    ) -> None:
        when = self.at(*at)
        one = Payment(
            event_id=self.id(), said_at=when + timedelta(hours=1), client=whose, payment=payment, currency=currency,
            charged=amount, surcharge=surcharge, at=when, names=self.numbers(names),
        )  # fmt: skip
        self.paid.append(one)
        self.tell(one)

    @precondition(lambda self: len(self.issued) < len(NUMBERS))
    @rule(rest=minor, total=minor, hour=hours, currency=currencies)
    def pay_ahead(self, rest: int, total: int, hour: int, currency: str) -> None:
        """More than all that can be open, naming an invoice that is issued only then."""
        amount = rest + sum(one.total for one in self.issued if one.currency == currency)
        self.pay(f"q{len(self.said):03}", amount, 0, [0], (hour, -1), currency, "own")
        self.issue(total, -1, 5, currency)

    @precondition(lambda self: any(one.client == NOBODY for one in self.paid))
    @rule(data=st.data())
    def find_whose_it_is(self, data: st.DataObject) -> None:
        one = data.draw(st.sampled_from([one for one in self.paid if one.client == NOBODY]))
        self.paid.append(_again(one, event_id=self.id(), client="own"))
        self.tell(self.paid[-1])

    @precondition(lambda self: self.paid)
    @rule(data=st.data(), amount=minor, earlier=st.booleans())
    def say_again(self, data: st.DataObject, amount: int, earlier: bool) -> None:
        one = data.draw(st.sampled_from(self.paid))
        said_at = one.said_at + timedelta(minutes=-1 if earlier else 1)
        self.tell(_again(one, event_id=self.id(), charged=amount + one.surcharge, said_at=said_at))

    @rule(payment=payments)
    def tomorrows_money(self, payment: str) -> None:
        self.tell(Payment(
            event_id=self.id(), said_at=self.at(12, 0), client="own", payment=payment, currency="GBP", charged=100,
            surcharge=0, at=self.at(12, 0) + timedelta(days=4), names=(),
        ))  # fmt: skip

    @rule(
        payment=payments, amount=minor, hour=hours, ago=late, currency=st.sampled_from([None, None, "GBP", "EUR"]),
        whose=st.sampled_from(["own", "own", "own", NOBODY]),
    )  # fmt: skip
    def give_back(self, payment: str, amount: int, hour: int, ago: int, currency: str | None, whose: str) -> None:
        at, number = self.at(hour, ago), len(self.said)
        self.tell(Return(
            event_id=self.id(), said_at=at + timedelta(hours=1), client=whose, refund=f"r{number:03}{'c' if number % 2 else ''}",
            payment=payment, currency=currency, amount=amount, at=at,
        ))  # fmt: skip

    @precondition(lambda self: self.issued)
    @rule(data=st.data(), amount=minor, ago=late)
    def write_off(self, data: st.DataObject, amount: int, ago: int) -> None:
        one = data.draw(st.sampled_from(self.issued))
        self.tell(GivenUp(number=one.number, currency=one.currency, amount=amount, on=self.day(ago)))

    def follow(self) -> None:
        """The views come to the book's end, now and then: what is said comes in batches of one and more."""
        if self.followed:
            return
        before = self._written()
        self.office.views.catch_up()
        after = self._written()
        if before:
            self.counts.followed["carried on" if before & after else "anew"] += 1
        self.followed = True

    def _written(self) -> set[Any]:
        """The rows with the transactions that wrote them: settling anew writes every one of them."""
        tables = ("open_items", "credits", "allocations")
        query = " UNION ALL ".join(f"SELECT '{one}', xmin::text, ctid::text FROM {one} WHERE client_id = %(c)s" for one in tables)
        with self.office.books() as cursor:
            return set(cursor.execute(query.encode(), {"c": self.till.name}).fetchall())

    # ---- what must hold ----

    @invariant()
    def accounts_are_those_of_the_rules(self) -> None:
        if not self.followed or self.checked == len(self.said):
            return
        self.checked = len(self.said)
        rows = self.till.rows()
        assert rows == self.till.settled_whole(), "carried on is not what it is settled anew"
        oracle = standing("own", self.said)
        assert _by_oracle(oracle) == _by_product(rows)
        assert sorted(row[:3] for row in rows["waiting"]) == _waiting(self.said, oracle)
        self._nothing_is_below_zero(rows)
        for outstanding, credit, rest in sums(rows).values():
            assert outstanding >= 0
            assert credit == rest >= 0
        for days in (40, 2, 0, -40, -100):
            self._balances_of(self.today - timedelta(days=days))

    def _nothing_is_below_zero(self, rows: dict[str, list[tuple[Any, ...]]]) -> None:
        for _, number, _, _, _, total, applied, given_up, outstanding, *_ in rows["open_items"]:
            assert min(applied, given_up, outstanding) >= 0
            assert applied + given_up + outstanding == total
            assert applied == sum(one[5] for one in rows["allocations"] if one[4] == number)
        for _, name, kind, _, _, pays, applied, returned, unapplied in rows["credits"]:
            assert min(applied, returned, unapplied) >= 0
            assert applied + returned + unapplied == pays
            assert applied == sum(one[5] for one in rows["allocations"] if one[3] == name), kind

    def _balances_of(self, day: date) -> None:
        with self.office.views.reading() as cursor:
            found = balances(cursor, day, self.till.name)
        expected = {
            currency: (one.outstanding, sum(one.ages(day)[1:]), one.credit, *one.ages(day))
            for currency, one in standing("own", self.said, day).accounts.items()
            if one.invoices or one.came
        }
        assert {one.currency: astuple(one)[3:] for one in found} == expected

    def teardown(self) -> None:
        """Another client of whom the same is said in another order, at another pace, has the same rows."""
        self.follow()
        self.accounts_are_those_of_the_rules()
        rng = random.Random(len(self.said))
        order = rng.sample(range(len(self.said)), len(self.said))
        for number in order:
            self.mirror.say(self.said[number], number)
            if rng.random() < 0.3:
                self.office.views.catch_up()
        self.office.views.catch_up()
        assert self.mirror.rows() == self.till.rows(), f"arrived as {order}"


def _again(one: Payment, **fields: Any) -> Payment:
    return Payment(**{**vars(one), **fields})


def _by_oracle(client: Client) -> dict[str, Any]:
    return {
        currency: (
            {number: one.owed(number) for number in one.invoices},
            {source: one.left(source) for source in one.came},
            [(source, number, amount, day) for (_, source), number, amount, day in one.paid],
        )
        for currency, one in client.accounts.items()
    }


def _by_product(rows: dict[str, list[tuple[Any, ...]]]) -> dict[str, Any]:
    found: dict[str, Any] = {row[2]: ({}, {}, []) for row in rows["open_items"]}
    found |= {row[3]: ({}, {}, []) for row in rows["credits"]}
    for row in rows["open_items"]:
        found[row[2]][0][row[1][1:]] = row[8]
    for row in rows["credits"]:
        found[row[3]][1][row[2], row[1][1:]] = row[8]
    for row in rows["allocations"]:
        found[row[1]][2].append((row[3][1:], row[4][1:], row[5], row[6]))
    return found


def _waiting(said: list[Said], own: Client) -> list[tuple[str, str, str]]:
    """What waits of the client and of nobody; of the latter until one of the same id, amount and currency has a client."""
    found = [(what.removesuffix(" of nobody"), f"-{id_}", reason) for (what, id_), reason in own.waiting.items()]
    nobodys, owned = (_first([one for one in said if isinstance(one, Payment) and (one.client == NOBODY) is mine])
                      for mine in (True, False))  # fmt: skip
    for id_, one in nobodys.items():
        mine = owned.get(id_)
        if mine is None or not can_be_true(mine) or (mine.charged, mine.currency) != (one.charged, one.currency):
            found.append(("payment", f"-{id_}", "unmatched_payment"))
    return sorted(found)


def _first(payments: list[Payment]) -> dict[str, Payment]:
    found: dict[str, Payment] = {}
    for one in sorted(payments, key=standing_first):
        found.setdefault(one.payment, one)
    return found


def test_any_history_in_any_order_of_arrival(new_office: Callable[[], Office]) -> None:
    office = new_office()
    office.take(Story().said[:2])
    counts = Counts()
    run_state_machine_as_test(
        lambda: Money(office, counts),  # type: ignore[arg-type]
        settings=settings(
            max_examples=budget("receivables", "histories"), stateful_step_count=budget("receivables", "steps"), deadline=None,
            suppress_health_check=list(HealthCheck), print_blob=True, phases=PHASES,
        ),
    )  # fmt: skip
    assert differing(office.live(), office.fresh()) == []
    assert counts.followed["carried on"] > counts.followed["anew"], (counts.followed, counts.steps)
    saw(f"receivables: {next(counts.machines) - 1} histories of {sum(counts.steps.values())} things said {dict(counts.steps)};"
        f" followed {dict(counts.followed)}; live = anew = oracle = shuffled = rebuilt")  # fmt: skip
