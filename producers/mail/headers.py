"""A mail's own headers, written so that no text in them can end one, begin another, or become an address.

The standard library reads encoded words inside a text before it writes it and loses quotes as it breaks long names
(Python 3.11): a client's name could then add a Bcc. So what is not plain goes out encoded, and nothing is folded afterwards.
"""

import re
from base64 import b64encode
from collections.abc import Iterator, Sequence
from typing import Final

from producers.paper.glyphs import BREAKS, STEERING

LONGEST_PLAIN: Final = 60
BYTES_A_WORD: Final = 42
"""An encoded word has at most 75 letters, 12 of which say what it is (RFC 2047)."""
_PLAIN: Final = re.compile(r"[A-Za-z0-9 .,:;!'&+/()#-]*")
_TOKEN: Final = re.compile(r"[!-~]+")


def line(text: str) -> str:
    """A text as one line without anything that could end it, steer it, or be read in another order than it is written."""
    return STEERING.sub("", BREAKS.sub(" ", text)).strip()


def headers(fields: Sequence[tuple[str, str]]) -> bytes:
    """Headers as they go over the wire; their values are what the functions below gave."""
    return "".join(f"{name}: {value}\r\n" for name, value in fields).encode("ascii")


def text(value: str) -> str:
    """Free text, such as a subject."""
    said = line(value)
    return said if len(said) <= LONGEST_PLAIN and _PLAIN.fullmatch(said) else _encoded(said)


def mailbox(name: str, address: str) -> str:
    """An address, which was checked, with the name shown beside it."""
    said = line(name)
    if not said:
        return token(address)
    shown = f'"{said}"' if len(said) <= LONGEST_PLAIN and _PLAIN.fullmatch(said) else _encoded(said)
    return f"{shown}\r\n <{token(address)}>" if "\r\n" in shown else f"{shown} <{token(address)}>"


def mailboxes(addresses: Sequence[str]) -> str:
    """Several addresses, one a line."""
    return ",\r\n ".join(map(token, addresses))


def token(value: str) -> str:
    """What is made by us and has no blank; raises ValueError for anything else."""
    if not _TOKEN.fullmatch(value):
        raise ValueError("a header's value is not what it should be")
    return value


def _encoded(said: str) -> str:
    return "\r\n ".join(f"=?utf-8?b?{b64encode(part).decode()}?=" for part in _parts(said))


def _parts(said: str) -> Iterator[bytes]:
    """UTF-8 in parts that fit a word each; no letter is parted."""
    part = b""
    for letter in said:
        more = letter.encode()
        if len(part) + len(more) > BYTES_A_WORD:
            yield part
            part = b""
        part += more
    yield part
