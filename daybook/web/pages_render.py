"""How pages are made: the templates, the filters that write figures for people, and who may read personal text."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from hashlib import blake2s
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from daybook import printing
from daybook.web.forms.boxes import in_any, is_day, text_of
from daybook.web.pages_said import said
from daybook.web.pages_words import REASONS, event_name, refusal
from daybook.web.people import Person
from domain.money import UnknownCurrency, minor_digits
from ledger.keyring import KeyMissing, Keyring, NotCipherText

TEMPLATES: Final = Path(__file__).parent / "templates"
NO_BREAK_SPACE: Final = "\N{NO-BREAK SPACE}"


def page(request: Request, person: Person, template: str, *, status: int = 200, **context: Any) -> HTMLResponse:
    """A whole page, or a fragment of one, for a person."""
    keyring: Keyring = request.app.state.daybook.book.keyring

    def personal(text: str | None) -> str:
        return read_personal(text, keyring, person)

    html = (
        environment()
        .get_template(template)
        .render(
            person=person,
            may_bill=person.may("biller"),
            personal=personal,
            section=request.url.path.split("/")[1],
            **context,
        )
    )
    return HTMLResponse(html, status_code=status, headers={"Vary": "HX-Request"})


def from_htmx(request: Request) -> bool:
    """Whether only a part of a page is asked for."""
    return "hx-request" in request.headers


def read_personal(text: str | None, keyring: Keyring, person: Person) -> str:
    """Personal text as this person may read it: in clear for billers and above, unless it was forgotten."""
    if not text:
        return ""
    if not text.startswith("enc:"):
        return text
    if not person.may("biller"):
        return "(for billers only)"
    try:
        clear = keyring.decrypt(text)
    except NotCipherText:
        return text
    except KeyMissing:
        return "(its key is missing)"
    return "(forgotten)" if clear is None else clear


@lru_cache(maxsize=1)
def environment() -> Environment:
    """The templates' environment; every value is escaped, and cleared of what could reorder what is read."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    made.filters.update(
        boxed=text_of, in_any=in_any, is_day=is_day, known_currency=known_currency,
        counted=printing.counted, day=day, days=days, decimal=printing.decimal, dom_id=dom_id, event=event_name, figure=figure,
        hours=hours, minutes=minutes, moment=moment, money=money, path=path, price=price, quantity=quantity, query=query,
        reason=reason, refusal=refusal, said=said, unit=unit,
    )  # fmt: skip
    return made


def _shown(value: Any) -> Any:
    if value is None:
        return ""
    return printing.clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def money(minor: int, currency: str) -> str:
    """GBP 1,875.00, never broken over two lines."""
    return printing.money(minor, currency).replace(" ", NO_BREAK_SPACE)


def known_currency(code: str) -> bool:
    """Whether anybody knows how many places its amounts have."""
    try:
        minor_digits(code)
    except UnknownCurrency:
        return False
    return True


def figure(minor: int, currency: str) -> str:
    """The same without its currency, where a column's head or the line above says it."""
    return printing.money(minor, currency).partition(" ")[2]


def quantity(value: Decimal, of: str) -> str:
    """Hours to two places, or as h:mm where they are no whole hundredths, so that what is printed multiplies out (M3)."""
    if of != "hour":
        return _grouped(value, 0)
    if value * 100 == int(value * 100):
        return f"{value:,.2f}"
    whole = round(abs(value) * 60)
    return f"{'-' if value < 0 else ''}{whole // 60}:{whole % 60:02d}"


def hours(value: Decimal) -> str:
    """A sum of hours, which nobody multiplies: always to two places, so that a column reads straight down."""
    return f"{value:,.2f}"


def price(value: Decimal, currency: str) -> str:
    """A unit price: at least its currency's places, more where it has them."""
    return _grouped(value, minor_digits(currency))


def _grouped(value: Decimal, least: int) -> str:
    exponent = value.normalize().as_tuple().exponent
    places = max(least, -exponent) if isinstance(exponent, int) else least
    return f"{value:,.{places}f}"


def unit(of: str) -> str:
    """A unit as it stands behind its quantity; a contract line's period goes without saying."""
    return {"hour": "h", "period": ""}.get(of, of)


def day(value: date | None) -> str:
    """31 May 2026."""
    return "" if value is None else f"{value.day}{NO_BREAK_SPACE}{value:%b}{NO_BREAK_SPACE}{value.year}"


def days(first: date, last: date) -> str:
    """A service period: one day, or from first to last, the year said once."""
    if first == last:
        return day(first)
    if first.year != last.year:
        return f"{day(first)} – {day(last)}"
    start = f"{first.day}" if first.month == last.month else f"{first.day}{NO_BREAK_SPACE}{first:%b}"
    return f"{start}–{day(last)}" if first.month == last.month else f"{start} – {day(last)}"


def moment(value: datetime | None) -> str:
    """An instant, in UTC, to the minute."""
    return "" if value is None else f"{day(value.date())} {value:%H:%M}{NO_BREAK_SPACE}UTC"


def minutes(value: int | None) -> str:
    """Minutes as h:mm: 170 is 2:50."""
    if value is None:
        return ""
    return f"{'-' if value < 0 else ''}{abs(value) // 60}:{abs(value) % 60:02d}"


def dom_id(*parts: str) -> str:
    """An element's id made of any text."""
    return "x" + blake2s("\0".join(parts).encode(), digest_size=8).hexdigest()


def query(values: Mapping[str, Any]) -> str:
    """A query string of the values that say something."""
    return urlencode({name: value for name, value in values.items() if value not in (None, "")})


def path(text: str) -> str:
    """Text as one part of an address."""
    return quote(text, safe="")


def reason(code: str) -> str:
    """Why something waits, in words."""
    return REASONS[code].short if code in REASONS else code.replace("_", " ")
