# ruff: noqa: ANN401 - schemas are any JSON
"""The schemas of a document as components: one name for each, and one component for what is equal."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

Schema = dict[str, Any]

_HOME = "#/components/schemas/"


class Components:
    """Collects the schemas of a document's actions.

    What a schema keeps in its ``$defs`` becomes a component of its own, under its own name while every action means the
    same by that name, and else behind the name of the component that it belongs to. Each component's ``title`` is its
    name: generators name what they make by the title.
    """

    def __init__(self, fixed: dict[str, Schema]) -> None:
        self._fixed = fixed
        self._added: dict[str, Schema] = {}

    def add(self, name: str, schema: Schema) -> Schema:
        """Add a component and return the reference to it."""
        self._added[name] = schema
        return reference(name)

    def schemas(self) -> dict[str, Schema]:
        """Return all components by name."""
        meanings: dict[str, set[str]] = {}
        for schema in self._added.values():
            for inner, definition in _definitions(schema).items():
                meanings.setdefault(component_name(inner), set()).add(json.dumps(definition, sort_keys=True))
        taken = {*self._fixed, *self._added}
        shared = {name for name, found in meanings.items() if len(found) == 1 and name not in taken}
        made = dict(self._fixed)
        for name, schema in self._added.items():
            made |= _placed(name, schema, shared)
        return {name: made[name] for name in sorted(made)}


def _definitions(schema: Schema) -> dict[str, Schema]:
    found = schema.get("$defs", {})
    return found if isinstance(found, dict) and "$id" not in schema else {}


def _placed(name: str, schema: Schema, shared: set[str]) -> dict[str, Schema]:
    """Return the components that one schema makes."""
    inner = _definitions(schema)
    homes = {one: component_name(one) for one in inner}
    homes = {one: home if home in shared else f"{name}{home}" for one, home in homes.items()}

    def at(target: str) -> str:
        for one, home in homes.items():
            if target == f"#/$defs/{one}" or target.startswith(f"#/$defs/{one}/"):
                return _HOME + home + target.removeprefix(f"#/$defs/{one}")
        return _HOME + name + target[1:] if target.startswith("#") and not target.startswith(_HOME) else target

    outer = {key: value for key, value in schema.items() if key != "$defs" or not inner}
    placed = {name: {"title": name, **_moved(outer, at), **({"title": name} if "$id" not in schema else {})}}
    for one, definition in inner.items():
        placed[homes[one]] = {**_moved(definition, at), "title": homes[one]}
    return placed


def _moved(schema: Any, at: Callable[[str], str]) -> Any:
    """Return a schema whose references follow what they mean to its place in the document."""
    if isinstance(schema, list):
        return [_moved(one, at) for one in schema]
    if not isinstance(schema, dict) or "$id" in schema:
        return schema
    moved = {key: _moved(value, at) for key, value in schema.items()}
    if isinstance(schema.get("$ref"), str):
        moved["$ref"] = at(schema["$ref"])
    if "discriminator" in schema and isinstance(schema["discriminator"].get("mapping"), dict):
        mapping = {tag: at(target) for tag, target in schema["discriminator"]["mapping"].items()}
        moved["discriminator"] = {**schema["discriminator"], "mapping": mapping}
    return moved


def component_name(text: str) -> str:
    """Return a text as a component's name: letters, digits, ``-`` and ``_``, which every generator takes."""
    return re.sub(r"[^A-Za-z0-9_-]", lambda found: f"_{ord(found[0]):x}", text)


def reference(name: str) -> Schema:
    """Return a reference to a component."""
    return {"$ref": _HOME + name}
