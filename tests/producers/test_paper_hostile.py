"""Texts, pictures and letters that would break a document: each is printed as it is, or shown as missing, and stops nothing."""

import io
import re
import struct
import zlib
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader

from domain.catalogue import ProviderDefined
from producers.paper.glyphs import MISSING, Glyphs, covered
from producers.paper.printer import FONTS, MISSING_NOTE, Printed, Printer, printer, render
from producers.paper.sheet import sheet_of
from tests import evidence
from tests.producers import verapdf
from tests.producers.papers import clear, core, document, line, parties, said
from tests.producers.test_paper import DOCUMENTS
from tests.web.payloads import PAYLOADS

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 120 40"><rect width="40" height="40" rx="8" fill="#e4572e"/></svg>'
PAY = "https://billing.lanternbrook.example/pay/4f9a7c2e81d04b6f?a=b&c=d"
NOT_COVERED = "日本語 😀👩‍👩‍👧 مرحبا עברית नमस्ते"


def attacked(text: str) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """What upstream, a client or the provider can have typed: everywhere the same text."""
    everywhere = {"name": text, "address": [text], "city": text, "postcode": text, "tax_number": text}
    return {**everywhere, "region": text, "purchase_order": text}, {**everywhere, "bank": text}, {"name": text, "wording": text}


def made(issued: dict[str, Any], text: str, pay_url: str | None = None) -> Printed:
    """A document in which every text is this one."""
    client, provider, tax = attacked(text)
    return printer().printed(sheet_of(issued, parties(client, provider, **tax), clear, pay_url))


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS.keys())
def test_hostile_text_is_printed_and_not_run(payload: str) -> None:
    odd = {"charge_type": payload, "tax_code": payload}
    lines = [line(1, description=payload), line(2, charge_type=payload, unit=payload), line(3, **odd)]
    found = made(document(lines, number=f"INV-{payload[:60]}"), payload)
    assert found.without == ()
    text, wanted = core(said(found.pdf)), core(payload)
    if len(payload) > 500:  # parted by the ends of pages, with a head and a foot between
        assert text.count(wanted[:1]) >= 12 * wanted.count(wanted[:1])
        return
    assert text.count(wanted) >= 12
    assert "49" not in text.replace(wanted, "") or "49" in wanted
    _assert_inert(found.pdf)


def _assert_inert(pdf: bytes, links: tuple[str, ...] = ()) -> None:
    reader = PdfReader(io.BytesIO(pdf))
    assert set(reader.trailer["/Root"]) & {"/OpenAction", "/AA", "/AcroForm"} == set()  # type: ignore[call-overload]
    assert not reader.attachments
    found = [one.get_object()["/A"] for page in reader.pages for one in page.get("/Annots", ())]
    assert {action["/S"] for action in found} <= {"/URI"}
    assert tuple(dict.fromkeys(str(action["/URI"]) for action in found)) == links


def test_the_link_to_pay_is_the_only_one_and_stands_on_invoices_alone() -> None:
    def links(issued: dict[str, Any], url: str) -> bytes:
        return render(issued, parties(), clear, pay_url=url)

    paid = links(DOCUMENTS["one line"], PAY)
    _assert_inert(paid, (PAY,))
    assert "Pay online:\nhttps://billing.lanternbrook.example/pay/\n4f9a7c2e81d04b6f?a=b&c=d\n" in said(paid)
    for url in ("javascript:alert(1)", "file:///etc/passwd", "https://x.example/\u202egpj.exe", "//x.example"):
        _assert_inert(links(DOCUMENTS["one line"], url))
    for name in ("credit note", "nothing to pay"):
        _assert_inert(links(DOCUMENTS[name], PAY))


# ---- letters


def test_a_letter_that_is_missing_is_shown_as_that_and_said_to_be() -> None:
    found = made(document([line(description=f"Visit {NOT_COVERED}")]), f"Kanji {NOT_COVERED}")
    assert found.missing > 100
    assert found.without == ()
    text = said(found.pdf)
    assert f"Visit {MISSING * 3} {MISSING * 4}" in text
    assert MISSING_NOTE in text
    assert MISSING_NOTE not in said(render(DOCUMENTS["one line"], parties(), clear))


