"""Lists, maps, unions and records of the wire contract: how each is checked and written in Avro, Python and JSON."""

import copy
from collections.abc import Callable
from operator import itemgetter
from typing import Any, Protocol

from schemas.scalars import Blob, Flag, Misfit, Rate, Text, Whole, kind_of


class Shape(Protocol):
    """How one kind of value is read and written: raw Avro, Python, JSON."""

    def from_wire(self, raw: Any) -> Any:
        """The Python value of a raw Avro value; Misfit if it means nothing."""

    def to_wire(self, value: Any) -> Any:
        """The raw Avro value of a Python value; Misfit if it does not fit."""

    def from_json(self, value: Any) -> Any:
        """The Python value of a JSON value; Misfit if it does not fit."""

    def to_json(self, value: Any) -> Any:
        """The JSON value of a Python value."""


class ListOf:
    """Several of one kind, in order."""

    def __init__(self, item: Shape) -> None:
        self.item = item

    def from_wire(self, raw: Any) -> list[Any]:
        return _each(raw, self.item.from_wire)

    def to_wire(self, value: Any) -> list[Any]:
        return _each(_listed(value), self.item.to_wire)

    def from_json(self, value: Any) -> list[Any]:
        return _each(_listed(value), self.item.from_json)

    def to_json(self, value: Any) -> list[Any]:
        return [self.item.to_json(item) for item in value]


def _listed(value: Any) -> Any:
    if not isinstance(value, list | tuple):
        raise Misfit(f"must be a list, not {kind_of(value)}")
    return value


def _each(values: Any, translate: Callable[[Any], Any]) -> list[Any]:
    result = []
    for index, value in enumerate(values):
        try:
            result.append(translate(value))
        except Misfit as misfit:
            raise misfit.inside(f"[{index}]") from None
    return result


class MapOf:
    """Values by name, such as a rate for each currency; written in the order of the names, so that equal is equal."""

    def __init__(self, value: Shape) -> None:
        self.value = value

    def from_wire(self, raw: Any) -> dict[str, Any]:
        return _by_name(raw, self.value.from_wire)

    def to_wire(self, value: Any) -> dict[str, Any]:
        return _by_name(value, self.value.to_wire)

    def from_json(self, value: Any) -> dict[str, Any]:
        return _by_name(value, self.value.from_json)

    def to_json(self, value: Any) -> dict[str, Any]:
        return _by_name(value, self.value.to_json)


_NAME = Text()


def _by_name(values: Any, translate: Callable[[Any], Any]) -> dict[str, Any]:
    if not isinstance(values, dict):
        raise Misfit(f"must be an object, not {kind_of(values)}")
    result = {}
    for name in sorted(map(_NAME.to_wire, values)):
        try:
            result[name] = translate(values[name])
        except Misfit as misfit:
            raise misfit.inside(f"[{name}]") from None
    return result


class Optional:
    """A value that may be absent."""

    def __init__(self, inner: Shape) -> None:
        self.inner = inner

    def from_wire(self, raw: Any) -> Any:
        return None if raw is None else self.inner.from_wire(raw)

    def to_wire(self, value: Any) -> Any:
        return None if value is None else self.inner.to_wire(value)

    def from_json(self, value: Any) -> Any:
        return None if value is None else self.inner.from_json(value)

    def to_json(self, value: Any) -> Any:
        return None if value is None else self.inner.to_json(value)


class OneOf:
    """A value of one of several kinds: text or an object, or records told apart by their "type"."""

    def __init__(self, members: list[Shape]) -> None:
        self.records = {member.name: member for member in members if isinstance(member, RecordOf)}
        self.text = next((member for member in members if isinstance(member, Text)), None)
        self.map = next((member for member in members if isinstance(member, MapOf)), None)
        known = len(self.records) + (self.text is not None) + (self.map is not None)
        # One record beside others carries no type on the wire reader's side; no contract has needed it.
        if known != len(members) or len(self.records) == 1 or (self.records and self.map):
            raise ValueError("a union of these kinds cannot be told apart in JSON")

    def from_wire(self, raw: Any) -> Any:
        if isinstance(raw, tuple):
            name = raw[0].rpartition(".")[2]
            try:
                return {"type": name, **self.records[name].from_wire(raw[1])}
            except Misfit as misfit:
                raise misfit.inside(f"({name})") from None
        member = self.text if isinstance(raw, str) else self.map
        if member is None:
            raise Misfit("is of a kind this field does not take")
        return member.from_wire(raw)

    def to_wire(self, value: Any) -> Any:
        member = self._member(value)
        if isinstance(member, RecordOf):
            return (member.full_name, _typed(member, member.to_wire, value))
        return member.to_wire(value)

    def from_json(self, value: Any) -> Any:
        member = self._member(value)
        if isinstance(member, RecordOf):
            return {"type": member.name, **_typed(member, member.from_json, value)}
        return member.from_json(value)

    def to_json(self, value: Any) -> Any:
        member = self._member(value)
        if isinstance(member, RecordOf):
            return {"type": member.name, **member.to_json(value)}
        return member.to_json(value)

    def _member(self, value: Any) -> "Text | MapOf | RecordOf":
        if isinstance(value, str) and self.text is not None:
            return self.text
        if isinstance(value, dict) and self.map is not None:
            return self.map
        if not self.records:
            raise Misfit(f"must be text or an object, not {kind_of(value)}")
        if not isinstance(value, dict):
            raise Misfit(f"must be an object, not {kind_of(value)}")
        name = value.get("type")
        if not isinstance(name, str) or name not in self.records:
            raise Misfit(f"must be one of {', '.join(self.records)}", "type")
        return self.records[name]


