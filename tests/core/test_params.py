"""Typed parameters: names, conversion, all errors at once, and no secret in any of them."""

from __future__ import annotations

import enum
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Generic, Literal, NamedTuple, NotRequired, TypedDict, TypeVar

import jsonschema_rs
import pydantic
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Meta, Struct, field

from densefog_core import Secret, action, hookimpl, validate_request
from densefog_core.actions import Request, params
from densefog_core.actions.params.converting import camel
from densefog_core.context import entered
from densefog_core.errors import RegistrationError, ValidationError
from densefog_core.jsontext import dumps
from densefog_core.plugins import needs
from densefog_core.redact import redact
from densefog_core.testing import make_app

T = TypeVar("T")


class Disk(Struct):
    disk_size: Annotated[int, Meta(ge=1, le=100)]
    disk_kind: Literal["ssd", "hdd"] = "ssd"


@dataclass
class Nic:
    subnet_id: str
    ip_list: list[str]


class Tags(TypedDict):
    tag_name: str
    tag_value: NotRequired[str]


class Attach(Struct, tag="attach", tag_field="kind"):
    volume_id: str


class Create(Struct, tag="create", tag_field="kind"):
    volume_size: int


class Position(NamedTuple):
    rack: int
    owner: Nic


class Everything(Struct):
    server_name: Annotated[str, Meta(min_length=2, max_length=10)]
    data_disks: list[Disk] = []
    nics_by_name: dict[str, Nic] = {}
    root_disk: Disk | None = None
    first_tags: Tags | None = None
    volume: Attach | Create | None = None
    disk_pair: tuple[Disk, Disk] | None = None
    where: Position | None = None


class Tree(Struct):
    node_name: str
    child_nodes: list[Tree] = []


class Renamed(Struct, rename="pascal"):
    volume_id: str


class OneRenamed(Struct):
    volume_id: str = field(name="volume")
    disk_size: int = 0


class Strict(Struct, forbid_unknown_fields=True):
    volume_id: str
    size: int = 0


class StrictPlain(Struct, forbid_unknown_fields=True):
    size: int = 0


class Keyword(Struct):
    from_: str
    _private: int = 0


class Page(Struct, Generic[T]):
    page_items: list[T]


class Colour(enum.Enum):
    DARK_RED = "darkRed"


class Login(Struct):
    user_name: str
    pass_phrase: Secret
    spare_phrase: Secret | None = None


CONVERTERS: dict[Any, Any] = {}


def converted(kind: Any, body: Mapping[str, Any]) -> Any:
    if kind not in CONVERTERS:
        CONVERTERS[kind] = params.converter(kind, "action 'Test'")
    return CONVERTERS[kind]({"action": "Test", **body})


def errors_of(kind: Any, body: Mapping[str, Any]) -> dict[str, str]:
    with pytest.raises(ValidationError) as caught:
        converted(kind, body)
    errors = caught.value.data["errors"]
    assert caught.value.ret_code == 4110
    assert str(caught.value) == f"Illegal request format: {errors[0]['path']} {errors[0]['message']}".replace(
        ":  ", ": "
    )
    return {one["path"]: one["message"] for one in errors}


# -- names -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("attribute", "wire"),
    [
        ("size", "size"), ("volume_ids", "volumeIds"), ("from_", "from"), ("_private", "_private"), ("x_1", "x1"),
        ("volumeIds", "volumeIds"), ("a__b", "aB"), ("_", "_"), ("search_ipv4_word", "searchIpv4Word"),
    ],
)  # fmt: skip
def test_an_attribute_is_camel_case_on_the_wire(attribute, wire):
    assert camel(attribute) == wire


@given(st.from_regex(r"[a-z_][a-z0-9_]{0,20}", fullmatch=True))
def test_the_wire_name_is_its_own_wire_name(name):
    assert camel(camel(name)) == camel(name)


@pytest.mark.parametrize("annotation", [None, Any, object, dict, dict[str, Any], Mapping, Mapping[str, Any]])
def test_parameters_without_a_type_stay_a_dict(annotation):
    assert params.converter(annotation, "x") is None


