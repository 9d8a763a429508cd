# ruff: noqa: ANN401 - JSON values are of any type
"""Bodies that an action must refuse, made from what its schema says."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from densefog_core.actions.handlers import ActionSpec

Schema = Mapping[str, Any]

#: A value of each type that JSON has; 1.5 stands for numbers, so that integers are told from them.
_OF_TYPE: dict[str, Any] = {
    "null": None, "boolean": True, "number": 1.5, "string": "?", "array": [], "object": {},
}  # fmt: skip
_NAME = "noSuchMember"
#: Objects and lists within each other that are broken; a schema that contains itself has no end.
MAX_DEPTH = 4


def malformed_bodies(spec: ActionSpec | Schema) -> Iterator[dict[str, Any]]:
    """Yield bodies that break an action's schema, each in one place.

    Members that are required and missing, of the wrong type, out of range, too short or long, of an unknown enumeration
    member, against a pattern, or not known to an object that is closed; also within its objects and lists. An action
    must answer each with 4110. What a schema leaves open is not broken, nor is what it says in alternatives or under a
    condition.

    Args:
        spec: an action, whose name the bodies then have; or the JSON Schema of its parameters.
    """
    schema = spec.params_schema if isinstance(spec, ActionSpec) else spec
    name = {"action": spec.name} if isinstance(spec, ActionSpec) else {}
    for body in _broken(schema, _Definitions(schema)):
        if isinstance(body, dict):
            yield {**body, **name}


class _Definitions:
    """Finds what a schema refers to."""

    def __init__(self, root: Schema) -> None:
        self._root = root

    def resolved(self, schema: Schema) -> Schema:
        """Return a schema without its reference, and without null where that is the only alternative."""
        if "$ref" in schema:
            found: Any = self._root
            for step in schema["$ref"].removeprefix("#").split("/")[1:]:
                found = found[step.replace("~1", "/").replace("~0", "~")]
            return self.resolved({**found, **{key: value for key, value in schema.items() if key != "$ref"}})
        members = [one for one in schema.get("anyOf", ()) if one != {"type": "null"}]
        return {**self.resolved(members[0]), "nullable": True} if len(members) == 1 else schema


def _example(schema: Schema, definitions: _Definitions) -> Any:
    """Return the smallest value that fits, as far as the schema tells."""
    schema = definitions.resolved(schema)
    if "nullable" in schema:
        return None
    if "enum" in schema or "const" in schema:
        return [*schema.get("enum", ()), schema.get("const")][0]
    kind = next(iter(_types(schema)), "object" if "properties" in schema else "null")
    if kind == "object":
        members = schema.get("properties", {})
        return {name: _example(members.get(name, {}), definitions) for name in schema.get("required", ())}
    if kind == "array":
        return [_example(schema.get("items", {}), definitions)] * schema.get("minItems", 0)
    if kind == "string":
        return "x" * max(schema.get("minLength", 0), 1)
    if kind in ("integer", "number"):
        return schema.get("minimum", schema.get("exclusiveMinimum", schema.get("maximum", 1) - 1) + 1)
    return _OF_TYPE[kind]


def _types(schema: Schema) -> list[str]:
    """Return the types that a schema names; none when it takes any."""
    named = schema.get("type", [])
    return [named] if isinstance(named, str) else list(named)


def _broken(schema: Schema, definitions: _Definitions, depth: int = 0) -> Iterator[Any]:
    """Yield values that do not fit."""
    if depth > MAX_DEPTH:
        return
    schema = definitions.resolved(schema)
    types = _types(schema)
    yield from _of_other_types(types, schema)
    if "enum" in schema or "const" in schema:
        known = [*schema.get("enum", ()), *([schema["const"]] if "const" in schema else ())]
        yield max(known, default=0) + 1 if all(type(one) is int for one in known) else "".join(map(str, known)) + "?"
        return
    if "string" in types:
        yield from _texts(schema)
    if "integer" in types or "number" in types:
        yield from _numbers(schema)
    if "array" in types:
        yield from _arrays(schema, definitions, depth)
    if "object" in types or "properties" in schema:
        yield from _objects(schema, definitions, depth)


def _of_other_types(types: list[str], schema: Schema) -> Iterator[Any]:
    for kind, value in _OF_TYPE.items():
        if types and kind not in types and not (kind == "null" and "nullable" in schema):
            yield value


def _texts(schema: Schema) -> Iterator[str]:
    if schema.get("minLength", 0) > 0:
        yield "x" * (schema["minLength"] - 1)
    if "maxLength" in schema:
        yield "x" * (schema["maxLength"] + 1)
    if "pattern" in schema:
        yield from [text for text in ("\x01", "", "x") if not re.search(schema["pattern"], text)][:1]


def _numbers(schema: Schema) -> Iterator[float]:
    for limit, step in (("minimum", -1), ("exclusiveMinimum", 0), ("maximum", 1), ("exclusiveMaximum", 0)):
        if limit in schema:
            yield schema[limit] + step


def _arrays(schema: Schema, definitions: _Definitions, depth: int) -> Iterator[list[Any]]:
    items = schema.get("items", {})
    least = schema.get("minItems", 0)
    if least > 0:
        yield [_example(items, definitions)] * (least - 1)
    if "maxItems" in schema:
        yield [_example(items, definitions)] * (schema["maxItems"] + 1)
    for item in _broken(items, definitions, depth + 1) if items else ():
        yield [item, *[_example(items, definitions)] * (least - 1)]


def _objects(schema: Schema, definitions: _Definitions, depth: int) -> Iterator[dict[str, Any]]:
    known = {key: value for key, value in schema.items() if key != "nullable"}
    whole = _example({**known, "type": "object"}, definitions)
    for name in schema.get("required", ()):
        yield {key: value for key, value in whole.items() if key != name}
    if schema.get("additionalProperties") is False:
        yield {**whole, _NAME: 1}
    for name, member in schema.get("properties", {}).items():
        for value in _broken(member, definitions, depth + 1):
            yield {**whole, name: value}
