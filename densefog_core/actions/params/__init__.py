# ruff: noqa: ANN401 - the values of requests, and annotations, are of any type
"""What the parameters of an action are checked and converted with: a type, or a JSON Schema.

What walks types is imported when the first action is registered, so that importing densefog stays quick.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from densefog_core.actions.params.jsonschema import schema_validator, validate_request
from densefog_core.actions.params.kinds import Params, Unsupported, is_model, is_untyped
from densefog_core.actions.params.secrets import secret_finder
from densefog_core.errors import RegistrationError

__all__ = [
    "converter",
    "json_schema",
    "result_checker",
    "result_schema",
    "schema_validator",
    "secret_finder",
    "validate_request",
]

Convert = Callable[[Params], Any]


def converter(takes: Any, where: str) -> Convert | None:
    """Return the function that turns a request's parameters into what a handler takes, or None when that is a dict.

    Args:
        takes: the annotation of the handler's parameter.
        where: the handler, for the error.

    Raises:
        RegistrationError: the type cannot be converted to.
    """
    if is_untyped(takes):
        return None
    from densefog_core.actions.params import models, plan

    try:
        return models.converter(takes) if is_model(takes) else plan.converter(takes)
    except Unsupported as exc:
        raise RegistrationError(f"{where}: its parameter cannot be {_called(takes)}: {exc}") from None


def _called(takes: Any) -> str:
    return getattr(takes, "__qualname__", None) or str(takes)


def json_schema(kind: Any) -> dict[str, Any]:
    """Return the JSON Schema of a type of parameters, with the names that clients send.

    Args:
        kind: the annotation; None and Any give an empty schema, and a type that cannot be described gives ``object``.
    """
    from densefog_core.actions.params import schemas

    return schemas.of_params(kind)


def result_schema(kind: Any) -> dict[str, Any]:
    """Return the JSON Schema of a result, with the names that are sent: those of the attributes unless it renames them.

    Args:
        kind: the annotation; one that cannot be described gives an empty schema.
    """
    from densefog_core.actions.params import schemas

    return schemas.of_result(kind)


def result_checker(kind: Any) -> Callable[[str], None] | None:
    """Return a function that raises TypeError unless an envelope's data is of a type; None where that says nothing."""
    if is_untyped(kind):
        return None
    from densefog_core.actions.params import results

    return results.checker(kind)