def test_names_are_camel_case_in_nested_types_lists_dicts_tuples_and_unions():
    got = converted(
        Everything,
        {
            "serverName": "web",
            "dataDisks": [{"diskSize": 1}, {"diskSize": 2, "diskKind": "hdd"}],
            "nicsByName": {"snake_key": {"subnetId": "s", "ipList": ["::1"]}},
            "rootDisk": {"diskSize": 3},
            "firstTags": {"tagName": "a", "tagValue": "b"},
            "volume": {"kind": "create", "volumeSize": 4},
            "diskPair": [{"diskSize": 5}, {"diskSize": 6}],
            "where": [1, {"subnetId": "t", "ipList": []}],
        },
    )
    assert got == Everything(
        server_name="web",
        data_disks=[Disk(1), Disk(2, "hdd")],
        nics_by_name={"snake_key": Nic("s", ["::1"])},
        root_disk=Disk(3),
        first_tags={"tag_name": "a", "tag_value": "b"},
        volume=Create(4),
        disk_pair=(Disk(5), Disk(6)),
        where=Position(1, Nic("t", [])),
    )


def test_a_dataclass_and_a_typed_dict_are_converted():
    assert converted(Nic, {"subnetId": "s", "ipList": []}) == Nic("s", [])
    assert converted(Tags, {"tagName": "a"}) == {"tag_name": "a"}


def test_a_union_of_tagged_structs_is_converted():
    assert converted(Attach | Create, {"kind": "attach", "volumeId": "v"}) == Attach("v")


def test_a_generic_struct_is_converted():
    assert converted(Page[Disk], {"pageItems": [{"diskSize": 1}]}) == Page([Disk(1)])


def test_a_type_that_contains_itself_is_converted():
    body = {"nodeName": "a", "childNodes": [{"nodeName": "b", "childNodes": []}]}
    assert converted(Tree, body) == Tree("a", [Tree("b")])
    assert errors_of(Tree, {"nodeName": "a", "childNodes": [{"childNodes": [{"nodeName": 1}]}]}) == {
        "/childNodes/0": "'nodeName' is a required property",
        "/childNodes/0/childNodes/0/nodeName": "Expected `str`, got `int`",
    }


def test_a_trailing_underscore_frees_a_keyword():
    assert converted(Keyword, {"from": "x"}).from_ == "x"


def test_a_struct_that_declares_its_names_keeps_them():
    assert converted(Renamed, {"VolumeId": "v"}) == Renamed("v")
    assert converted(OneRenamed, {"volume": "v", "diskSize": 3}) == OneRenamed("v", 3)
    assert errors_of(Renamed, {"volumeId": "v"}) == {"": "'VolumeId' is a required property"}


def test_the_snake_case_name_is_not_taken_on_the_wire():
    assert errors_of(Disk, {"disk_size": 1}) == {"": "'diskSize' is a required property"}
    assert converted(OneRenamed, {"volume": "v", "disk_size": 9}) == OneRenamed("v", 0)


def test_unknown_members_are_ignored():
    assert converted(Disk, {"diskSize": 1, "more": {"a": [1]}}) == Disk(1)


@pytest.mark.parametrize("kind", [Strict, StrictPlain])
def test_a_struct_may_forbid_unknown_members_other_than_action(kind):
    required = {"volumeId": "v"} if kind is Strict else {}
    assert converted(kind, {**required, "size": 2}).size == 2
    refused = "Additional properties are not allowed ('extra' was unexpected)"
    assert errors_of(kind, {**required, "extra": 1}) == {"": refused}


def test_a_snake_case_name_is_unknown_to_a_struct_that_forbids_unknown_members():
    refused = "Additional properties are not allowed ('volume_id' was unexpected)"
    assert errors_of(Strict, {"volumeId": "v", "volume_id": "w"}) == {"": refused}


# -- errors ----------------------------------------------------------------------------------------------------


class Window(Struct):
    opens_at: datetime | None = None
    all_of: list[datetime] = []
    by_name: dict[str, list[datetime | None]] = {}


