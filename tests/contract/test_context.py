"""Context ids: their form, where they are, that they hold and that they do not leak."""

from __future__ import annotations

import re
import threading

import pytest

from tests.contract.conftest import Server
from tests.plugins.wsgi.served import Client

FORM = re.compile(r"ctx-[0-9]+-[2-9A-HJ-NP-Za-km-z]{4}")


def test_an_id_has_the_greenlet_and_four_characters(server: Server):
    assert FORM.fullmatch(server.post({"action": "Nothing"}).headers["x-request-id"])


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/"), ("HEAD", "/"), ("OPTIONS", "/"), ("GET", "/nothing"), ("PUT", "/")]
)
class TestRepliesThatAreNoCalls:
    def test_they_have_an_id_too(self, server: Server, method: str, path: str):
        assert FORM.fullmatch(server.send(method, path).headers["x-request-id"])

    def test_they_keep_the_id_of_the_client(self, server: Server, method: str, path: str):
        assert server.send(method, path, X_Request_Id="mine").headers["x-request-id"] == "mine"


class TestInbound:
    @pytest.mark.parametrize("given", ["a", "A-1._z", "x" * 64, "7d1f0c1e-2f3a-4b5c-8d9e-0f1a2b3c4d5e"])
    def test_a_good_one_is_kept_in_reply_handler_and_log(self, server: Server, given: str):
        reply = server.post({"action": "Where", "marker": f"kept {given}"}, X_Request_Id=given)
        assert reply.headers["x-request-id"] == given
        assert set(reply.json["data"].values()) == {given}
        assert f"[{given}]" in server.logged(f"marker kept {given}")
        assert f"[{given}]" in server.logged(f"[{given}]", "access.log")

    @pytest.mark.parametrize("given", ["", "x" * 65, "a b", "a/b", "ü", "a\tb", "<script>", "[x]"])
    def test_another_one_is_replaced(self, server: Server, given: str):
        reply = server.post({"action": "Nothing"}, X_Request_Id=given)
        assert FORM.fullmatch(reply.headers["x-request-id"])

    def test_it_is_the_exception_tag_of_an_error(self, server: Server):
        reply = server.post({"action": "Fail", "error": "ResourceNotFound"}, X_Request_Id="mine")
        assert reply.json["data"]["exceptionTag"] == "mine"


class TestHold:
    def test_across_waiting_greenlets_and_threads(self, server: Server):
        """Twenty at once, which wait for each other's time."""
        seen: dict[str, dict] = {}

        def call(number: int) -> None:
            given = f"holds-{number}"
            seen[given] = server.post({"action": "Where", "seconds": 0.02 * (number % 3)}, X_Request_Id=given).json

        threads = [threading.Thread(target=call, args=(number,)) for number in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(seen) == 20
        for given, envelope in seen.items():
            assert set(envelope["data"]) == {"before", "after", "greenlet", "thread", "request"}
            assert set(envelope["data"].values()) == {given}

    def test_nothing_leaks_into_the_next_request_of_the_same_connection(self, server: Server):
        client = Client(server.port)
        body = b'{"action": "Leave", "value": "mine"}'
        request = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        client.send(request * 3)
        replies = [client.reply() for _ in range(3)]
        client.close()
        assert [reply.json["data"] for reply in replies] == [{"found": None, "orphan": "-"}] * 3
        assert len({reply.headers["x-request-id"] for reply in replies}) == 3

    def test_ids_differ(self, server: Server):
        assert len({server.post({"action": "Nothing"}).headers["x-request-id"] for _ in range(30)}) == 30
