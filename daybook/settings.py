"""What an installation is told: from the environment, else `daybook.toml`, else defaults that need nothing installed."""

import os
import tomllib
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

PREFIX = "DAYBOOK_"


class SettingsError(Exception):
    """A setting is wrong; the message names it and says what it should be."""


class Settings(BaseModel):
    """The settings of `interfaces.md`; each is the environment's DAYBOOK_<NAME> or the file's `<name>`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    database_url: str | None = None
    home: Path
    kafka: str | None = None
    group: str = "daybook"
    smtp_url: str | None = None
    public_url: str | None = None
    secret_key: str | None = None
    stripe_key: str | None = None
    stripe_url: str | None = None
    stripe_webhook_secrets: str | None = None
    today: date | None = None

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
        name = str(first["loc"][0])
        raise SettingsError(f"setting {PREFIX}{name.upper()} (or `{name}` in daybook.toml): {first['msg']}") from None


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
