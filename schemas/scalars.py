"""The single values of the wire contract: how each is checked and written in Avro, in Python and in JSON.

Every kind has the same four translations: `from_wire` and `to_wire` (raw Avro value without its logical type),
`from_json` and `to_json`. The Python value in the middle is canonical: the same fact by file or by Kafka is equal.
"""

import base64
import binascii
import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
_MICROSECOND: Final = timedelta(microseconds=1)

# [0-9], not \d, which also takes the digits of other scripts.
_DECIMAL: Final = re.compile(r"-?([0-9]+)(?:\.([0-9]+))?")
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_INSTANT: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:[0-9]{2})")


class Misfit(ValueError):
    """A value its field cannot hold: the text names the field and says what would fit."""

    def __init__(self, problem: str, field: str = "") -> None:
        super().__init__(problem, field)
        self.problem = problem
        self.field = field

    def __str__(self) -> str:
        return f"{self.field}: {self.problem}" if self.field else self.problem

    def inside(self, outer: str) -> "Misfit":
        """The same complaint, its field named from one level further out."""
        joint = "" if not self.field or self.field.startswith(("[", "(")) else "."
        return Misfit(self.problem, f"{outer}{joint}{self.field}")


def kind_of(value: object) -> str:
    """What a person calls this value in an error message."""
    if value is None:
        return "null"
    names = {bool: "true/false", int: "a number", float: "a number with a point", str: "text", dict: "an object"}
    return names.get(type(value)) or ("a list" if isinstance(value, list) else type(value).__name__)


class Text:
    """Words or a code; never a NUL character, which Postgres cannot keep."""

    def from_wire(self, raw: Any) -> str:
        if "\0" in raw:
            raise Misfit("holds a NUL character")
        return str(raw)

    def to_wire(self, value: Any) -> str:
        if not isinstance(value, str):
            raise Misfit(f"must be text, not {kind_of(value)}")
        if "\0" in value:
            raise Misfit("holds a NUL character")
        if not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError:
                raise Misfit("holds half a surrogate pair, which is no character") from None
        return value

    from_json = to_wire

    def to_json(self, value: Any) -> Any:
        return value