@pytest.mark.parametrize("text", ["Łódź Ñandú", "Αθήνα", "Київ Ђорђе", "Tiếng Việt", "İstanbul", "1 € = ₴ ₹ ₺ ¥", "e\u0301 ﬁ ß"])
def test_latin_greek_and_cyrillic_are_printed(text: str) -> None:
    found = made(document([line()]), text)
    assert found.missing == 0
    assert core(text) in core(said(found.pdf))


def test_what_would_reorder_or_hide_is_shown_as_missing() -> None:
    assert Glyphs(FONTS.glob("*.ttf")).text("a\u202eb\x1bc\nd\u200de\ufe0f") == (f"a{MISSING}b{MISSING}c de", 2)


def test_both_weights_have_the_same_letters() -> None:
    regular, bold = (set(covered((FONTS / f"Inter-{weight}.ttf").read_bytes())) for weight in ("Regular", "SemiBold"))
    assert regular == bold
    assert {*range(0x20, 0x7F), *range(0xA0, 0x180), *map(ord, "–…□−\u200b")} - {0xAD, 0x149} <= regular


def another_typeface(name: str, points: dict[int, int]) -> bytes:
    """The shipped typeface under another name of five letters, with glyphs for these code points alone."""
    font = (FONTS / "Inter-Regular.ttf").read_bytes()
    groups = b"".join(struct.pack(">III", point, point, glyph) for point, glyph in sorted(points.items()))
    cmap = struct.pack(">HHHHIHHIII", 0, 1, 3, 10, 12, 12, 0, 16 + len(groups), 0, len(points)) + groups
    count = struct.unpack_from(">H", font, 4)[0]
    tables = {}
    for number in range(count):
        tag, check, offset, length = struct.unpack_from(">4sIII", font, 12 + 16 * number)
        tables[tag] = (check, font[offset : offset + length])
    tables[b"cmap"] = (0, cmap)
    tables[b"name"] = (0, tables[b"name"][1].replace("Inter".encode("utf-16-be"), name.encode("utf-16-be")))
    at, directory, bodies = 12 + 16 * count, b"", b""
    for tag, (check, body) in tables.items():
        directory += struct.pack(">4sIII", tag, check, at + len(bodies), len(body))
        bodies += body + b"\0" * (-len(body) % 4)
    return font[:12] + directory + bodies


def test_the_providers_own_typefaces_print_what_the_shipped_one_lacks(tmp_path: Path) -> None:
    (tmp_path / "kanji.ttf").write_bytes(another_typeface("Kanji", {0x65E5: 40, 0x672C: 41}))
    issued = document([line(description="日本語 Visit")])
    found = printer(tmp_path).printed(sheet_of(issued, parties(), clear))
    assert f"日本{MISSING} Visit" in said(found.pdf)
    assert (found.missing, found.without) == (1, ())


def test_a_typeface_that_lies_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "liar.ttf").write_bytes(another_typeface("Liars", {0x65E5: 60_000}))
    (tmp_path / "none.ttf").write_bytes(b"no typeface")
    found = Printer((tmp_path,)).printed(sheet_of(document([line(description="日 Visit")]), parties(), clear))
    assert (found.missing, found.without) == (1, ("logo", "typefaces"))
    assert f"{MISSING} Visit" in said(found.pdf)


def test_a_letter_that_was_thought_to_be_there_costs_the_tags_and_not_the_document(monkeypatch: pytest.MonkeyPatch) -> None:
    assert unaware(monkeypatch).without == ("logo", "typefaces", "tags")
    assert "Total GBP 225.00" in said(unaware(monkeypatch).pdf)


def unaware(monkeypatch: pytest.MonkeyPatch) -> Printed:
    """A document of a printer that takes its typeface to have every letter there is."""
    monkeypatch.setattr(Glyphs, "printable", lambda self, value: (value, 0))
    return Printer().printed(sheet_of(document([line(description="日")]), parties(), clear))


# ---- the logo


