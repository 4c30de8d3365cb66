"""When a fact is news: recorded once, ignored when it is repeated, in conflict when its id comes with another body."""

from enum import Enum


class Heard(Enum):
    """What a fact turns out to be on its own stream."""

    NEW = "new"
    REPEAT = "repeat"
    CONFLICT = "conflict"


def hear(known: bool, same_body: bool | None) -> Heard:
    """Decides on a fact: `known` if its event id stands on the stream, `same_body` null where nobody can tell any more.

    Facts already happened: nothing else about them is judged here, so that no order of arrival can matter.
    """
    if not known:
        return Heard.NEW
    # After an erasure the old body cannot be compared: the first stored stands, and the fact counts as its repeat.
    return Heard.CONFLICT if same_body is False else Heard.REPEAT
