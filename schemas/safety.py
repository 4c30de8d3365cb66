"""Keeps a schema from being a weapon: a six-byte message must not become a gigabyte."""

from typing import Any, Final

_PRIMITIVES: Final = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})
_FIXED_WIDTH: Final = {"null": 0, "float": 4, "double": 8}


class UnsafeSchema(ValueError):
    """A schema Daybook refuses to decode by: a tiny message under it could fill the memory or the stack."""


def refuse_unsafe(schema: Any) -> None:
    """UnsafeSchema where list or map items take no bytes on the wire, or where a record holds itself."""
    _least_bytes(schema, "", {}, "the schema")


def _least_bytes(schema: Any, namespace: str, known: dict[str, int | None], where: str) -> int:
    """The fewest bytes a value takes; `known` holds None for a record still being looked into."""
    if isinstance(schema, list):
        # The branch's number is a byte itself.
        return 1 + min((_least_bytes(branch, namespace, known, where) for branch in schema), default=0)
    if isinstance(schema, str):
        return _named(schema, namespace, known, where)
    match schema["type"]:
        case "array" | "map" as kind:
            items = schema["items" if kind == "array" else "values"]
            if _least_bytes(items, namespace, known, where) == 0:
                raise UnsafeSchema(f"{where}: the items of this {kind} take no bytes, so any number of them is free")
            return 1
        case "record" | "error":
            return _record(schema, namespace, known)
        case "fixed":
            known[_full_name(schema, namespace)] = max(0, schema["size"])
            return max(0, int(schema["size"]))
        case "enum":
            known[_full_name(schema, namespace)] = 1
            return 1
        case kind:
            return _least_bytes(kind, namespace, known, where)


def _record(schema: dict[str, Any], namespace: str, known: dict[str, int | None]) -> int:
    name = _full_name(schema, namespace)
    namespace = name.rpartition(".")[0]
    known[name] = None
    least = sum(_least_bytes(f["type"], namespace, known, f"{name}.{f['name']}") for f in schema["fields"])
    known[name] = least
    return least


def _named(name: str, namespace: str, known: dict[str, int | None], where: str) -> int:
    if name in _PRIMITIVES:
        return _FIXED_WIDTH.get(name, 1)
    full_name = name if "." in name or not namespace else f"{namespace}.{name}"
    if full_name not in known:
        raise UnsafeSchema(f"{where}: {full_name} is not defined before it is used")
    least = known[full_name]
    if least is None:
        raise UnsafeSchema(f"{where}: {full_name} holds itself, so that a message may nest without end")
    return least


def _full_name(schema: dict[str, Any], namespace: str) -> str:
    name: str = schema["name"]
    space = schema.get("namespace", namespace)
    return name if "." in name or not space else f"{space}.{name}"
