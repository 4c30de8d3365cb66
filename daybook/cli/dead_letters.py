"""`daybook dead-letters`: messages that could not be read or trusted: list, look into one, take in after a fix, set aside."""

import base64
from collections.abc import Iterable, Sequence
from itertools import chain, islice
from typing import Annotated, Any

import typer

from daybook.options import FOUND_WRONG, Json, Reason, by, opened

PAGE = 200
MOST_SHOWN = 256

app = typer.Typer(
    name="dead-letters", help="Messages that could not be read or trusted: list, show, replay after a fix, dismiss.",
    invoke_without_command=True,
)  # fmt: skip
Place = Annotated[str, typer.Argument(metavar="TOPIC/PARTITION/OFFSET", help="Where it lies, e.g. daybook.time/3/17.")]


@app.callback()
def listed(
    context: typer.Context,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="At most so many (200; --json: all).")] = None,
    offset: Annotated[int, typer.Option("--offset", min=0, help="Leave out the first so many.")] = 0,
    every: Annotated[bool, typer.Option("--all", help="Also those that were replayed or dismissed.")] = False,
    as_json: Json = False,
) -> None:
    """Those that wait for somebody, oldest first, without what was in them."""
    if context.invoked_subcommand is not None:
        return
    from daybook import showing
    from projections import dead_letters

    most = limit if limit is not None or as_json else PAGE
    with opened() as found, found.database.connection() as connection, connection.cursor() as cursor:
        letters = islice(dead_letters.every(cursor, settled=every), offset, offset + most if most is not None else None)
        if as_json:
            showing.dead_letters_json(letters)
        else:
            showing.dead_letters(list(letters), offset, dead_letters.count(cursor, settled=every))


@app.command()
def show(place: Place, as_json: Json = False) -> None:
    """What was in one: for those who may read the keyring, since its bytes may hold what people wrote."""
    from daybook import printing

    with opened() as found:
        rows = [_opened(one) for one in _at(found, place)]
    if as_json:
        printing.as_json(rows)
        return
    for row in rows:
        printing.table(place, ("", ""), [(name, _text(value)) for name, value in row.items()])


@app.command()
def replay(
    places: Annotated[
        list[str] | None, typer.Argument(metavar="TOPIC/PARTITION/OFFSET...", help="Which: none means all that wait.")
    ] = None,
    only: Annotated[str | None, typer.Option("--only", help="Only those of this reason, e.g. unknown_schema.")] = None,
    reason: Reason = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would become of them; nothing is recorded.")] = False,
    as_json: Json = False,
) -> None:
    """Read them again, after a fix; what can be believed now is recorded, exactly once. Exit code 1 if some stay."""
    from consumers.replay import replay as run
    from daybook import printing
    from ledger import dead_letters

    with opened() as found:
        database, keyring = found.database, found.book.keyring
        given: Iterable[Any] = chain.from_iterable(dead_letters.waiting(database, keyring, only))
        if places:
            if only is not None:
                raise typer.BadParameter("give either places or --only")
            given = [one for place in places for one in _at(found, place)]
        done = [_became(one) for one in run(found.book, given, by(), reason, dry_run=dry_run)]
    if as_json:
        printing.as_json(done)
    else:
        rows = [(row["place"], row["outcome"] or "stays", row["detail"] or "") for row in done]
        printing.table("would become" if dry_run else "replayed", ("Message", "Outcome", "Why it stays"), rows)
    if any(row["outcome"] is None for row in done):
        raise typer.Exit(FOUND_WRONG)


@app.command()
def dismiss(
    places: Annotated[list[str], typer.Argument(metavar="TOPIC/PARTITION/OFFSET...", help="Which.")],
    reason: Annotated[str, typer.Option("--reason", help="Why nothing will come of them; kept with the decision.")],
) -> None:
    """Set some aside for good: what they said came otherwise, or is not wanted."""
    from consumers.replay import dismiss as run
    from runs.errors import Refused

    if not reason.strip():
        raise typer.BadParameter("--reason is empty: say why nothing will come of them")
    with opened() as found:
        letters = [one for place in places for one in _at(found, place)]
        if settled := [str(one.place) for one in letters if one.outcome is not None]:
            raise Refused(f"{', '.join(settled)}: settled already, see `daybook dead-letters --all`")
        count = sum(run(found.book, one, by(), reason.strip()) for one in letters)
    typer.echo(f"dismissed {count}")


def _at(found: Any, given: str) -> Sequence[Any]:
    from ledger import dead_letters
    from runs.errors import NothingThere

    topic, _, rest = given.partition("/")
    partition, _, offset = rest.partition("/")
    if not (topic and partition.isdecimal() and offset.isdecimal()):
        raise typer.BadParameter(f"{given!r} is no place such as daybook.time/3/17: topic, partition, offset")
    letters = dead_letters.at(found.database, found.book.keyring, dead_letters.Place(topic, int(partition), int(offset)))
    if not letters:
        raise NothingThere(f"no dead letter at {given}: see `daybook dead-letters`")
    return letters


def _opened(kept: Any) -> dict[str, Any]:
    one = kept.letter
    return {
        "place": str(kept.place), "reason": one.reason, "error": one.error, "outcome": kept.outcome,
        "recorded_at": kept.recorded_at, "first_seen": one.first_seen, "batch": kept.batch_id, "schema_id": one.schema_id,
        "key": None if one.key is None else one.key.decode(errors="backslashreplace"),
        "bytes": None if one.value is None else len(one.value), **_said(one.value),
        "value_base64": None if one.value is None else base64.b64encode(one.value).decode(),
    }  # fmt: skip


def _said(value: bytes | None) -> dict[str, Any]:
    """The fact, where the bytes can be read and only the envelope cannot be trusted."""
    from schemas.codec import WireError, decode

    try:
        message = decode(value)
    except WireError:
        return {"type": None, "event": None}
    return {"type": message.record, "event": message.fields}


def _text(value: Any) -> str:
    text = "" if value is None else str(value)
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}... ({len(text)} characters; --json shows all)"


def _became(one: Any) -> dict[str, Any]:
    letter = one.letter.letter
    return {
        "place": str(one.letter.place), "topic": letter.topic, "partition": letter.partition, "offset": letter.offset,
        "reason": letter.reason, "outcome": one.outcome, "detail": one.why_not or None,
    }  # fmt: skip
