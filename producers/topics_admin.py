"""The topics an installation needs, made once and never quietly different from what the books rely on."""

from dataclasses import dataclass
from typing import Any, Final

from kafka import KafkaAdminClient
from kafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from schemas.topics import ALL_TOPICS, COMPACTED

DEFAULT_PARTITIONS: Final = 12
_ANSWER_WITHIN_MS: Final = 10_000
# The ledger is the store of record, but a fact that Kafka drops before it is read is lost: keep facts for ever.
_KEPT: Final = {"cleanup.policy": "delete", "retention.ms": "-1"}
_COMPACTED: Final = {"cleanup.policy": "compact"}


class TopicsError(Exception):
    """The topics cannot be as they must be; the text says which, why, and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Topics:
    """What a run of `create_topics` found: the names it made, and those that were there already as wanted."""

    created: tuple[str, ...]
    existing: tuple[str, ...]


def create_topics(bootstrap: str, partitions: int = DEFAULT_PARTITIONS, replication: int = 1) -> Topics:
    """Make every topic that is missing; TopicsError, before anything is made, if one has other partitions.

    All topics have the same number of partitions, so that one client's facts of every kind meet in one worker.
    """
    if partitions < 1 or replication < 1:
        raise TopicsError("partitions and replication must be at least 1")
    try:
        admin = KafkaAdminClient(bootstrap_servers=bootstrap.split(","), bootstrap_timeout_ms=_ANSWER_WITHIN_MS)
    except KafkaError as error:
        raise TopicsError(f"no Kafka broker answers at {bootstrap}: start it, or correct the address") from error
    try:
        found = _partitions_of(admin)
        _refuse_other_partitions(found, partitions)
        missing = [topic for topic in ALL_TOPICS if topic not in found]
        created = _create(admin, missing, partitions, replication) if missing else ()
    except KafkaError as error:
        raise TopicsError(f"Kafka at {bootstrap} did not answer as expected: {error!r}") from error
    finally:
        admin.close()
    return Topics(created=created, existing=tuple(topic for topic in ALL_TOPICS if topic not in created))


def _partitions_of(admin: KafkaAdminClient) -> dict[str, int]:
    present = set(admin.list_topics())
    wanted = [topic for topic in ALL_TOPICS if topic in present]
    return {t["name"]: len(t["partitions"]) for t in admin.describe_topics(wanted)} if wanted else {}


def _refuse_other_partitions(found: dict[str, int], partitions: int) -> None:
    other = sorted(f"{topic} has {count}" for topic, count in found.items() if count != partitions)
    if other:
        raise TopicsError(
            f"asked for {partitions} partitions, but {', '.join(other)}. Nothing was changed: a topic's partitions decide"
            " where a client's facts lie, and changing them breaks their order. Ask for the number that is there, or"
            " delete the topics if they hold nothing yet."
        )


def _create(admin: KafkaAdminClient, names: list[str], partitions: int, replication: int) -> tuple[str, ...]:
    wanted: dict[str, dict[str, Any]] = {
        name: {
            "num_partitions": partitions,
            "replication_factor": replication,
            "configs": _COMPACTED if name in COMPACTED else _KEPT,
        }
        for name in names
    }
    answer = admin.create_topics(wanted, timeout_ms=_ANSWER_WITHIN_MS, raise_errors=False)
    created = []
    for topic in answer["topics"]:
        error = for_code(topic["error_code"])
        if topic["error_code"] == 0:
            created.append(topic["name"])
        elif error is not TopicAlreadyExistsError:
            raise TopicsError(f"the topic {topic['name']} was not made: {topic['error_message'] or error.__name__}")
    admin.wait_for_topics(names, timeout_ms=_ANSWER_WITHIN_MS)
    # Another run may have made some of them at the same moment, with another number.
    _refuse_other_partitions(_partitions_of(admin), partitions)
    return tuple(sorted(created))
