"""``densefog api-diff``: what breaks callers is found, what does not is not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from densefog_core.actions import openapi
from densefog_core.actions.handlers import make_spec
from densefog_core.errors.catalogue import ErrorRow
from densefog_plugins.apidiff.actions import diff
from densefog_plugins.apidiff.commands import api_diff
from densefog_plugins.apidiff.compare import Change

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
INT: Schema = {"type": "integer"}
NUMBER: Schema = {"type": "number"}
NULL: Schema = {"type": "null"}
SMALL: Schema = {"type": "object", "required": ["kind"], "properties": {"kind": {"enum": ["small"]}, "a": INT}}
LARGE: Schema = {"type": "object", "required": ["kind"], "properties": {"kind": {"enum": ["large"]}, "b": INT}}


def an(**properties: Schema) -> Schema:
    """Return an object with these members; those whose names end with ``_`` are required."""
    required = [name[:-1] for name in properties if name.endswith("_")]
    return {
        "type": "object",
        "required": required,
        "properties": {name.removesuffix("_"): one for name, one in properties.items()},
    }


def a_list(**facets: Any) -> Schema:
    """Return a list of texts."""
    return {"type": "array", "items": TEXT, **facets}


#: A schema, and one that takes less: of params that breaks, and back it is harmless; of results the other way round.
NARROWER: list[tuple[Schema, Schema]] = [
    (an(a=INT), an(a={**INT, "maximum": 500})),
    (an(a={**INT, "maximum": 1000}), an(a={**INT, "maximum": 500})),
    (an(a={**INT, "minimum": 1}), an(a={**INT, "minimum": 2})),
    (an(a={**INT, "minimum": 1}), an(a={**INT, "exclusiveMinimum": 1})),
    (an(a={**NUMBER, "minimum": 1}), an(a={**NUMBER, "exclusiveMinimum": 1})),
    (an(a=INT), an(a={**INT, "multipleOf": 4})),
    (an(a={**INT, "multipleOf": 2}), an(a={**INT, "multipleOf": 4})),
    (an(a=NUMBER), an(a=INT)),
    (an(a=TEXT), an(a={**TEXT, "maxLength": 5})),
    (an(a=TEXT), an(a={**TEXT, "minLength": 1})),
    (an(a=TEXT), an(a={**TEXT, "pattern": "^a"})),
    (an(a=TEXT), an(a={**TEXT, "format": "date-time"})),
    (an(a=TEXT), an(a={"enum": ["x", "y"]})),
    (an(a={"enum": ["x", "y"]}), an(a={"enum": ["x"]})),
    (an(a={"anyOf": [TEXT, NULL]}), an(a=TEXT)),
    (an(a={"type": ["string", "integer"]}), an(a=TEXT)),
    (an(a={"anyOf": [SMALL, LARGE]}), an(a=SMALL)),
    (an(a={}), an(a=TEXT)),
    (an(a=a_list()), an(a=a_list(minItems=1))),
    (an(a=a_list(maxItems=9)), an(a=a_list(maxItems=8))),
    (an(a=a_list()), an(a=a_list(uniqueItems=True))),
    (an(a={"type": "array"}), an(a=a_list())),
    (an(a=a_list()), an(a=a_list(items={"enum": ["x"]}))),
    (an(a=INT), an(a_=INT)),
    (an(a=an(b=an(c=INT))), an(a=an(b=an(c_=INT)))),
    (an(a={"type": "object", "additionalProperties": NUMBER}), an(a={"type": "object", "additionalProperties": INT})),
]

X, X_OR_Y = an(a={"enum": ["x"]}), an(a={"enum": ["x", "y"]})
NARROWER += [
    (an(o={"anyOf": [X_OR_Y, NULL]}), an(o={"anyOf": [X, NULL]})),
    (an(o={"type": ["integer", "number"]}), an(o={**NUMBER, "minimum": 3})),
    (an(o={"anyOf": [INT, {**TEXT, "maxLength": 9}]}), an(o={"anyOf": [{**TEXT, "maxLength": 8}, INT]})),
]

#: Of params only.
BROKEN_PARAMS: list[tuple[Schema, Schema]] = [
    (an(a=INT, b=INT), an(a=INT)),
    (an(a=INT), an(a=INT, b_=INT)),
    (an(a={**INT, "default": 1}), an(a={**INT, "default": 2})),
    (an(a=INT), {**an(a=INT), "additionalProperties": False}),
    (an(a=TEXT), an(a=INT)),
    (an(a={**TEXT, "pattern": "^a"}), an(a={**TEXT, "pattern": "^b"})),
]
#: Of results only: a member gone.
BROKEN_DATA: list[tuple[Schema, Schema]] = [
    (an(a_=INT, b_=INT), an(a_=INT)),
    (an(a=INT), an()),
    (an(a=TEXT), an(a=INT)),
    (an(a={**TEXT, "pattern": "^a"}), an(a={**TEXT, "pattern": "^b"})),
]
#: Written in another way, and in both ways the same.
SAME: list[tuple[Schema, Schema]] = [
    (an(a={**INT, "exclusiveMinimum": 0}), an(a={**INT, "minimum": 1})),
    (an(a={**INT, "exclusiveMaximum": 10}), an(a={**INT, "maximum": 9})),
    (an(a={"enum": ["x", "y"]}), an(a={"enum": ["y", "x"]})),
    (an(a={"enum": ["x", "y"]}), an(a={"anyOf": [{"const": "x"}, {"const": "y"}]})),
    (an(a={"anyOf": [TEXT, NULL]}), an(a={"type": ["null", "string"]})),
    (an(a={"anyOf": [TEXT, INT]}), an(a={"oneOf": [INT, TEXT]})),
    (an(a={"allOf": [TEXT]}), an(a=TEXT)),
    (an(a=INT), an(a={**INT, "title": "A", "description": "size"})),
    (an(a=INT), an(a={**INT, "examples": [3]})),
    (an(a=INT), {**an(a={"$ref": "#/$defs/A"}), "$defs": {"A": INT}}),
    ({**an(a={"$ref": "#/$defs/A"}), "$defs": {"A": SMALL}}, {**an(a={"$ref": "#/$defs/B"}), "$defs": {"B": SMALL}}),
    (an(a={**a_list(), "minItems": 0}), an(a=a_list())),
    (an(a={"anyOf": [an(p_=INT), an(q_=TEXT)]}), an(a={"anyOf": [an(q_=TEXT), an(p_=INT)]})),
    (an(a={"anyOf": [a_list(), a_list(items=INT)]}), an(a={"anyOf": [a_list(items=INT), a_list()]})),
    (an(a={"type": ["integer", "number"]}), an(a=NUMBER)),
    (an(a={"anyOf": [{"enum": ["x"]}, NULL]}), an(a={"enum": ["x", None]})),
    (an(a={"type": "boolean"}), an(a={"enum": [True, False]})),
    (an(a={"enum": [1, 2]}), an(a={"enum": [1.0, 2]})),
    (an(a={}), an(a={"anyOf": [{}, NULL]})),
]
RECURSIVE: Schema = {"$ref": "#/$defs/A", "$defs": {"A": an(a=INT, inner={"$ref": "#/$defs/A"})}}


def document(params: Schema, data: Schema, *names: str, **members: Any) -> Schema:
    """Return the document of an API whose actions take and give this."""
    made = (make_spec(name, _handler) for name in names or ("CreateVolumes",))
    specs = {one.name: replace(one, params_schema=params, result_schema=data, **members) for one in made}
    content: Schema = json.loads(json.dumps(openapi.document("public", specs)))
    return content


def _handler() -> None:
    """Do nothing."""


def changes(old: Schema, new: Schema, where: str) -> list[Change]:
    """Return the changes of a schema of the params or of the data."""
    if where == "params":
        return diff(document(old, {}), document(new, {}))
    return diff(document({}, old), document({}, new))


BREAKS = [
    *((old, new, "params") for old, new in [*NARROWER, *BROKEN_PARAMS]),
    *((new, old, "data") for old, new in NARROWER),
    *((old, new, "data") for old, new in BROKEN_DATA),
]
HARMLESS = [
    *((new, old, "params") for old, new in NARROWER),
    *((old, new, "data") for old, new in NARROWER),
    *((old, new, where) for pair in SAME for old, new in (pair, pair[::-1]) for where in ("params", "data")),
    (an(a=INT), an(a=INT, b=INT), "params"),
    (an(a=INT), an(a=INT, b_=INT), "data"),
    (an(a=INT), {**an(a=INT), "additionalProperties": False}, "data"),
    ({**an(a=INT), "additionalProperties": False}, an(a=INT), "data"),
    (RECURSIVE, RECURSIVE, "params"),
]


def test_there_are_as_many_as_promised() -> None:
    """Fifty of each."""
    assert (len(BREAKS) >= 50, len(HARMLESS) >= 50) == (True, True)


@pytest.mark.parametrize(("old", "new", "where"), BREAKS)
def test_a_break_is_found(old: Schema, new: Schema, where: str) -> None:
    """Below the member where it is."""
    found = [one for one in changes(old, new, where) if one.breaks]
    assert found
    assert all(one.path.startswith(where) for one in found)


@pytest.mark.parametrize(("old", "new", "where"), HARMLESS)
def test_what_harms_nobody_is_no_break(old: Schema, new: Schema, where: str) -> None:
    """At most it is new."""
    assert [one for one in changes(old, new, where) if one.breaks] == []


@pytest.mark.parametrize("pair", SAME)
def test_another_way_of_writing_is_no_change(pair: tuple[Schema, Schema]) -> None:
    """Meaning counts."""
    assert changes(*pair, "params") == []


def test_an_action_that_is_gone_breaks() -> None:
    """And one that is added does not."""
    one, two = document({}, {}, "A"), document({}, {}, "A", "B")
    assert diff(two, one) == [Change("B", "", "action gone", breaks=True)]
    assert diff(one, two) == [Change("B", "", "action added", breaks=False)]


def test_another_effect_breaks() -> None:
    """A key that may only read could not call it any more."""
    found = diff(document({}, {}, effect="read"), document({}, {}, effect="change"))
    assert found == [Change("CreateVolumes", "effect", "effect change, was read", breaks=True)]


def test_another_api_breaks() -> None:
    """It has another address and other keys."""
    old = document({}, {})
    assert [one.breaks for one in diff(old, {**old, "x-densefog-api": "manage"})] == [True]


def test_an_error_that_is_gone_breaks() -> None:
    """Whoever waits for it waits in vain."""
    old = document({}, {})
    new = {**old, "x-densefog-errors": [row for row in old["x-densefog-errors"] if row["code"] != 4105]}
    row = ErrorRow(4999, "Mine", "x")._asdict()
    assert [(one.path, one.breaks) for one in diff(old, new)] == [("errors/4105", True)]
    more = {**old, "x-densefog-errors": [*old["x-densefog-errors"], row]}
    assert [(one.path, one.breaks) for one in diff(old, more)] == [("errors/4999", False)]


def test_keys_that_are_asked_for_break() -> None:
    """Callers without one are refused."""
    old = document({}, {})
    keys = {"securitySchemes": {"apiKey": {"type": "apiKey", "in": "header", "name": "X-Key"}}}
    new = {**old, "components": {**old["components"], **keys}}
    assert [(one.path, one.breaks) for one in diff(old, new)] == [("security/apiKey", True)]


def run(tmp_path: Path, old: object, new: object, *options: str) -> Result:
    """Run the command on two documents."""
    names = []
    for name, content in (("old.json", old), ("new.json", new)):
        (tmp_path / name).write_text(content if isinstance(content, str) else json.dumps(content))
        names.append(str(tmp_path / name))
    return CliRunner().invoke(api_diff, [*names, *options])


OLD, NEW = (document(an(size={**INT, "maximum": most}), {}) for most in (1000, 500))


def test_a_break_ends_with_1(tmp_path: Path) -> None:
    """And a line says what it is."""
    result = run(tmp_path, OLD, NEW)
    assert (result.exit_code, result.output) == (
        1, "breaks  CreateVolumes  params/size  maximum 500, was 1000\n",
    )  # fmt: skip


def test_what_is_new_ends_with_0(tmp_path: Path) -> None:
    """In every form."""
    result = run(tmp_path, NEW, OLD, "--format", "markdown")
    assert (result.exit_code, result.output) == (
        0, "### New\n\n- `CreateVolumes` `params/size`: maximum 1000, was 500\n",
    )  # fmt: skip


def test_programs_read_a_list(tmp_path: Path) -> None:
    """Of objects with the members of a change."""
    rows = json.loads(run(tmp_path, OLD, NEW, "--format", "json").output)
    assert rows == [
        {"action": "CreateVolumes", "path": "params/size", "change": "maximum 500, was 1000", "breaks": True}
    ]


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"paths": 3}', '{"paths": {"/a": {}}}'])
def test_what_is_no_document_is_wrong_usage(tmp_path: Path, content: str) -> None:
    """It ends with 2."""
    assert run(tmp_path, content, NEW).exit_code == 2
