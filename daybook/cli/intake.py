"""Facts in: from files, and to and from Kafka."""

from pathlib import Path
from typing import Annotated

import typer

from daybook.options import FOUND_WRONG, Json, opened

app = typer.Typer()


@app.command()
def ingest(paths: list[Path], as_json: Json = False) -> None:
    """Take facts from Avro container files or JSON lines, through the same path as Kafka; repeats are harmless."""
    from daybook import feeding, printing

    _existing(paths)
    with opened() as found:
        fed = feeding.ingest_files(found, paths)
        found.views.catch_up()
    totals = fed.totals
    result = {
        "facts": fed.facts,
        "recorded": totals.recorded,
        "repeats": totals.repeats,
        "dead_letters": totals.dead_letters,
        "bad": len(fed.bad),
    }
    if as_json:
        printing.as_json([result])
    else:
        nouns = {"facts": "fact", "repeats": "repeat", "dead_letters": "dead letter"}
        typer.echo(", ".join(printing.counted(n, nouns[name]) if name in nouns else f"{n} {name}" for name, n in result.items()))
    for bad in fed.bad[:20]:
        printing.notice(bad.error)
    if totals.dead_letters:
        printing.notice("some could not be read or trusted: `daybook dead-letters` says which and why")
    if fed.bad:
        left_out = printing.counted(len(fed.bad), "bad line")
        printing.notice(f"{left_out} left out, nothing of that recorded: mend the file and ingest it again")
        raise typer.Exit(FOUND_WRONG)


def _existing(paths: list[Path]) -> None:
    for path in paths:
        if not path.is_file():
            raise FileNotFoundError(f"{path}: no such file")


@app.command()
def produce(paths: list[Path]) -> None:
    """Produce the same files to Kafka, in the wire format."""
    from daybook import feeding, printing
    from producers.kafka_files import produce as run
    from schemas.files import count

    _existing(paths)
    fed = feeding.Fed()
    with feeding.progress_bar("producing", sum(count(path) for path in paths)) as advance:
        counts = run(feeding.facts_of(paths, fed), _kafka(), feeding.running_total(advance))
    for record, n in sorted(counts.items()):
        typer.echo(f"{n:>8} {record}")
    for bad in fed.bad[:20]:
        printing.notice(bad.error)
    if fed.bad:
        raise typer.Exit(FOUND_WRONG)


def _kafka() -> str:
    from daybook.settings import SettingsError, load

    bootstrap = load().kafka
    if bootstrap is None:
        raise SettingsError("DAYBOOK_KAFKA is not set: give the broker's address, e.g. 127.0.0.1:9092")
    return bootstrap


@app.command()
def topics(
    partitions: Annotated[int, typer.Option(help="Partitions of each topic.")] = 12,
    replication: Annotated[int, typer.Option(help="Copies of each partition.")] = 1,
) -> None:
    """Create the topics of the wire contract."""
    from daybook.printing import notice
    from producers.topics_admin import TopicsError, create_topics

    try:
        made = create_topics(_kafka(), partitions, replication)
    except TopicsError as error:
        notice(f"daybook: {error}")
        raise typer.Exit(FOUND_WRONG) from None
    for name in made.created:
        typer.echo(f"created {name}")
    for name in made.existing:
        typer.echo(f"exists  {name}")
