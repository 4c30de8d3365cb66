"""What the sender has to know of notices, read for many at once and only as long as nothing more comes.

A mail's figures are those of the moment it is made: what is a page old counts only if the book has nothing since.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, Protocol

from psycopg import Cursor

from ledger.keyring import KeyMissing, NotCipherText
from projections import notices, outbox
from projections.notice_facts import Facts, facts_of
from projections.notices import Notice
from projections.views import Views

PAGE: Final = 50
FACTS_FOR_S: Final = 10.0
"""So many notices are read about at once, and so long at most what was read is used: a slow server takes minutes for a page."""
CANNOT_BE_READ: Final = (KeyMissing, NotCipherText, ValueError)


class Question(Protocol):
    """Whether notices that were read about at once are still wanted; each cursor is in no snapshot."""

    def fresh(self, cursor: Cursor[Any], notice: Notice) -> bool:
        """Whether nothing that could matter to this notice came since."""

    def knows_more(self, cursor: Cursor[Any], notice: Notice) -> bool:
        """Whether something of this very client came since, which a mail made before does not say."""

    def why_not(self, cursor: Cursor[Any], notice: Notice, day: date) -> str | None:
        """Why it must not be sent on the client's day (a word), null where it must; asked right before it is."""


Ask = Callable[[Views, Cursor[Any], Sequence[Notice]], Question]


@dataclass(frozen=True, slots=True)
class Known:
    """What was read about some notices, all in one snapshot; `at` is this process's clock, in seconds."""

    keys: frozenset[outbox.Key]
    facts: Facts
    question: Question
    at: float


@dataclass(slots=True)
class Reader:
    """Reads about the notices of a round, in their order, a page ahead; `cursor` is in no snapshot.

    `today` is a rehearsal's fixed day.
    """

    views: Views
    ask: Ask
    cursor: Cursor[Any]
    keys: Sequence[outbox.Key]
    now: Callable[[], datetime]
    today: date | None = None
    _page: Known | None = None

    def about(self, notice: Notice) -> Known:
        """What is known about a notice that we have, read again where anything came since; raises CANNOT_BE_READ."""
        key = (notice.client_id, notice.notice_id)
        page = self._page
        if page is None or key not in page.keys or time.monotonic() - page.at > FACTS_FOR_S:
            page = self._page = self._next(key)
        if page.question.fresh(self.cursor, notice):
            return page
        self.views.catch_up()
        return self._read([key])

    def _next(self, key: outbox.Key) -> Known:
        """About this one and those behind it; about it alone where another of them cannot be read."""
        here = self.keys.index(key)
        try:
            return self._read(self.keys[here : here + PAGE])
        except CANNOT_BE_READ:
            return self._read([key])

    def _read(self, keys: Sequence[outbox.Key]) -> Known:
        with self.views.reading() as cursor:
            at = time.monotonic()
            found = notices.find_all(cursor, keys)
            facts = facts_of(cursor, found, self.now(), self.today)
            return Known(frozenset(keys), facts, self.ask(self.views, cursor, found), at)
