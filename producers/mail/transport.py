"""How a mail leaves: through an SMTP server, or as a file in a folder; and what came of it."""

import os
import re
import smtplib
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import parse_qs, unquote, urlsplit

TIMEOUT_S: Final = 30.0
ANSWER_S: Final = 120.0
"""So long the server may take to answer after the message: who gives up earlier sends it twice."""
LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
PORTS: Final = {"smtp": 25, "smtps": 465, "smtp+starttls": 587}
_DOTS: Final = re.compile(rb"(?m)^\.")
_OF_A_NAME: Final = re.compile(r"[^A-Za-z0-9.@_-]")
Link = smtplib.SMTP


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """One mail as it goes over the wire: whom it is from and to on the envelope, and its bytes; `day` is when it was decided."""

    message_id: str
    sender: str
    to: tuple[str, ...]
    data: bytes
    day: date


@dataclass(frozen=True, slots=True)
class Sent:
    """The server took it; `refused` are addresses that it refused for good while it took the others."""

    refused: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Partly:
    """The server took it for the addresses `reached`, and would have others come later: `reason` is what it said."""

    reached: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The server did not take it; for good where `permanent`. `for_address`: it is none of the mail's fault, nor of ours."""

    reason: str
    permanent: bool
    for_address: bool = False


@dataclass(frozen=True, slots=True)
class Unknown:
    """The link was lost after the message was sent and before the server said whether it took it."""

    reason: str


@dataclass(frozen=True, slots=True)
class Withheld:
    """Nobody wanted it any more right before it was sent."""

    reason: str


Outcome = Sent | Partly | Refused | Unknown | Withheld
WhyNot = Callable[[], str | None]
"""Asked right before the message is sent: why it must not be; null where it must."""


class Unreachable(Exception):
    """The mail server cannot be reached, or does not let us in: nothing is wrong with any one mail."""


class MailSettingError(Exception):
    """This is no address of a mail server; the message says why."""


class Transport(Protocol):
    """A way for mails to leave."""

    def send(self, mail: Mail, why_not: WhyNot) -> Outcome:
        """Sends one mail; raises Unreachable."""

    def close(self) -> None:
        """Says good-bye."""


def transport_of(url: str | None, home: Path) -> Transport:
    """The way the settings name: an SMTP server, or without one the folder `outbox` of the home."""
    return Outbox(home / "outbox") if url is None else Smtp(url)


# ---- a folder ----


class Outbox:
    """Mails as files, where no server is set; a mail sent again takes the place of itself."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def send(self, mail: Mail, why_not: WhyNot) -> Outcome:
        """Writes it whole or not at all; raises Unreachable where the folder cannot be written to."""
        reason = why_not()
        if reason is not None:
            return Withheld(reason)
        name = f"{mail.day}-{_OF_A_NAME.sub('_', mail.message_id.strip('<>'))}"[:200]
        # One sender has the notice: what a killed one left half written is overwritten by the next, not left behind.
        fresh = self.folder / f".{name}.new"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(mail.data)
                file.flush()
                os.fsync(file.fileno())
            fresh.rename(self.folder / f"{name}.eml")
        except OSError as error:
            raise Unreachable(f"the outbox folder: {error.strerror or error}") from None
        return Sent()

    def close(self) -> None:
        """Nothing is open."""


# ---- a server ----


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A mail server, and how it is spoken to."""

    scheme: str
    host: str
    port: int
    user: str | None = None
    password: str | None = field(default=None, repr=False)


