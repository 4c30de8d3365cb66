"""Faults that the tests must find: each is one small change to the product, with the test that fails because of it.

`python -m tests.mutants` tries them all, each in a copy of the tree; a module of this package holds one room's in `MUTANTS`.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """One fault."""

    name: str
    """What is wrong with the product then, in a few words; unique."""
    file: str
    """The file to change, from the root of the repository."""
    old: str
    """The text that goes; it occurs exactly once in the file."""
    new: str
    """The text that comes."""
    test: str
    """The test that must fail with the change and pass without it, as pytest names it: a file, or a function in it; seconds."""
