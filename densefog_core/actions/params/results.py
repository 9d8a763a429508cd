# ruff: noqa: ANN401 - annotations are of any type
"""Whether a result is what its action declares."""

from __future__ import annotations

import typing
from collections.abc import Callable
from typing import Any

import msgspec

from densefog_core.actions.params.kinds import is_model, is_untyped

Check = Callable[[str], None]


class Unfit(TypeError):
    """A result does not fit; the text says where."""


def checker(kind: Any) -> Check | None:
    """Return a function that raises `Unfit` unless the envelope that it is given, JSON, has data of a type.

    Args:
        kind: the declared type. None is returned where it says nothing, or cannot be decoded.
    """
    if is_untyped(kind) or kind is type(None):
        return None
    try:
        if not is_model(kind):
            # Raises for what is no JSON type: such a result is sent as something else than it is.
            msgspec.json.schema(kind)
        decode = msgspec.json.Decoder(dict[str, Any] if is_model(kind) else _envelope(kind)).decode
    except (TypeError, NameError, AttributeError, ValueError, RecursionError):
        return None
    validate = kind.model_validate if is_model(kind) else None

    def check(text: str) -> None:
        try:
            reply = decode(text)
            if validate is not None:
                validate(reply["data"])
        except (msgspec.ValidationError, ValueError) as exc:
            raise Unfit(str(exc).replace("$.data", "data")) from None

    return check


def _envelope(kind: Any) -> Any:
    return typing.TypedDict("Envelope", {"data": kind})  # type: ignore[operator]
