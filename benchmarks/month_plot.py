"""Draws what `benchmarks.month` printed: how long reading takes, and where a run's time goes.

    python -m benchmarks.month_plot docs/evidence/2026-11-23-issue-4-month.txt benchmarks/month.svg
"""

import json
import sys
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any, Final

WIDTH: Final = 760
LABEL: Final = 300
BAR: Final = 18
COLOUR: Final = "#1f5f8b"
LONGEST_MS: Final = 2_000
"""What takes longer is left to the table: beside it nothing else could be told apart."""


def main() -> None:
    """Reads the printed lines and writes the picture."""
    lines = [json.loads(line) for line in Path(sys.argv[1]).read_text(encoding="utf-8").splitlines() if line.startswith("{")]
    reads = [line for line in lines if "read" in line and line["p95_ms"] <= LONGEST_MS]
    (run,) = [line for line in lines if "stage_shares" in line]
    Path(sys.argv[2]).write_text("\n".join(picture(reads, run)) + "\n", encoding="utf-8")


def picture(reads: list[dict[str, Any]], run: dict[str, Any]) -> Iterator[str]:
    """The lines of the SVG: bars of the readings' medians with a tick at p95, then the stages of a run."""
    shares = {name: share for name, share in run["stage_shares"].items() if share >= 0.005}
    height = 90 + (len(reads) + len(shares)) * (BAR + 6) + 60
    yield f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="12">'
    yield f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>'
    y = 24
    yield _text(10, y, f"Reading {run['invoices']:,} clients' queue: median, and a tick at p95 (ms)", "bold")
    longest = max(one["p95_ms"] for one in reads)
    for one in reads:
        y += BAR + 6
        value = f"{one['p50_ms']:,.0f} / {one['p95_ms']:,.0f}"
        yield from _bar(y, one["read"], one["p50_ms"] / longest, value, one["p95_ms"] / longest)
    y += 48
    yield _text(10, y, "Generate All over HTTP: share of each stage", "bold")
    for name, share in sorted(shares.items(), key=lambda pair: -pair[1]):
        y += BAR + 6
        yield from _bar(y, name, share / max(shares.values()), f"{share:.1%}")
    yield "</svg>"


def _bar(y: int, label: str, length: float, value: str, tick: float | None = None) -> Iterator[str]:
    room = WIDTH - LABEL - 110
    yield _text(LABEL - 8, y + 13, label, anchor="end")
    yield f'<rect x="{LABEL}" y="{y}" width="{max(1, length * room):.0f}" height="{BAR}" fill="{COLOUR}"/>'
    if tick is not None:
        yield f'<rect x="{LABEL + tick * room:.0f}" y="{y}" width="2" height="{BAR}" fill="#222"/>'
    yield _text(LABEL + int(max(length, tick or 0) * room) + 8, y + 13, value)


def _text(x: int, y: int, text: str, weight: str = "normal", anchor: str = "start") -> str:
    return f'<text x="{x}" y="{y}" font-weight="{weight}" text-anchor="{anchor}" fill="#222">{escape(text)}</text>'


if __name__ == "__main__":
    main()
