
"""Which kind of type a handler asks for: none, a model that validates itself, or one that densefog walks."""

from __future__ import annotations

import collections.abc
from typing import Any, get_origin

Params = dict[str, Any]


class Unsupported(Exception):
    """A type cannot be a parameter's; the text says why."""


_DICTS = (dict, collections.abc.Mapping, collections.abc.MutableMapping)


def is_untyped(kind: object) -> bool:
    """Return whether an annotation says no more than that the parameters are a dict."""
    return kind is None or kind is Any or kind is object or kind in _DICTS or get_origin(kind) in _DICTS


def is_model(kind: object) -> bool:
    """Return whether a type validates itself as pydantic's models do."""
    return isinstance(kind, type) and callable(getattr(kind, "model_validate", None))


def without_action(params: Params) -> Params:
    """Return the parameters without the member that names the action."""
    return {key: value for key, value in params.items() if key != "action"}