@pytest.mark.parametrize("ends", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"])
def test_a_time_that_utc_has_no_year_for_is_refused(ends):
    """Wherever it stands, such a time is refused with a pointer: each handler converts to UTC at some place."""
    body = {"opensAt": ends, "allOf": ["2026-01-01T00:00:00Z", ends], "byName": {"a": [None, ends]}}
    assert list(errors_of(Window, body)) == ["/opensAt", "/allOf/1", "/byName/a/1"]


def test_times_at_the_ends_of_the_calendar_are_taken():
    """The first and the last second of UTC, and times without a zone, are times."""
    body = {"opensAt": "0001-01-01T00:00:00Z", "allOf": ["9999-12-31T23:59:59Z", "9999-12-31T23:59:59"]}
    assert converted(Window, body).all_of[1] == datetime.max.replace(microsecond=0)


def test_everything_that_is_wrong_is_told_at_once():
    assert errors_of(
        Everything,
        {
            "dataDisks": [{"diskSize": 0, "diskKind": "tape"}, 3, {}],
            "nicsByName": {"a/b~c": {"subnetId": "s", "ipList": ["x", 1]}},
            "rootDisk": "big",
            "firstTags": {"tagValue": None},
            "volume": {"kind": "delete"},
            "diskPair": [{"diskSize": 1}],
            "where": [1, {"subnetId": "t", "ipList": 0}],
        },
    ) == {
        "": "'serverName' is a required property",
        "/dataDisks/0/diskSize": "Expected `int` >= 1",
        "/dataDisks/0/diskKind": "Expected one of 'hdd', 'ssd'",
        "/dataDisks/1": "Expected `object`, got `int`",
        "/dataDisks/2": "'diskSize' is a required property",
        "/nicsByName/a~1b~0c/ipList/1": "Expected `str`, got `int`",
        "/rootDisk": "Expected `object | null`, got `str`",
        "/firstTags": "'tagName' is a required property",
        "/firstTags/tagValue": "Expected `str`, got `null`",
        "/volume/kind": "Expected one of 'attach', 'create'",
        "/diskPair": "Expected `array` of length >= 2",
        "/where/1/ipList": "Expected `array`, got `int`",
    }


def test_a_union_member_without_its_tag_is_told():
    assert errors_of(Attach | Create, {"volumeId": "v"}) == {"": "'kind' is a required property"}


class Range(Struct):
    first_port: int
    last_port: int
    password: str = ""

    def __post_init__(self) -> None:
        if self.first_port > self.last_port:
            raise ValueError(f"firstPort is greater than lastPort; {self.password}")


class Rules(Struct):
    port_ranges: list[Range]


def test_what_a_type_checks_itself_is_told_where_it_stands_and_without_secrets():
    bad = {"firstPort": 2, "lastPort": 1, "password": "hunter2"}
    words = "firstPort is greater than lastPort; ********"
    assert errors_of(Rules, {"portRanges": [{"firstPort": 1, "lastPort": 1}, bad]}) == {"/portRanges/1": words}


class Span(Struct, array_like=True):
    first_port: int
    last_port: int

    def __post_init__(self) -> None:
        if self.first_port > self.last_port:
            raise ValueError("it ends before it begins")


class Spans(Struct):
    port_spans: dict[str, list[Span]]


def test_what_an_array_checks_itself_is_told_as_near_as_msgspec_says():
    assert errors_of(Spans, {"portSpans": {"a": [[1, 2], [3, "x"]]}}) == {
        "/portSpans/a/1/1": "Expected `int`, got `str`"
    }
    assert errors_of(Spans, {"portSpans": {"a": [[2, 1]]}}) == {"/portSpans": "it ends before it begins"}


def test_one_request_is_told_of_a_hundred_problems_at_most():
    with pytest.raises(ValidationError) as caught:
        converted(Rules, {"portRanges": [0] * 1000})
    assert len(caught.value.data["errors"]) == 100


def test_one_bad_item_among_many_is_found_quickly():
    started = time.perf_counter()
    body = {"nodeName": "a", "childNodes": [{"nodeName": "b"}] * 20_000 + [{}]}
    assert errors_of(Tree, body) == {"/childNodes/20000": "'nodeName' is a required property"}
    assert errors_of(Nic, {"subnetId": "s", "ipList": ["x"] * 100_000 + [1]}) == {
        "/ipList/100000": "Expected `str`, got `int`"
    }
    assert time.perf_counter() - started < 2


class Valued(Struct):
    text: Annotated[str, Meta(pattern="^[a-z]+$", max_length=3)] = "a"
    colour: Colour | None = None
    literal: Literal["a", "b"] = "a"
    number: Literal[1, 2] = 1
    by_colour: dict[Colour, int] = {}
    volume: Attach | Create | None = None
    single: Attach | None = None


@given(st.text(alphabet="0123456789ABCDEF", min_size=6, max_size=12))
def test_a_message_has_no_value_of_the_request(value):
    value = f"v{value}v"
    body = {"text": value, "colour": value, "literal": value, "number": value, "byColour": {value: 1}}
    body |= {"volume": {"kind": value}, "single": {"kind": value, "volumeId": "v"}}
    told = errors_of(Valued, body)
    assert set(told) == {"/text", "/colour", "/literal", "/number", "/byColour", "/volume/kind", "/single/kind"}
    assert value not in json.dumps(list(told.values()))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=4,
)
NAMES = [
    "serverName",
    "dataDisks",
    "nicsByName",
    "rootDisk",
    "firstTags",
    "volume",
    "diskPair",
    "where",
    "diskSize",
    "kind",
]
shaped = st.recursive(
    json_values, lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(NAMES), inner), max_leaves=8
)


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(NAMES), shaped, max_size=4))
def test_any_request_is_converted_or_refused_at_places_that_are_in_it(body):
    try:
        assert isinstance(converted(Everything, body), Everything)
    except ValidationError as exc:
        assert exc.data["errors"]
        for error in exc.data["errors"]:
            at: Any = body
            for step in error["path"].split("/")[1:]:
                at = at[int(step)] if isinstance(at, list) else at[step.replace("~1", "/").replace("~0", "~")]


