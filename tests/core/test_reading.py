"""Who is let in, and who may read the pages beside the actions."""

from __future__ import annotations

import json
from typing import Any

import pytest

import densefog_plugins.cors
import densefog_plugins.health
import densefog_plugins.wsgi
from densefog_core import hookimpl
from densefog_core.actions.transports import Page
from densefog_core.errors.project_error import AccessKeyInvalid
from densefog_core.testing import TestApp, make_app

TENANT, OPERATOR = {"Authorization": "tenant"}, {"Authorization": "operator"}


class Tokens:
    """A plugin that authenticates, and one with a page of each kind."""

    @hookimpl
    def densefog_startup(self, app: Any) -> None:
        app.key_of = lambda request: request.headers.get("Authorization", "")
        for readers in ("anyone", "key", "manage"):
            app.pages[f"/{readers}"] = lambda api: Page("secret")
            app.readers[f"/{readers}"] = f"{readers}_may"
        app.pages["/free"] = lambda api: Page("free")

    @hookimpl
    def densefog_authenticate(self, request: Any) -> bool | None:
        if request.claimed_key not in ("tenant", "operator"):
            return None
        request.project_id = "prj" if request.claimed_key == "tenant" else None
        return True


def guarded(**settings: Any) -> TestApp:
    plugins = [Tokens(), densefog_plugins.wsgi, densefog_plugins.health]
    may = {"anyone_may": "anyone", "key_may": "key", "manage_may": "manage"}
    return make_app(*plugins, actions={"Ping": lambda: {}}, **may, **settings)


def test_nobody_learns_which_actions_there_are() -> None:
    """A known action, an unknown one, and bodies that are none are answered alike: 4101."""
    api = guarded().api()
    for body in ({"action": "Ping"}, {"action": "NoSuch"}, {}, b"{", b"", {"action": 7}):
        assert api.post(body)["retCode"] == 4101
    assert api.post({"action": "NoSuch"}, **TENANT)["retCode"] == 4000
    assert api.post(b"{", **TENANT)["retCode"] == 4110


def test_what_no_plugin_knows_is_refused_by_the_core() -> None:
    """Authenticators that return None leave the call to the others, and the last one refuses."""

    class Strict:
        @hookimpl(tryfirst=True)
        def densefog_authenticate(self, request: Any) -> None:
            if request.headers.get("X-Bad"):
                raise AccessKeyInvalid("bad")

    app = make_app(Strict(), Tokens(), actions={"Ping": lambda: {}})
    assert app.api().post({"action": "Ping"}, **TENANT)["retCode"] == 0
    assert app.api().post({"action": "Ping"}, X_Bad="1", **TENANT)["data"]["accessKey"] == "bad"


@pytest.mark.parametrize(
    ("path", "statuses"),
    [("/free", (200, 200, 200)), ("/anyone", (200, 200, 200)), ("/key", (401, 200, 200)), ("/manage", (401, 403, 200)),
     ("/openapi.json", (401, 200, 200))],
)  # fmt: skip
def test_settings_say_who_reads_a_page(path: str, statuses: tuple[int, int, int]) -> None:
    """Strangers, tenants and operators get what is theirs, by GET and by HEAD."""
    client = guarded().api().test_client()
    for status, headers in zip(statuses, ({}, TENANT, OPERATOR), strict=True):
        reply = client.get(path, headers=headers)
        assert reply.status_code == client.head(path, headers=headers).status_code == status
        assert status == 200 or reply.json["retCode"] in (4101, 4103)
        assert status == 200 or "secret" not in reply.text


def test_describe_actions_can_be_for_those_who_manage() -> None:
    """``actions_readers`` holds for the action as for the page."""
    api = guarded(actions_readers="manage").api()
    assert api.post({"action": "DescribeActions"}, **TENANT)["retCode"] == 4103
    assert api.post({"action": "DescribeActions"}, **OPERATOR)["retCode"] == 0


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_outsiders_learn_only_the_status(path: str) -> None:
    """The checks are for operators; where nobody is authenticated, for this machine."""
    client = guarded().api().test_client()
    assert json.loads(client.get(path).text) == json.loads(client.get(path, headers=TENANT).text) == {"status": "ok"}
    assert "checks" in client.get(path, headers=OPERATOR).json
    free = make_app(densefog_plugins.wsgi, densefog_plugins.health, allowed_hosts=["*"]).api().test_client()
    assert "checks" in free.get(path, environ_base={"REMOTE_ADDR": "127.0.0.1"}).json
    assert free.get(path, environ_base={"REMOTE_ADDR": "10.0.0.9"}).json == {"status": "ok"}
    assert free.get(path, headers={"X-Forwarded-For": "10.0.0.9"}).json == {"status": "ok"}


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "PUT"])
@pytest.mark.parametrize("path", ["/", "/Ping", "/openapi.json", "/healthz", "/nothing"])
def test_without_authentication_foreign_pages_are_refused(method: str, path: str) -> None:
    """Every method at every address answers a foreign origin, and a foreign host, with 403 and 4103."""
    client = make_app(densefog_plugins.wsgi, densefog_plugins.health, actions={"Ping": lambda: {}}).api().test_client()
    for headers in ({"Origin": "https://evil.example"}, {"Host": "evil.example"}):
        reply = client.open(path, method=method, headers=headers, data=b'{"action": "Ping"}')
        assert (reply.status_code, reply.json["retCode"]) == (403, 4103)


def test_pages_that_cors_allows_are_let_in() -> None:
    """The origins of the plugin ``cors`` are no strangers."""
    origin = "https://console.example"
    app = make_app(densefog_plugins.wsgi, densefog_plugins.cors, actions={"Ping": lambda: {}}, cors_origins=[origin])
    client = app.api().test_client()
    assert client.post("/", json={"action": "Ping"}, headers={"Origin": origin}).json["retCode"] == 0
    assert client.post("/", json={"action": "Ping"}, headers={"Origin": "https://evil.example"}).status_code == 403


def test_with_authentication_host_and_origin_do_not_matter() -> None:
    """A key is what counts: pages of others do not have it."""
    headers = {"Host": "api.example.com", "Origin": "https://any.example", **TENANT}
    reply = guarded().api().test_client().post("/", json={"action": "Ping"}, headers=headers)
    assert reply.json["retCode"] == 0
