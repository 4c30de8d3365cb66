"""What an installation is told: from the environment, else `daybook.toml`, else defaults that need nothing installed."""

import os
import tomllib
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Self
from urllib.parse import SplitResult, urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

PREFIX = "DAYBOOK_"
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class SettingsError(Exception):
    """A setting is wrong; the message names it and says what it should be."""


class Settings(BaseModel):
    """The settings of `interfaces.md`; each is the environment's DAYBOOK_<NAME> or the file's `<name>`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    database_url: str | None = None
    home: Path
    kafka: str | None = None
    group: str = "daybook"
    dead_letter_bytes: bool = False
    dead_letter_alarm: int = Field(default=50, ge=1)
    smtp_url: str | None = Field(default=None, repr=False)
    mail_from: str | None = None
    public_url: str | None = None
    secret_key: str | None = None
    stripe_key: str | None = None
    stripe_url: str | None = None
    stripe_webhook_secrets: str | None = None
    today: date | None = None
    oidc_issuer: str | None = None
    oidc_client_id: str | None = None
    oidc_client_secret: str | None = Field(default=None, repr=False)
    oidc_claim: str = Field(default="email", pattern=r"^[A-Za-z0-9_.:/-]{1,100}$")

    @model_validator(mode="after")
    def _oidc_is_whole(self) -> Self:
        """Half a sign-in is none: refused at the start, not at somebody's first click."""
        if self.oidc_issuer is None:
            for name in ("oidc_client_id", "oidc_client_secret"):
                if getattr(self, name) is not None:
                    raise _wrong(name, "set, but the provider is not: set DAYBOOK_OIDC_ISSUER too, or take this away")
            return self
        if not _is_https_address(self.oidc_issuer):
            raise _wrong("oidc_issuer", "it is the https address that the provider calls its issuer, with nothing behind it")
        if not self.oidc_client_id:
            raise _wrong("oidc_client_id", "missing: it is what the provider calls Daybook, and DAYBOOK_OIDC_ISSUER is set")
        if self.public_url is None or not _is_https_address(self.public_url):
            todo = "the https address people use, for the provider sends them back there (DAYBOOK_OIDC_ISSUER is set)"
            raise _wrong("public_url", f"missing or not https: set it to {todo}")
        return self

    @model_validator(mode="after")
    def _mail_can_leave(self) -> Self:
        """A mail server or sender that is none is refused at the start, not at the first mail."""
        from producers.mail.addresses import address_of
        from producers.mail.transport import MailSettingError, server_of

        if self.smtp_url is not None:
            try:
                server_of(self.smtp_url)
            except MailSettingError as error:
                raise _wrong("smtp_url", str(error)) from None
        if self.mail_from is not None and address_of(self.mail_from) is None:
            raise _wrong("mail_from", "it is the e-mail address that Daybook writes from, e.g. billing@example.com")
        return self

    @property
    def keyring_path(self) -> Path:
        """The file with the keys of personal text: outside the ledger's database, to be backed up apart from it."""
        return self.home / "keyring.jsonl"

    def business_date(self) -> date:
        """Today, or the fixed day of a rehearsal."""
        return self.today or datetime.now(UTC).date()


def load(home: Path | None = None, today: date | None = None) -> Settings:
    """Reads the settings; raises SettingsError naming what is wrong and where it stands."""
    file = _file()
    values: dict[str, Any] = {"home": _default_home(), **file}
    for name in Settings.model_fields:
        given = os.environ.get(PREFIX + name.upper())
        if given:
            values[name] = given
    if home is not None:
        values["home"] = home
    if today is not None and "today" not in values:
        values["today"] = today
    try:
        return Settings(**values)
    except ValidationError as error:
        first = error.errors()[0]
        raise _wrong(str(first["loc"][0]), str(first["msg"])) from None


def _wrong(name: str, what: str) -> SettingsError:
    return SettingsError(f"setting {PREFIX}{name.upper()} (or `{name}` in daybook.toml): {what}")


def _is_https_address(url: str) -> bool:
    """Whether it is https to a host, or http within this machine, for rehearsals; with no query, fragment or password."""
    try:
        parts: SplitResult = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    plain = parts.scheme == "https" or (parts.scheme == "http" and host in LOOPBACK)
    return plain and bool(host) and not parts.query and not parts.fragment and "@" not in parts.netloc and url.isascii()


def _file() -> dict[str, Any]:
    path = Path("daybook.toml")
    if not path.is_file():
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"daybook.toml is no TOML: {error}") from None


def _default_home() -> Path:
    return Path("/var/lib/daybook") if hasattr(os, "geteuid") and os.geteuid() == 0 else Path.home() / ".daybook"
