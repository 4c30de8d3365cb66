"""What a form was sent with: its boxes, its buttons, and what it carries along unseen."""

import secrets
from dataclasses import dataclass, field
from typing import Annotated, Any, Final
from urllib.parse import parse_qsl

from fastapi import Depends, Request

from daybook.web.forms.boxes import Typed, nested, text_of
from daybook.web.forms.fields import LINES, ROWS
from daybook.web.forms.reading import empty_line

MOST_FIELDS: Final = 20_000
MOST_LINES: Final = 200
_CARRIED: Final = ("do", "token", "base", "seen", "previewed", "as_of", "id")


@dataclass(slots=True)
class Posted:
    """A form on its way: `seen` is the newest state when it was opened, `base` the one it began with."""

    tree: dict[str, Typed]
    do: str = ""
    token: str = ""
    base: str = ""
    seen: str = ""
    previewed: str = ""
    as_of: str = ""
    id: str = ""
    focus: str = field(default="", compare=False)

    def rearranged(self) -> bool:
        """Adds or takes out a line or a row, where its button says so; whether it did."""
        what, _, where = self.do.partition(":")
        if what == "add":
            return self._add(where)
        if what == "remove":
            return self._remove(where)
        return False

    def _add(self, where: str) -> bool:
        place, _, kind = where.partition("=")
        if place == "lines":
            lines = self._rows("lines", self.tree)
            if kind in LINES and len(lines) < MOST_LINES:
                lines.append(empty_line(kind, text_of(self.tree.get("currency")).strip().upper()))
                self.focus = f"lines.{len(lines) - 1}.description"
            return True
        if kind not in ROWS:
            return False
        *outer, name = place.split(".")
        found = self._at(outer)
        if found is None:
            return False
        rows = self._rows(name, found)
        rows.append(dict.fromkeys((one.name for one in ROWS[kind]), ""))
        self.focus = f"{place}.{len(rows) - 1}.{ROWS[kind][0].name}"
        return True

    def _remove(self, where: str) -> bool:
        *outer, number = where.split(".")
        found = self._at(outer[:-1]) if outer else None
        rows = found.get(outer[-1]) if found is not None else None
        if isinstance(rows, list) and number.isascii() and number.isdigit() and int(number[:6]) < len(rows):
            del rows[int(number)]
        self.focus = f"add.{'.'.join(outer)}"
        return True

    @staticmethod
    def _rows(name: str, tree: dict[str, Typed]) -> list[Any]:
        rows = tree.get(name)
        if not isinstance(rows, list):
            rows = tree[name] = []
        return rows

    def _at(self, parts: list[str]) -> dict[str, Typed] | None:
        at: Any = self.tree
        for part in parts:
            if isinstance(at, list) and part.isascii() and part.isdigit() and int(part[:6]) < len(at):
                at = at[int(part)]
            elif isinstance(at, dict):
                at = at.get(part)
            else:
                return None
        return at if isinstance(at, dict) else None


def of_pairs(pairs: list[tuple[str, str]]) -> Posted:
    """A form from its names and texts."""
    carried = {name: text.replace("\0", "") for name, text in pairs if name in _CARRIED}
    posted = Posted(tree=nested([pair for pair in pairs if pair[0] not in _CARRIED]), **carried)
    posted.token = posted.token[:64] or new_token()
    return posted


def new_token() -> str:
    """What makes a form one form."""
    return secrets.token_urlsafe(24)


async def _posted(request: Request) -> Posted:
    try:
        pairs = parse_qsl((await request.body()).decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        pairs = []
    return of_pairs(pairs)


Sent = Annotated[Posted, Depends(_posted)]
