"""Makes the PDF of a sheet: tagged (PDF/UA-1), typefaces embedded, the same bytes for the same sheet."""

import json
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, time
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal

import structlog
import typst

from producers.paper.glyphs import MISSING, Glyphs
from producers.paper.parties import Read
from producers.paper.sheet import Sheet, sheet_of
from projections.invoice_list import Parties

log = structlog.get_logger("daybook.paper")
HERE: Final = Path(__file__).parent
FONTS: Final = HERE / "fonts"
TEMPLATES: Final = ("invoice.typ", "statement.typ")
SHIPPED: Final = "Inter"
WAYS: Final = ((), ("logo",), ("logo", "typefaces"), ("logo", "typefaces", "tags"))
"""What a document is made without, one try after the other: an odd picture or typeface must not stop it."""
MISSING_NOTE: Final = f"{MISSING} stands for a character that the typeface of this document does not have."


class NotPrinted(Exception):
    """A document cannot be made at all: a fault of the template."""


@dataclass(frozen=True, slots=True)
class Printed:
    """A PDF; how many characters of it the typefaces lack, and what it had to be made without: logo, typefaces, tags."""

    pdf: bytes
    missing: int = 0
    without: tuple[str, ...] = ()


class Printer:
    """One typst compiler with its typefaces; used by one thread at a time, the others wait."""

    def __init__(self, fonts: tuple[Path, ...] = ()) -> None:
        """`fonts` are folders with the provider's own typefaces, for scripts that the shipped one does not have."""
        folders = [FONTS, *(folder for folder in fonts if folder.is_dir())]
        loaded = typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=folders)
        files = sorted({Path(font.path) for font in loaded.fonts() if font.path is not None})
        # The shipped typeface is asked first: what it has looks the same everywhere.
        self._families = [SHIPPED, *sorted({*loaded.families()} - {SHIPPED})]
        self._glyphs = Glyphs(files)
        self._shipped = Glyphs(FONTS.glob("*.ttf"))
        self._compilers = {
            name: typst.Compiler(HERE / name, root=HERE, font_paths=loaded, ignore_system_fonts=True) for name in TEMPLATES
        }
        self._lock = threading.Lock()

    def printed(self, sheet: Sheet) -> Printed:
        """The PDF of a sheet, whatever is in it: a logo that is none is left out, a letter that is missing is shown as that."""
        for without in WAYS:
            content, missing = self._content(sheet, without)
            try:
                return Printed(self._made(content, sheet, without), missing, without)
            except typst.TypstError:  # the next way asks for less; the message may quote personal text
                log.warning("paper_refused", number=sheet.content["number"], without=without)
        raise NotPrinted(f"typst refuses {sheet.content['number']} in every way")

    def _content(self, sheet: Sheet, without: tuple[str, ...]) -> tuple[dict[str, Any], int]:
        own = "typefaces" not in without
        content, missing = (self._glyphs if own else self._shipped).printable(sheet.content)
        more = {"fonts": self._families if own else [SHIPPED], "missing": MISSING_NOTE if missing else ""}
        return {**content, **sheet.pictures, **more, **({"logo": None} if "logo" in without else {})}, missing

    def _made(self, content: dict[str, Any], sheet: Sheet, without: tuple[str, ...]) -> bytes:
        # The template reads data; data never becomes source.
        given = {"data": json.dumps(content, ensure_ascii=False)}
        moment = datetime.combine(sheet.issued_on, time(), UTC)
        standard: Literal["ua-1"] | None = None if "tags" in without else "ua-1"
        with self._lock:
            made = self._compilers[sheet.template].compile(
                format="pdf", sys_inputs=given, pdf_standards=standard, timestamp=moment
            )
        assert isinstance(made, bytes)
        return made


@lru_cache(maxsize=4)
def printer(*fonts: Path) -> Printer:
    """This process's printer with these folders of typefaces beside the shipped one."""
    return Printer(fonts)


def render(
    document: dict[str, Any], parties: Parties, read: Read, *, pay_url: str | None = None, voided_by: str | None = None,
    fonts: tuple[Path, ...] = (),
) -> bytes:
    """The PDF of an issued document as its client receives it; the same document gives the same bytes."""
    return printer(*fonts).printed(sheet_of(document, parties, read, pay_url, voided_by)).pdf
