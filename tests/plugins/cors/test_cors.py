"""What a browser asks before it lets a page of another origin call, and what it wants to see in the answer."""

from __future__ import annotations

import pytest

import densefog_plugins.cors
from densefog_core.errors import ConfigError
from densefog_core.testing import make_app
from tests.plugins.conftest import Serve

CONSOLE = "https://console.example.com"
PREFLIGHT = {"Access_Control_Request_Method": "POST", "Access_Control_Request_Headers": "content-type, x-request-id"}


def headers(method="POST", request=None, **settings):
    app = make_app(densefog_plugins.cors, **settings)
    [source] = app.response_headers
    return dict(source(method, request or {}))


def test_without_origins_responses_are_left_alone():
    assert not make_app(densefog_plugins.cors).response_headers


def test_an_origin_that_is_allowed_is_named_and_another_one_is_not():
    allowed = headers(request={"Origin": CONSOLE}, cors_origins=[CONSOLE])
    assert allowed == {
        "Vary": "Origin", "Access-Control-Allow-Origin": CONSOLE, "Access-Control-Expose-Headers": "X-Request-Id",
    }  # fmt: skip
    for stranger in ("https://evil.example", "https://console.example.com.evil.example", "http://console.example.com"):
        assert headers(request={"Origin": stranger}, cors_origins=[CONSOLE]) == {"Vary": "Origin"}
    assert headers(cors_origins=[CONSOLE]) == {"Vary": "Origin"}


def test_everybody_may_call_without_credentials():
    assert headers(request={"Origin": "https://any.example"}, cors_origins=["*"])["Access-Control-Allow-Origin"] == "*"
    with pytest.raises(ConfigError, match="cors_credentials"):
        make_app(densefog_plugins.cors, cors_origins=["*"], cors_credentials=True)


@pytest.mark.parametrize("origin", ["console.example.com", f"{CONSOLE}/", f"{CONSOLE}/page", "https://*.example.com"])
def test_what_is_no_origin_stops_start_up(origin):
    with pytest.raises(ConfigError, match="is no origin"):
        make_app(densefog_plugins.cors, cors_origins=[origin])


def test_a_preflight_that_asks_for_headers_that_are_none_is_allowed_none():
    asked = {"Origin": CONSOLE, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "a b\tc"}
    assert "Access-Control-Allow-Headers" not in headers("OPTIONS", asked, cors_origins=[CONSOLE])


def test_what_browsers_do(middleware: Serve):
    server = middleware(cors_origins=[CONSOLE], cors_credentials=True, cors_max_age=60)
    for path in ("/", "/Ping"):
        asked = server.send("OPTIONS", path, Origin=CONSOLE, **PREFLIGHT)
        assert asked.status == 204
        assert asked.headers["access-control-allow-origin"] == CONSOLE
        assert asked.headers["access-control-allow-credentials"] == "true"
        assert asked.headers["access-control-allow-headers"] == "content-type, x-request-id"
        assert "POST" in asked.headers["access-control-allow-methods"]
        assert asked.headers["access-control-max-age"] == "60"
    assert "access-control-allow-origin" not in server.send("OPTIONS", "/", Origin="https://evil.example").headers
    called = server.send("POST", "/", '{"action": "Ping"}', Origin=CONSOLE)
    assert called.json["retCode"] == 0
    assert called.headers["access-control-allow-origin"] == CONSOLE
    # A page must be able to read what went wrong, too.
    for wrong in (server.send("POST", "/", "{", Origin=CONSOLE), server.send("GET", "/nowhere", Origin=CONSOLE)):
        assert wrong.json["retCode"] != 0
        assert wrong.headers["access-control-allow-origin"] == CONSOLE
