"""Seats' mutants: faults in counting days, quantities and shares that the oracle of fractions and the laws must find."""

from tests.mutants import Mutant

LAWS = "tests/domain/test_seat_laws.py"
RATING = "domain/rate_seats.py"
COUNTS = "domain/seat_counts.py"

MUTANTS = [
    Mutant(
        "a count is in force only from the day after",
        COUNTS,
        "        index = bisect_right(counts, day, key=lambda count: count.day)\n",
        "        index = bisect_right(counts, day - timedelta(days=1), key=lambda count: count.day)\n",
        LAWS,
    ),
    Mutant(
        "of several counts of one instant the least stands",
        COUNTS,
        "rank(report) > rank(chosen[key])",
        "rank(report) < rank(chosen[key])",
        LAWS,
    ),
    Mutant(
        "the last system that reported bills, not the first",
        COUNTS,
        "    for system in systems:\n        counts = history.get(system, ())\n        index",
        "    for system in reversed(systems):\n        counts = history.get(system, ())\n        index",
        LAWS,
    ),
    Mutant(
        "a count is kept by the days of UTC",
        COUNTS,
        "    if not states.states:\n        return local_day",
        "    if states is not None:\n        return local_day",
        LAWS,
    ),
    Mutant(
        "a part period is weighed by its own days",
        RATING,
        "for one in days], period.full_days",
        "for one in days], (period.end - period.start).days",
        LAWS,
    ),
    Mutant(
        "a snapshot in arrears takes the first day",
        RATING,
        'found = days[0] if timing == "advance" else days[-1]',
        "found = days[0]",
        LAWS,
    ),
    Mutant(
        "a peak is the last quantity",
        RATING,
        "        found = max(days, key=lambda one: one.quantity)\n",
        "        found = days[-1]\n",
        LAWS,
    ),
    Mutant(
        "a ratchet forgets what was counted before the period",
        RATING,
        "if renewal < run.start else iter(())",
        "if renewal > run.start else iter(())",
        LAWS,
    ),
    Mutant(
        "a ratchet is never renewed",
        RATING,
        "        terms -= 1\n    return add_months(first, (terms + ahead) * months)",
        "        terms -= 1\n    return add_months(first, (min(terms, 0) + ahead * 999) * months)",
        LAWS,
    ),
    Mutant(
        "the minimum is forgotten",
        RATING,
        "max(run.quantity, line.minimum_quantity or 0)",
        "run.quantity",
        LAWS,
    ),
    Mutant(
        "a month of 30 days weighs its 31st",
        "domain/proration.py",
        "    return day.year * 360 + day.month * 30 + day.day - 1",
        "    return day.toordinal()",
        LAWS,
    ),
    Mutant(
        "every stretch is rounded by itself",
        RATING,
        "    amount = amount_minor(sum(shares, Fraction()), 1, currency)\n",
        "    amount = sum(amount_minor(share, 1, currency) for share in shares)\n",
        LAWS,
    ),
    Mutant(
        "an upgrade takes a count's revision for its quantity",
        "ledger/migrations/0004_seat_polls.sql",
        "    (said ->> 'revision')::bigint, (said ->> 'quantity')::bigint\n",
        "    (said ->> 'quantity')::bigint, (said ->> 'revision')::bigint\n",
        "tests/projections/test_polls_upgrade.py",
    ),
    Mutant(
        "an upgrade forgets the counts that were booked",
        "ledger/migrations/0004_seat_polls.sql",
        "WHERE topic = 'seat_count.reported.v1'",
        "WHERE topic = 'seat_count.reported.v0'",
        "tests/projections/test_polls_upgrade.py",
    ),
]
