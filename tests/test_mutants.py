"""The list of mutants does not rot: each still applies, and names a test that is there."""

import ast

import pytest

from tests.conftest import ROOT
from tests.mutants import Mutant
from tests.mutants.__main__ import applied, every_mutant

MUTANTS = every_mutant()


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_mutant_applies_and_its_test_exists(mutant: Mutant) -> None:
    wrong = applied(mutant, ROOT)
    if mutant.file.endswith(".py"):
        ast.parse(wrong)
    path, _, function = mutant.test.partition("::")
    functions = {node.name for node in ast.parse((ROOT / path).read_text("utf-8")).body if isinstance(node, ast.FunctionDef)}
    assert not function or function.partition("[")[0] in functions


def test_every_mutant_has_a_name_of_its_own() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)


def test_a_mutant_that_does_not_apply_is_named() -> None:
    with pytest.raises(ValueError, match=r"occurs 0 times in README\.md"):
        applied(Mutant("x", "README.md", "no such text in the page", "", ""), ROOT)
