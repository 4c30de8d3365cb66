"""Payments, ticks, lagging views and mails in every order: no reminder after the payment (product R4, reliability P10)."""

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import count

import pytest

from projections.views import Views
from runs import remind
from runs.errors import Refused
from tests.budget import budget
from tests.evidence import saw
from tests.runs.reminding import LateViews, client, events, invoiced, kept, late_reminders, paid, policy, tick, withdraw
from tests.runs.shop import MAY, Shop, catalogue

CLIENTS = 20
SEED = 20260531


@dataclass
class World:
    """Twenty clients, a new invoice each a round, and a die that says what happens next."""

    shop: Shop
    rng: random.Random
    day: date = MAY
    ids: "count[int]" = field(default_factory=lambda: count(1))
    open: dict[str, str] = field(default_factory=dict)
    meanwhile: list[Callable[[], None]] = field(default_factory=list)
    sent_after_payment: list[str] = field(default_factory=list)
    seen: dict[str, int] = field(default_factory=lambda: {"claimed": 0, "sent": 0, "withdrawn": 0, "refused": 0})

    def __post_init__(self) -> None:
        self.late = LateViews(self.shop, lambda: self.rng.random() < 0.4, self._meanwhile)

    def _meanwhile(self) -> None:
        """Happens in the middle of a claim, or of a question whether to send."""
        if self.meanwhile and self.rng.random() < 0.5:
            self.meanwhile.pop()()

    def round(self) -> None:
        """One new invoice for everybody; then payments, ticks, mails and the views' following in any order."""
        names = [f"c{n:02}" for n in range(CLIENTS)]
        self.day += timedelta(days=2)
        self.open = invoiced(self.shop, names, self.day)
        assert len(self.open) == CLIENTS
        paying = [name for name in names if self.rng.random() < 0.8]
        steps: list[Callable[[], None]] = [lambda name=name: self.pay(name) for name in paying]  # type: ignore[misc]
        steps += [self.tick for _ in range(self.rng.randint(1, 3))] + [self.send] * 2 + [self.follow] * 2
        self.rng.shuffle(steps)
        for step in steps:
            if self.rng.random() < 0.3 and step not in (self.tick, self.send, self.follow):
                self.meanwhile.append(step)  # in the middle of something else
            else:
                step()
        for step in [*self.meanwhile, self.tick, self.send]:
            step()
        self.meanwhile.clear()
        for name in sorted(self.open):
            self.pay(name)

    def pay(self, name: str) -> None:
        """In full, by its number; once."""
        if (number := self.open.pop(name, None)) is not None:
            self.shop.tell(paid(name, number, 18_000, f"p{next(self.ids)}"))

    def follow(self) -> None:
        """The views' runner comes round."""
        self.shop.app.views.follow()

    def tick(self) -> None:
        """A tick on the day after the due date, over views that may lag."""
        try:
            outcome = tick(self.shop, self.day + timedelta(days=1), views=self.late)
            self.seen["claimed"] += len(outcome.claimed)
        except Refused:
            self.seen["refused"] += 1

    def send(self) -> None:
        """What the sender does: asks right before each mail, and takes back what is no longer wanted."""
        for notice in [one for one in kept(self.shop) if one.state == "claimed"]:
            still_open = notice.numbers[0] in self.open.values()
            try:
                reason = remind.still_wanted(self.late, notice)
            except Refused:
                self.seen["refused"] += 1
                continue
            if reason is not None:
                self.seen["withdrawn"] += 1
            elif not still_open:
                self.sent_after_payment.append(notice.notice_id)
            else:
                self.seen["sent"] += 1
            withdraw(self.shop, notice, reason or "sent")


def world(shop: Shop, seed: int = SEED) -> World:
    shop.tell(catalogue(), *(client(f"c{n:02}") for n in range(CLIENTS)), policy(due_offsets_days=[1], new_invoice=False))
    return World(shop, random.Random(seed))


def test_no_reminder_after_the_payment_in_any_order(empty_shop: Shop) -> None:
    it = world(empty_shop)
    wanted = budget("reminders", "interleavings")
    for _ in range(-(-wanted // CLIENTS)):
        it.round()
    late = late_reminders(empty_shop)
    saw(
        f"reminders: {wanted} random interleavings of payment, tick, lag and mail (seed {SEED}): {it.seen['claimed']} claimed,"
        f" {it.seen['sent']} sent, {it.seen['withdrawn']} taken back; after the payment: {len(late) + len(it.sent_after_payment)}"
    )
    assert late == []
    assert it.sent_after_payment == []
    assert min(it.seen["claimed"], it.seen["sent"], it.seen["withdrawn"]) > 0, "each of them happened"
    empty_shop.assert_sound()


def test_claim_from_views_that_lag_would_be_seen(empty_shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same with the guard taken out: the judge must find reminders after their payment."""
    monkeypatch.setattr(remind, "_behind", lambda *_: False)
    it = world(empty_shop)
    for _ in range(6):
        it.round()
        if late_reminders(empty_shop) or it.sent_after_payment:
            return
    raise AssertionError("nothing was found")


def test_two_ticks_at_once_claim_once(empty_shop: Shop) -> None:
    it = world(empty_shop)
    numbers = invoiced(empty_shop, [f"c{n:02}" for n in range(CLIENTS)])
    claimed: list[str] = []
    start = threading.Barrier(4)

    def tick_alone() -> None:
        start.wait()
        outcome = tick(empty_shop, MAY + timedelta(days=1), views=Views(it.shop.app.book))
        claimed.extend(one.notice_id for one in outcome.claimed)

    threads = [threading.Thread(target=tick_alone) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert sorted(claimed) == sorted(f"due/{number}/+1/2026-05-31" for number in numbers.values())
    assert sum(1 for event, _ in events(empty_shop) if event.topic == "notice.claimed.v1") == CLIENTS


def test_payments_that_race_with_ticks_are_never_followed_by_a_reminder(empty_shop: Shop) -> None:
    """Real threads: two tick and one pays, while nobody keeps order but the database."""
    it = world(empty_shop)
    for _ in range(3):
        it.day += timedelta(days=2)
        it.open = invoiced(empty_shop, [f"c{n:02}" for n in range(CLIENTS)], it.day)
        start, stop = threading.Barrier(3), threading.Event()
        faults: list[Exception] = []

        def ticking(start: threading.Barrier = start, stop: threading.Event = stop, faults: list[Exception] = faults) -> None:
            views = Views(empty_shop.app.book)
            start.wait()
            while not stop.is_set():
                try:
                    tick(empty_shop, it.day + timedelta(days=1), views=views)
                except Exception as error:  # told below: a thread's own fall would pass unseen
                    faults.append(error)
                    return

        threads = [threading.Thread(target=ticking) for _ in range(2)]
        for thread in threads:
            thread.start()
        start.wait()
        for name in it.rng.sample(sorted(it.open), CLIENTS):
            it.pay(name)
        stop.set()
        for thread in threads:
            thread.join(timeout=60)
        assert faults == []
    assert late_reminders(empty_shop) == []
