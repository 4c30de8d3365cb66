"""A real mail server (aiosmtpd) that writes down what it takes and can be told to misbehave; and the notices sent to it."""

import asyncio
import datetime as dt
import email
import ipaddress
import ssl
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.broker import free_port

OK = "250 2.0.0 taken"
DROP = "drop"
"""Instead of an answer: the link is cut."""


@dataclass
class Rules:
    """How the server answers; each is asked with what it is about, and answers as a good server does by default."""

    mail: Callable[[str], str] = lambda _sender: "250 OK"
    rcpt: Callable[[str], str] = lambda _to: "250 OK"
    before_storing: Callable[[str], str | None] = lambda _message_id: None
    after_storing: Callable[[str], str] = lambda _message_id: OK
    wait_s: float = 0.0


@dataclass
class PostOffice:
    """The server's book of what it took: each message with the addresses on its envelope."""

    port: int
    rules: Rules = field(default_factory=Rules)
    taken: list[tuple[tuple[str, ...], bytes]] = field(default_factory=list)
    links: int = 0
    attempts: int = 0

    @property
    def url(self) -> str:
        """What DAYBOOK_SMTP_URL says."""
        return f"smtp://127.0.0.1:{self.port}"

    def messages(self) -> list[EmailMessage]:
        """What it took, read."""
        return [read(raw) for _, raw in self.taken]

    def ids(self) -> Counter[str]:
        """How often each Message-ID was taken."""
        return Counter(str(one["Message-ID"]) for one in self.messages())

    # ---- what aiosmtpd asks

    async def handle_EHLO(
        self, server: Any, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        self.links += 1
        session.host_name = hostname
        return responses

    async def handle_MAIL(self, server: Any, session: Session, envelope: Envelope, address: str, options: list[str]) -> str:
        self.attempts += 1
        answer = self._answer(server, self.rules.mail(address))
        if answer.startswith("250"):
            envelope.mail_from = address
            envelope.mail_options.extend(options)
        return answer

    async def handle_RCPT(self, server: Any, session: Session, envelope: Envelope, address: str, options: list[str]) -> str:
        answer = self._answer(server, self.rules.rcpt(address))
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:
        raw = envelope.content
        assert isinstance(raw, bytes)
        message_id = str(read(raw)["Message-ID"])
        if self.rules.wait_s:
            await asyncio.sleep(self.rules.wait_s)
        refusal = self.rules.before_storing(message_id)
        if refusal is not None:
            return self._answer(server, refusal)
        self.taken.append((tuple(envelope.rcpt_tos), raw))
        return self._answer(server, self.rules.after_storing(message_id))

    @staticmethod
    def _answer(server: Any, answer: str) -> str:
        if answer == DROP:
            server.transport.abort()
            return "421 gone"
        return answer


@contextmanager
def post_office(rules: Rules | None = None, **how: Any) -> Iterator[PostOffice]:
    """The server on a free port, until the end of the block."""
    office = PostOffice(free_port(), rules or Rules())
    controller = Controller(office, hostname="127.0.0.1", port=office.port, ready_timeout=20, **how)
    controller.start()
    try:
        yield office
    finally:
        controller.stop()


def read(raw: bytes) -> EmailMessage:
    """A message as a mail reader takes it apart."""
    found = email.message_from_bytes(raw, policy=policy.default)
    assert isinstance(found, EmailMessage)
    return found


def body(message: EmailMessage, kind: str) -> str:
    """One of a message's bodies: `plain` or `html`."""
    part = message.get_body((kind,))
    assert part is not None
    return str(part.get_content()).replace("&nbsp;", " ")


def pdfs(message: EmailMessage) -> list[tuple[str, bytes]]:
    """The PDFs beside it, by file name."""
    return [(str(one.get_filename()), one.get_content()) for one in message.iter_attachments()]


def let_in(user: str, password: str) -> Callable[..., AuthResult]:
    """An authenticator that knows one person."""

    def known(server: Any, session: Session, envelope: Envelope, mechanism: str, given: Any) -> AuthResult:
        good = isinstance(given, LoginPassword) and (given.login, given.password) == (user.encode(), password.encode())
        return AuthResult(success=good, handled=False)

    return known


def certificate(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's side and a client's side that trust each other and nobody else."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    moment = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(moment - dt.timedelta(hours=1))
        .not_valid_after(moment + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, secret = folder / "cert.pem", folder / "key.pem"
    pem.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem, secret)
    return server, ssl.create_default_context(cafile=str(pem))


@dataclass
class Clock:
    """A clock that a test moves on."""

    at: datetime = datetime(2026, 6, 1, 9, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at

    def on(self, **more: float) -> None:
        """Some time later."""
        self.at += timedelta(**more)
