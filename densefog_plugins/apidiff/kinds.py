# ruff: noqa: ANN401 - schemas are any JSON
"""What a JSON Schema means: a union of kinds, each with its facets. How it is written makes no difference."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Schema = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Kind:
    """One alternative of a schema.

    Attributes:
        type: JSON's type, or ``any``.
        schema: where its facets stand.
        values: the only values that it has, each as JSON text; empty when it is not an enumeration.
    """

    type: str
    schema: Schema = field(default_factory=dict)
    values: frozenset[str] = frozenset()

    @property
    def tag(self) -> tuple[str, ...]:
        """The members that can have one value only, which tell the objects of a union apart."""
        members = self.schema.get("properties", {}) if self.type == "object" else {}
        fixed = {name: _values(one) for name, one in members.items() if isinstance(one, Mapping)}
        return tuple(f"{name}={next(iter(found))}" for name, found in sorted(fixed.items()) if len(found) == 1)


class Document:
    """An OpenAPI document, whose references are followed."""

    def __init__(self, content: Schema) -> None:
        self.content = content

    def kinds(self, schema: Any) -> list[Kind]:
        """Return the alternatives of a schema, without those that another one covers."""
        found: list[Kind] = []
        values: dict[str, set[str]] = {}
        for kind in self._kinds(schema, ()):
            if kind.values:
                values.setdefault(kind.type, set()).update(kind.values)
            elif kind not in found:
                found.append(kind)
        found += [_enumeration(one, those) for one, those in values.items() if one not in {it.type for it in found}]
        return [one for one in found if not any(_covers(other, one) for other in found if other is not one)]

    def _kinds(self, schema: Any, seen: tuple[str, ...]) -> Iterator[Kind]:
        if schema is False:
            return
        if not isinstance(schema, Mapping):
            yield Kind("any")
            return
        target = schema.get("$ref")
        if isinstance(target, str) and target not in seen:
            beside = {name: value for name, value in schema.items() if name != "$ref"}
            yield from self._kinds({**self.at(target), **beside}, (*seen, target))
            return
        if "allOf" in schema:
            yield from self._kinds(self._merged(schema), seen)
            return
        union = [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
        if union:
            for one in union:
                yield from self._kinds(one, seen)
            return
        yield from _plain(schema)

    def _merged(self, schema: Schema) -> Schema:
        """Return a schema with what stands in its ``allOf``."""
        merged: dict[str, Any] = {name: value for name, value in schema.items() if name != "allOf"}
        for part in schema["allOf"]:
            one = self.at(part["$ref"]) if "$ref" in part else part
            one = self._merged(one) if "allOf" in one else one
            for name, value in one.items():
                known = merged.get(name)
                if isinstance(known, Mapping) and isinstance(value, Mapping):
                    merged[name] = {**known, **value}
                elif isinstance(known, list) and name == "required":
                    merged[name] = [*known, *value]
                else:
                    merged[name] = value
        return merged

    def at(self, target: str) -> Schema:
        """Return what a reference means; nothing where it leads out of the document."""
        found: Any = self.content
        for part in target.removeprefix("#/").split("/"):
            found = found.get(part.replace("~1", "/").replace("~0", "~"), {}) if isinstance(found, Mapping) else {}
        return found if isinstance(found, Mapping) else {}


def _plain(schema: Schema) -> Iterator[Kind]:
    values = _values(schema)
    for value in sorted(values):
        kind = _type_of(json.loads(value))
        yield Kind(kind) if kind == "null" else Kind(kind, {}, frozenset([value]))
    if values:
        return
    types = schema.get("type", _implied(schema))
    for one in [types] if isinstance(types, str) else types:
        yield Kind(one, schema)


def _values(schema: Schema) -> set[str]:
    values = [schema["const"]] if "const" in schema else schema.get("enum", ())
    return {json.dumps(_whole(value), sort_keys=True) for value in values}


def _whole(value: Any) -> Any:
    """Return a number that is whole as JSON Schema takes it: 1.0 is 1."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _enumeration(name: str, values: set[str]) -> Kind:
    return Kind("boolean") if name == "boolean" and len(values) == 2 else Kind(name, {}, frozenset(values))


def _covers(one: Kind, other: Kind) -> bool:
    """Return whether an alternative adds nothing beside another one: whole numbers beside numbers, all beside any."""
    if one.type == "any":
        return other.type != "any"
    numbers = (one.type, other.type) == ("number", "integer") and not one.values and "multipleOf" not in one.schema
    return numbers and least(one) <= least(other) and most(one) >= most(other)


def _implied(schema: Schema) -> str:
    """Return the type of a schema that does not say it."""
    return "object" if "properties" in schema else "array" if "items" in schema else "any"


def _type_of(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return "null" if value is None else "boolean"
    types = {int: "integer", float: "number", str: "string", list: "array"}
    return types.get(type(value), "object")


def least(kind: Kind) -> float:
    """Return the least number that a kind takes."""
    schema, whole = kind.schema, kind.type == "integer"
    above: float = schema.get("exclusiveMinimum", -math.inf)
    lowest: float = schema.get("minimum", -math.inf)
    return max(lowest, math.floor(above) + 1 if whole and math.isfinite(above) else above)


def most(kind: Kind) -> float:
    """Return the largest number that a kind takes."""
    schema, whole = kind.schema, kind.type == "integer"
    below: float = schema.get("exclusiveMaximum", math.inf)
    highest: float = schema.get("maximum", math.inf)
    return min(highest, math.ceil(below) - 1 if whole and math.isfinite(below) else below)