def png(wide: int, high: int, rows: int | None = None) -> bytes:
    """A grey picture; with fewer rows in it than it says."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    body = zlib.compress((b"\0" + b"\x80" * wide) * (high if rows is None else rows))
    head = struct.pack(">IIBBBBB", wide, high, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def with_logo(logo: bytes | None) -> Printed:
    """A document of a provider with this logo."""
    between = parties()
    provider = between.catalogue.provider
    assert isinstance(provider, ProviderDefined)
    catalogue = replace(between.catalogue, provider=replace(provider, logo=logo))
    return printer().printed(sheet_of(DOCUMENTS["one line"], replace(between, catalogue=catalogue), clear))


def pictures(pdf: bytes) -> int:
    return len(PdfReader(io.BytesIO(pdf)).pages[0].images)


def test_a_logo_is_drawn() -> None:
    bare = with_logo(None)
    assert pictures(bare.pdf) == 0
    drawn = with_logo(png(60, 20))
    assert (pictures(drawn.pdf), drawn.without) == (1, ())
    vector = with_logo(SVG)
    assert vector.without == ()
    page = PdfReader(io.BytesIO(vector.pdf)).pages[0]
    assert b"0.894" in page.get_contents().get_data() or page["/Resources"].get("/XObject")  # type: ignore[union-attr,index]
    assert "Northwind IT" in said(vector.pdf)


LAUGHS = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10 if n else "ha"}">' for n in range(9))


@pytest.mark.parametrize(
    "logo",
    [
        b"no picture at all", b"\x89PNG\r\n\x1a\n", png(60, 20)[:70], png(60_000, 60_000, 1), b"\xff\xd8\xff\xe0\0\x10JFIF",
        b"\xff\xd8\xff\xc0\0\x11\x08\xff\xff\xff\xff" + b"\0" * 20, b"<svg", b"<svg" + b" " * 300_000, b"GIF89a",
        f'<!DOCTYPE x [{LAUGHS}]><svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><text>&a8;</text></svg>'.encode(),
    ],
)  # fmt: skip
def test_a_logo_that_is_none_is_left_out(logo: bytes) -> None:
    found = with_logo(logo)
    assert pictures(found.pdf) == 0
    assert found.without in ((), ("logo",))
    assert said(found.pdf) == said(with_logo(None).pdf)


def test_a_logo_reads_no_file_and_runs_no_script() -> None:
    inside = b'<image href="file:///etc/hostname" width="9" height="9"/><image href="/producers/paper/invoice.typ"/>'
    script = b"<script>alert(1)</script><foreignObject><p>x</p></foreignObject>"
    found = with_logo(SVG.replace(b"</svg>", inside + script + b"</svg>"))
    assert pictures(found.pdf) == 0
    _assert_inert(found.pdf)


# ---- the judge


def test_documents_are_pdf_ua_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    verapdf.require()
    made_of = {f"{name}.pdf": render(one, parties(), clear, pay_url=PAY) for name, one in DOCUMENTS.items()}
    part = {**DOCUMENTS["one line"], "outstanding_minor": 100, "covered_minor": 40}
    for name, one in (("part paid", part), ("covered", {**part, "covered_minor": 100})):
        made_of[f"{name}.pdf"] = printer().printed(sheet_of(one, parties(), clear, PAY, stands_on=date(2026, 7, 1))).pdf
    made_of["missing letters.pdf"] = made(document([line(description=NOT_COVERED)]), NOT_COVERED).pdf
    made_of["png.pdf"], made_of["svg.pdf"] = with_logo(png(60, 20)).pdf, with_logo(SVG).pdf
    for name in ("script", "typst", "reversed", "combining", "beyond the plane", "one long word"):
        made_of[f"hostile {name}.pdf"] = made(document([line(description=PAYLOADS[name])]), PAYLOADS[name], PAY).pdf
    made_of["untagged.pdf"] = unaware(monkeypatch).pdf
    for name, pdf in made_of.items():
        (tmp_path / name).write_bytes(pdf)
    verdicts = verapdf.judged([tmp_path / name for name in made_of])
    assert verdicts.keys() == made_of.keys()
    assert verdicts.pop("untagged.pdf")  # the judge does find faults
    assert {name: broken for name, broken in verdicts.items() if broken} == {}
    evidence.saw(f"paper: veraPDF finds {len(verdicts)} of {len(verdicts)} documents to be PDF/UA-1, and the untagged one not")


def test_no_text_of_the_templates_comes_from_data() -> None:
    for template in FONTS.parent.glob("*.typ"):
        assert not re.search(r"\beval\(|#import \"@|read\(", template.read_text(encoding="utf-8")), template.name