# -- secrets ---------------------------------------------------------------------------------------------------


def test_a_secret_is_converted_and_never_shown():
    login = converted(Login, {"userName": "ada", "passPhrase": "open sesame"})
    assert type(login.pass_phrase) is Secret
    assert login.pass_phrase.reveal() == "open sesame"
    shown = [repr(login), str(login.pass_phrase), f"{login.pass_phrase}", str(redact(login))]
    assert "open sesame" not in "".join(shown)


def test_a_secret_of_the_wrong_type_is_refused_without_its_value():
    body = {"userName": "ada", "passPhrase": 8086, "sparePhrase": ["sesame"]}
    told = errors_of(Login, body)
    assert told["/passPhrase"] == "Expected `str`, got `int`"
    assert "sesame" not in str(told) and "8086" not in str(told)


# -- registration ----------------------------------------------------------------------------------------------


class Clash(Struct):
    volume_id: str
    volumeId: str


class Foreign(Struct):
    thing: pytest.Item


class Numbered(Struct, array_like=True):
    first: int


@pytest.mark.parametrize("kind", [Clash, Foreign, Numbered, int, list[str], dict[str, int] | list[int], "no type"])
def test_a_type_that_cannot_be_a_parameter_is_refused_at_registration(kind):
    with pytest.raises(RegistrationError, match=r"^action 'Make': module.make: its parameter cannot be "):
        params.converter(kind, "action 'Make': module.make")


def test_the_application_is_refused_when_a_handler_takes_such_a_type():
    def create(params: Foreign) -> None: ...

    with pytest.raises(RegistrationError, match=r"action 'Create'.*create.* cannot be Foreign: .*Item"):
        make_app(actions={"Create": create})


# -- pydantic --------------------------------------------------------------------------------------------------


