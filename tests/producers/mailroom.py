"""A provider with invoices, claims and a way to send them: what the tests of mail work in."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

from daybook.app import App
from daybook.settings import Settings
from ledger.book import Book
from ledger.database import Database
from ledger.keyring import Keyring
from producers.mail.reading import Ask
from producers.mail.sending import Counts, Office, send_pending
from producers.mail.transport import Smtp, Transport
from producers.paper.printer import printer
from projections import notices
from projections.notices import Notice
from projections.views import Views
from runs import remind
from tests.producers.post_office import Clock, PostOffice
from tests.runs.shop import MAY, Shop, catalogue
from tests.saying import approved, said

HOST = "daybook.test"
SENDER = "billing@northwind.example"


@dataclass
class MailRoom:
    """One installation with its clock; `send` is one round of a sender."""

    shop: Shop
    clock: Clock = field(default_factory=Clock)

    @property
    def views(self) -> Views:
        """The shop's."""
        return self.shop.app.views

    def client(self, client_id: str = "acme", *emails: str, **more: Any) -> None:
        """A client who gets mail, with an hour to be invoiced."""
        given = {
            "client_id": client_id,
            "name": client_id.title(),
            "billing_emails": list(emails or (f"{client_id}@mail.example",)),
        }
        self.shop.tell(said("ClientDefined", **{**given, **more}), approved(f"e-{client_id}", client_id=client_id))

    def invoice(self, as_of: date = MAY) -> list[str]:
        """Issues what is due; gives the numbers."""
        return [one.number for one in self.shop.generate(as_of).documents]

    def claim(self, as_of: date = MAY) -> list[str]:
        """Claims what is due as of a day; gives the notices' ids."""
        return [one.notice_id for one in remind.claim(self.views, as_of, self.clock(), host=HOST).claimed]

    def mailed(self, *client_ids: str) -> list[str]:
        """Clients with a claimed notice of a new invoice each."""
        for one in client_ids or ("acme",):
            self.client(one)
        self.invoice()
        return self.claim()

    def send(
        self,
        to: PostOffice | Transport,
        wanted: Ask = remind.foreseen,
        **given: Any,
    ) -> Counts:
        """One round."""
        transport = Smtp(to.url, timeout_s=10, answer_s=10) if isinstance(to, PostOffice) else to
        office = Office(mail_from=SENDER, printer=printer(), today=given.pop("today", None))
        return send_pending(self.views, transport, office, self.clock, still_wanted=wanted, **given)

    def notices(self) -> list[Notice]:
        """All of them, in order of client and id."""
        with self.views.reading() as cursor:
            return sorted(notices.notices(cursor), key=lambda one: (one.client_id, one.notice_id))

    def states(self) -> list[tuple[str, int]]:
        """State and tries of each."""
        return [(one.state, one.tries) for one in self.notices()]

    def reason(self) -> str:
        """Why the only notice failed, read."""
        (one,) = self.notices()
        assert one.reason is not None
        return self.shop.app.book.keyring.decrypt(one.reason) or ""


def mail_room(database: Database, home: Path, at: datetime | None = None) -> MailRoom:
    """One with a catalogue and nobody in it yet; 31 May 2026 is open."""
    settings = Settings(home=home, database_url=database.dsn_owner, today=MAY)
    book = Book(database, Keyring(settings.keyring_path))
    shop = Shop(App(settings, database, book, Views(book)))
    shop.open(MAY)
    shop.tell(catalogue())
    return MailRoom(shop, Clock(at) if at is not None else Clock())


class Unasked:
    """Everything is wanted, and nothing ever changes."""

    def fresh(self, _cursor: Any, _notice: Notice) -> bool:
        return True

    def knows_more(self, _cursor: Any, _notice: Notice) -> bool:
        return False

    def why_not(self, _cursor: Any, _notice: Notice, _day: date) -> None:
        return None


def unasked(_views: Views, _cursor: Any, _notices: Sequence[Notice]) -> Unasked:
    return Unasked()
