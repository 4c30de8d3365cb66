"""Where what was said comes out again: JSON, CSV, pages, terminal and log, each read as its reader would."""

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from html.parser import HTMLParser
from typing import Any, Final
from urllib.parse import unquote, unquote_plus

from tests.web.payloads import STEERING, core
from tests.web.stories import TAG

FORMULA: Final = re.compile(r"[\s\u200b\u2060\ufeff]*[=+\-@\t\r＝＋－＠]")
NUMBERS: Final = frozenset(
    {"hours", "net", "tax", "total", "outstanding", "held", "lines", "unapproved_minutes", "held_lines", "quantity", "unit_price"}
)


def strings(value: Any) -> Iterator[str]:
    """Every text of a JSON value, names too."""
    match value:
        case str():
            yield value
        case dict():
            for name, inner in value.items():
                yield name
                yield from strings(inner)
        case list():
            for inner in value:
                yield from strings(inner)


def exact(value: Any, said: Mapping[str, str]) -> set[str]:
    """The tags of a JSON value, each with its text exactly as it was sent; keys of items have it as addresses do."""
    found = set()
    for text in strings(value):
        for tag in TAG.findall(text):
            assert said[tag] in text or said[tag] in unquote(text), (said[tag][:200], text[:400])
            found.add(tag)
    return found


def shown(texts: Iterable[str], said: Mapping[str, str], seen_as: Callable[[str], str] = core) -> set[str]:
    """The tags of some texts for people, each with its text, but for what may be replaced."""
    found = set()
    for text in texts:
        for tag in TAG.findall(text):
            wanted = seen_as(said[tag])
            assert any(wanted in seen_as(one) for one in readings(text)), (said[tag][:200], text[:400])
            found.add(tag)
    return found


def readings(text: str) -> list[str]:
    """A text as it is, and as the address within an address that it may be."""
    once = unquote_plus(text)
    return [text, once, unquote(text), unquote(once), unquote(unquote(once))]


class Page(HTMLParser):
    """A page's elements with the names of their attributes, its texts, and its addresses."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.skeleton: list[tuple[str, tuple[str, ...]]] = []
        self.texts: list[str] = []
        self.addresses: list[str] = []
        self.values: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.skeleton.append((tag, tuple(name for name, _ in attrs)))
        for name, value in attrs:
            if name in ("href", "src", "action", "formaction", "hx-get", "hx-post"):
                self.addresses.append(value or "")
            elif name not in ("class", "id"):
                self.values.append(value or "")

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment in a page: {data[:100]}")

    def vocabulary(self) -> set[tuple[str, tuple[str, ...]]]:
        """Which elements it has, with which attributes."""
        return set(self.skeleton)


def page(html: str) -> Page:
    """A page that steers nothing and leads nowhere else."""
    assert not STEERING.search(html), repr(STEERING.search(html))
    read = Page(html)
    assert all(re.match(r"(/(?!/)|#|\?|$)", address) for address in read.addresses), read.addresses
    return read


def sheet(body: bytes) -> list[dict[str, str]]:
    """A CSV's rows: RFC 4180, no cell a formula unless it is a number, none that steers."""
    assert body.startswith(b"\xef\xbb\xbf")
    text = body.decode("utf-8-sig")
    assert text.endswith("\r\n")
    assert not STEERING.search(text.replace("\r\n", "\n"))
    rows = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
    for row in rows:
        for name, cell in row.items():
            assert name is not None, row
            assert cell is not None, row
            if name in NUMBERS or re.fullmatch(r"-?\d+(\.\d+)?", cell):
                assert re.fullmatch(r"(-?\d+(\.\d+)?)?", cell), (name, cell)
            else:
                assert not FORMULA.match(cell), (name, cell)
                assert not any(FORMULA.match(part) for part in re.split(r"[;\n]", cell)), (name, cell)
    return rows


def unguarded(cell: str) -> str:
    """A cell's text without apostrophes, some of which may be guards."""
    return core(cell).replace("'", "")
