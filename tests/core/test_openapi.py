"""The OpenAPI document of an API."""

from __future__ import annotations

import gc
import json
import weakref
from typing import Any, TypedDict

import jsonschema_rs
import pytest
from msgspec import Struct
from openapi_spec_validator import OpenAPIV31SpecValidator

from densefog_core import Secret, action
from densefog_core.actions import openapi
from densefog_core.builtin import openapi_page
from densefog_core.testing import TestApi, make_app


class Disk(Struct):
    disk_size: int
    inner_disks: list[Disk] = []


class Small(Struct, tag="small"):
    some_size: int


class Large(Struct, tag="large"):
    some_size: int


class CreateVolumes(Struct, forbid_unknown_fields=True):
    """What to create."""

    volume_name: str
    password: Secret
    first_disk: Disk
    size: Small | Large
    other_disks: list[Disk] | None = None


class Created(TypedDict):
    volumeIds: list[str]


class Id(Struct, rename="camel"):
    volume_id: str


class Shared(Struct):
    disk: Disk


class Other:
    """Has a class of a name that is taken."""

    class Disk(Struct):  # noqa: D106
        label: str

    class Params(Struct):  # noqa: D106
        disk: Other.Disk


def create_volumes(params: CreateVolumes) -> Created:
    """Create volumes.

    More about it.
    """
    return {"volumeIds": [params.volume_name]}


OLD = {
    "type": "object",
    "definitions": {"id": {"type": "string", "minLength": 3}},
    "properties": {
        "id": {"$ref": "#/definitions/id"},
        "mapping": {"type": "object"},
        "twin": {"$ref": "#/properties/id"},
    },
    "required": ["id"],
}


@action(schema=OLD)
def old(params: dict[str, Any]) -> dict[str, Any]:
    return {"id": params["id"]}


def bare() -> None: ...


@pytest.fixture
def api() -> TestApi:
    handlers = {"CreateVolumes": create_volumes, "Old": old, "Bare": bare, "Odd name/{x}": bare}
    return make_app(actions=handlers).api()


@pytest.fixture
def document(api: TestApi) -> dict[str, Any]:
    return json.loads(openapi_page(api).body)


def test_the_document_is_valid(document):
    OpenAPIV31SpecValidator(document).validate()
    assert document["openapi"] == "3.1.0"
    assert document["info"] == {"title": "densefog API public", "version": "1"}


def test_each_action_has_one_path(document):
    paths = {"/CreateVolumes", "/Old", "/Bare", "/Odd%20name%2F%7Bx%7D", "/DescribeJobs", "/DescribeActions"}
    assert set(document["paths"]) == paths
    assert all(set(path) == {"post"} for path in document["paths"].values())
    operation = document["paths"]["/CreateVolumes"]["post"]
    assert operation["operationId"] == "CreateVolumes"
    assert operation["summary"] == "Create volumes."
    assert operation["description"] == "Create volumes.\n\nMore about it."


def schema_at(document: dict[str, Any], reference: dict[str, Any]) -> Any:
    """Return a validator of a schema of the document, with references resolved in it."""
    return jsonschema_rs.validator_for({**reference, "components": document["components"]})


def body_of(document: dict[str, Any], name: str) -> Any:
    content = document["paths"][f"/{name}"]["post"]["requestBody"]["content"]
    return schema_at(document, content["application/json"]["schema"])


def reply_of(document: dict[str, Any], name: str) -> Any:
    content = document["paths"][f"/{name}"]["post"]["responses"]["200"]["content"]
    return schema_at(document, content["application/json"]["schema"])


BODY = {
    "volumeName": "a",
    "password": "x",
    "firstDisk": {"diskSize": 1, "innerDisks": [{"diskSize": 2}]},
    "size": {"type": "small", "someSize": 3},
}


def test_the_body_is_the_parameters_under_their_wire_names(document):
    assert body_of(document, "CreateVolumes").is_valid(BODY)
    bad = {"diskSize": 1, "innerDisks": [{"disk_size": 2}]}
    assert not body_of(document, "CreateVolumes").is_valid({**BODY, "firstDisk": bad})
    assert not body_of(document, "CreateVolumes").is_valid({**BODY, "more": 1})


def test_a_discriminator_points_to_schemas_of_the_document(document):
    union = document["components"]["schemas"]["CreateVolumesParams"]["properties"]["size"]
    for reference in union["discriminator"]["mapping"].values():
        at = document
        for step in reference.removeprefix("#/").split("/"):
            at = at[step]
        assert at["title"] in ("Small", "Large")


