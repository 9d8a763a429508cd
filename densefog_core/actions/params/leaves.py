# ruff: noqa: ANN401 - the values of requests are of any type
"""The values of a request that are neither objects nor arrays, and which of them are too large to be kept."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import Any

from densefog_core.actions.params.problems import pointer, refused
from densefog_core.errors import ValidationError

#: JSON pointer, and the value that is there.
Leaf = tuple[str, Any]


def leaves(value: Any, at: str = "") -> Iterator[Leaf]:
    """Yield each value that is neither object nor array, with the JSON pointer to it; null is none."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, pointer(at, key))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from leaves(item, pointer(at, index))
    elif value is not None:
        yield at, value


def largest(params: Any, count: int = 1) -> list[Leaf]:
    """Return the values that fit least: those of the most characters or digits; a NUL fits nowhere."""
    return heapq.nlargest(count, leaves(params), key=_size)


def is_number(value: Any) -> bool:
    """Return whether a value is a whole number."""
    return isinstance(value, int) and not isinstance(value, bool)


def unstorable(at: str) -> ValidationError:
    """Return the error of a request of which a value cannot be kept.

    Args:
        at: JSON pointer to the value.
    """
    return refused([(at, "Too large or too long to be stored, or with characters that cannot be")])


def _size(leaf: Leaf) -> float:
    _, value = leaf
    if isinstance(value, str):
        return float("inf") if "\0" in value else len(value)
    return float(value.bit_length()) if is_number(value) else 0.0
