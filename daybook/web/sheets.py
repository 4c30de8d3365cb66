"""Lists as CSV, for people who go on in a spreadsheet: no cell can become a formula, and money is in whole units."""

import csv
import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from fastapi.responses import Response

from daybook.printing import clean, decimal, plain
from domain.money import minor_digits

MEDIA_TYPE: Final = "text/csv"
MOST_ROWS: Final = 100_000
"""More than a person reads in a spreadsheet, and about as much as one opens without pain."""

# A spreadsheet takes a cell for a formula by its first sign. A cell may also begin behind a semicolon or a line's end: a
# spreadsheet of a country that writes 1,50 parts cells by semicolons and knows our quotes only at a line's beginning.
_FORMULA: Final = re.compile(r"(^|[;\n])(?=[\s\u200b\u2060\ufeff]*[=+\-@＝＋－＠])")  # the full-width forms count as well
_LINE_END: Final = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class Sheet:
    """A list's columns. One that is not in a row but with `_minor` behind it is money, shown with its currency's places."""

    name: str
    columns: tuple[str, ...]


def _sheet(name: str, columns: str) -> Sheet:
    return Sheet(name, tuple(columns.split()))


QUEUE: Final = _sheet("queue", "client_id client_name currency types hours net lines unapproved_minutes held held_lines")
LINES: Final = _sheet(
    "queue-lines",
    "client_id client_name item_key description charge_type service_from service_to quantity unit unit_price currency net"
    " corrects held_by held_at hold_reason rule",
)
INVOICES: Final = _sheet(
    "invoices", "number kind client_id client_name currency issued_on due_on net tax total outstanding status"
)
BALANCES: Final = _sheet(
    "balances",
    "client_id client_name currency outstanding overdue unapplied current days_1_30 days_31_60 days_61_90 days_over_90",
)
PAYMENTS: Final = _sheet(
    "payments",
    "client_id client_name payment_id received_on received_at currency amount surcharge fee method provider provider_ref"
    " invoice_numbers pays applied returned unapplied waiting",
)
TIME_ENTRIES: Final = _sheet(
    "time-entries",
    "client_id time_entry_id revision status ticket_id project_id contract_id agent_id approver_id charge_type worked_on"
    " started_at ended_at worked_minutes deducted_minutes billable_minutes note waiting waiting_since",
)
WAITING: Final = _sheet("waiting", "client_id what id reason since minutes served_on")
DEAD_LETTERS: Final = _sheet("dead-letters", "topic partition offset reason error schema_id first_seen")


def sheet(of: Sheet, rows: Iterable[Any]) -> Response:
    """The rows as a file to download: RFC 4180 in UTF-8, with the mark by which spreadsheets know that it is UTF-8."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(of.columns)
    for row in rows:
        given = row if isinstance(row, dict) else asdict(row)
        writer.writerow([cell(_value(given, name)) for name in of.columns])
    return Response(
        text.getvalue().encode("utf-8-sig", "replace"),
        media_type=MEDIA_TYPE,  # Starlette adds the character set
        headers={"content-disposition": f'attachment; filename="{of.name}.csv"'},
    )


def _value(row: Mapping[str, Any], name: str) -> Any:
    if name in row:
        return row[name]
    minor = row[f"{name}_minor"]
    digits = minor_digits(row["currency"])
    return Money(f"{Decimal(minor).scaleb(-digits):.{digits}f}")


class Money(str):
    """An amount that was written out already: a number, whatever its sign."""

    __slots__ = ()


def cell(value: Any) -> str:
    """One cell: numbers stay numbers, text stays text."""
    match value:
        case None:
            return ""
        case Money():
            return value
        case bool():
            return "yes" if value else "no"
        case int():
            return str(value)
        case Decimal():
            return decimal(value)
        case date() | datetime():
            return str(plain(value))
        case tuple() | list():
            return text_cell(" + ".join(map(str, value)))
        case _:
            return text_cell(str(value))


def text_cell(text: str) -> str:
    """Text that no spreadsheet calculates and that steers no terminal; an apostrophe in front says that it is text."""
    lines = "\n".join(clean(line) for line in _LINE_END.split(text))
    return _FORMULA.sub(r"\1'", lines)
