# ruff: noqa: ANN401 - the values of requests are of any type
"""Parameters checked against a JSON Schema."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from densefog_core.actions.params.kinds import Params, without_action
from densefog_core.actions.params.problems import Problem, missing, pointer, refused
from densefog_core.actions.records import request
from densefog_core.errors import RegistrationError
from densefog_core.plugins.needs import require

Check = Callable[[Params], None]


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
    require("jsonschema_rs", extra="densefog[jsonschema]")
    # An optional dependency.
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


def validate_request(schema: dict[str, Any]) -> Params:
    """Check the parameters of the current request against a JSON Schema, as ``@action(schema=...)`` does.

    A schema is compiled when it is first seen; write it once, at the top of the module.

    Returns:
        The parameters.

    Raises:
        ValidationError: they do not fit.
        RegistrationError: the schema has an error.
        MissingDependency: jsonschema-rs is not installed.
    """
    _compiled(_Identity(schema))(request.params)
    return request.params


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
