"""docs/operations.md names what there is to watch: every line of the log, every metric and every check."""

import ast
import re
from pathlib import Path

from daybook import doctor
from daybook.worker import CONSUMER, REMINDERS, VIEWS
from tests.conftest import ROOT
from tests.test_tidy import ROOMS

PAGE = (ROOT / "docs" / "operations.md").read_text("utf-8")
LEVELS = {"info", "warning", "error", "exception", "debug"}


def documented(name: str) -> bool:
    return re.search(rf"(?<![\w]){re.escape(name)}(?![\w])", PAGE) is not None


def logged(path: Path) -> set[str]:
    """The names of the lines a module writes: what `log.info` and the like, or a feed's `log_event`, are given."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="log"), attr=level), args=[ast.Constant(value=str(name)), *_]):
                assert level in LEVELS
                found.add(name)
            case ast.Call(func=ast.Name(id="write"), args=[ast.Constant(value=str(name)), *_]):
                found.add(name)
            case ast.Assign(targets=[ast.Name(id="log_event")], value=ast.Constant(value=str(name))):
                found.add(name)
    return found


def test_every_line_of_the_log_is_documented() -> None:
    names = {name for room in ROOMS for path in (ROOT / room).rglob("*.py") for name in logged(path)}
    assert {"batch_ingested", "request", "command", "documents_published", "dead_letters_published"} <= names
    assert {name for name in names if not documented(name)} == set()


def test_every_metric_is_documented() -> None:
    text = (ROOT / "daybook" / "web" / "metrics.py").read_text("utf-8")
    publishers = re.findall(r'^            \("(\w+)", "', text, re.MULTILINE)
    names = {*re.findall(r'"(daybook_\w+)"', text), *(f"daybook_publisher_{name}" for name in publishers)}
    assert {"daybook_ready", "daybook_request_seconds", "daybook_publisher_stopped"} <= names
    shown = PAGE.replace("_total", "").replace("`..._lag_seconds`", "`daybook_publisher_lag_seconds`")
    assert {name for name in names if re.search(rf"`{name}[`{{]", shown) is None} == set()


def test_every_check_is_documented() -> None:
    workers = {f"worker {part}" for part in (CONSUMER, VIEWS, REMINDERS)}
    checks = {"database", "migrations", "views", *workers, "publisher invoices", *doctor.MORE}
    assert {check for check in checks if f"`{check}`" not in PAGE} == set()