def test_a_schema_of_the_applications_own_keeps_its_references(document):
    assert body_of(document, "Old").is_valid({"id": "abc", "twin": "abc"})
    assert not body_of(document, "Old").is_valid({"id": "abc", "twin": "ab"})


def test_replies_are_what_the_document_says(api, document):
    done = api.post({"action": "CreateVolumes", **BODY})
    assert done["retCode"] == 0
    assert reply_of(document, "CreateVolumes").is_valid(done)
    assert not reply_of(document, "CreateVolumes").is_valid({**done, "data": {"volumeIds": 3}})
    failed = api.post({"action": "CreateVolumes"})
    assert failed["retCode"] == 4110
    assert reply_of(document, "CreateVolumes").is_valid(failed)
    assert reply_of(document, "Bare").is_valid(api.post({"action": "Bare"}))


def test_the_page_is_made_once_for_each_api_and_keeps_none_alive(monkeypatch):
    made = []
    original = openapi.document
    monkeypatch.setattr(openapi, "document", lambda *a, **b: made.append(a[0]) or original(*a, **b))
    app = make_app()
    public, manage = app.api(), app.api("manage")
    assert openapi_page(public) is openapi_page(public)
    assert openapi_page(manage) is not openapi_page(public)
    assert openapi_page(public).content_type == "application/json"
    assert made == ["public", "manage"]
    gone = weakref.ref(manage)
    app.apis.clear()
    del manage
    gc.collect()
    assert gone() is None


def document_of(api: TestApi) -> dict[str, Any]:
    return json.loads(openapi_page(api).body)


def test_a_result_is_sent_under_the_names_it_declares():
    """``rename="camel"`` counts in the reply as in the document."""

    @action("Find", effect="read")
    def find() -> Id:
        return Id("vol-1")

    api = make_app(actions={"Find": find}).api()
    assert api.call("Find") == Id("vol-1")
    reply = api.post({"action": "Find"})
    assert reply["data"] == {"volumeId": "vol-1"}
    assert reply_of(document_of(api), "Find").is_valid(reply)


def test_a_class_of_two_actions_is_one_component():
    """And two classes of one name are two, each behind its action."""
    first, second, third = (lambda kind: lambda params: {})(0), lambda params: {}, lambda params: {}
    for handler, kind in ((first, Shared), (second, Shared)):
        handler.__annotations__["params"] = kind
    schemas = document_of(make_app(actions={"One": first, "Two": second}).api())["components"]["schemas"]
    assert schemas["OneParams"]["properties"] == schemas["TwoParams"]["properties"]
    assert schemas["Disk"]["title"] == "Disk"
    third.__annotations__["params"] = Other.Params
    schemas = document_of(make_app(actions={"One": first, "Two": third}).api())["components"]["schemas"]
    assert "Disk" not in schemas
    assert set(schemas["TwoParamsDisk"]["properties"]) == {"label"}


def test_each_component_is_named_by_its_title(document):
    """Generators name what they make by the title."""
    assert all(schema.get("title") == name for name, schema in document["components"]["schemas"].items())


def test_what_an_action_declares_is_in_its_path():
    """Effect, tags, examples, end and successor."""

    @action(
        "Drop", effect="destroy", operation=("volume", "volumeIds"), examples=[{"volumeIds": ["vol-1"]}],
        deprecated="2027-06-01", replaced_by="Remove",
    )
    def drop(params: dict[str, Any]) -> dict[str, Any]:
        return {}

    operation = document_of(make_app(actions={"Drop": drop}).api())["paths"]["/Drop"]["post"]
    assert operation["tags"] == ["volumes"]
    assert operation["deprecated"] is True
    assert operation["x-densefog-effect"] == "destroy"
    assert operation["x-densefog-sunset"] == "2027-06-01"
    assert operation["x-densefog-replaced-by"] == "Remove"
    examples = operation["requestBody"]["content"]["application/json"]["examples"]
    assert examples == {"example1": {"value": {"volumeIds": ["vol-1"]}}}


def test_the_error_table_is_in_the_document(document):
    """A client makes its classes of it."""
    codes = {row["code"]: row["name"] for row in document["x-densefog-errors"]}
    assert (codes[4104], codes[4110], codes[4113], codes[5002]) == (
        "ResourceNotFound", "ValidationError", "ResourceQuotaNotEnough", "PartialSuccess",
    )  # fmt: skip
