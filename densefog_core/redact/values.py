"""Secrets in values: the type that hides itself, and copies of nested data without what has a secret's name."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from densefog_core.redact.declared import HIDDEN, SHORT, declare, hide_declared
from densefog_core.redact.names import is_secret_key
from densefog_core.redact.text import redact_text

#: Deeper than this nothing is looked at any more: it is hidden.
MAX_DEPTH = 32

#: Members that name a secret, and those that then hold its value: `{"name": "DB_PASSWORD", "value": "x"}`.
_NAMING = frozenset("name key variable header field param parameter option property attribute env".split())
_VALUED = frozenset("value values val content data default".split())


class Secret:
    """A text that shows itself as ``********``: in repr, in formatting, in logs, tables, notices and replies.

    Use it as the type of a parameter; only `reveal` gives the value. It is no ``str``, or whatever treats texts
    specially, a JSON encoder or a database driver, would write it as it is. Made within a call or a job, its value is
    hidden wherever it turns up there: in results, errors, logs and notices.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value
        declare(value)

    def reveal(self) -> str:
        """Return the value."""
        return self._value

    def __len__(self) -> int:
        return len(self._value)

    def __str__(self) -> str:
        return HIDDEN

    def __repr__(self) -> str:
        return f"Secret('{HIDDEN}')"

    def __format__(self, spec: str) -> str:
        return format(HIDDEN, spec)

    def __eq__(self, other: object) -> bool:
        """Compare with a secret or a text in constant time."""
        import hmac

        theirs = other._value if isinstance(other, Secret) else other
        if not isinstance(theirs, str):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), theirs.encode())

    def __hash__(self) -> int:
        return hash(self._value)

    def jsonable(self) -> str:
        """Return what JSON shows."""
        return HIDDEN


def holds_secret(value: object) -> bool:
    """Return whether there is a `Secret` in nested dicts, lists and tuples."""
    if isinstance(value, Mapping):
        return any(map(holds_secret, value.values()))
    return any(map(holds_secret, value)) if isinstance(value, list | tuple) else isinstance(value, Secret)


def is_masked(value: object) -> bool:
    """Return whether a secret was hidden in nested dicts, lists and tuples."""
    if isinstance(value, Mapping):
        return any(map(is_masked, value.values()))
    return any(map(is_masked, value)) if isinstance(value, list | tuple) else isinstance(value, str) and HIDDEN in value


def secrets_in(value: object) -> Iterator[str]:
    """Yield the texts in nested dicts and lists that have the name of a secret and are long enough to be one."""
    yield from _hidden_in(value, redact(value))


def _hidden_in(value: Any, redacted: Any) -> Iterator[str]:  # noqa: ANN401
    if isinstance(value, str):
        if redacted == HIDDEN and len(value) >= SHORT and value != HIDDEN:
            yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _hidden_in(item, HIDDEN if redacted == HIDDEN else redacted[key])
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _hidden_in(item, HIDDEN if redacted == HIDDEN else redacted[index])


def without_values(value: Any, secrets: set[str]) -> Any:  # noqa: ANN401
    """Return nested JSON without these secrets, wherever they turn up; names do not count."""
    if isinstance(value, str):
        return hide_declared(value, secrets)
    if isinstance(value, dict):
        return {key: without_values(item, secrets) for key, item in value.items()}
    return [without_values(item, secrets) for item in value] if isinstance(value, list) else value


def redact(value: Any) -> Any:  # noqa: ANN401
    """Return a copy of ``value`` in which every secret is ``********``; ``value`` itself stays as it is.

    Texts go through `redact_text`. A yes or no under the name of a secret is none.

    Args:
        value: nested dicts, lists, tuples, sets, dataclasses and structs; anything else is returned as it is.
    """
    return _redact(value, MAX_DEPTH)


def _redact(value: Any, depth: int) -> Any:  # noqa: ANN401
    kind = type(value)
    if kind is str:
        return redact_text(value)
    if kind is int or value is None or kind is bool or kind is float:
        return value
    if kind is Secret:
        return HIDDEN
    if not depth:
        return HIDDEN
    if isinstance(value, Mapping):
        return dict(_members(value, depth - 1))
    if isinstance(value, list | tuple):
        return tuple(_items(value, depth - 1)) if isinstance(value, tuple) else list(_items(value, depth - 1))
    if isinstance(value, set | frozenset):
        # What is in it may become a dict, which a set does not take.
        return [_redact(item, depth - 1) for item in value]
    if isinstance(value, msgspec.Struct):
        return _redact(msgspec.structs.asdict(value), depth)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _redact({field.name: getattr(value, field.name) for field in dataclasses.fields(value)}, depth)
    return redact_text(str.__str__(value)) if isinstance(value, str) else value


def _members(value: Mapping[Any, Any], depth: int) -> Iterator[tuple[Any, Any]]:
    named = any(type(key) is str and key.lower() in _NAMING and _is_secret(item) for key, item in value.items())
    for key, item in value.items():
        hidden = type(key) is str and (is_secret_key(key) or (named and key.lower() in _VALUED))
        yield key, HIDDEN if hidden and item is not None and type(item) is not bool else _redact(item, depth)


def _items(value: Sequence[Any], depth: int) -> Iterator[Any]:
    """Yield the items; a secret's name and its value may be a pair, or an option and its argument."""
    before: object = value[0] if len(value) == 2 and type(value[1]) is str and _is_secret(value[0]) else None
    for index, item in enumerate(value):
        hidden = index and type(item) is str and _is_secret(before)
        yield HIDDEN if hidden else _redact(item, depth)
        before = item if len(value) == 2 or (type(item) is str and item.startswith("-")) else None


def _is_secret(name: object) -> bool:
    return type(name) is str and is_secret_key(name)
