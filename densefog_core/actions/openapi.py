"""The actions of an API as an OpenAPI 3.1 document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from densefog_core.actions.handlers import ActionSpec

Schema = dict[str, Any]

#: Version of the wire: the envelope and the retCodes, which every API of densefog has in common.
VERSION = "1"

_ERROR: Schema = {
    "type": "object",
    "description": "What went wrong; retCode says which error it is.",
    "required": ["data", "retCode", "message"],
    "properties": {
        "data": {
            "type": "object",
            "required": ["exceptionTag"],
            "properties": {
                "exceptionTag": {"type": "string", "description": "The context id, which stands in the log lines."},
                "errors": {
                    "type": "array",
                    "description": "Of retCode 4110: all that is wrong with the request.",
                    "items": {
                        "type": "object",
                        "required": ["path", "message"],
                        "properties": {
                            "path": {"type": "string", "description": "JSON pointer into the request."},
                            "message": {"type": "string"},
                        },
                    },
                },
            },
        },
        "retCode": {"type": "integer", "not": {"const": 0}},
        "message": {"type": "string"},
    },
}


def document(name: str, specs: Mapping[str, ActionSpec]) -> Schema:
    """Return the OpenAPI 3.1 document of an API, with the path ``POST /<ActionName>`` for each of its actions.

    Args:
        name: the API's.
        specs: its actions by name.
    """
    actions = sorted(specs.values(), key=lambda spec: spec.name)
    schemas: Schema = {"Error": _ERROR}
    for spec in actions:
        schemas |= _components(spec)
    return {
        "openapi": "3.1.0",
        "info": {"title": f"densefog API {name}", "version": VERSION},
        "paths": {f"/{quote(spec.name, safe='')}": {"post": _operation(spec)} for spec in actions},
        "components": {
            "schemas": schemas,
            "responses": {"Error": {"description": "An error.", "content": _json(_reference("Error"))}},
        },
    }


def _operation(spec: ActionSpec) -> Schema:
    envelope = {
        "type": "object",
        "required": ["data", "retCode", "message"],
        "properties": {
            "data": _reference(f"{_key(spec)}.result") if spec.result_schema else {},
            "retCode": {"const": 0},
            "message": {"type": "null"},
        },
    }
    return {
        "operationId": spec.name,
        "summary": spec.summary,
        "description": spec.description,
        "requestBody": {"required": True, "content": _json(_reference(f"{_key(spec)}.params"))},
        "responses": {
            "200": {
                "description": "The result, or an error: HTTP status 200 says only that there is an answer.",
                "content": _json({"anyOf": [envelope, _reference("Error")]}),
            },
            "default": {"$ref": "#/components/responses/Error"},
        },
    }


def _components(spec: ActionSpec) -> Schema:
    """Return the schemas of one action, named after it."""
    parts = {"params": spec.params_schema or {"type": "object"}, "result": spec.result_schema}
    named = {f"{_key(spec)}.{part}": schema for part, schema in parts.items() if schema}
    return {name: _moved(schema, f"#/components/schemas/{name}") for name, schema in named.items()}


def _key(spec: ActionSpec) -> str:
    """Return the action's name as a key of components, which may have letters, digits and ``.-_`` only."""
    return "".join(c if (c.isascii() and c.isalnum()) or c in "-_" else f".{ord(c):x}" for c in spec.name)


def _moved(schema: Any, home: str) -> Any:  # noqa: ANN401 - any JSON
    """Return a schema whose references to itself, ``#/...``, follow it to its place in the document."""
    if isinstance(schema, list):
        return [_moved(one, home) for one in schema]
    if not isinstance(schema, dict) or "$id" in schema:
        return schema
    moved = {key: _moved(value, home) for key, value in schema.items()}
    if isinstance(schema.get("$ref"), str):
        moved["$ref"] = _at(schema["$ref"], home)
    if "discriminator" in schema and isinstance(schema["discriminator"].get("mapping"), dict):
        mapping = {tag: _at(target, home) for tag, target in schema["discriminator"]["mapping"].items()}
        moved["discriminator"] = {**schema["discriminator"], "mapping": mapping}
    return moved


def _at(reference: str, home: str) -> str:
    return home + reference[1:] if reference.startswith("#") else reference


def _reference(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _json(schema: Schema) -> Schema:
    return {"application/json": {"schema": schema}}
