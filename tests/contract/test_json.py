"""JSON, out and in."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contract.conftest import Server

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("ab\"\\ü:"), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
#: Bits of JSON in any order: mostly broken, sometimes not.
BITS = st.lists(
    st.sampled_from(['{', '}', '[', ']', '"', ':', ',', '"a"', '"action"', '"Nothing"', '1', '-',
                     '0', 'e9', '.', 'null', 'NaN', ' ', '\\', '\\ud800', '\\u0061', '\x00', 'ü'])
).map("".join)  # fmt: skip
over_a_socket = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)


class TestOut:
    def test_what_json_does_not_know_is_written_as_the_contract_says(self, server: Server):
        assert server.data("Values") == {
            "naive": "2026-01-02T03:04:05Z",
            "utc": "2026-01-02T03:04:05Z",
            "east": "2026-01-02T03:04:05Z",
            "object": {"shown": "by itself"},
            "set": [7],
            "tuple": [1, 2],
            "generator": [0, 1, 4],
            "text": "Zürich ☁",
        }

    def test_a_handler_may_be_a_generator(self, server: Server):
        assert server.data("Counting") == [1, 2, 3]

    def test_a_handler_that_returns_nothing_has_null_data(self, server: Server):
        assert server.call("Nothing") == {"data": None, "retCode": 0, "message": None}

    @pytest.mark.parametrize("kind", ["nan", "inf", "object", "bytes", "surrogate"])
    @pytest.mark.parametrize("query", ["", "?pretty"])
    def test_what_is_not_json_never_leaves_and_the_log_names_the_handler(self, server: Server, kind: str, query: str):
        reply = server.post({"action": "Broken", "kind": kind}, f"/{query}")
        assert (reply.status, reply.json["retCode"]) == (200, 5000)
        assert b"NaN" not in reply.body and b"Infinity" not in reply.body
        assert server.logged(reply.headers["x-request-id"])
        server.logged("__main__.broken returned something that is not JSON")


class TestAnything:
    @over_a_socket
    @given(value=VALUES, ascii_only=st.booleans())
    def test_every_value_comes_back_as_it_went(self, server: Server, value: object, ascii_only: bool):
        body = json.dumps({"action": "Echo", "value": value}, ensure_ascii=ascii_only).encode()
        reply = server.post(body)
        assert reply.json["retCode"] == 0
        assert reply.json["data"]["params"]["value"] == value

    @over_a_socket
    @given(body=st.binary() | BITS.map(str.encode) | BITS.map(lambda bits: f'{{"action":"Nothing",{bits}}}'.encode()))
    def test_every_body_is_answered_and_what_is_taken_is_json(self, server: Server, body: bytes):
        envelope = server.post(body).json
        assert list(envelope) == ["data", "retCode", "message"]
        assert envelope["retCode"] in (0, 4000, 4110)
        if envelope["retCode"] == 0:
            assert json.loads(body)["action"] == "Nothing"


class TestIn:
    @pytest.mark.parametrize(
        ("body", "says"),
        [
            (b'{"action": "Echo", "a": 1, "a": 2}', "'a'.*twice"),
            (b'{"action": "Echo", "action": "Fail"}', "'action'.*twice"),
            (b'{"action": "Echo", "deep": [{"b": 1, "b": 1}]}', "'b'.*twice"),
            (b'{"action": "Echo", "s": "\\u0061:", "c": 1, "\\u0063": 2}', "'c'.*twice"),
            (b'{"action": "Echo", "a": NaN}', "NaN"),
            (b'{"action": "Echo", "a": Infinity}', "Infinity"),
            (b'{"action": "Echo", "a": -Infinity}', "Infinity|NaN"),
            (b'{"action": "Echo", "a": "\\ud800"}', "surrogate"),
            (b'{"action": "Echo", "a": "\\ud800x"}', "surrogate"),
            (b'{"action": "Echo", "a": "\\udc00"}', "surrogate"),
            (b'{"action": "Echo", "\\udc00": 1}', "surrogate"),
            (b'{"action": "Echo", "a": "\xed\xa0\x80"}', "UTF-8|surrogate"),
            (b'{"action": "Echo", "a": ' + b"[" * 5000 + b"]" * 5000 + b"}", "nested|deep"),
            (b'{"action": "Echo", "a": ' + b"[" * 200_000 + b"]" * 200_000 + b"}", "nested|deep"),
            (b'{"action": "Echo", "a": ' + b'{"a":' * 1000 + b"1" + b"}" * 1000 + b"}", "nested|deep"),
            (b"[" * 100_000, "."),
            (b'{"action": "Echo", "a": 1e999}', "range"),
        ],
    )  # fmt: skip
    def test_json_that_is_not_strict_is_4110_and_the_message_says_why(self, server: Server, body: bytes, says: str):
        reply = server.post(body)
        assert (reply.status, reply.json["retCode"]) == (200, 4110)
        assert reply.json["message"]
        assert re.search(says, reply.json["message"]), reply.json["message"]

    def test_a_body_that_is_too_large_is_4110_and_the_message_says_how_large_it_may_be(self, server: Server):
        reply = server.post({"action": "Echo", "a": "x" * 2**20})
        assert reply.json["retCode"] == 4110
        assert "larger than 1048576 bytes" in reply.json["message"]

    def test_a_body_of_just_the_limit_is_taken(self, server: Server):
        body = json.dumps({"action": "Nothing", "a": ""}).encode()
        body = body.replace(b'""', b'"' + b"x" * (2**20 - len(body)) + b'"')
        assert len(body) == 2**20
        assert server.post(body).json["retCode"] == 0

    def test_escaped_pairs_and_large_numbers_are_what_they_mean(self, server: Server):
        body = b'{"action": "Echo", "a": "\\ud83d\\ude00", "b": 18446744073709551616, "c": "a:b", "d": -0.5}'
        expected = {"action": "Echo", "a": "😀", "b": 2**64, "c": "a:b", "d": -0.5}
        assert server.post(body).json["data"]["params"] == expected
