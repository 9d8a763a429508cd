# ruff: noqa: ANN401 - the values of requests, and annotations, are of any type
"""What the parameters of an action are checked and converted with: a type, or a JSON Schema.

What walks types is imported when the first action is registered, so that importing densefog stays quick.
"""

from __future__ import annotations

import collections.abc
import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Any, get_origin

from densefog_core.actions.params.problems import Problem, missing, pointer, refused
from densefog_core.actions.records import request
from densefog_core.errors import RegistrationError

Params = dict[str, Any]
Convert = Callable[[Params], Any]
Check = Callable[[Params], None]


class Unsupported(Exception):
    """A type cannot be a parameter's; the text says why."""


_DICTS = (dict, collections.abc.Mapping, collections.abc.MutableMapping)


def is_untyped(kind: object) -> bool:
    """Return whether an annotation says no more than that the parameters are a dict."""
    return kind is None or kind is Any or kind is object or kind in _DICTS or get_origin(kind) in _DICTS


def is_model(kind: object) -> bool:
    """Return whether a type validates itself as pydantic's models do."""
    return isinstance(kind, type) and callable(getattr(kind, "model_validate", None))


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


def without_action(params: Params) -> Params:
    """Return the parameters without the member that names the action."""
    return {key: value for key, value in params.items() if key != "action"}


def json_schema(kind: Any) -> dict[str, Any]:
    """Return the JSON Schema of a type of parameters, with the names that clients send.

    Args:
        kind: the annotation; None and Any give an empty schema, and a type that cannot be described gives ``object``.
    """
    from densefog_core.actions.params import schemas

    return schemas.of_params(kind)


def result_schema(kind: Any) -> dict[str, Any]:
    """Return the JSON Schema of a result. Results are sent as they are, so its names are those of the attributes.

    Args:
        kind: the annotation; one that cannot be described gives an empty schema.
    """
    from densefog_core.actions.params import schemas

    return schemas.of_result(kind)


# -- JSON Schema -----------------------------------------------------------------------------------------------


def schema_validator(schema: dict[str, Any], where: str) -> Check:
    """Compile a JSON Schema and return the function that checks parameters against it.

    The member ``action`` is left out unless the schema knows it. Schemas at other addresses are not fetched.

    Args:
        schema: draft 2020-12, unless its ``$schema`` names another.
        where: the handler, for the error.

    Raises:
        RegistrationError: the schema has an error.
        MissingDependency: jsonschema-rs is not installed.
    """
    from densefog_core.plugins.needs import require

    require("jsonschema_rs", extra="densefog[jsonschema]")
    import jsonschema_rs

    try:
        validator = jsonschema_rs.validator_for(schema, mask="value", retriever=_refuse_to_fetch)
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError, TypeError) as exc:
        raise RegistrationError(f"{where}: its JSON Schema has an error: {_first_line(exc)}") from None
    strip = isinstance(schema, dict) and "action" not in {*schema.get("properties", ()), *schema.get("required", ())}

    def check(params: Params) -> None:
        given = without_action(params) if strip else params
        if not validator.is_valid(given):
            raise refused(_violations(validator.iter_errors(given)))

    return check


def _refuse_to_fetch(address: str) -> Any:
    raise ValueError("schemas are not fetched")


def _first_line(exc: Exception) -> str:
    at = "".join(f"/{step}" for step in getattr(exc, "instance_path", ()))
    return f"{at} {str(exc).partition(chr(10))[0]}".strip()


def _violations(errors: Iterable[Any]) -> Iterator[Problem]:
    for error in errors:
        at = functools.reduce(pointer, error.instance_path, "")
        yield at, missing(error.kind.property) if error.kind.name == "required" else error.message


def validate_request(schema: dict[str, Any]) -> None:
    """Check the parameters of the current request against a JSON Schema, as ``@action(schema=...)`` does.

    A schema is compiled when it is first seen; write it once, at the top of the module.

    Raises:
        ValidationError: they do not fit.
        RegistrationError: the schema has an error.
        MissingDependency: jsonschema-rs is not installed.
    """
    _compiled(_Identity(schema))(request.params)


class _Identity:
    """Makes a cache's key of a dict, and keeps the dict alive, so that its id stays its own."""

    def __init__(self, schema: dict[str, Any]) -> None:
        self.schema = schema

    def __hash__(self) -> int:
        return id(self.schema)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Identity) and other.schema is self.schema


@functools.lru_cache(maxsize=1024)
def _compiled(key: _Identity) -> Check:
    return schema_validator(key.schema, "validate_request")
