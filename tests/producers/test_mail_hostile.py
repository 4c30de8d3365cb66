"""Names and texts that would break a mail: none becomes a header, an address or markup, and each is shown as it is."""

import re
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime
from email.headerregistry import AddressHeader
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from daybook.settings import Settings, SettingsError
from producers.mail.addresses import address_of, addresses_of
from producers.mail.compose import Attached, Envelope, mail_of
from producers.mail.headers import line
from producers.mail.letters import Letter, document_letter, reminder_letter
from producers.mail.transport import MailSettingError, server_of
from tests.producers.papers import document
from tests.producers.papers import line as document_line
from tests.producers.post_office import body, read
from tests.web.browser import chromium
from tests.web.payloads import PAYLOADS, PWN

PAY = "https://billing.example/pay/4f9a7c2e"
HEADERS = [
    "From", "To", "Reply-To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type",
]  # fmt: skip


def envelope(text: str) -> Envelope:
    return Envelope(
        from_name=text, from_lines=(text, text), sender="billing@northwind.example", to=("a@mail.example", "b@mail.example"),
        message_id="<0b1f2a3c@daybook.test>", at=datetime(2026, 6, 1, 9, tzinfo=UTC), day=date(2026, 6, 1),
    )  # fmt: skip


def letters(text: str) -> list[Letter]:
    """Each kind of letter, everything in which that others typed is this text."""
    issued = {**document([document_line()], number=text), "outstanding_minor": 22_500}
    return [
        document_letter(issued, text, [text, text], PAY),
        document_letter({**issued, "kind": "credit_note", "total_minor": -100}, text, [text]),
        reminder_letter([issued, issued], text, [text], date(2026, 7, 7), PAY),
    ]


