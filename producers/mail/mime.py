"""The parts of a mail as they go over the wire: text, HTML and PDFs, in the form of RFC 2045 to 2049 that every reader knows.

The standard library's message object parses each header that it is given again: that alone took a fifth of a mail's time.
"""

import re
from base64 import encodebytes
from binascii import b2a_qp
from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Final
from urllib.parse import quote

CRLF: Final = b"\r\n"
_PLAIN_NAME: Final = re.compile(r"[!#-\[\]-~]+")
_A_PIECE: Final = 60


def body(text: str, html: str, pdfs: Sequence[tuple[str, bytes]], seed: str) -> bytes:
    """A message from its MIME-Version on: text, the same as HTML, and PDFs under their file names.

    `seed` makes the boundaries: the same for the same message. They have "=_" in them, which neither of the two encodings
    can write, so that no text can end a part.
    """
    name = sha256(seed.encode()).hexdigest()[:32]
    both = _multipart("alternative", f"=_a{name}", [_text("plain", text), _text("html", html)])
    whole = _multipart("mixed", f"=_m{name}", [both, *(_pdf(*one) for one in pdfs)]) if pdfs else both
    return b"MIME-Version: 1.0\r\n" + whole


def _multipart(kind: str, boundary: str, parts: Sequence[bytes]) -> bytes:
    between = f"--{boundary}".encode()
    head = f'Content-Type: multipart/{kind};\r\n boundary="{boundary}"\r\n\r\n'.encode()
    return head + b"".join(between + CRLF + one + CRLF for one in parts) + between + b"--\r\n"


def _text(kind: str, text: str) -> bytes:
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n").encode()
    head = f'Content-Type: text/{kind}; charset="utf-8"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n'
    return head.encode() + b2a_qp(lines, istext=True)


def _pdf(name: str, pdf: bytes) -> bytes:
    head = "Content-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: attachment;\r\n "
    return (head + ";\r\n ".join(_file_name(name)) + "\r\n\r\n").encode() + encodebytes(pdf).replace(b"\n", CRLF)


def _file_name(name: str) -> Iterator[str]:
    """The parameter that names a file; in several pieces where it needs other letters than ASCII has (RFC 2231)."""
    if _PLAIN_NAME.fullmatch(name):
        yield f'filename="{name}"'
        return
    piece, number = "utf-8''", 0
    for letter in name:
        more = quote(letter, safe="")
        if len(piece) + len(more) > _A_PIECE:
            yield f"filename*{number}*={piece}"
            piece, number = "", number + 1
        piece += more
    yield f"filename*{number}*={piece}"
