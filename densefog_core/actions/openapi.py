"""The actions of an API as an OpenAPI 3.1 document that other people's generators take as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from densefog_core.actions.components import Components, Schema, component_name, reference
from densefog_core.actions.handlers import ActionSpec
from densefog_core.errors.catalogue import ErrorRow, rows

#: Version of the wire: the envelope and the retCodes, which every API of densefog has in common.
VERSION = "1"

_TEXT: Schema = {"type": "string"}
_COUNTS: Schema = {"type": "object", "additionalProperties": {"type": "integer"}}
_IDS: Schema = {"type": "object", "additionalProperties": {"type": "array", "items": _TEXT}}
_ENVELOPE = ["data", "retCode", "message"]


def _object(required: list[str], /, **properties: Schema) -> Schema:
    return {"type": "object", "required": required, "properties": properties}


#: The components that every document has.
_FIXED: dict[str, Schema] = {
    "ErrorReply": {
        "title": "ErrorReply",
        "description": "What went wrong; retCode says which error it is.",
        **_object(
            _ENVELOPE,
            data=reference("ErrorData"),
            retCode={"type": "integer", "minimum": 1, "description": "See x-densefog-errors."},
            message=_TEXT,
        ),
    },
    "ErrorData": {
        "title": "ErrorData",
        **_object(
            ["exceptionTag"],
            exceptionTag={**_TEXT, "description": "The context id, which stands in the log lines."},
            errors={
                "type": "array",
                "description": "Of retCode 4110: all that is wrong with the request.",
                "items": reference("ErrorPlace"),
            },
            failures={
                "type": "array",
                "description": "Of a batch, retCode 5001 and 5002: the resources that failed.",
                "items": reference("Failure"),
            },
        ),
    },
    "ErrorPlace": {
        "title": "ErrorPlace",
        **_object(
            ["path", "message"], path={**_TEXT, "description": "JSON pointer into the request."}, message=_TEXT
        ),
    },
    "Failure": {
        "title": "Failure",
        **_object(["retCode", "message"], resourceId={}, retCode={"type": "integer"}, message=_TEXT),
    },
}
_PLAN: dict[str, Schema] = {
    "Plan": {
        "title": "Plan",
        "description": "What a call would do.",
        **_object(
            ["effect", "create", "change", "destroy", "quota", "jobs", "other"],
            effect={**_TEXT, "enum": ["read", "create", "change", "destroy"]},
            create={**_COUNTS, "description": "Rows that would be added, by kind."},
            change={**_IDS, "description": "Ids of what would change, by kind."},
            destroy={**_IDS, "description": "Ids of what would be gone, by kind."},
            quota={"type": "object", "additionalProperties": reference("QuotaUse")},
            jobs={"type": "array", "items": _TEXT, "description": "Actions of the jobs that would be enqueued."},
            other={**_COUNTS, "description": "Rows of tables that are no resources."},
            repeated={"type": "boolean", "description": "The clientToken was used: the call would do nothing."},
        ),
    },
    # Not `PlanQuota`: that is what generators call the type of the member `quota` of a `Plan`.
    "QuotaUse": {
        "title": "QuotaUse",
        **_object(["used", "want", "limit"], **{key: {"type": "integer"} for key in ("used", "want", "limit")}),
    },
    "PlanData": {"title": "PlanData", **_object(["plan"], plan=reference("Plan"))},
    "PlanReply": {
        "title": "PlanReply",
        "description": "The answer to dryRun.",
        **_object(
            _ENVELOPE,
            data=reference("PlanData"),
            retCode={"type": "integer", "enum": [0]},
            message={"type": ["string", "null"]},
        ),
    },
}


def document(
    name: str,
    specs: Mapping[str, ActionSpec],
    *,
    errors: Sequence[ErrorRow] | None = None,
    security: Mapping[str, Schema] | None = None,
) -> Schema:
    """Return the OpenAPI 3.1 document of an API, with the path ``POST /<ActionName>`` for each of its actions.

    Args:
        name: the API's.
        specs: its actions by name.
        errors: the retCodes that it answers with; default: those of the contract.
        security: OpenAPI's security schemes by name: what a call proves with who it is from.
    """
    actions = sorted(specs.values(), key=lambda spec: spec.name)
    planned = any("dryRun" in spec.params_schema.get("properties", ()) for spec in actions)
    components = Components({**_FIXED, **(_PLAN if planned else {})})
    paths = {f"/{quote(spec.name, safe='')}": {"post": _operation(spec, components)} for spec in actions}
    header = {"description": "The context id, which stands in the log lines.", "schema": _TEXT}
    return {
        "openapi": "3.1.0",
        "info": {"title": f"densefog API {name}", "version": VERSION},
        "servers": [{"url": "/"}],
        "security": [{one: [] for one in security}] if security else [],
        "tags": [{"name": tag} for tag in sorted({tag for spec in actions for tag in spec.tags})],
        "paths": paths,
        "components": {
            "schemas": components.schemas(),
            "headers": {"X-Request-Id": header},
            "responses": {"Error": {"description": "An error.", "content": _json(reference("ErrorReply"))}},
            **({"securitySchemes": dict(security)} if security else {}),
        },
        "x-densefog-api": name,
        "x-densefog-errors": [row._asdict() for row in (rows((), ()) if errors is None else errors)],
    }


def _operation(spec: ActionSpec, components: Components) -> Schema:
    name = component_name(spec.name)
    body = components.add(f"{name}Params", spec.params_schema or {"type": "object"})
    data = components.add(f"{name}Result", spec.result_schema) if spec.result_schema else {}
    status = {"type": "integer", "enum": [0]}
    envelope = _object(_ENVELOPE, data=data, retCode=status, message={"type": ["string", "null"]})
    answers = [components.add(f"{name}Reply", envelope), reference("ErrorReply")]
    # Where any object is a result, a plan is one, too, and `oneOf` would find two that fit.
    if "dryRun" in spec.params_schema.get("properties", ()) and spec.result_schema.get("required"):
        answers.insert(1, reference("PlanReply"))
    return {
        "operationId": spec.name,
        "summary": spec.summary,
        "description": spec.description,
        "tags": list(spec.tags),
        "requestBody": {"required": True, "content": _json(body, spec.examples)},
        "responses": {
            "200": {
                "description": "The result, or an error: HTTP status 200 says only that there is an answer.",
                "headers": {"X-Request-Id": {"$ref": "#/components/headers/X-Request-Id"}},
                "content": _json({"oneOf": answers}),
            },
            "default": {"$ref": "#/components/responses/Error"},
        },
        **_extensions(spec),
    }


def _extensions(spec: ActionSpec) -> Schema:
    said: Schema = {"x-densefog-effect": spec.effect}
    if spec.operation:
        said["x-densefog-resource"] = {"type": spec.operation[0], "ids": spec.operation[1]}
    if spec.idempotent:
        said["x-densefog-idempotent"] = True
    if spec.deprecated:
        said |= {"deprecated": True, "x-densefog-sunset": spec.deprecated.isoformat()}
    if spec.replaced_by:
        said["x-densefog-replaced-by"] = spec.replaced_by
    return said


def _json(schema: Schema, examples: tuple[Mapping[str, Any], ...] = ()) -> Schema:
    content: Schema = {"schema": schema}
    if examples:
        content["examples"] = {f"example{number}": {"value": one} for number, one in enumerate(examples, 1)}
    return {"application/json": content}
