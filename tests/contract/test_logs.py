"""What is logged of a call, where, and what is not."""

from __future__ import annotations

import json
import re

import pytest

from tests.contract.conftest import Server
from tests.integration.process import eventually

SECRETS = {
    "password": "hunter2",
    "user": "ada",
    "apiKey": "k3y",
    "access-secret": "s3cr3t",
    "nested": [{"user_data": "#!/bin/sh", "size": 17}, {"deep": {"authToken": "t0k3n"}}],
}
HIDDEN = ("hunter2", "k3y", "s3cr3t", "#!/bin/sh", "t0k3n")


def test_a_call_has_one_access_line(server: Server):
    reply = server.post({"action": "Echo", "text": "Zürich"}, X_Request_Id="access-1")
    line = server.logged("[access-1]", "access.log")
    pattern = r"\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\]\[access-1\] 127\.0\.0\.1 - Echo 0 \d+\.\d\dms (\d+)"
    match = re.fullmatch(pattern, line)
    assert match, line
    assert int(match[1]) == len(reply.body)


def test_a_failed_call_has_its_code_in_the_access_line(server: Server):
    server.post({"action": "Fail", "error": "ResourceNotFound"}, X_Request_Id="access-2")
    assert " Fail 4104 " in server.logged("[access-2]", "access.log")


def test_the_access_line_as_json(mapped: Server):
    reply = mapped.post({"action": "Counting"}, X_Request_Id="access-3")
    line = json.loads(mapped.logged('"access-3"', "access.log"))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", line.pop("time"))
    assert line.pop("milliseconds") >= 0
    assert line == {
        "context": "access-3", "address": "127.0.0.1", "project": "-", "action": "Counting", "retCode": 0,
        "bytes": len(reply.body),
    }  # fmt: skip


def test_a_call_that_is_cut_off_at_its_deadline_has_its_line_under_the_replys_id(mapped: Server):
    reply = mapped.post({"action": "Where", "seconds": 30})
    assert (reply.status, reply.json["retCode"]) == (503, 5000)
    assert reply.headers["x-request-id"] == reply.json["data"]["exceptionTag"]
    line = json.loads(mapped.logged(reply.headers["x-request-id"], "access.log"))
    assert (line["action"], line["retCode"]) == ("Where", 5000)
    assert 400 < line["milliseconds"] < 5000


def test_application_lines_as_json_have_the_context(mapped: Server):
    mapped.post({"action": "Where", "marker": "json"}, X_Request_Id="log-1")
    line = json.loads(mapped.logged("marker json"))
    assert (line["context"], line["level"], line["logger"]) == ("log-1", "INFO", "contract")


@pytest.mark.parametrize("name", ["a\nb", "Evil 0 1ms", "\x1b[31m", "x" * 1000, "ü\u2028"])
def test_what_a_client_calls_itself_cannot_forge_lines(server: Server, name: str):
    marker = f"forge-{abs(hash(name))}"
    server.post({"action": name}, X_Request_Id=marker)
    line = server.logged(f"[{marker}]", "access.log")
    assert re.search(rf"\[{marker}\] 127\.0\.0\.1 - \S+ 4000 \d+\.\d\dms \d+$", line)
    assert line.isprintable() and len(line) < 400


class TestProxies:
    """The mapped server trusts this machine; the plain one trusts nobody."""

    @pytest.mark.parametrize(
        ("headers", "address"),
        [
            ({"X_Forwarded_For": "203.0.113.9"}, "203.0.113.9"),
            ({"X_Forwarded_For": "198.51.100.7, 203.0.113.9"}, "203.0.113.9"),
            ({"X_Forwarded_For": "203.0.113.9, 127.0.0.2"}, "203.0.113.9"),
            ({"X_Real_IP": "203.0.113.10"}, "203.0.113.10"),
            ({}, "127.0.0.1"),
        ],
    )
    def test_a_trusted_one_is_believed(self, mapped: Server, headers: dict[str, str], address: str):
        marker = f"proxy-{abs(hash(str(headers)))}"
        mapped.post({"action": "Nothing"}, X_Request_Id=marker, **headers)
        assert json.loads(mapped.logged(marker, "access.log"))["address"] == address

    @pytest.mark.parametrize("header", ["X_Forwarded_For", "X_Real_IP"])
    def test_another_is_not(self, server: Server, header: str):
        server.post({"action": "Nothing"}, X_Request_Id=f"untrusted-{header}", **{header: "203.0.113.9"})
        assert " 127.0.0.1 - Nothing" in server.logged(f"[untrusted-{header}]", "access.log")


class TestSecrets:
    @pytest.mark.parametrize("which", ["server", "mapped", "debugging"])
    def test_they_are_in_no_log(self, which: str, request: pytest.FixtureRequest):
        """In params as an argument, by name, in a text, in a traceback; as text, as JSON and in debug."""
        server: Server = request.getfixturevalue(which)
        server.post({"action": "LogSecrets", **SECRETS})
        server.logged("in a traceback")
        log = "".join(path.read_text() for path in server.logs.iterdir())
        assert "********" in log and "ada" in log and "17" in log
        for secret in HIDDEN:
            assert secret not in log, secret


@pytest.mark.parametrize("file", ["access.log", "normal.log"])
def test_a_log_that_is_moved_away_is_begun_anew(server: Server, file: str):
    path = server.logs / file
    server.post({"action": "Where", "marker": "moved"})
    eventually(path.exists)
    path.rename(path.with_suffix(".1"))

    def begun() -> bool:
        server.post({"action": "Where", "marker": "anew"}, X_Request_Id="anew")
        return path.exists() and "anew" in path.read_text()

    eventually(begun, f"a new {file}", 5)


def test_sql_is_logged_to_its_own_file_in_debug(debugging: Server):
    debugging.data("DescribeJobs")
    debugging.logged("FROM job ORDER BY", "sql.log")
    assert "FROM job" not in (debugging.logs / "normal.log").read_text()
