"""A letter becomes a message: plain text, HTML with its styles inside, and PDFs; no name in it can be a header or markup."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from email.utils import format_datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import css_inline
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from producers.mail import headers, mime
from producers.mail.headers import line
from producers.mail.letters import Letter
from producers.mail.transport import Mail
from producers.paper.figures import NO_BREAK_SPACE

TEMPLATES: Final = Path(__file__).parent / "templates"
LONGEST_SUBJECT: Final = 200
LONGEST_NAME: Final = 100
LONGEST_FILE: Final = 120
_NO_FILE: Final = re.compile(r'[\\/:*?"<>|%\s]+')


@dataclass(frozen=True, slots=True)
class Attached:
    """A PDF beside the message, under the name a person saves it by."""

    name: str
    pdf: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """Whom a message is from and to: `from_name` is the provider's, `sender` the address it writes from and hears on."""

    from_name: str
    from_lines: tuple[str, ...]
    sender: str
    to: tuple[str, ...]
    message_id: str
    at: datetime
    day: date


def mail_of(letter: Letter, envelope: Envelope, attached: Sequence[Attached]) -> Mail:
    """The message, ready to be sent; the same again under the same Message-ID."""
    said = _plain(letter, envelope)
    text = _unbound(environment().get_template("mail.txt").render(said))
    pdfs = [(file_name(one.name), one.pdf) for one in attached]
    data = _head(letter, envelope) + mime.body(text, _html(said), pdfs, envelope.message_id)
    return Mail(message_id=envelope.message_id, sender=envelope.sender, to=envelope.to, data=data, day=envelope.day)


def _head(letter: Letter, envelope: Envelope) -> bytes:
    sender = headers.mailbox(line(envelope.from_name)[:LONGEST_NAME], envelope.sender)
    return headers.headers(
        [
            ("From", sender),
            ("To", headers.mailboxes(envelope.to)),
            ("Reply-To", sender),
            ("Subject", headers.text(_unbound(line(letter.subject))[:LONGEST_SUBJECT])),
            ("Date", format_datetime(envelope.at)),
            ("Message-ID", headers.token(envelope.message_id)),
            ("Auto-Submitted", "auto-generated"),  # nobody's absence is answered to it (RFC 3834)
        ]
    )


def _unbound(text: str) -> str:
    """With plain blanks: where no line is broken by us, none needs to be held together."""
    return text.replace(NO_BREAK_SPACE, " ")


def file_name(name: str) -> str:
    """A name that every system can save a file by."""
    return _NO_FILE.sub("-", line(name)).strip(".-")[:LONGEST_FILE] + ".pdf"


def _html(said: dict[str, Any]) -> str:
    return _inliner().inline(environment().get_template("mail.html").render(said))


def _plain(letter: Letter, envelope: Envelope) -> dict[str, Any]:
    """All that stands in the templates, each text as one line."""
    pay_url = letter.pay_url if letter.pay_url is not None and _is_web_address(letter.pay_url) else None
    return {
        "subject": line(letter.subject),
        "heading": line(letter.heading),
        "text": [line(one) for one in letter.text],
        "facts": [(line(name), line(value)) for name, value in letter.facts],
        "table": [[line(cell) for cell in row] for row in letter.table],
        "bank": [line(one) for one in letter.bank],
        "pay_url": pay_url,
        "closing": letter.closing,
        "from_name": line(envelope.from_name),
        "from_lines": [line(one) for one in envelope.from_lines],
    }


def _is_web_address(url: str) -> bool:
    return urlsplit(url).scheme in ("https", "http") and url.isascii() and url.isprintable() and " " not in url


@lru_cache(maxsize=1)
def environment() -> Environment:
    """The templates; every value in HTML is escaped."""
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=lambda name: name is not None and name.endswith(".html"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


@lru_cache(maxsize=1)
def _inliner() -> css_inline.CSSInliner:
    # Mail readers drop style sheets; nothing is ever fetched for a mail. The rules for small screens stay where they are.
    return css_inline.CSSInliner(load_remote_stylesheets=False, keep_at_rules=True)
