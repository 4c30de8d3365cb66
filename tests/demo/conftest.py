"""One demo, played once for all tests that only look at it."""

import shutil
from collections.abc import Iterator

import pytest

from tests.conftest import make_reachable_folder
from tests.demo.played import Home


@pytest.fixture(scope="session")
def demo() -> Iterator[Home]:
    """A home in which the story was played without a break; nobody changes it."""
    folder = make_reachable_folder()
    home = Home(folder / "demo")
    assert "14 clients, GBP 31,640.00" in home.played()
    yield home
    shutil.rmtree(folder, ignore_errors=True)
