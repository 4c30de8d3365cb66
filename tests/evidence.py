"""What heavy tests saw, printed at the end of a run: the lines that go into docs/evidence/ with a release run."""

LINES: list[str] = []


def saw(line: str) -> None:
    """Keeps one line: what was run, with which seed and counts, and the figure that came out."""
    LINES.append(line)
