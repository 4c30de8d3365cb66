"""How results are shown: tables for people, JSON with fixed keys for programs; nothing upstream typed can steer a terminal."""

import json
import os
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from rich.console import Console
from rich.table import Table
from rich.text import Text

from domain.money import minor_digits

_STEERING = r"\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"
_CONTROL = re.compile(rf"[\x00-\x1f{_STEERING}]")
_IN_JSON = re.compile(f"[{_STEERING}]")  # those below are escaped by JSON itself


def as_json(rows: Iterable[Any]) -> None:
    """Prints a list of objects: money in minor units, decimals as strings, dates and instants ISO."""
    between = "[\n  "
    for row in rows:  # one by one: a list may be longer than memory
        text = json.dumps(plain(row), indent=2, ensure_ascii=False).replace("\n", "\n  ")
        sys.stdout.write(between + _IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", text))
        between = ",\n  "
    sys.stdout.write("[]\n" if between.startswith("[") else "\n]\n")


def plain(value: Any) -> Any:
    """A value as JSON has it: the same for the command line and the API."""
    match value:
        case Decimal():
            return decimal(value)
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
        case date():
            return value.isoformat()
        case UUID():
            return str(value)
        case bytes():
            return value.hex()
        case dict():
            return {name: plain(inner) for name, inner in value.items()}
        case tuple() | list():
            return [plain(inner) for inner in value]
        case _ if is_dataclass(value) and not isinstance(value, type):
            return plain(asdict(value))
        case _:
            return value


def decimal(value: Decimal) -> str:
    """A decimal without exponent and without trailing zeros."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def money(minor: int, currency: str) -> str:
    """An amount as a person reads it: GBP 1,875.00."""
    digits = minor_digits(currency)
    return f"{currency} {Decimal(minor).scaleb(-digits):,.{digits}f}"


def counted(count: int, one: str, many: str | None = None) -> str:
    """A count with its noun: 1 client, 2 clients."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def clean(text: object) -> str:
    """Text from outside as it may be shown in a terminal: control and direction characters replaced."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", str(text))


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], *, right: Sequence[str] = ()) -> None:
    """Prints a table; the columns named in `right` are numbers."""
    shown = Table(title=title, title_justify="left", show_lines=False)
    for column in columns:
        shown.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        shown.add_row(*(Text(clean(cell)) for cell in row))
    console().print(shown)


def console() -> Console:
    """Standard output; as wide as its lines where nobody looks at it through a terminal."""
    return Console(width=None if sys.stdout.isatty() else 140, highlight=False)


def say(text: str) -> None:
    """One line on standard output, as long as it is; a command that it names is named as the program was called."""
    sys.stdout.write(clean(_as_called(text)) + "\n")


def notice(message: str) -> None:
    """One line for the person at the terminal, on standard error; it names commands in the same way."""
    sys.stderr.write(clean(_as_called(message)) + "\n")


def _as_called(text: str) -> str:
    """Messages write `daybook X`; whoever works from a clone has no `daybook` to type, but the `./run` that says so here."""
    return text.replace("`daybook ", f"`{os.environ.get('DAYBOOK_CALLED') or 'daybook'} ")
