"""Filters take an id or a part of a name; one that means nothing is refused, for an empty list would say there is nothing."""

import json
from pathlib import Path

from tests.daybook.commands import Run, refused, take
from tests.oracle.story import Story

VIEWS = ("queue", "queue --lines", "waiting", "invoices", "invoice --dry-run")


def test_a_client_that_means_nothing_is_refused_with_what_comes_near(month: Run) -> None:
    for view in VIEWS:
        for json_ in ((), ("--json",)):
            refused(month(*view.split(), "--client", "acne", *json_), "'acne': did you mean acme (Acme Corp)?")
            refused(month(*view.split(), "--client", "co", *json_), "any of 6 clients: acme (Acme Corp), buildco (Buildco Ltd)")
    refused(month("queue", "--client", ""), "none comes near")


def test_a_client_is_found_by_a_part_of_its_name(month: Run) -> None:
    assert {row["client_id"] for row in month("queue", "--client", "Logistics", "--json").rows} == {"tarn"}
    assert {row["client_id"] for row in month("waiting", "--client", "community", "--json").rows} == {"yarrow"}
    assert [row["client_id"] for row in month("invoice", "--client", "Acme C", "--accept-changes", "--json").rows] == ["acme"]
    assert {row["client_id"] for row in month("invoices", "--client", "ACME", "--json").rows} == {"acme"}
    assert month("invoices", "--client", "Logistics", "--json").rows == [], "a known client without invoices has none"


def test_a_charge_type_is_found_the_same_way(month: Run) -> None:
    by_name = month("queue", "--lines", "--charge-type", "remote supp", "--json").rows
    assert by_name == month("queue", "--lines", "--charge-type", "REMOTE", "--json").rows != []
    refused(month("queue", "--charge-type", "REMOT3"), "did you mean REMOTE (Remote Support)")
    refused(month("queue", "--charge-type", "zzz", "--json"), "there are CUSTOM (Custom)")


def test_a_client_nobody_defined_is_found_by_its_id(run: Run, tmp_path: Path) -> None:
    take(run, Story().entry("e", 20, client_id="ghost").decide("Approved", "e", client_id="ghost"), tmp_path)
    assert [row["reason"] for row in run("waiting", "--client", "ghost", "--json").rows] == ["unknown_client"]
    assert run("queue", "--client", "ghost", "--json").rows == []


def test_names_are_those_known_today_whatever_instant_is_looked_back_to(month: Run) -> None:
    long_ago = ("--known-at", "2020-01-01T00:00:00Z")
    for view in ("queue", "waiting", "invoices"):
        assert month(view, "--client", "Acme C", *long_ago, "--json").rows == []
        refused(month(view, "--client", "acne", *long_ago), "did you mean acme")


def test_decisions_take_a_name_too_and_unknown_ones_decide_nothing(month: Run) -> None:
    assert month("hold", "time/TE-40002", "--client", "Acme", "--reason", "x").code == 0
    refused(month("hold", "time/TE-40003", "--client", "acne", "--reason", "x"), "did you mean acme")
    refused(month("release", "time/TE-40002", "--client", "tarn", "--reason", "x"), "no item")
    assert json.loads(month("queue", "--client", "acme", "--json").out)[0]["held_lines"] == 1
