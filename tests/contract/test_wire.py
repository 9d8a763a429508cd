"""The wire table: requests, replies, addresses and methods, byte for byte."""

from __future__ import annotations

import json
import re

import pytest

from tests.contract.conftest import Server
from tests.plugins.wsgi.served import Client

JSON = "application/json; charset=utf-8"
CONTEXT_ID = re.compile(r"ctx-[0-9]+-[A-Za-z0-9]{4}")


def test_a_reply_is_the_envelope_with_its_keys_in_order(server: Server):
    reply = server.post({"action": "Counting"})
    assert reply.status == 200
    assert reply.headers["content-type"] == JSON
    assert reply.body == b'{"data": [1, 2, 3], "retCode": 0, "message": null}'


def test_an_error_is_answered_with_http_200_and_the_envelope_in_order(server: Server):
    reply = server.post({"action": "Fail", "error": "ResourceNotFound"})
    assert reply.status == 200
    assert reply.headers["content-type"] == JSON
    assert list(reply.json) == ["data", "retCode", "message"]
    assert isinstance(reply.json["message"], str)


def test_params_are_the_whole_body_action_included(server: Server):
    body = {"action": "Echo", "size": 3, "deep": {"a": [None, True, 1.5, "ü"]}}
    assert server.data("Echo", size=3, deep=body["deep"]) == {"params": body, "request": body, "same": True}


@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "text/plain", "nonsense", None])
def test_the_content_type_of_a_request_does_not_matter(server: Server, content_type: str | None):
    headers = {} if content_type is None else {"Content_Type": content_type}
    assert server.post({"action": "Counting"}, **headers).json["retCode"] == 0


@pytest.mark.parametrize("query", ["pretty", "pretty=", "pretty=0", "x=1&pretty"])
def test_pretty_by_its_mere_presence_gives_four_spaces_and_sorted_keys(server: Server, query: str):
    reply = server.post(b'{"action": "Echo", "b": {"z": 1, "a": "\xc3\xbc"}}', f"/?{query}")
    params = """{
            "action": "Echo",
            "b": {
                "a": "ü",
                "z": 1
            }
        }"""
    expected = f"""{{
    "data": {{
        "params": {params},
        "request": {params},
        "same": true
    }},
    "message": null,
    "retCode": 0
}}"""
    assert reply.body.decode() == expected


@pytest.mark.parametrize("query", ["prettyprint", "ugly=pretty"])
def test_other_query_arguments_do_not_make_it_pretty(server: Server, query: str):
    assert server.post({"action": "Counting"}, f"/?{query}").body.startswith(b'{"data": [1, ')


def test_pretty_holds_for_errors_too(server: Server):
    reply = server.post({"action": "Fail", "error": "ResourceNotFound"}, "/?pretty")
    assert reply.body.decode() == json.dumps(reply.json, indent=4, sort_keys=True)


def test_get_answers_one_line_that_names_densefog(server: Server):
    reply = server.send("GET", "/")
    assert (reply.status, reply.headers["content-type"]) == (200, "text/plain; charset=utf-8")
    assert b"densefog" in reply.body
    assert reply.body.count(b"\n") == 1 and reply.body.endswith(b"\n")


def test_head_answers_like_get_without_a_body(server: Server):
    get, head = server.send("GET", "/"), server.send("HEAD", "/")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-length"] == get.headers["content-length"]
    assert head.headers["content-type"] == get.headers["content-type"]


def test_options_says_which_methods_there_are(server: Server):
    reply = server.send("OPTIONS", "/")
    assert reply.status in (200, 204)
    assert {"GET", "HEAD", "POST", "OPTIONS"} <= set(reply.headers["allow"].split(", "))


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_other_paths_are_404_with_the_envelope(server: Server, method: str):
    reply = server.send(method, "/no/such/thing", b"{}" if method == "POST" else b"")
    assert (reply.status, reply.headers["content-type"]) == (404, JSON)
    assert_refused(reply.json, reply.headers)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_other_methods_are_405_with_the_envelope(server: Server, method: str):
    reply = server.send(method, "/", b"{}")
    assert (reply.status, reply.headers["content-type"]) == (405, JSON)
    assert "POST" in reply.headers["allow"]
    assert_refused(reply.json, reply.headers)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: +3\r\n\r\n{}", 400),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999999\r\n\r\n", 413),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: " + b"x" * 100_000 + b"\r\n\r\n", 431),
    ],
)
def test_what_the_server_refuses_before_any_action_has_the_envelope_and_its_id(
    server: Server, request_: bytes, status: int
):
    client = Client(server.port)
    client.send(request_)
    reply = client.reply()
    client.close()
    assert (reply.status, reply.headers["content-type"]) == (status, JSON)
    assert_refused(reply.json, reply.headers)


def assert_refused(envelope: dict, headers: dict[str, str]) -> None:
    assert list(envelope) == ["data", "retCode", "message"]
    assert 4000 <= envelope["retCode"] < 5000
    assert envelope["message"]
    assert envelope["data"]["exceptionTag"] == headers["x-request-id"]
    assert CONTEXT_ID.fullmatch(headers["x-request-id"])


class TestStatusesMapped:
    """``http_status = "map"``."""

    @pytest.mark.parametrize(
        ("error", "status"),
        [
            ("AccessKeyInvalid", 401),
            ("AccessKeyExpired", 401),
            ("ResourceNotBelongsToProject", 403),
            ("ResourceIsBusy", 403),
            ("ResourceNotFound", 404),
            ("ResourceQuotaNotEnough", 429),
            ("InvalidRequestParameter", 400),
            ("ValidationError", 400),
            ("ResourceActionUnsupported", 400),
            ("ProjectNotFound", 400),
            ("OwnSubclass", 400),
            ("IaasProviderActionError", 500),
            ("SomeFailed", 500),
            ("AnythingElse", 500),
        ],
    )
    def test_an_error_has_the_status_of_its_code(self, server: Server, mapped: Server, error: str, status: int):
        reply = mapped.post({"action": "Fail", "error": error})
        assert reply.status == status
        plain = server.call("Fail", error=error)
        assert (reply.json["retCode"], reply.json["message"]) == (plain["retCode"], plain["message"])

    def test_success_is_200(self, mapped: Server):
        assert mapped.post({"action": "Counting"}).status == 200

    def test_an_unknown_action_is_400(self, mapped: Server):
        assert mapped.post({"action": "Nope"}).status == 400
