"""Bodies that break a schema: of the sample cloud's actions, and of what schemas can say."""

from __future__ import annotations

import jsonschema_rs
import pytest

from densefog_core.actions.handlers import ActionSpec
from densefog_core.config import Config
from densefog_core.current import set_current_app
from densefog_core.testing import TestApp, malformed_bodies

#: One schema for each thing that can be broken, with bodies that must be among those that break it.
SCHEMAS = {
    "required": ({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}, [{}, {"a": 1.5}]),
    "closed": ({"type": "object", "additionalProperties": False}, [{"noSuchMember": 1}]),
    "range": (
        {"properties": {"n": {"type": "integer", "minimum": 2, "exclusiveMaximum": 9}}},
        [{"n": 1}, {"n": 9}, {"n": 1.5}, {"n": None}, {"n": True}],
    ),
    "length": (
        {"properties": {"s": {"type": "string", "minLength": 2, "maxLength": 3}}}, [{"s": "x"}, {"s": "xxxx"}]
    ),
    "pattern": ({"properties": {"s": {"type": "string", "pattern": "^vol-"}}}, [{"s": "\x01"}]),
    "enum": ({"properties": {"e": {"enum": ["a", "b"]}}}, [{"e": "ab?"}]),
    "numbers": ({"properties": {"e": {"enum": [1, 5]}}}, [{"e": 6}]),
    "const": ({"properties": {"e": {"const": "a"}}}, [{"e": "a?"}]),
    "items": (
        {"properties": {"l": {"type": "array", "minItems": 1, "maxItems": 2, "items": {"type": "string"}}}},
        [{"l": []}, {"l": ["x", "x", "x"]}, {"l": [None]}, {"l": {}}],
    ),
    "null too": (
        {"properties": {"n": {"anyOf": [{"type": "integer", "maximum": 1}, {"type": "null"}]}}}, [{"n": "?"}, {"n": 2}]
    ),
    "both": ({"properties": {"n": {"type": ["integer", "null"]}}}, [{"n": "?"}]),
    "itself": (
        {
            "$ref": "#/$defs/Node",
            "$defs": {"Node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}}, "required": ["id"]}},
        },
        [{}, {"id": None, "next": {}}],
    ),
    "deep": (
        {"properties": {"o": {"type": "object", "properties": {"n": {"type": "number"}}}}}, [{"o": {"n": "?"}}]
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def stratus(tmp_path_factory: pytest.TempPathFactory):
    """The sample cloud, as it is installed, on a database of its own."""
    app = TestApp(Config().apply(app_root=str(tmp_path_factory.mktemp("stratus")), log_dir="-")).load()
    before = set_current_app(app)
    app.start()
    app.store.init()
    yield app
    app.shutdown()
    set_current_app(before)


@pytest.mark.parametrize("name", ["public", "manage"])
def test_each_action_of_the_sample_cloud_refuses_what_breaks_its_schema(stratus, name):
    api, broken = stratus.api(name), 0
    for spec in api.specs.values():
        for body in malformed_bodies(spec):
            broken += 1
            assert api.post(body)["retCode"] == 4110, body
    assert broken > 20


@pytest.mark.parametrize("name", SCHEMAS)
def test_each_body_breaks_the_schema_it_was_made_of(name):
    schema, wanted = SCHEMAS[name]
    bodies = list(malformed_bodies(schema))
    for body in bodies:
        assert not jsonschema_rs.validator_for(schema).is_valid(body), body
    for body in wanted:
        assert body in bodies


def test_what_takes_anything_is_broken_by_nothing():
    assert list(malformed_bodies({})) == []


def test_the_bodies_of_an_action_have_its_name():
    spec = ActionSpec("Create", dict, dict, params_schema={"type": "object", "required": ["size"]})
    assert list(malformed_bodies(spec)) == [{"action": "Create"}]