def server_of(url: str) -> Server:
    """The server of an address `smtp://`, `smtps://` or `smtp+starttls://`; raises MailSettingError."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise MailSettingError(f"it is no address: {error}") from None
    asked = parse_qs(parts.query, keep_blank_values=True)
    scheme = "smtp+starttls" if parts.scheme == "smtp" and "starttls" in asked else parts.scheme
    if scheme not in PORTS or not host or asked.keys() - {"starttls"}:
        raise MailSettingError("it is smtp://, smtps:// or smtp+starttls:// and USER:PASSWORD@HOST:PORT")
    if parts.username and scheme == "smtp" and host not in LOOPBACK:
        raise MailSettingError("the password would travel in clear: say smtp+starttls:// or smtps://")
    user, password = (unquote(one) if one else None for one in (parts.username, parts.password))
    return Server(scheme=scheme, host=host, port=port or PORTS[scheme], user=user, password=password)


class Smtp:
    """One link to a mail server, kept for many mails; used by one thread."""

    def __init__(
        self,
        url: str,
        *,
        timeout_s: float = TIMEOUT_S,
        answer_s: float = ANSWER_S,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`tls` replaces the machine's own trust; raises MailSettingError."""
        self.server = server_of(url)
        self._timeout_s, self._answer_s, self._tls = timeout_s, answer_s, tls
        self._link: Link | None = None

    def send(self, mail: Mail, why_not: WhyNot) -> Outcome:
        """One mail in one conversation; raises Unreachable where none can be begun."""
        link = self._ready(mail)
        try:
            return self._hand_over(link, mail, why_not)
        except (smtplib.SMTPException, OSError) as error:
            self.close()
            return Refused(f"the link was lost before the message was sent: {_told(error)}", permanent=False)

    def close(self) -> None:
        """Says good-bye, if there is anybody to say it to."""
        link, self._link = self._link, None
        if link is not None:
            with suppress(smtplib.SMTPException, OSError):
                link.quit()

    def _ready(self, mail: Mail) -> Link:
        """The link as it is, or a new one where the server has closed it meanwhile."""
        if self._link is not None:
            with suppress(smtplib.SMTPException, OSError):
                if self._link.rset()[0] == 250:
                    return self._link
            self.close()
        try:
            self._link = self._connect(mail.sender.rpartition("@")[2])
        except (smtplib.SMTPException, OSError) as error:
            raise Unreachable(f"{self.server.host}:{self.server.port}: {_told(error)}") from None
        return self._link

    def _connect(self, own_name: str) -> Link:
        server = self.server
        tls = self._tls or ssl.create_default_context()
        if server.scheme == "smtps":
            link: Link = smtplib.SMTP_SSL(server.host, server.port, local_hostname=own_name, timeout=self._timeout_s, context=tls)
        else:
            link = smtplib.SMTP(server.host, server.port, local_hostname=own_name, timeout=self._timeout_s)
        try:
            if server.scheme == "smtp+starttls":
                link.starttls(context=tls)
            link.ehlo_or_helo_if_needed()
            if server.user is not None:
                link.login(server.user, server.password or "")
        except BaseException:
            link.close()
            raise
        return link

    def _hand_over(self, link: Link, mail: Mail, why_not: WhyNot) -> Outcome:
        most = link.esmtp_features.get("size", "")
        if most.isdecimal() and 0 < int(most) < len(mail.data):
            return Refused(f"the mail has {len(mail.data)} bytes, the server takes {most}", permanent=True)
        code, text = link.mail(mail.sender, [f"size={len(mail.data)}"] if "size" in link.esmtp_features else [])
        if code != 250:
            # Of one mail only its size is refused here; who we are is the same for all, and somebody may mend it.
            return self._refused("the sender", code, text, permanent=code == 552)
        taken: list[str] = []
        refused: list[str] = []
        later: Refused | None = None
        for to in mail.to:
            code, text = link.rcpt(to)
            if code in (250, 251):
                taken.append(to)
            elif code >= 500:
                refused.append(to)
            else:
                # One full mailbox does not keep the others waiting: only what is put off is tried again.
                later = self._refused("an address", code, text, for_address=True)
                if self._link is None:
                    return later
        if not taken:
            return later or self._refused("every address", code, text, for_address=True)
        reason = why_not()
        if reason is not None:
            return Withheld(reason)
        code, text = link.docmd("DATA")
        if code != 354:
            return self._refused("the message", code, text)
        return self._after_data(link, mail, Sent(tuple(refused)) if later is None else Partly(tuple(taken), later.reason))

    def _after_data(self, link: Link, mail: Mail, done: Outcome) -> Outcome:
        """From here on nobody knows whether the server has it, until it says so: `done` is what comes of it then."""
        try:
            if link.sock is not None:
                link.sock.settimeout(self._answer_s)
            link.send(_DOTS.sub(b"..", mail.data) + (b"" if mail.data.endswith(b"\r\n") else b"\r\n") + b".\r\n")
            code, text = link.getreply()
            if link.sock is not None:
                link.sock.settimeout(self._timeout_s)
        except (smtplib.SMTPException, OSError) as error:
            self.close()
            return Unknown(f"the link was lost after the message was sent: {_told(error)}")
        if 200 <= code < 300:
            return done
        if 400 <= code < 600:
            return self._refused("the message", code, text)
        self.close()
        return Unknown(f"the server answered with no SMTP: {_said(text)}")

    def _refused(self, what: str, code: int, text: bytes, *, permanent: bool | None = None, for_address: bool = False) -> Refused:
        if code in (-1, 421):  # it has closed the link, or talks in riddles
            self.close()
        final = 500 <= code < 600 if permanent is None else permanent
        return Refused(f"the server refused {what}: {code} {_said(text)}", final, for_address)


def _told(error: Exception) -> str:
    match error:
        case smtplib.SMTPResponseException():
            text = error.smtp_error
            return f"{error.smtp_code} {_said(text if isinstance(text, bytes) else str(text).encode())}"
        case OSError() if error.strerror:
            return str(error.strerror)
    return str(error) or type(error).__name__


def _said(text: bytes) -> str:
    return " ".join(text.decode("utf-8", "replace").split())[:500]
