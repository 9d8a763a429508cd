"""JSON in and out: strict both ways, so that what is stored and sent can be read by anybody."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from densefog_core.redact.values import Secret

#: Deepest nesting of a request body; deeper ones are refused before they cost anything.
MAX_DEPTH = 32

_decode = msgspec.json.Decoder().decode


class InvalidJSON(ValueError):
    """The text is not the strict JSON that densefog takes; the message says why."""


class Limits(NamedTuple):
    """How much may stand in a document of others, at any depth.

    Attributes:
        members: of all objects together.
        elements: of all arrays together.
    """

    members: int
    elements: int


def loads(body: bytes | str, limits: Limits | None = None) -> Any:  # noqa: ANN401
    """Decode one JSON document.

    Refused beside what RFC 8259 refuses: duplicate keys, NaN and infinities, lone surrogates, numbers out of
    range and more than `MAX_DEPTH` levels.

    Args:
        body: the document.
        limits: how much may stand in it; what is beyond is refused before anything is done with it.

    Raises:
        InvalidJSON: the message says what is wrong, and where, without quoting the document.
    """
    try:
        value = _decode(body)
        if limits is not None and _may_exceed(body, limits):
            _check_size(value, limits)
        keys = _count_keys(value, MAX_DEPTH)
    except RecursionError:
        raise InvalidJSON(f"it is nested more than {MAX_DEPTH} levels deep") from None
    except UnicodeDecodeError:
        raise InvalidJSON("it is not UTF-8 text") from None
    except msgspec.DecodeError as exc:
        raise InvalidJSON(_reason(body, str(exc))) from None
    # Each key has its colon: with no more colons than keys there can be no duplicate. Only the rare
    # document with colons inside strings is read a second time.
    if keys != body.count(b":" if isinstance(body, bytes) else ":"):  # type: ignore[arg-type]
        json.loads(body, object_pairs_hook=_unique)
    return value


def _may_exceed(body: bytes | str, limits: Limits) -> bool:
    """Return whether a document has signs enough for more than the limits; most often it is not even long enough."""
    if len(body) <= limits.members and len(body) <= limits.elements:
        return False
    colon, comma, bracket = (b":", b",", b"[") if isinstance(body, bytes) else (":", ",", "[")
    count: Callable[[Any], int] = body.count
    return count(colon) > limits.members or count(comma) + count(bracket) > limits.elements


def _check_size(value: object, limits: Limits) -> None:
    """Refuse a document beyond the limits, having looked at no more of it than they allow."""
    members = elements = 0
    queue = [value]
    for one in queue:
        if type(one) is dict:
            members += len(one)
        elif type(one) is list:
            elements += len(one)
        if members > limits.members:
            raise InvalidJSON(f"it has more than {limits.members} members")
        if elements > limits.elements:
            raise InvalidJSON(f"it has more than {limits.elements} elements")
        if type(one) is dict or type(one) is list:
            inner = one.values() if type(one) is dict else one
            queue += [item for item in inner if type(item) is dict or type(item) is list]


def _count_keys(value: object, depth: int) -> int:
    """Return the number of keys in ``value``; RecursionError when it is deeper than ``depth``."""
    if type(value) is dict:
        if not depth:
            raise RecursionError
        keys = len(value)
        for item in value.values():
            if type(item) is dict or type(item) is list:
                keys += _count_keys(item, depth - 1)
        return keys
    if type(value) is list:
        if not depth:
            raise RecursionError
        return sum(_count_keys(item, depth - 1) for item in value if type(item) is dict or type(item) is list)
    return 0


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    seen = dict(pairs)
    if len(seen) != len(pairs):
        names: set[str] = set()
        # `add` returns None: the first name that is there already is the one that stands twice.
        twice = next(name for name, _ in pairs if name in names or names.add(name))  # type: ignore[func-returns-value]
        raise InvalidJSON(f"the key {twice[:50]!r} stands in it twice")
    return seen


def _reason(body: bytes | str, message: str) -> str:
    """Put msgspec's words into ours where a client needs more than it says."""
    text = body if isinstance(body, bytes) else body.encode("utf-8", "surrogatepass")
    if not text.strip():
        return "it is empty"
    if any(name in text for name in (b"NaN", b"Infinity")) and "invalid character" in message:
        return "NaN and Infinity are not JSON"
    if "truncated" in message and b"\\u" in text:
        return "it is cut off, or a \\u escape is half of a surrogate pair"
    return message.removeprefix("JSON is malformed: ")


def _default(value: object) -> Any:  # noqa: ANN401
    """Turn what `json` does not know into what it does."""
    if hasattr(value, "jsonable"):
        return value.jsonable()
    if isinstance(value, datetime):
        utc = value if value.tzinfo is None else value.astimezone(UTC)
        return utc.strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, UUID | Decimal):
        return str(value)
    if isinstance(value, msgspec.Struct):
        # Under the names that it declares for the wire: `rename` counts.
        return {
            sent: getattr(value, name)
            for name, sent in zip(value.__struct_fields__, value.__struct_encode_fields__, strict=True)
        }
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, Iterable) and not isinstance(value, bytes | bytearray | memoryview):
        return list(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


_compact = json.JSONEncoder(default=_default, allow_nan=False, ensure_ascii=False).encode
_pretty = json.JSONEncoder(ensure_ascii=False, indent=4, sort_keys=True).encode


def dumps_revealed(value: object, found: Callable[[str], object] = lambda secret: None) -> str:
    """Encode ``value`` as `dumps` does, with each `Secret` in it as its value: for what is encrypted.

    Args:
        value: what to encode.
        found: called with the value of each secret.

    Raises:
        TypeError, ValueError: see `dumps`.

    .. versionadded:: 1.0
    """

    def default(value: object) -> Any:  # noqa: ANN401
        if not isinstance(value, Secret):
            return _default(value)
        found(value.reveal())
        return value.reveal()

    text = json.dumps(value, default=default, allow_nan=False, ensure_ascii=False)
    text.encode()
    return text


def dumps(value: object, *, pretty: bool = False) -> str:
    """Encode ``value`` as JSON text.

    A ``.jsonable()`` method wins over everything but the JSON types; datetimes are written as
    ``%Y-%m-%dT%H:%M:%SZ`` (naive ones are UTC), sets, tuples and generators as arrays.

    Args:
        value: what to encode.
        pretty: 4 spaces of indent and sorted keys.

    Raises:
        TypeError: something in it is not JSON.
        ValueError: a NaN or an infinity, half of a surrogate pair, or a structure that contains itself.
    """
    text = _compact(value)
    if pretty:
        # Its keys are texts by now: numbers and texts cannot be sorted together.
        text = _pretty(json.loads(text))
    if not text.isascii():
        # It is UTF-8 that leaves; what cannot be written so must fail here, where its origin is known.
        text.encode()
    return text
