"""The explorer: what can be called, how, and what comes back."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from werkzeug.exceptions import Forbidden, NotFound
from werkzeug.wrappers import Response

from densefog_core.actions import ActionSpec
from densefog_plugins.console.calls import Answer
from densefog_plugins.console.views import Visit


def show(visit: Visit) -> Response:
    """List the actions of all APIs, those for operators first."""
    wanted, part = visit.request.args.get("api", ""), visit.request.args.get("q", "").strip()
    rows = [
        (api, spec)
        for api in _apis(visit)
        for _, spec in sorted(visit.caller.api(api).specs.items())
        if wanted in ("", api) and part.lower() in spec.name.lower()
    ]
    return visit.page("actions.html", rows=rows, apis=_apis(visit), wanted=wanted, part=part, changes=changes)


def _apis(visit: Visit) -> list[str]:
    app, manage = visit.site.app, visit.site.manage
    names = {key.partition("/")[0] for key in app.actions} | set(app.apis)
    return sorted(names, key=lambda name: (name != manage, name))


def changes(spec: ActionSpec) -> bool:
    """Return whether an action changes something, as far as is known."""
    effect = getattr(spec, "effect", None)
    return effect != "read" if effect else not spec.name.startswith(("Describe", "Get", "List", "Find"))


@dataclass(frozen=True, slots=True)
class Field:
    """A field of the form, for a member of the action's params.

    Attributes:
        name: the member.
        kind: ``text``, ``number``, ``choice``, ``lines`` (of a list) or ``json``.
        required: whether the action needs it.
        help: what its schema says.
        choices: the values of a choice.
        value: what was typed.
        problem: what is wrong with it.
    """

    name: str
    kind: str
    required: bool
    help: str
    choices: tuple[str, ...] = ()
    value: str = ""
    problem: str = ""


def explore(visit: Visit, api: str, action: str) -> Response:
    """Show an action's form, and its reply when it was called."""
    spec = visit.caller.api(api).specs.get(action) if api in _apis(visit) else None
    if spec is None:
        raise NotFound
    form = visit.request.form
    fields = [_field(name, schema, spec, form.get(f"p.{name}", "")) for name, schema in _members(spec)]
    params, problems = _params(fields)
    reply: Answer | None = None
    if visit.request.method == "POST":
        if changes(spec) and not visit.is_operator:
            raise Forbidden("This key may only read.")
        if not problems:
            reply = visit.caller.call(action, params, api=api, project_id=form.get("project", "").strip() or None)
            problems = _problems(reply)
    shown = [_with_problem(field, problems) for field in fields]
    return visit.page(
        "action.html",
        api=api,
        spec=spec,
        fields=shown,
        reply=reply,
        params={"action": action, **params},
        project=form.get("project", ""),
        public=api != visit.site.manage,
        commands=_commands(api, action, params),
        unplaced={path: text for path, text in problems.items() if path not in {field.name for field in fields}},
    )


def _members(spec: ActionSpec) -> list[tuple[str, Mapping[str, Any]]]:
    schema = _resolved(spec.params_schema, spec.params_schema)
    return [(name, member) for name, member in schema.get("properties", {}).items() if name != "action"]


def _resolved(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a schema with its reference, or the one alternative that is not null, put in its place."""
    for _ in range(8):
        kinds = [one for one in schema.get("anyOf", ()) if one.get("type") != "null"]
        if "$ref" in schema:
            schema = root.get("$defs", {}).get(schema["$ref"].rpartition("/")[2], {})
        elif len(kinds) == 1:
            schema = {**{key: value for key, value in schema.items() if key != "anyOf"}, **kinds[0]}
        else:
            break
    return schema


def _field(name: str, member: Mapping[str, Any], spec: ActionSpec, value: str) -> Field:
    root = spec.params_schema
    schema = _resolved(member, root)
    kind, choices = _kind(schema, root)
    needed = name in _resolved(root, root).get("required", ())
    bounds = [f"{word} {schema[key]}" for key, word in (("minimum", "at least"), ("maximum", "at most"),
              ("maxLength", "characters at most:"), ("maxItems", "elements at most:")) if key in schema]  # fmt: skip
    text = ". ".join(part.rstrip(".") for part in (str(schema.get("description", "")), ", ".join(bounds)) if part)
    return Field(name, kind, needed, text, choices, value)


def _kind(schema: Mapping[str, Any], root: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    if "enum" in schema:
        return "choice", tuple(map(str, schema["enum"]))
    kind = schema.get("type")
    if kind == "boolean":
        return "choice", ("true", "false")
    if kind in ("integer", "number"):
        return "number", ()
    if kind == "array" and _resolved(schema.get("items", {}), root).get("type") == "string":
        return "lines", ()
    return ("text", ()) if kind == "string" else ("json", ())


def _params(fields: list[Field]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the members that were typed, and what cannot be read of them; empty fields are left out."""
    params: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for field in fields:
        if not field.value.strip():
            continue
        try:
            params[field.name] = _read(field)
        except ValueError:
            problems[field.name] = "is not JSON" if field.kind == "json" else "is not a number"
    return params, problems


def _read(field: Field) -> Any:  # noqa: ANN401
    text = field.value.strip()
    if field.kind == "lines":
        return [line.strip() for line in text.splitlines() if line.strip()]
    if field.kind == "choice" and field.choices == ("true", "false"):
        return text == "true"
    if field.kind == "number":
        number = float(text)
        return int(number) if number.is_integer() and "." not in text else number
    return json.loads(text) if field.kind == "json" else field.value


def _problems(reply: Answer) -> dict[str, str]:
    errors = reply.data.get("errors", ()) if reply.ret_code == 4110 and isinstance(reply.data, dict) else ()
    return {one["path"].lstrip("/").partition("/")[0]: one["message"] for one in errors}


def _with_problem(field: Field, problems: dict[str, str]) -> Field:
    from dataclasses import replace

    return replace(field, problem=problems.get(field.name, ""))


def _commands(api: str, action: str, params: dict[str, Any]) -> dict[str, str]:
    words = [f"{name}={value if isinstance(value, str) else json.dumps(value)}" for name, value in params.items()]
    body = json.dumps({"action": action, **params}, ensure_ascii=False)
    python = f"import json, urllib.request\nbody = json.dumps({ {'action': action, **params}!r}).encode()\n"
    return {
        "densefog": " ".join(["densefog", "call", action, *map(shlex.quote, words)]),
        "curl": f"curl -s http://127.0.0.1:8080/ -d {shlex.quote(body)}",
        "Python": f"{python}print(urllib.request.urlopen('http://127.0.0.1:8080/', body).read().decode())",
    }
