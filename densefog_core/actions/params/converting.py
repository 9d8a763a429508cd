# ruff: noqa: ANN401 - the values of requests, and annotations, are of any type
"""An attribute's name on the wire, and the conversion of what stands there."""

from __future__ import annotations

from typing import Any

import msgspec


def camel(name: str) -> str:
    """Return the wire name of an attribute: ``volume_ids`` is ``volumeIds``, ``from_`` is ``from``."""
    stem = name.strip("_")
    first, *rest = [part for part in stem.split("_") if part] or [stem]
    lead = name[: len(name) - len(name.lstrip("_"))] if stem else name
    return lead + first + "".join(part[0].upper() + part[1:] for part in rest)


def convert(value: object, kind: Any) -> Any:
    """Convert plain JSON types to ``kind``.

    Raises:
        msgspec.ValidationError: it does not fit.
    """
    return msgspec.convert(value, kind, dec_hook=_make_secret, str_keys=True)


def _make_secret(kind: type, value: object) -> Any:
    if not isinstance(value, str):
        raise TypeError(f"Expected `str`, got `{type(value).__name__}`")
    return kind(value)