class ModelDisk(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid")
    disk_size: int = pydantic.Field(ge=1)
    parent_disk: ModelDisk | None = None


class ModelA(pydantic.BaseModel):
    kind: Literal["a"]
    some_id: int


class ModelB(pydantic.BaseModel):
    kind: Literal["b"]
    some_id: str


class Model(pydantic.BaseModel):
    volume_ids: list[str]
    data_disks: list[ModelDisk] = pydantic.Field([])
    by_name: dict[str, ModelDisk] = pydantic.Field({})
    choice: Annotated[ModelA | ModelB, pydantic.Field(discriminator="kind")] | None = None
    user_password: str = ""
    odd: int = pydantic.Field(3, alias="theOdd")

    @pydantic.field_validator("user_password")
    @classmethod
    def check(cls, value: str) -> str:
        if value == "hunter2":
            raise ValueError(f"{value} is too weak")
        return value


def test_a_pydantic_model_answers_to_camel_case_names_at_every_level():
    disk = {"diskSize": 1, "parentDisk": {"diskSize": 2, "parentDisk": {"diskSize": 3}}}
    body = {"volumeIds": ["v"], "dataDisks": [disk], "byName": {"a_b": {"diskSize": 4}}, "theOdd": 5}
    got = converted(Model, {**body, "choice": {"kind": "b", "someId": "x"}})
    assert got.data_disks[0].parent_disk.parent_disk == ModelDisk(disk_size=3)
    assert got.by_name == {"a_b": ModelDisk(disk_size=4)}
    assert (got.volume_ids, got.odd, got.choice.some_id) == (["v"], 5, "x")


def test_a_pydantic_model_tells_all_that_is_wrong_without_values():
    told = errors_of(
        Model,
        {
            "volume_ids": ["v"],
            "dataDisks": [{"diskSize": 0}, {"diskSize": 1, "disk_size": 1, "parentDisk": {}}],
            "byName": {"a_b": {"diskSize": "huge"}},
            "choice": {"kind": "hunter2"},
            "userPassword": "hunter2",
        },
    )
    assert set(told) == {
        "", "/dataDisks/0/diskSize", "/dataDisks/1/disk_size", "/dataDisks/1/parentDisk", "/byName/a_b/diskSize",
        "/choice", "/userPassword",
    }  # fmt: skip
    assert told[""] == "'volumeIds' is a required property"
    assert told["/dataDisks/1/parentDisk"] == "'diskSize' is a required property"
    assert "hunter2" not in str(told) and "huge" not in str(told)


class Homemade:
    @classmethod
    def model_validate(cls, value: dict[str, Any]) -> dict[str, Any]:
        if "action" in value or value.get("size") == 3:
            raise ValueError(f"no, {value.get('password')}")
        return value


def test_anything_with_model_validate_is_taken():
    assert converted(Homemade, {"size": 1}) == {"size": 1}
    assert errors_of(Homemade, {"size": 3, "password": "hunter2"}) == {"": "no, ********"}
    assert params.json_schema(Homemade) == {}


# -- JSON Schema dicts -----------------------------------------------------------------------------------------

SCHEMA = {
    "type": "object",
    "properties": {
        "size": {"type": "integer", "minimum": 1},
        "password": {"type": "string", "maxLength": 3, "pattern": "^a"},
        "disks": {"type": "array", "items": {"type": "object", "required": ["id"]}},
        "a/b": {"enum": ["x"]},
    },
    "required": ["size"],
    "additionalProperties": False,
}


def test_a_schema_finds_everything_and_tells_no_value():
    check = params.schema_validator(SCHEMA, "x")
    check({"action": "Test", "size": 1})
    with pytest.raises(ValidationError) as caught:
        check({"action": "Test", "password": "hunter2", "disks": [{"id": 1}, {}], "a/b": "hunter2", "more": 1})
    told = [(one["path"], one["message"]) for one in caught.value.data["errors"]]
    assert sorted(told) == [
        ("", "'size' is a required property"),
        ("", "Additional properties are not allowed ('more' was unexpected)"),
        ("/a~1b", 'value is not one of "x"'),
        ("/disks/1", "'id' is a required property"),
        ("/password", 'value does not match "^a"'),
        ("/password", "value is longer than 3 characters"),
    ]
    assert "hunter2" not in str(told)


def test_a_schema_that_knows_the_action_is_given_it():
    check = params.schema_validator({"properties": {"action": {"const": "A"}}, "required": ["action"]}, "x")
    check({"action": "A"})
    with pytest.raises(ValidationError, match="/action"):
        check({"action": "B"})


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "strng"},
        {"pattern": "("},
        {"$ref": "#/nowhere"},
        {"$ref": "http://127.0.0.1:9/x"},
        {"properties": 3},
        3,
    ],
)
def test_a_schema_with_an_error_is_refused_at_registration_and_names_the_handler(schema):
    @action("Make", schema=schema)
    def make(params: dict[str, Any]) -> None: ...

    with pytest.raises(RegistrationError, match=r"^action 'Make': .*make: its JSON Schema has an error: .+") as caught:
        make_app(actions={"Make": make})
    assert "\n" not in str(caught.value)


