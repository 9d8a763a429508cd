# ruff: noqa: ANN401 - the values of requests, and annotations, are of any type
"""Parameters that are pydantic models, or anything with their ``model_validate``; pydantic itself is not imported."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from densefog_core.actions.params.converting import camel
from densefog_core.actions.params.kinds import Unsupported, without_action
from densefog_core.actions.params.problems import Problem, missing, pointer, refused, without_secrets
from densefog_core.actions.params.wire import UNKNOWN

Schema = dict[str, Any]


def model_schema(kind: Any, mode: str = "validation") -> Schema:
    """Return the JSON Schema that the model gives, with the names that the model has; empty when it gives none."""
    schema: Schema = kind.model_json_schema(mode=mode) if hasattr(kind, "model_json_schema") else {}
    return schema


def converter(takes: Any) -> Callable[[dict[str, Any]], Any]:
    """Return the function that turns a request's parameters into a model.

    Raises:
        Unsupported: the model cannot be described.
    """
    try:
        names = Names(model_schema(takes))
    except Exception as exc:
        raise Unsupported(f"{type(exc).__name__}: {exc}".partition("\n")[0]) from exc
    strip = "action" not in names.inside

    def convert_params(params: dict[str, Any]) -> Any:
        given = names.rename(without_action(params) if strip else params)
        try:
            return takes.model_validate(given)
        except ValueError as exc:
            error = refused(model_problems(exc, names, given))
        raise error

    return convert_params


class Names:
    """The names of a model, inside and on the wire: the camelCase of its attribute or alias.

    Args:
        schema: the model's JSON Schema.
        root: the schema that has its ``$defs``.
        known: the `Names` of each schema inside ``root``, by identity; models may contain themselves.
    """

    def __init__(self, schema: Schema, root: Schema | None = None, known: dict[int, Names] | None = None) -> None:
        self._root = schema if root is None else root
        self._known = {} if known is None else known
        self._forms = list(self._flat(schema))
        properties = [(name, member) for form in self._forms for name, member in form.get("properties", {}).items()]
        self.inside: dict[str, str] = {camel(name): name for name, _ in properties}
        self._schemas = {camel(name): member for name, member in properties}

    def _flat(self, schema: Any) -> Iterator[Schema]:
        """Yield a schema, what it refers to, and its alternatives."""
        if isinstance(schema, dict):
            yield schema
            if "$ref" in schema:
                yield from self._flat(self._root["$defs"][schema["$ref"].rpartition("/")[2]])
            for key in ("anyOf", "oneOf", "allOf"):
                for one in schema.get(key, ()):
                    yield from self._flat(one)

    def _of(self, schema: Schema) -> Names:
        if id(schema) not in self._known:
            self._known[id(schema)] = Names(schema, self._root, self._known)
        return self._known[id(schema)]

    def _inner(self, keyword: str) -> Names | None:
        """Return the names inside the items of an array, or the values of an object whose keys are data."""
        return next((self._of(form[keyword]) for form in self._forms if isinstance(form.get(keyword), dict)), None)

    def _member(self, wire: str) -> Names | None:
        return self._of(self._schemas[wire]) if wire in self._schemas else self._inner("additionalProperties")

    def rename(self, value: Any) -> Any:
        """Return a request's value with the model's names."""
        if isinstance(value, dict):
            return {self._name(key): _renamed(self._member(key), item) for key, item in value.items()}
        if isinstance(value, list):
            names = self._inner("items")
            return [_renamed(names, item) for item in value]
        return value

    def _name(self, key: str) -> str:
        if key in self.inside:
            return self.inside[key]
        return UNKNOWN + key if key in self.inside.values() else key

    def locate(self, steps: tuple[Any, ...], value: Any) -> str:
        """Return the JSON pointer, on the wire, of where the model saw an error.

        Args:
            steps: pydantic's ``loc``, which also names the alternatives of unions.
            value: the request's value, renamed.
        """
        at, names = "", self
        nothing = Names({})
        for step in steps:
            if isinstance(value, dict) and step in value:
                wire = next((wire for wire, name in names.inside.items() if name == step), str(step))
                value, names = value[step], names._member(wire) or nothing
                at = pointer(at, wire.removeprefix(UNKNOWN))
            elif isinstance(value, list) and isinstance(step, int) and 0 <= step < len(value):
                value, names = value[step], names._inner("items") or nothing
                at = pointer(at, step)
        return at


def _renamed(names: Names | None, value: Any) -> Any:
    return value if names is None else names.rename(value)


def model_problems(exc: ValueError, names: Names, value: Any) -> Iterator[Problem]:
    """Yield what a model's ``model_validate`` found wrong.

    Args:
        exc: what it raised; pydantic's has ``errors()``.
        names: the model's names.
        value: the request, renamed.
    """
    errors = getattr(exc, "errors", None)
    for error in errors() if callable(errors) else ():
        steps = tuple(error["loc"])
        if error["type"] == "missing" and steps:
            yield names.locate(steps[:-1], value), missing(camel(str(steps[-1])))
        elif error["type"] == "union_tag_invalid":
            yield names.locate(steps, value), f"Expected one of {error['ctx']['expected_tags']}"
        else:
            yield names.locate(steps, value), without_secrets(error["msg"], value)
    if not callable(errors):
        yield "", without_secrets(str(exc), value)


_MAPS = ("properties", "$defs", "patternProperties", "dependentSchemas")
_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
_SCHEMAS = ("items", "additionalProperties", "not", "contains", "propertyNames")


def on_the_wire(schema: Any) -> Any:
    """Return a model's JSON Schema with the names on the wire."""
    if not isinstance(schema, dict):
        return schema
    renamed = dict(schema)
    for key, value in schema.items():
        if key in _MAPS and isinstance(value, dict):
            name = camel if key == "properties" else str
            renamed[key] = {name(member): on_the_wire(one) for member, one in value.items()}
        elif key in _LISTS:
            renamed[key] = [on_the_wire(one) for one in value]
        elif key in _SCHEMAS:
            renamed[key] = on_the_wire(value)
        elif key == "required":
            renamed[key] = [camel(member) for member in value]
        elif key == "discriminator":
            renamed[key] = {**value, "propertyName": camel(value["propertyName"])}
    return renamed
