"""What may change in a published record: nothing that another system already relies on.

Avro's own checker lets a changed decimal scale pass, which would move the point in every price; this one does not.
"""

from collections.abc import Iterator
from typing import Any, Final

_ANNOTATIONS: Final = ("logicalType", "precision", "scale", "size")
_PROMOTIONS: Final = frozenset({("int", "long")})


def check(old: Any, new: Any) -> list[str]:
    """Everything that forbids publishing `new` after `old`; an empty list says it may be published.

    A field may be added with a default, and a union may take another kind. All else stays as it was: a removed or
    renamed field loses what others still send, and a changed default changes what an absent field says.
    """
    return [problem for _, problem in _record_problems(old, new)]


def unreadable(writer: Any, reader: Any) -> list[str]:
    """Why bytes of `writer` cannot be read as `reader` with every value's meaning kept; empty if they can.

    Milder than `check`: another system may leave out fields that have defaults, send more, and use int for long.
    """
    return [problem for severe, problem in _record_problems(writer, reader) if severe]


# Each problem is (severe, text): a severe one changes or loses the meaning of bytes already written.
_Problems = Iterator[tuple[bool, str]]


def _record_problems(old: Any, new: Any) -> _Problems:
    yield from _compare(old, new, "", _named_types(old, {}), _named_types(new, {}))


def _compare(old: Any, new: Any, where: str, olds: dict[str, Any], news: dict[str, Any]) -> _Problems:
    old, new = _resolved(old, olds), _resolved(new, news)
    if isinstance(old, list) or isinstance(new, list):
        yield from _unions(old, new, where, olds, news)
        return
    kind = old["type"]
    if kind != new["type"]:
        promoted = (kind, new["type"]) in _PROMOTIONS and not _annotated(old) and not _annotated(new)
        yield not promoted, f"{where or 'the record'}: type changed from {kind} to {new['type']}"
        return
    for annotation in _ANNOTATIONS:
        before, after = _annotation(old, annotation), _annotation(new, annotation)
        if before != after:
            yield True, f"{where}: {annotation} changed from {before} to {after}"
    match kind:
        case "record":
            yield from _records(old, new, where, olds, news)
        case "array":
            yield from _compare(old["items"], new["items"], f"{where}[]", olds, news)
        case "map":
            yield from _compare(old["values"], new["values"], f"{where}[]", olds, news)
        case "enum":
            gone = [symbol for symbol in old["symbols"] if symbol not in new["symbols"]]
            if gone:
                yield True, f"{where}: symbols removed: {', '.join(gone)}"


def _records(old: Any, new: Any, where: str, olds: dict[str, Any], news: dict[str, Any]) -> _Problems:
    if _short(old["name"]) != _short(new["name"]):
        yield True, f"{where or 'the record'}: renamed from {_short(old['name'])} to {_short(new['name'])}"
    before = {field["name"]: field for field in old["fields"]}
    after = {field["name"]: field for field in new["fields"]}
    for name, field in before.items():
        path = f"{where}.{name}" if where else name
        if name not in after:
            yield False, f"{path}: removed (or renamed)"
            continue
        yield from _compare(field["type"], after[name]["type"], path, olds, news)
        if _default(field) != _default(after[name]):
            yield False, f"{path}: default changed from {_default(field)} to {_default(after[name])}"
    for name, field in after.items():
        if name not in before and "default" not in field:
            yield True, f"{where}.{name}: added without a default" if where else f"{name}: added without a default"


def _unions(old: Any, new: Any, where: str, olds: dict[str, Any], news: dict[str, Any]) -> _Problems:
    branches = {_kind(branch, news): branch for branch in (new if isinstance(new, list) else [new])}
    for branch in old if isinstance(old, list) else [old]:
        kind = _kind(branch, olds)
        if kind in branches:
            yield from _compare(branch, branches[kind], where, olds, news)
        else:
            # A null a reader does not take is found where one is really sent, not here.
            yield kind != "null", f"{where}: {kind} removed from the union"


def _kind(schema: Any, named: dict[str, Any]) -> str:
    schema = _resolved(schema, named)
    kind: str = schema["type"]
    return _short(schema["name"]) if kind in {"record", "enum", "fixed"} else kind


def _resolved(schema: Any, named: dict[str, Any]) -> Any:
    if isinstance(schema, str):
        return named.get(_short(schema), {"type": schema})
    if isinstance(schema, dict) and not isinstance(schema["type"], str):
        return _resolved(schema["type"], named)
    return schema


def _named_types(schema: Any, found: dict[str, Any]) -> dict[str, Any]:
    if isinstance(schema, list):
        for branch in schema:
            _named_types(branch, found)
    elif isinstance(schema, dict):
        if "name" in schema and schema["type"] in {"record", "enum", "fixed"}:
            found[_short(schema["name"])] = schema
        for field in schema.get("fields", ()):
            _named_types(field["type"], found)
        for part in ("items", "values", "type"):
            if isinstance(schema.get(part), dict | list):
                _named_types(schema[part], found)
    return found


def _annotated(schema: dict[str, Any]) -> bool:
    return any(annotation in schema for annotation in _ANNOTATIONS)


def _annotation(schema: dict[str, Any], annotation: str) -> Any:
    # Avro says an unwritten scale is 0.
    absent = 0 if annotation == "scale" and schema.get("logicalType") == "decimal" else None
    return schema.get(annotation, absent)


def _default(field: dict[str, Any]) -> str:
    return repr(field["default"]) if "default" in field else "none"


def _short(name: str) -> str:
    return name.rpartition(".")[2]