def test_a_plugin_whose_schema_needs_the_extra_is_unavailable_without_it(monkeypatch):
    class Plugin:
        @hookimpl
        def densefog_register_actions(self, registry: Any) -> None:
            registry.add("Make", lambda params: params, schema=SCHEMA)

    find_spec = needs.importlib.util.find_spec
    monkeypatch.setattr(needs.importlib.util, "find_spec", lambda n: None if n == "jsonschema_rs" else find_spec(n))
    app = make_app(Plugin())
    record = next(one for one in app.plugins.records if one.name == "Plugin")
    assert record.state == "unavailable"
    assert record.reason.endswith("pip install 'densefog[jsonschema]'")
    assert "public/Make" not in app.actions


def test_an_old_handler_validates_its_request_with_a_schema_that_is_compiled_once(monkeypatch):
    compiled = []
    validator_for = jsonschema_rs.validator_for
    monkeypatch.setattr(jsonschema_rs, "validator_for", lambda *a, **k: compiled.append(a) or validator_for(*a, **k))
    schema = {"required": ["size"]}

    def create(params: dict[str, Any]) -> dict[str, Any]:
        validate_request(schema)
        return {"size": params["size"]}

    api = make_app(actions={"Create": create}).api()
    assert api.post({"action": "Create", "size": 3})["data"] == {"size": 3}
    reply = api.post({"action": "Create"})
    assert reply["retCode"] == 4110
    assert reply["data"]["errors"] == [{"path": "", "message": "'size' is a required property"}]
    assert len(compiled) == 1


def test_equal_schemas_that_are_not_one_are_compiled_each():
    with entered(Request("public", "Test", {"action": "Test"})):
        for _ in range(3):
            validate_request({"type": "object"})


# -- descriptions ----------------------------------------------------------------------------------------------


def test_a_type_is_described_with_the_names_on_the_wire():
    schema = params.json_schema(Everything)
    assert set(schema["properties"]) == set(NAMES[:8])
    assert schema["required"] == ["serverName"]
    assert schema["properties"]["serverName"] == {"type": "string", "minLength": 2, "maxLength": 10}
    assert set(schema["$defs"]["Disk"]["properties"]) == {"diskSize", "diskKind"}
    assert schema["$defs"]["Nic"]["required"] == ["subnetId", "ipList"]
    assert schema["$defs"]["Tags"]["required"] == ["tagName"]


def test_a_pydantic_model_is_described_with_the_names_on_the_wire():
    schema = params.json_schema(Model)
    assert set(schema["properties"]) == {"volumeIds", "dataDisks", "byName", "choice", "userPassword", "theOdd"}
    assert set(schema["$defs"]["ModelDisk"]["properties"]) == {"diskSize", "parentDisk"}


@pytest.mark.parametrize("kind", [Everything, Tree, Nic, Tags, Attach | Create, Page[Disk], Model, Login, Renamed])
def test_a_description_is_a_schema_that_stands_alone(kind):
    schema = params.json_schema(kind)
    assert jsonschema_rs.meta.is_valid(schema)
    jsonschema_rs.validator_for(schema)


