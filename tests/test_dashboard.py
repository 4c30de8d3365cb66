"""The dashboard file shows what there is: every metric it asks for is told by /metrics, with the labels it groups by."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from daybook.app import App
from daybook.heartbeat import Heartbeat
from daybook.settings import Settings
from daybook.web.metrics import REQUESTS, scrape
from ledger.book import Book
from projections.views import Views
from tests.conftest import ROOT

DASHBOARD = json.loads((ROOT / "docs" / "grafana" / "daybook.json").read_text("utf-8"))
PAGE = (ROOT / "docs" / "operations.md").read_text("utf-8")
ASKED = [(panel["title"], target["expr"], target["legendFormat"]) for panel in DASHBOARD["panels"] for target in panel["targets"]]
OF_PROMETHEUS = {"le"}


def names(expression: str) -> set[str]:
    return set(re.findall(r"\bdaybook_[a-z_]+", expression))


@pytest.fixture
def told(book: Book, tmp_path: Path) -> set[str]:
    """The names of all that an installation on Kafka tells, in the form in which they are asked for."""
    app = App(Settings(home=tmp_path, kafka="127.0.0.1:1"), book.database, book, Views(book))
    REQUESTS.labels("GET", "/", "200").observe(0.01)
    with Heartbeat(app, "worker", ["consumer"]):
        text = scrape(app).decode()
    found: set[str] = set()
    for family in text_string_to_metric_families(text):
        found |= {family.name, *(sample.name for sample in family.samples)}
        if family.type == "counter":
            found.add(f"{family.name}_total")
    return found


def test_every_metric_of_the_dashboard_is_told(told: set[str]) -> None:
    assert {name for _, expression, _ in ASKED for name in names(expression)} - told == set()
    assert "daybook_no_such_thing" not in told


def test_every_metric_is_on_the_dashboard(told: set[str]) -> None:
    asked = {name for _, expression, _ in ASKED for name in names(expression)}
    shown = {re.sub(r"_(bucket|count|sum|created|total)$", "", name) for name in asked}
    missing = {re.sub(r"_(bucket|count|sum|created|total)$", "", name) for name in told} - shown
    assert {name for name in missing if name.startswith("daybook_")} == set()


@pytest.mark.parametrize(("title", "expression", "legend"), ASKED)
def test_labels_are_those_of_the_metric(title: str, expression: str, legend: str) -> None:
    wanted = set(re.findall(r"{{(\w+)}}", legend))
    for group in re.findall(r"by \(([^)]*)\)", expression):
        wanted |= {name.strip() for name in group.split(",")} - OF_PROMETHEUS
    wanted |= set(re.findall(r"(\w+)=~?\"", expression))
    (name,) = names(expression)
    base = re.sub(r"_(bucket|count)$", "", name)
    documented: set[str] = set()
    for form in {base, base.removesuffix("_total")}:
        for found in re.findall(rf"`{form}(?:_total)?{{([\w,]+)}}", PAGE):
            documented |= set(found.split(","))
    # Publishers share a row in the page.
    documented |= {"publisher"} if base.startswith("daybook_publisher_") else set()
    assert wanted <= documented, title


def test_panels_stand_beside_each_other() -> None:
    taken: dict[tuple[int, int], str] = {}
    ids = set()
    for panel in DASHBOARD["panels"]:
        ids.add(panel["id"])
        at: dict[str, Any] = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        for x in range(at["x"], at["x"] + at["w"]):
            for y in range(at["y"], at["y"] + at["h"]):
                assert taken.setdefault((x, y), panel["title"]) == panel["title"]
    assert len(ids) == len(DASHBOARD["panels"])
