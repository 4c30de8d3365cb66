"""How much a heavy test does: column `ci` of budget.toml, or `release` under `./run test --release`."""

import os
import tomllib
from pathlib import Path

COLUMN = os.environ.get("DAYBOOK_TEST_BUDGET", "ci")
_COUNTS = tomllib.loads((Path(__file__).parent / "budget.toml").read_text(encoding="utf-8"))


def budget(section: str, name: str) -> int:
    """The count of a heavy test, in the column asked for."""
    return int(_COUNTS[section][name][COLUMN])