def _typed(member: "RecordOf", translate: Callable[[Any], Any], value: dict[str, Any]) -> Any:
    try:
        return translate({name: part for name, part in value.items() if name != "type"})
    except Misfit as misfit:
        raise misfit.inside(f"({member.name})") from None


class Field:
    """One named value of a record, and what stands in for it where it is absent."""

    def __init__(self, name: str, shape: Shape, default: tuple[Any] | None) -> None:
        self.name = name
        self.shape = shape
        self.required = default is None
        # Kept in Avro's own form; made anew each time, so that no two facts share a list.
        self._raw = complete(shape, default[0]) if default else None
        self._fixed = None if default is None else shape.from_wire(copy.deepcopy(self._raw))
        self._shared = not isinstance(self._fixed, list | dict)

    def default(self) -> Any:
        """The value of an absent field."""
        if self.required:
            raise Misfit("is required", self.name)
        return self._fixed if self._shared else copy.deepcopy(self._fixed)

    def raw(self) -> Any:
        """The same, as Avro writes it."""
        if self.required:
            raise Misfit("is required", self.name)
        return self._raw


class RecordOf:
    """A record: its fields in order, with every absent one defaulted and every unknown one refused."""

    def __init__(self, full_name: str, fields: list[Field]) -> None:
        self.full_name = full_name
        self.name = full_name.rpartition(".")[2]
        self.fields = fields
        self._names = frozenset(field.name for field in fields)
        # Reading is the hot path: texts are searched for NUL all at once, and only the rest is converted one by one.
        self._texts = picker([field.name for field in fields if _is_text(field.shape)])
        self._rest = [
            (field.name, field.shape.inner.from_wire if isinstance(field.shape, Optional) else field.shape.from_wire)
            for field in fields
            if not _is_text(field.shape) and not _needs_nothing(field.shape)
        ]

    def from_wire(self, raw: Any) -> dict[str, Any]:
        """Converted in place: `raw` was just decoded and belongs to nobody else."""
        if "\0" in "".join(filter(None, self._texts(raw))):
            names = [name for name, value in raw.items() if isinstance(value, str) and "\0" in value]
            raise Misfit("holds a NUL character", names[0])
        name = ""
        try:
            for name, convert in self._rest:
                value = raw[name]
                if value is not None:
                    raw[name] = convert(value)
        except Misfit as misfit:
            raise misfit.inside(name) from None
        fields: dict[str, Any] = raw
        return fields

    def to_wire(self, value: Any) -> dict[str, Any]:
        return self._walk(value, lambda field: field.raw(), lambda field: field.shape.to_wire)

    def from_json(self, value: Any) -> dict[str, Any]:
        return self._walk(value, lambda field: field.default(), lambda field: field.shape.from_json)

    def to_json(self, value: Any) -> dict[str, Any]:
        return {
            field.name: field.shape.to_json(value[field.name] if field.name in value else field.default())
            for field in self.fields
        }

    def _walk(
        self, value: Any, absent: Callable[[Field], Any], translate: Callable[[Field], Callable[[Any], Any]]
    ) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise Misfit(f"must be an object, not {kind_of(value)}")
        result = {}
        for field in self.fields:
            if field.name not in value:
                result[field.name] = absent(field)
                continue
            try:
                result[field.name] = translate(field)(value[field.name])
            except Misfit as misfit:
                raise misfit.inside(field.name) from None
        unknown = [name for name in value if name not in self._names]
        if unknown:
            raise Misfit(f"is not a field of {self.name}", str(unknown[0])[:128])
        return result


def picker(names: list[str]) -> Callable[[dict[str, Any]], tuple[Any, ...]]:
    """Takes these fields out of a record as a tuple, however many they are."""
    if not names:
        return lambda _: ()
    if len(names) == 1:
        only = names[0]
        return lambda fields: (fields[only],)
    return itemgetter(*names)


def _is_text(shape: Shape) -> bool:
    return isinstance(shape.inner if isinstance(shape, Optional) else shape, Text)


def _needs_nothing(shape: Shape) -> bool:
    inner = shape.inner if isinstance(shape, Optional) else shape
    return isinstance(inner, Flag) or (isinstance(inner, Whole) and inner.bits == 64)


def complete(shape: Shape, value: Any) -> Any:
    """A schema's default, or a value that holds some, in the decoder's form: bytes as bytes, nested records whole."""
    match shape:
        case Optional():
            return None if value is None else complete(shape.inner, value)
        case Rate() | Blob():
            return value.encode("latin-1") if isinstance(value, str) else value
        case ListOf():
            return [complete(shape.item, item) for item in value]
        case MapOf():
            return {name: complete(shape.value, item) for name, item in value.items()}
        case RecordOf():
            return {
                field.name: complete(field.shape, value[field.name]) if field.name in value else copy.deepcopy(field.raw())
                for field in shape.fields
            }
        case OneOf() if isinstance(value, tuple):
            return (value[0], complete(shape.records[value[0].rpartition(".")[2]], value[1]))
    return value