class Whole:
    """A whole number: a count, minutes, or minor units of money."""

    def __init__(self, bits: int) -> None:
        self.bits = bits
        self._bound = 1 << (bits - 1)

    def from_wire(self, raw: Any) -> int:
        # fastavro reads an int as a long.
        if not -self._bound <= raw < self._bound:
            raise Misfit("is out of range")
        return int(raw)

    def to_wire(self, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise Misfit(f"must be a whole number, not {kind_of(value)}")
        return self.from_wire(value)

    from_json = to_wire

    def to_json(self, value: Any) -> Any:
        return value


class Flag:
    """Yes or no."""

    def from_wire(self, raw: Any) -> bool:
        return bool(raw)

    def to_wire(self, value: Any) -> bool:
        if not isinstance(value, bool):
            raise Misfit(f"must be true or false, not {kind_of(value)}")
        return value

    from_json = to_wire

    def to_json(self, value: Any) -> Any:
        return value


class Blob:
    """Bytes, such as a logo; base64 in JSON."""

    def from_wire(self, raw: Any) -> bytes:
        return raw.encode("latin-1") if isinstance(raw, str) else bytes(raw)

    def to_wire(self, value: Any) -> bytes:
        if not isinstance(value, bytes):
            raise Misfit(f"must be bytes, not {kind_of(value)}")
        return value

    def from_json(self, value: Any) -> bytes:
        try:
            return base64.b64decode(value, validate=True)
        except (TypeError, ValueError, binascii.Error):
            raise Misfit("must be base64 text") from None

    def to_json(self, value: Any) -> Any:
        return base64.b64encode(value).decode()


class Day:
    """A calendar day, such as the day work was done."""

    def from_wire(self, raw: Any) -> date:
        try:
            return date.fromordinal(raw + _EPOCH_DAY)
        except (ValueError, OverflowError):
            raise Misfit("is a day outside the years 1 to 9999") from None

    def to_wire(self, value: Any) -> int:
        if isinstance(value, datetime) or not isinstance(value, date):
            raise Misfit(f"must be a date, not {kind_of(value)}")
        return value.toordinal() - _EPOCH_DAY

    def from_json(self, value: Any) -> date:
        try:
            if _DAY.fullmatch(value):
                return date.fromisoformat(value)
        except (TypeError, ValueError):
            pass
        raise Misfit('must be a day such as "2026-05-31"') from None

    def to_json(self, value: Any) -> Any:
        return value.isoformat()


class Instant:
    """A point in time, always aware UTC, to the microsecond."""

    def from_wire(self, raw: Any) -> datetime:
        try:
            return EPOCH + timedelta(microseconds=raw)
        except OverflowError:
            raise Misfit("is an instant outside the years 1 to 9999") from None

    def to_wire(self, value: Any) -> int:
        if not isinstance(value, datetime) or value.tzinfo is None:
            raise Misfit(f"must be an instant with its zone, not {kind_of(value)}")
        return (value - EPOCH) // _MICROSECOND

    def from_json(self, value: Any) -> datetime:
        try:
            if _INSTANT.fullmatch(value):
                return datetime.fromisoformat(value).astimezone(UTC)
        except (TypeError, ValueError, OverflowError):
            pass
        raise Misfit('must be an instant such as "2026-05-31T09:30:00Z"') from None

    def to_json(self, value: Any) -> Any:
        return value.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


@lru_cache(maxsize=65536)
def _decimal(unscaled: int, scale: int) -> Decimal:
    """The shortest plain writing of a rate: 150, not 150.00000000 and not 1.5E+2."""
    while scale and unscaled % 10 == 0:
        unscaled //= 10
        scale -= 1
    digits = tuple(int(digit) for digit in str(abs(unscaled)))
    return Decimal((int(unscaled < 0), digits, -scale))


class Rate:
    """A rate or quantity: an exact decimal of at most `precision` digits, `scale` of them after the point."""

    def __init__(self, precision: int, scale: int) -> None:
        self._precision = precision
        self._scale = scale
        self._bound = 10**precision

    def from_wire(self, raw: Any) -> Decimal:
        if isinstance(raw, str):  # a default in a schema is text, one character a byte
            raw = raw.encode("latin-1")
        # Longer ones fit no 18 digits; stopping here keeps a megabyte from becoming a number.
        if not 0 < len(raw) <= 16:
            raise Misfit("is no decimal: it has no bytes, or too many")
        return self._held(int.from_bytes(raw, "big", signed=True))

    def to_wire(self, value: Any) -> bytes:
        if not isinstance(value, Decimal) or not value.is_finite():
            raise Misfit(f"must be a decimal, not {kind_of(value)}")
        sign, digits, exponent = value.as_tuple()
        if not any(digits):
            return b"\0"
        shift = int(exponent) + self._scale
        if shift < 0 and any(digits[shift:]):
            raise Misfit(f"has more than {self._scale} places")
        if len(digits) + shift > self._precision:
            raise Misfit(f"has more than {self._precision - self._scale} digits before the point")
        unscaled = int("".join(map(str, digits)))
        unscaled = unscaled * 10**shift if shift >= 0 else unscaled // 10**-shift
        return _to_bytes(-unscaled if sign else unscaled)

    def from_json(self, value: Any) -> Decimal:
        if not isinstance(value, str):
            raise Misfit(f'must be a decimal as text such as "150.00", not {kind_of(value)}')
        match = _DECIMAL.fullmatch(value) if len(value) <= 64 else None
        if match is None:
            raise Misfit('must be a decimal such as "150.00", without exponent')
        whole, places = match.group(1), match.group(2) or ""
        if len(places) > self._scale:
            raise Misfit(f"has more than {self._scale} places")
        unscaled = int(whole + places.ljust(self._scale, "0"))
        return self._held(-unscaled if value.startswith("-") else unscaled)

    def to_json(self, value: Any) -> Any:
        return format(value, "f")

    def _held(self, unscaled: int) -> Decimal:
        if not -self._bound < unscaled < self._bound:
            raise Misfit(f"has more than {self._precision - self._scale} digits before the point")
        return _decimal(unscaled, self._scale)


def _to_bytes(unscaled: int) -> bytes:
    magnitude = unscaled if unscaled >= 0 else unscaled + 1
    return unscaled.to_bytes(magnitude.bit_length() // 8 + 1, "big", signed=True)
