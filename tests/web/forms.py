"""A form as a browser has it: read from a page, filled in, sent back whole."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from fastapi.testclient import TestClient
from httpx2 import Response


class _Boxes(HTMLParser):
    """What a browser would send of the form on a page, in order; disabled ones and buttons left out."""

    def __init__(self) -> None:
        super().__init__()
        self.values: dict[str, str] = {}
        self.buttons: list[str] = []
        self.disabled = False
        self.faults: list[str] = []
        self._area: str | None = None
        self._select: str | None = None
        self._in_form = False
        self._fault = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        own = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._in_form = own.get("id") == "form"
        if tag == "span" and "fault" in own.get("class", "").split():
            self._fault = True
            self.faults.append("")
        if not self._in_form:
            return
        name = own.get("name", "")
        match tag:
            case "fieldset" if "disabled" in own:
                self.disabled = True
            case "input" if name and (own.get("type") != "checkbox" or "checked" in own):
                self.values[name] = own.get("value", "").replace("\r", "").replace("\n", "")
            case "textarea":
                self._area, self.values[name] = name, ""
            case "select":
                self._select, self.values[name] = name, ""
            case "option" if self._select is not None and "selected" in own:
                self.values[self._select] = own.get("value", "")
            case "button":
                self.buttons.append(own.get("value", ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea" and self._area is not None:
            self.values[self._area] = self.values[self._area].removeprefix("\n").replace("\n", "\r\n")
            self._area = None
        if tag == "select":
            self._select = None
        if tag == "form":
            self._in_form = False
        if tag == "span":
            self._fault = False

    def handle_data(self, data: str) -> None:
        if self._area is not None:
            self.values[self._area] += data
        if self._fault:
            self.faults[-1] += data


@dataclass
class Form:
    """A form somebody has before them."""

    client: TestClient
    address: str
    values: dict[str, str] = field(default_factory=dict)
    buttons: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    disabled: bool = False
    text: str = ""

    def open(self) -> "Form":
        """Asks for the page."""
        answer = self.client.get(self.address)
        assert answer.status_code == 200, answer.text
        return self.take(answer)

    def take(self, answer: Response) -> "Form":
        """Reads the page that came back."""
        boxes = _Boxes()
        boxes.feed(answer.text)
        self.values, self.buttons, self.disabled, self.text = boxes.values, boxes.buttons, boxes.disabled, answer.text
        self.faults = boxes.faults
        return self

    def press(self, button: str, **filled: Any) -> Response:
        """Fills in (`lines__0__price` is `lines.0.price`) and presses a button that is there; a page is read in place."""
        self.values |= {name.replace("__", "."): value for name, value in filled.items() if value is not None}
        for name in [name for name, value in filled.items() if value is None]:
            self.values.pop(name.replace("__", "."), None)
        assert button in self.buttons, self.buttons
        answer = self.client.post(self.address, data={**self.values, "do": button})
        if answer.headers.get("content-type", "").startswith("text/html"):
            self.take(answer)
        return answer

    def save(self, **filled: Any) -> str:
        """Previews and saves; gives the address of what was saved."""
        answer = self.press("preview", **filled)
        assert answer.status_code == 200, self.faults or answer.text
        answer = self.press("save")
        assert answer.status_code == 303, answer.text
        return answer.headers["location"]
