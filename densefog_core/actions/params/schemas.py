# ruff: noqa: ANN401 - the values of requests, and annotations, are of any type
"""JSON Schema 2020-12 of what actions take and return."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import inspect as mi

from densefog_core.actions.params.kinds import is_model
from densefog_core.actions.params.models import model_schema, on_the_wire
from densefog_core.actions.params.plan import wire_name
from densefog_core.redact import Secret, is_secret_key

Schema = dict[str, Any]


def of_params(kind: Any) -> Schema:
    """Return the JSON Schema of parameters; see `densefog_core.actions.params.json_schema`."""
    return _schema(kind, wire_name, "validation")


def of_result(kind: Any) -> Schema:
    """Return the JSON Schema of a result; see `densefog_core.actions.params.result_schema`."""
    return _schema(kind, lambda field: field.encode_name, "serialization")


def _schema(kind: Any, name_of: Callable[[mi.Field], str], mode: str) -> Schema:
    if kind is None or kind is Any or kind is object:
        return {}
    try:
        if is_model(kind):
            schema = model_schema(kind, mode)
            return on_the_wire(schema) if mode == "validation" else schema
        return _of_type(kind, name_of)
    except Exception:  # noqa: BLE001 - a description is not worth an application that does not start
        return {"type": "object"} if mode == "validation" else {}


def _of_type(kind: Any, name_of: Callable[[mi.Field], str]) -> Schema:
    records = _records(mi.type_info(kind))
    (top, *references), components = msgspec.json.schema_components([kind, *records], schema_hook=_secret)
    for reference, record in zip(references, records.values(), strict=True):
        _rename(components[reference["$ref"].rpartition("/")[2]], record, name_of)
    return _inlined(top, components)


def _records(info: Any) -> dict[Any, Any]:
    """Return what a type says of each class with named members in it."""
    found: dict[Any, Any] = {}
    queue = [info]
    for one in queue:
        if hasattr(one, "fields"):
            if one.cls in found:
                continue
            found[one.cls] = one
            queue += [field.type for field in one.fields]
        elif isinstance(one, mi.Metadata):
            queue.append(one.type)
        elif isinstance(one, mi.CollectionType):
            queue.append(one.item_type)
        elif isinstance(one, mi.DictType):
            queue.append(one.value_type)
        else:
            queue += [*getattr(one, "types", ()), *getattr(one, "item_types", ())]
    return found


def _secret(kind: type) -> Schema:
    if issubclass(kind, Secret):
        return {"type": "string", "format": "password"}
    raise NotImplementedError


def _rename(schema: Schema, record: Any, name_of: Callable[[mi.Field], str]) -> None:
    if "properties" not in schema:
        return
    names = {field.encode_name: name_of(field) for field in record.fields}
    schema["properties"] = {
        names.get(key, key): _without_default(member) if _tells(key, member) else member
        for key, member in schema["properties"].items()
    }
    schema["required"] = [names.get(key, key) for key in schema["required"]]


def _tells(key: str, member: Schema) -> bool:
    """Return whether a member's default must not be shown: it is a secret, or has the names of attributes."""
    default = member.get("default")
    return (default is not None and is_secret_key(key)) or "{" in json.dumps(default)


def _without_default(member: Schema) -> Schema:
    return {key: value for key, value in member.items() if key != "default"}


def _inlined(top: Schema, components: Schema) -> Schema:
    """Return one schema that needs nothing from outside; what the whole is stands at its top."""
    name = top.get("$ref", "").rpartition("/")[2]
    schema = {**components[name], **{key: value for key, value in top.items() if key != "$ref"}} if name else top
    if name and f'"#/$defs/{name}"' not in json.dumps(components):
        del components[name]
    plain: Schema = json.loads(json.dumps({**schema, "$defs": components} if components else schema))
    return plain
