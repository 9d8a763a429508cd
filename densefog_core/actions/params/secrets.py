"""Which members of an action's parameters its type, or its JSON Schema, declares to be secrets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

#: Keywords whose schemas say what stands at the same place, or inside an array or a map there.
_SAME = ("anyOf", "oneOf", "allOf", "prefixItems")
_INSIDE = ("items", "additionalProperties", "not", "if", "then", "else")


def secret_finder(schema: dict[str, Any]) -> Callable[[dict[str, Any]], Iterator[str]] | None:
    """Return what finds the secrets in parameters, valid or not; None when the schema declares none.

    A member is a secret whose schema has ``"format": "password"``, as that of a `Secret` has, wherever it stands.
    """
    names = frozenset(_secret_names(schema))
    return (lambda params: _found(params, names)) if names else None


def _secret_names(schema: Any) -> Iterator[str]:  # noqa: ANN401
    if isinstance(schema, list):
        for one in schema:
            yield from _secret_names(one)
    elif isinstance(schema, dict):
        members = schema.get("properties")
        if isinstance(members, dict):
            yield from (name for name, member in members.items() if _is_secret(member))
        for one in schema.values():
            yield from _secret_names(one)


def _is_secret(schema: Any) -> bool:  # noqa: ANN401
    if not isinstance(schema, dict):
        return False
    same = [one for key in _SAME if isinstance(schema.get(key), list) for one in schema[key]]
    return schema.get("format") == "password" or any(map(_is_secret, [*same, *(schema.get(key) for key in _INSIDE)]))


def _found(value: Any, names: frozenset[str]) -> Iterator[str]:  # noqa: ANN401
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(item) if key in names else _found(item, names)
    elif isinstance(value, list):
        for item in value:
            yield from _found(item, names)


def _texts(value: Any) -> Iterator[str]:  # noqa: ANN401
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)
