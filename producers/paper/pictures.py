"""The pictures on a document: the provider's logo, and the QR code of the payment link."""

import struct
from functools import lru_cache
from io import BytesIO
from typing import Any, Final

import segno

MOST_LOGO_BYTES: Final = 256 * 1024
MOST_PIXELS: Final = 16_000_000
"""A small file may unpack to gigabytes; a logo this large prints sharp on a poster."""
_PNG: Final = b"\x89PNG\r\n\x1a\n"
_JPEG_SIZES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


@lru_cache(maxsize=4)
def logo_of(said: bytes) -> dict[str, Any] | None:
    """A PNG, JPEG or SVG as the template takes it; null for anything else, and for what is beyond a logo's size."""
    if len(said) > MOST_LOGO_BYTES:
        return None
    if said.startswith(_PNG) and len(said) > 24:
        wide, high = struct.unpack(">II", said[16:24])
        return _picture("png", said) if wide * high <= MOST_PIXELS else None
    if said.startswith(b"\xff\xd8"):
        return _picture("jpg", said) if 0 < _jpeg_pixels(said) <= MOST_PIXELS else None
    if b"<svg" in said[:4096]:
        return _picture("svg", said)
    return None


def _picture(form: str, said: bytes) -> dict[str, Any]:
    return {"format": form, "bytes": list(said)}


def _jpeg_pixels(said: bytes) -> int:
    """How many pixels a JPEG says it has; 0 where it does not say."""
    at = 2
    while at + 9 < len(said) and said[at] == 0xFF:
        if said[at + 1] in _JPEG_SIZES:
            high, wide = struct.unpack(">HH", said[at + 5 : at + 9])
            return int(high) * int(wide)
        at += 2 + int.from_bytes(said[at + 2 : at + 4], "big")
    return 0


def qr_of(url: str) -> list[int]:
    """The QR code of an address: an SVG, byte by byte."""
    drawn = BytesIO()
    segno.make(url, error="m", micro=False).save(drawn, kind="svg", border=0, xmldecl=False, omitsize=True)
    return list(drawn.getvalue())
