"""What a change would bill or credit, before it is made."""

from pathlib import Path
from typing import Annotated, Any

import typer

from daybook.options import FOUND_WRONG, AsOf, Json, day_of, opened

app = typer.Typer()


@app.command()
def preview(
    file: Annotated[Path, typer.Argument(help="Facts as for `ingest`: JSON lines or an Avro container file.")],
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """What the facts of a file would bill or credit if they were taken in now; nothing is recorded."""
    from daybook import printing, rehearsing

    if not file.is_file():
        raise FileNotFoundError(f"{file}: no such file")
    bad: list[Any] = []
    facts = rehearsing.read_files([file], bad)
    with opened() as found:
        result = rehearsing.rehearse(found, facts, found.as_of(day_of(as_of)))
    if as_json:
        printing.as_json([result])
    else:
        _show(result)
    for one in bad[:20]:
        printing.notice(one.error)
    if bad:
        printing.notice(f"{printing.counted(len(bad), 'bad line')} left out of the preview: mend the file and try again")
        raise typer.Exit(FOUND_WRONG)


def _show(result: Any) -> None:
    from daybook import printing

    def figure(minor: int | None, currency: str) -> str:
        return "" if minor is None else printing.money(minor, currency)

    printing.say(f"As of {result.as_of}")
    if not result.lines:
        printing.say("no line appears, goes or changes")
    else:
        rows = [
            (
                one.client_name, one.item_key, one.description,
                str(one.service_from) if one.service_from == one.service_to else f"{one.service_from} to {one.service_to}",
                figure(one.before_minor, one.currency), figure(one.after_minor, one.currency),
                figure(one.difference_minor, one.currency),
                " ".join(
                    [one.change, *(["(held)"] if one.held else [])]
                    + ([f"corrects {one.corrects['number']} line {one.corrects['line_no']}"] if one.corrects else [])
                ),
            )
            for one in result.lines
        ]  # fmt: skip
        columns = ("Client", "Item", "Description", "Served", "Before", "After", "Difference", "What")
        printing.table("Lines", columns, rows, right=("Before", "After", "Difference"))
    for one in result.sums:
        printing.say(
            f"{one.client_name}: {figure(one.before_minor, one.currency)} -> {figure(one.after_minor, one.currency)}"
            f" (bills {figure(one.billed_minor, one.currency)}, credits {figure(-one.credited_minor, one.currency)})"
        )
    for one in result.waiting:
        now = f"would wait: {one.reason}" if one.reason else f"would no longer wait ({one.reason_before})"
        printing.say(f"{one.client_id}: {one.what} {one.id} {now}")
    if result.repeats:
        printing.say(f"{printing.counted(result.repeats, 'fact')} in the book already: nothing changes by it")
    if result.left_out:
        printing.say(f"and {printing.counted(result.left_out, 'more client')} that this touches, not looked at")