class Tags(HTMLParser):
    """What stands in a page: its tags with the names of their attributes, its addresses, its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: Counter[tuple[str, ...]] = Counter()
        self.links: set[str] = set()
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[(tag, *(name for name, _ in attrs))] += 1
        self.links |= {value or "" for name, value in attrs if name in ("href", "src", "action")}

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS.keys())
def test_hostile_text_is_shown_and_is_neither_header_nor_markup(payload: str) -> None:
    for found, plain in zip(letters(payload), letters("Acme"), strict=True):
        raw = mail_of(found, envelope(payload), [Attached(payload, b"%PDF-1")]).data
        message = read(raw)
        assert [name for name, _ in message.items()] == HEADERS
        assert message.defects == []
        for name, wanted in (("From", ["billing@northwind.example"]), ("To", ["a@mail.example", "b@mail.example"])):
            header: Any = message[name]
            assert isinstance(header, AddressHeader)
            assert [one.addr_spec for one in header.addresses] == wanted
        assert max(map(len, raw.split(b"\r\n"))) <= 998
        assert b"\n" not in raw.replace(b"\r\n", b"")
        shown, wanted_text = body(message, "html"), line(payload)
        page, usual = Tags(shown), Tags(body(read(mail_of(plain, envelope("Acme"), []).data), "html"))
        assert page.tags == usual.tags
        assert page.links <= {PAY}
        assert squeezed(wanted_text) in squeezed(page.text)
        assert squeezed(wanted_text) in squeezed(body(message, "plain"))
        (attached,) = message.iter_attachments()
        name = attached.get_filename()
        assert name is not None
        assert not re.search(r"[/\\:\x00-\x1f]|^\.", name)
        assert attached.get_content() == b"%PDF-1"


SIGNS = st.text(st.sampled_from("ab é\"\\<>()@,;:[]'.=?_日\u00a0\r\n\t") | st.characters(exclude_categories=["Cs"]), max_size=300)


@given(SIGNS, SIGNS)
@example('a" <x@evil.example>, "b' * 9, "=?utf-8?q?=0D=0ABcc:_x@evil.example?=" * 9)
@settings(max_examples=300, deadline=None)
def test_no_name_becomes_an_address_and_no_subject_a_header(name: str, subject: str) -> None:
    (letter, *_) = letters("Acme")
    message = read(
        mail_of(replace(letter, subject=subject), replace(envelope("x"), from_name=name), [Attached(name, b"%PDF")]).data
    )
    assert [one for one, _ in message.items()] == HEADERS
    for header in ("From", "Reply-To"):
        (address,) = message[header].addresses
        assert address.addr_spec == "billing@northwind.example"
    assert squeezed(str(message["Subject"])) == squeezed(line(subject)[:200])
    assert len(list(message.iter_attachments())) == 1


def squeezed(text: str) -> str:
    return re.sub(r"\s+", "", text)


def test_no_script_runs_in_a_real_browser() -> None:
    with chromium() as browser:
        page = browser.new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        for payload in PAYLOADS.values():
            for found in letters(payload):
                page.set_content(body(read(mail_of(found, envelope(payload), []).data), "html"))
                assert page.evaluate("window.pwned") is None, payload
        assert asked == [], "a mail fetches nothing"
        page.set_content(f"<script>{PWN}</script>")
        assert page.evaluate("window.pwned") == 1, "the check can fail"


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "https://x.example/\u202egpj", "data:text/html,x", "//x.example", "https://x y"]
)
def test_only_web_addresses_are_links(url: str) -> None:
    (found, *_) = letters("Acme")
    raw = mail_of(replace(found, pay_url=url), envelope("Acme"), []).data
    assert Tags(body(read(raw), "html")).links == set()
    assert "Pay online" not in body(read(raw), "plain")


# ---- addresses


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("ann@mail.example", "ann@mail.example"),
        (" ann@mail.example\n", "ann@mail.example"),
        ("a.b+c_d@sub.mail.example", "a.b+c_d@sub.mail.example"),
        ("ann@büro.example", "ann@xn--bro-hoa.example"),
        ("billing@localhost", "billing@localhost"),
    ],
)
def test_addresses_are_known(said: str, meant: str) -> None:
    assert address_of(said) == meant


@pytest.mark.parametrize(
    "said",
    [
        "", "ann", "@mail.example", "ann@", "a@b@mail.example", "ann@mail example", "jörg@mail.example", "ann.@mail.example",
        ".ann@mail.example", "ann@-mail.example", "ann@mail..example", "ann@mail.example\r\nBcc: x@y.example", "a,b@mail.example",
        "<ann@mail.example>", "Ann <ann@mail.example>", "ann@mail.example>", "a" * 65 + "@mail.example", '"a b"@mail.example',
        "a@" + "b" * 64 + ".example", "a@" + ".".join(["b" * 60] * 5), "ann\x00@mail.example", "ann@\u2024mail.example",
        "ann@[127.0.0.1]",
    ],
)  # fmt: skip
def test_what_is_no_address_is_told_from_those_that_are(said: str) -> None:
    assert address_of(said) is None
    assert addresses_of(["ann@mail.example", said, "ann@mail.example"]).good == ("ann@mail.example",)


# ---- the server's address


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("mail.example:587", "smtp://, smtps:// or smtp\\+starttls://"),
        ("http://mail.example", "smtp://, smtps:// or"),
        ("smtp://", "smtp://, smtps:// or"),
        ("smtp://mail.example:port", "no address"),
        ("smtp://mail.example?tls=1", "smtp://, smtps:// or"),
        ("smtp://user:secret@mail.example", "in clear"),
    ],
)
def test_server_that_is_none_is_refused_when_settings_are_read(url: str, why: str) -> None:
    with pytest.raises(MailSettingError, match=why):
        server_of(url)
    with pytest.raises(SettingsError, match="DAYBOOK_SMTP_URL") as refused:
        Settings(home="/nowhere", smtp_url=url)  # type: ignore[arg-type]
    assert "secret" not in str(refused.value)


def test_sender_is_an_address_and_no_password_is_shown() -> None:
    with pytest.raises(SettingsError, match="DAYBOOK_MAIL_FROM"):
        Settings(home="/nowhere", mail_from="Ann <ann@mail.example>")  # type: ignore[arg-type]
    found = Settings(home="/nowhere", smtp_url="smtps://u:hunter2@mail.example", mail_from="a@mail.example")  # type: ignore[arg-type]
    assert "hunter2" not in repr(found)
    server = server_of("smtp+starttls://us%40er:p%2Fw@mail.example")
    assert (server.port, server.user, server.password) == (587, "us@er", "p/w")
    assert "p/w" not in repr(server)
