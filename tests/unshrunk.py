"""Hypothesis without shrinking: whoever only asks whether a test fails, as `tests.mutants` does, need not wait for the why."""

import os
from typing import Final

from hypothesis import Phase

PHASES: Final = (Phase.explicit, Phase.generate) if os.environ.get("DAYBOOK_TEST_SHRINK") == "0" else tuple(Phase)
"""The phases for `settings(phases=...)` of a test whose shrinking takes minutes."""
