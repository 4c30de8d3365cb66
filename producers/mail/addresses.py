"""Which texts are addresses that a mail server can be given; what is none is told as that and stops nobody else's mail."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

LONGEST: Final = 254
LONGEST_LOCAL: Final = 64
_LOCAL: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*", re.ASCII)
_LABEL: Final = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Addresses:
    """Those that mail can be sent to, once each, and those that are none."""

    good: tuple[str, ...]
    bad: tuple[str, ...]


def addresses_of(said: Iterable[str]) -> Addresses:
    """What was said, sorted into addresses and others."""
    good: dict[str, None] = {}
    bad: list[str] = []
    for text in said:
        found = address_of(text)
        if found is None:
            bad.append(text)
        else:
            good[found] = None
    return Addresses(tuple(good), tuple(bad))


def address_of(text: str) -> str | None:
    """The address as SMTP takes it, its domain in letters of DNS; None where it is none, or has a name that needs SMTPUTF8."""
    local, at, domain = text.strip().rpartition("@")
    if not at or not _LOCAL.fullmatch(local) or len(local) > LONGEST_LOCAL:
        return None
    try:
        host = domain.encode("idna").decode("ascii")
    except UnicodeError:
        return None
    if not all(_LABEL.fullmatch(label) for label in host.split(".")) or len(local) + len(host) >= LONGEST:
        return None
    return f"{local}@{host}"
