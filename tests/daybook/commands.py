"""How tests run `daybook` and read what it printed."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from daybook import printing
from tests.oracle.story import Story
from tests.oracle.wire import TOPIC_OF


class Said(NamedTuple):
    """What a command printed, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Its JSON."""
        found = json.loads(self.out, parse_float=no_float)
        assert isinstance(found, list)
        return found


def no_float(text: str) -> None:
    raise AssertionError(f"a float in JSON: {text}")


Run = Callable[..., Said]


def refused(said: Said, text: str = "") -> None:
    assert said.code == 2
    assert said.out == ""
    assert re.fullmatch(r"daybook: .+\n", said.err), said.err
    assert text in said.err


def keys(row: dict[str, Any], wanted: list[str]) -> None:
    assert set(wanted) <= set(row), set(wanted) - set(row)


def plain_decimal(text: str) -> bool:
    return re.fullmatch(r"-?\d+(\.\d+)?", text) is not None


def entry(entry_id: str, **fields: Any) -> dict[str, Any]:
    said = Story().entry(entry_id, 50, approve=False, **fields).said[-1].fields
    shape = json.loads((Path(__file__).parents[1] / "samples" / "TimeEntryLogged.v1.json").read_text("utf-8"))["event"]
    event_id = f"00000000-0000-4000-8000-{int.from_bytes(entry_id.encode()):012x}"
    return {**dict.fromkeys(shape), "deducted_minutes": 0, "note": "", **said, "event_id": event_id}


def take(run: Run, story: Story, tmp_path: Path) -> None:
    path = tmp_path / "story.jsonl"
    lines = []
    for said in story.said:
        event = {name: printing.plain(value) for name, value in said.fields.items() if name != "lines"}
        lines.append(json.dumps({"topic": TOPIC_OF[said.record], "type": said.record, "event": event}))
    path.write_text("\n".join(lines), "utf-8")
    said = run("ingest", str(path))
    assert said.code == 0, said.err
