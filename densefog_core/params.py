# ruff: noqa: ANN401 - the values of requests, and annotations, are of any type
"""What the parameters of an action are checked and converted with: a type, or a JSON Schema."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from densefog_core import models, wire
from densefog_core.context import request
from densefog_core.errors import RegistrationError, ValidationError
from densefog_core.schemas import is_untyped, json_schema, result_schema
from densefog_core.wire import Problem, convert, missing, pointer

#: Problems that are looked for in one request; a list of 100,000 bad items would keep the process from others.
MAX_PROBLEMS = 100

Params = dict[str, Any]
Convert = Callable[[Params], Any]
Check = Callable[[Params], None]

__all__ = ["converter", "json_schema", "result_schema", "schema_validator", "validate_request"]


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
    try:
        return _of_model(takes) if models.is_model(takes) else _of_type(takes)
    except wire.Unsupported as exc:
        raise RegistrationError(f"{where}: its parameter cannot be {_called(takes)}: {exc}") from None


def _called(takes: Any) -> str:
    return getattr(takes, "__qualname__", None) or str(takes)


def _of_type(takes: Any) -> Convert:
    root = wire.plan(takes)
    objects = _alternatives(root)
    if not objects:
        raise wire.Unsupported("it is no object; write a dataclass, a TypedDict or a Struct")
    strip = any(one.closed for one in objects) and not any("action" in one.names for one in objects)

    def convert_params(params: Params) -> Any:
        given = _without_action(params) if strip else params
        try:
            return convert(root.rename(given) if root.renames else given, takes)
        except msgspec.ValidationError as exc:
            found = list(itertools.islice(root.problems(given, ""), MAX_PROBLEMS))
            refused = _refused(found or [(wire.locate(root, exc, ""), root.words(exc))])
        raise refused

    return convert_params


def _alternatives(root: wire.Node) -> list[wire.Object]:
    members = root.members if isinstance(root, wire.Choice) else [root]
    return [one for one in members if isinstance(one, wire.Object)]


def _without_action(params: Params) -> Params:
    return {key: value for key, value in params.items() if key != "action"}


def _of_model(takes: Any) -> Convert:
    try:
        names = models.Names(models.model_schema(takes))
    except Exception as exc:
        raise wire.Unsupported(f"{type(exc).__name__}: {exc}".partition("\n")[0]) from exc
    strip = "action" not in names.inside

    def convert_params(params: Params) -> Any:
        given = names.rename(_without_action(params) if strip else params)
        try:
            return takes.model_validate(given)
        except ValueError as exc:
            refused = _refused(models.model_problems(exc, names, given))
        raise refused

    return convert_params


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
    from densefog_core.plugins import require

    require("jsonschema_rs", extra="densefog[jsonschema]")
    import jsonschema_rs

    try:
        validator = jsonschema_rs.validator_for(schema, mask="value", retriever=_refuse_to_fetch)
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError, TypeError) as exc:
        raise RegistrationError(f"{where}: its JSON Schema has an error: {_first_line(exc)}") from None
    strip = isinstance(schema, dict) and "action" not in {*schema.get("properties", ()), *schema.get("required", ())}

    def check(params: Params) -> None:
        given = _without_action(params) if strip else params
        if not validator.is_valid(given):
            raise _refused(_violations(validator.iter_errors(given)))

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


def _refused(problems: Iterable[Problem]) -> ValidationError:
    errors = [{"path": at, "message": words} for at, words in itertools.islice(problems, MAX_PROBLEMS)]
    first = f"{errors[0]['path']} {errors[0]['message']}".strip()
    return ValidationError(f"Illegal request format: {first}", errors)
