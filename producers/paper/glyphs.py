"""Which characters the typefaces have, so that one they lack is printed as a sign for it and never stops a document."""

import re
import struct
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

MISSING: Final = "\N{WHITE SQUARE}"
"""Stands for a character that the typeface does not have."""
BREAKS: Final = re.compile(r"[\t\n\v\f\r\x1c-\x1f\x85\u2028\u2029]+")
STEERING: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""What could reorder what is read, or means nothing on paper: the same that pages and terminals do not show."""
FORBIDDEN: Final = frozenset("\x00\ufeff\ufffe")
"""What PDF/UA allows in no text."""
LONGEST_WORD: Final = 24
MAY_BREAK: Final = "\N{ZERO WIDTH SPACE}"
_LONG_WORD: Final = re.compile(rf"\S{{{LONGEST_WORD + 1},}}")
_TO_UNICODE: Final = {(0, 3): 4, (0, 4): 12, (0, 6): 12, (3, 1): 4, (3, 10): 12}


class Glyphs:
    """The characters that some typefaces can print between them."""

    def __init__(self, fonts: Iterable[Path]) -> None:
        self._covered = frozenset(chr(point) for path in fonts for point in covered(path.read_bytes())) - FORBIDDEN

    def printable(self, value: Any) -> tuple[Any, int]:
        """A sheet's content as it can be printed, and how many characters are printed as MISSING."""
        match value:
            case str():
                return self.text(value)
            case dict():
                pairs = {name: self.printable(one) for name, one in value.items()}
                return {name: one for name, (one, _) in pairs.items()}, sum(count for _, count in pairs.values())
            case list():
                found = [self.printable(one) for one in value]
                return [one for one, _ in found], sum(count for _, count in found)
        return value, 0

    def text(self, text: str) -> tuple[str, int]:
        """A text with what cannot be printed replaced, and how many characters that was; long words may be broken anywhere."""
        if self._covered.issuperset(text) and not STEERING.search(text) and not _LONG_WORD.search(text):
            return text, 0
        spaced = BREAKS.sub(" ", unicodedata.normalize("NFC", text))
        shown = "".join(self._character(one) for one in spaced)
        return _LONG_WORD.sub(lambda found: _breakable(found[0]), shown), shown.count(MISSING) - text.count(MISSING)

    def _character(self, one: str) -> str:
        if one in self._covered and not STEERING.match(one):
            return one
        plain = unicodedata.normalize("NFKC", one)  # a ligature's letters, a full-width digit's own
        if plain != one and self._covered.issuperset(plain) and not STEERING.search(plain):
            return plain
        # A joiner or a variant's selector says how its neighbours look; without them it is nothing.
        ignorable = unicodedata.category(one) == "Cf" or "\ufe00" <= one <= "\ufe0f"
        return "" if ignorable and not STEERING.match(one) else MISSING


def _breakable(word: str) -> str:
    """A word that a narrow column may break between any two letters, but not before a mark that sits on one."""
    return "".join(one if unicodedata.combining(one) or not at else MAY_BREAK + one for at, one in enumerate(word))


def covered(font: bytes) -> Iterator[int]:
    """The code points of a TrueType or OpenType font, or of the first of a collection."""
    start = struct.unpack_from(">I", font, 12)[0] if font.startswith(b"ttcf") else 0
    for number in range(struct.unpack_from(">H", font, start + 4)[0]):
        tag, _, offset, _ = struct.unpack_from(">4sIII", font, start + 12 + 16 * number)
        if tag == b"cmap":
            yield from _mapped(font, offset)


def _mapped(font: bytes, table: int) -> Iterator[int]:
    for number in range(struct.unpack_from(">H", font, table + 2)[0]):
        platform, encoding, offset = struct.unpack_from(">HHI", font, table + 4 + 8 * number)
        form = struct.unpack_from(">H", font, table + offset)[0]
        if _TO_UNICODE.get((platform, encoding)) == form:
            yield from _segments(font, table + offset) if form == 4 else _groups(font, table + offset)


def _segments(font: bytes, at: int) -> Iterator[int]:
    """Format 4: segments of the basic plane; a code point whose glyph is number 0 is not there."""
    count = struct.unpack_from(">H", font, at + 6)[0] // 2
    ends = struct.unpack_from(f">{count}H", font, at + 14)
    starts = struct.unpack_from(f">{count}H", font, at + 16 + 2 * count)
    deltas = struct.unpack_from(f">{count}H", font, at + 16 + 4 * count)
    offsets_at = at + 16 + 6 * count
    for number, (first, last, delta) in enumerate(zip(starts, ends, deltas, strict=True)):
        offset = struct.unpack_from(">H", font, offsets_at + 2 * number)[0]
        for point in range(first, last + 1):
            glyph = point
            if offset:
                glyph = struct.unpack_from(">H", font, offsets_at + 2 * number + offset + 2 * (point - first))[0]
            if (glyph + delta) % 65_536 and glyph and point != 0xFFFF:
                yield point


def _groups(font: bytes, at: int) -> Iterator[int]:
    """Format 12: groups of all planes."""
    for number in range(struct.unpack_from(">I", font, at + 12)[0]):
        first, last, glyph = struct.unpack_from(">III", font, at + 16 + 12 * number)
        yield from range(first + (0 if glyph else 1), last + 1)
