"""How many invoices a second are made as PDF, beside what typst alone makes of the same data.

    python -m benchmarks.paper [--rounds 5] [--documents 40]

Rounds are interleaved: (daybook) from the issued document and its parties to bytes; (typst alone) the compiler with the very
JSON that the template reads, made beforehand. typst remembers what it laid out, so no document is made twice: each has
a number and quantities of its own. Prints PDFs/s of one process, median and range, CPU ms a document, and the ratio.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import typst

from producers.paper.printer import FONTS, HERE, Printer
from producers.paper.sheet import Sheet, sheet_of
from tests.producers.papers import clear, document, line, parties

SIZES = (1, 20, 500)
BETWEEN = parties(name="VAT 20 %")


def issued(lines: int, serial: int) -> dict[str, Any]:
    """A document like no other: work of several lengths on several days, and a fee."""
    worked = [
        line(n, quantity=Decimal((serial * 31 + n * 7) % 480 + 15) / 60, service_from=day, service_to=day)
        for n in range(1, lines + 1)
        for day in [date(2026, 5, n % 28 + 1)]
    ]
    return document(worked, number=f"INV-{serial:06d}")


def daybook(printer: Printer, documents: list[dict[str, Any]]) -> Callable[[], int]:
    """Makes them as Daybook does; gives how many bytes that were."""
    return lambda: sum(len(printer.printed(sheet_of(one, BETWEEN, clear)).pdf) for one in documents)


def typst_alone(printer: Printer, documents: list[dict[str, Any]]) -> Callable[[], int]:
    """Makes them by the compiler alone."""
    fonts = typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[FONTS])
    compiler = typst.Compiler(HERE / "invoice.typ", root=HERE, font_paths=fonts, ignore_system_fonts=True)
    read = [data_of(printer, sheet_of(one, BETWEEN, clear)) for one in documents]

    def made(data: str) -> int:
        at = datetime(2026, 5, 31, tzinfo=UTC)
        pdf = compiler.compile(format="pdf", sys_inputs={"data": data}, pdf_standards="ua-1", timestamp=at)
        assert isinstance(pdf, bytes)
        return len(pdf)

    return lambda: sum(map(made, read))


def data_of(printer: Printer, sheet: Sheet) -> str:
    """The JSON that the template reads."""
    return json.dumps(printer._content(sheet, ())[0], ensure_ascii=False)


def main() -> None:
    """Prints a line for each size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--documents", type=int, default=40)
    given = parser.parse_args()
    printer = Printer()
    serial = iter(range(1, 10_000_000))
    for lines in SIZES:
        count = max(2, given.documents // (1 if lines < 100 else 10))
        speeds: dict[str, list[float]] = {"daybook": [], "typst alone": []}
        cpu: dict[str, list[float]] = {"daybook": [], "typst alone": []}
        for number in range(given.rounds + 1):
            order = [("daybook", daybook), ("typst alone", typst_alone)]
            for name, way in order if number % 2 else reversed(order):
                run = way(printer, [issued(lines, next(serial)) for _ in range(count)])
                wall, spent = time.perf_counter(), time.process_time()
                size = run()
                wall, spent = time.perf_counter() - wall, time.process_time() - spent
                if number:  # the first round warms up
                    speeds[name].append(count / wall)
                    cpu[name].append(1000 * spent / count)
        told = "; ".join(
            f"{name} {statistics.median(of):.1f}/s ({min(of):.1f}-{max(of):.1f}), {statistics.median(cpu[name]):.1f} ms CPU"
            for name, of in speeds.items()
        )
        ratio = statistics.median(a / b for a, b in zip(speeds["daybook"], speeds["typst alone"], strict=True))
        print(f"{lines} lines, {count} documents x {given.rounds}: {told}; ratio {ratio:.2f}; {size // count // 1024} KiB each")


if __name__ == "__main__":
    main()