disks = st.fixed_dictionaries(
    {},
    optional={"diskSize": st.integers(0, 101), "diskKind": st.sampled_from(["ssd", "hdd", "tape"]), "more": st.none()},
)
nics = st.fixed_dictionaries({"subnetId": st.text()}, optional={"ipList": st.lists(st.text() | st.none(), max_size=2)})
volumes = st.fixed_dictionaries({"kind": st.sampled_from(["attach", "create"])}, optional={"volumeId": st.text()})
servers = st.fixed_dictionaries(
    {"serverName": st.text(min_size=1, max_size=11)},
    optional={
        "dataDisks": st.lists(disks, max_size=2),
        "nicsByName": st.dictionaries(st.text(), nics, max_size=2),
        "rootDisk": disks | st.none(),
        "volume": volumes | st.none(),
        "diskPair": st.lists(disks, max_size=3),
        "where": st.tuples(st.integers(), nics).map(list),
    },
)
DESCRIBED = jsonschema_rs.validator_for(params.json_schema(Everything))


@settings(deadline=None)
@given(servers)
def test_exactly_what_fits_the_description_is_converted(body):
    try:
        converted(Everything, body)
    except ValidationError as exc:
        assert not DESCRIBED.is_valid(body), exc
    else:
        assert DESCRIBED.is_valid(body)


def test_a_secret_is_described_as_a_password():
    properties = params.json_schema(Login)["properties"]
    assert properties["passPhrase"] == {"type": "string", "format": "password"}


class Default(Struct, frozen=True):
    disk_size: int = 1


class Defaults(Struct):
    api_token: str = "hunter2"
    first_disk: Default = Default(7)
    some_names: tuple[str, ...] = ("a",)


def test_defaults_are_described_but_secrets_and_those_with_other_names():
    properties = params.json_schema(Defaults)["properties"]
    assert properties["apiToken"] == {"type": "string"}
    assert "default" not in properties["firstDisk"]
    assert properties["someNames"]["default"] == ["a"]


@pytest.mark.parametrize(
    ("kind", "schema"), [(None, {}), (Any, {}), (dict, {"type": "object"}), (Foreign, {"type": "object"})]
)
def test_what_cannot_be_described_does_not_stop_anything(kind, schema):
    assert params.json_schema(kind) == schema


class Result(Struct):
    """What comes back."""

    volume_id: str


@pytest.mark.parametrize(
    ("kind", "schema"),
    [(None, {}), (Foreign, {}), (dict[str, Any], {"type": "object"}), (type(None), {"type": "null"}), (Homemade, {})],
)
def test_a_result_of_any_annotation_is_described(kind, schema):
    assert params.result_schema(kind) == schema


def test_a_result_is_described_with_the_names_that_are_sent():
    schema = params.result_schema(Result)
    assert schema["description"] == "What comes back."
    jsonschema_rs.validate(schema, json.loads(dumps(Result("v"))))


# -- end to end ------------------------------------------------------------------------------------------------


def create_login(params: Login) -> dict[str, Any]:
    """Create a login."""
    return {"name": params.user_name, "phrase": f"{params.pass_phrase}"}


def test_a_handler_is_called_with_its_type_or_not_at_all():
    api = make_app(actions={"CreateLogin": create_login}).api()
    reply = api.post({"action": "CreateLogin", "userName": "ada", "passPhrase": "sesame"})
    assert reply == {"data": {"name": "ada", "phrase": "********"}, "retCode": 0, "message": None}
    reply = api.post({"action": "CreateLogin", "userName": 1, "passPhrase": {"x": "sesame"}})
    assert reply["retCode"] == 4110
    assert reply["message"] == "Illegal request format: /userName Expected `str`, got `int`"
    assert [error["path"] for error in reply["data"]["errors"]] == ["/userName", "/passPhrase"]
    assert "sesame" not in str(reply)
