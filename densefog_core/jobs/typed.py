"""The type that a job's handler wants its params as, decided once, at its registration.

.. versionadded:: 1.0
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from densefog_core.actions import params as typed
from densefog_core.actions.params.converting import convert
from densefog_core.actions.params.kinds import Unsupported, is_model
from densefog_core.errors import RegistrationError


class TypedParams:
    """A class of params: its members have the names of the attributes, as they were enqueued.

    Args:
        kind: a dataclass, a TypedDict, a Struct or a pydantic model.
        where: the handler, for the error.

    Attributes:
        has_secret: whether a member is a `Secret`, so that the job is encrypted.

    Raises:
        RegistrationError: params cannot be converted to it.
    """

    def __init__(self, kind: type, where: str) -> None:
        self._kind = kind
        self._convert = _converter(kind, where)
        self.has_secret = "password" in _formats(typed.json_schema(kind))

    def convert(self, params: dict[str, Any]) -> Any:  # noqa: ANN401
        """Return the params as the handler wants them.

        Raises:
            ValueError: they do not fit.
        """
        return self._convert(params)

    def misfit(self, params: dict[str, Any]) -> str | None:
        """Return the name of the class and what is wrong with params, without their values; None when they fit."""
        try:
            self._convert(params)
        except ValueError as exc:
            errors = getattr(exc, "errors", None)
            # A model's own text shows values.
            texts = [f"{one['msg']}: {'.'.join(map(str, one['loc']))}" for one in errors()] if errors else [str(exc)]
            return f"{self._kind.__name__}: {texts[0]}"
        return None


def typed_params(handler: Callable[..., Any], where: str) -> TypedParams | None:
    """Return the class that a handler's ``params`` are annotated with, or None: then they are a dict."""
    try:
        kind = typing.get_type_hints(handler).get("params")
    except (NameError, TypeError):
        # It is imported for type checkers alone.
        return None
    known = isinstance(kind, type) and (
        issubclass(kind, msgspec.Struct) or dataclasses.is_dataclass(kind) or typing.is_typeddict(kind)
    )
    return TypedParams(kind, where) if known or is_model(kind) else None  # type: ignore[arg-type]


def _converter(kind: Any, where: str) -> Callable[[dict[str, Any]], Any]:  # noqa: ANN401
    if is_model(kind):
        validate: Callable[[dict[str, Any]], Any] = kind.model_validate
        return validate
    from densefog_core.actions.params.plan import plan

    try:
        root = plan(kind)
    except Unsupported as exc:
        raise RegistrationError(f"{where}: params cannot be {kind.__name__}: {exc}") from None
    if getattr(root, "closed", False):
        raise RegistrationError(f"{where}: {kind.__name__} forbids unknown fields, and plugins add some to params")
    return lambda params: convert(params, kind)


def _formats(schema: Any) -> Iterator[str]:  # noqa: ANN401
    if isinstance(schema, Mapping):
        if isinstance(schema.get("format"), str):
            yield schema["format"]
        for part in schema.values():
            yield from _formats(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from _formats(part)
