"""What the server does for requests that are in order: framing, keep-alive, WSGI, and who is cut off when."""

from __future__ import annotations

import json
import select
import socket
import time
from collections.abc import Callable

import gevent
import pytest

from densefog_core.server.listeners import bind
from densefog_plugins.wsgi.limits import Limits
from densefog_plugins.wsgi.server import Server
from tests.plugins.wsgi.serve import hello
from tests.plugins.wsgi.served import PATIENCE, Client, Served

Serve = Callable[..., Served]


def get(path: str = "/", *headers: str, method: str = "GET", version: str = "1.1") -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/{version}", "Host: x", *headers, "", ""]).encode()


def post(body: bytes, *headers: str, path: str = "/") -> bytes:
    return get(path, f"Content-Length: {len(body)}", *headers, method="POST") + body


def until(condition: Callable[[], bool]) -> None:
    """Wait for what another process does."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


class TestEnviron:
    """What the application is given."""

    def test_a_request_arrives_whole(self, served: Served) -> None:
        """Method, path, query, headers, client and body stand where PEP 3333 puts them."""
        reply = served.ask(post(b"hey", "X-Real-IP: 1.2.3.4", "Content-Type: a/b", path="/a%20b%C3%A9?q=%20"))
        environ = reply.json["environ"]
        assert reply.json["body"] == "hey"
        expected = {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": "/a b\xc3\xa9",
            "QUERY_STRING": "q=%20",
            "REQUEST_URI": "/a%20b%C3%A9?q=%20",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": str(served.port),
            "SCRIPT_NAME": "",
            "CONTENT_TYPE": "a/b",
            "CONTENT_LENGTH": "3",
            "HTTP_X_REAL_IP": "1.2.3.4",
            "HTTP_HOST": "x",
            "REMOTE_ADDR": "127.0.0.1",
            "wsgi.url_scheme": "http",
        }
        assert {key: environ.get(key) for key in expected} == expected
        assert environ["REMOTE_PORT"].isdigit()

    def test_a_chunked_body_has_a_length(self, served: Served) -> None:
        """The application sees a plain body: its length, no coding, no trailers."""
        head = get("/", "Transfer-Encoding: chunked", method="POST")
        reply = served.ask(head + b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nX-Trailer: 1\r\n\r\n")
        environ = reply.json["environ"]
        assert (reply.json["body"], environ["CONTENT_LENGTH"]) == ("abcde", "5")
        assert not {"HTTP_TRANSFER_ENCODING", "HTTP_X_TRAILER"} & set(environ)

    def test_a_name_with_an_underscore_is_dropped(self, served: Served) -> None:
        """``X_Real_IP`` cannot pass for the ``X-Real-IP`` that a proxy sets."""
        environ = served.ask(get("/", "X_Real_IP: 6.6.6.6", "X-Real-IP: 1.1.1.1", "X_Other: 1")).json["environ"]
        assert environ["HTTP_X_REAL_IP"] == "1.1.1.1"
        assert "HTTP_X_OTHER" not in environ

    def test_a_repeated_header_is_joined(self, served: Served) -> None:
        """Lists with commas, cookies with semicolons, in order."""
        environ = served.ask(get("/", "A: 1", "a: 2", "Cookie: x=1", "Cookie: y=2")).json["environ"]
        assert (environ["HTTP_A"], environ["HTTP_COOKIE"]) == ("1, 2", "x=1; y=2")

    @pytest.mark.parametrize("request_bytes", [get("/validated"), post(b"body", path="/validated")])
    def test_wsgiref_validate_finds_no_fault(self, served: Served, request_bytes: bytes) -> None:
        """The standard library's checker of PEP 3333 passes the environ and the calls."""
        reply = served.ask(request_bytes)
        assert reply.status == 200
        assert reply.body.startswith(b"ok")

    def test_wsgiref_validate_finds_no_fault_in_a_stream(self, served: Served) -> None:
        """The same with ``write()`` and a plain iterator."""
        assert served.get("/validated_stream").body == b"first second"


class TestReplies:
    """What becomes of what the application returns."""

    def test_a_list_gets_its_length(self, served: Served) -> None:
        """All pieces are known, so the length is, and the connection lives."""
        with served.client() as client:
            client.send(get("/hello"))
            reply = client.reply()
            assert (reply.status, reply.body, reply.headers["content-length"]) == (200, b"hello", "5")
            assert reply.headers["date"].endswith("GMT")
            assert not reply.closes
            assert client.is_open()

    def test_an_iterable_without_length_is_chunked(self, served: Served) -> None:
        """Its pieces go out as chunks, empty ones left out, and it is closed."""
        closed = served.state().get("closed", 0)
        with served.client() as client:
            client.send(get("/stream"))
            reply = client.reply()
            assert (reply.headers["transfer-encoding"], reply.body) == ("chunked", b"one two")
            assert client.is_open()
        assert served.state()["closed"] == closed + 1

    def test_an_iterable_without_length_ends_a_connection_of_http_1_0(self, served: Served) -> None:
        """HTTP/1.0 knows no chunks: the end of the connection is the end of the body."""
        reply = served.ask(get("/stream", "Connection: keep-alive", version="1.0"))
        assert (reply.closes, reply.body) == (True, b"one two")
        assert "transfer-encoding" not in reply.headers

    def test_write_comes_before_the_iterable(self, served: Served) -> None:
        """What ``write()`` was given precedes what the application returned."""
        assert served.get("/written").body == b"abcdef"

    @pytest.mark.parametrize("path", ["/hello", "/stream", "/written", "/big"])
    def test_head_has_no_body(self, served: Served, path: str) -> None:
        """Not a byte of body follows the head, or the next reply would begin with it."""
        with served.client() as client:
            client.send(get(path, method="HEAD"))
            assert client.reply(head_only=True).status == 200
            assert client.is_open()

    def test_head_has_the_length_of_get(self, served: Served) -> None:
        """Where the length is known, HEAD says it."""
        with served.client() as client:
            client.send(get("/hello", method="HEAD"))
            assert client.reply(head_only=True).headers["content-length"] == "5"

    @pytest.mark.parametrize(("path", "status"), [("/no_content", 204), ("/not_modified", 304)])
    def test_a_status_without_content_has_no_length(self, served: Served, path: str, status: int) -> None:
        """RFC 9110, section 8.6: a length of 0 would be a statement about the resource."""
        with served.client() as client:
            client.send(get(path))
            reply = client.reply()
            assert reply.status == status
            assert not {"content-length", "transfer-encoding"} & set(reply.headers)
            assert client.is_open()

    def test_a_large_reply_arrives_whole(self, served: Served) -> None:
        """More than the socket's buffers hold, to a client that begins to read late."""
        with served.client() as client:
            client.send(get("/big?bytes=20000000"))
            assert len(client.reply().body) == 20_000_000
            assert client.is_open()

    def test_connection_close_of_the_application_is_kept(self, served: Served) -> None:
        """An application may end the connection."""
        with served.client() as client:
            client.send(get("/closes"))
            assert client.reply().closes
            assert client.is_closed()


class TestApplicationFailures:
    """What an application does wrong is logged and answered, and harms no other request."""

    BAD = (
        "/boom", "/cancelled", "/split_header", "/split_status", "/hop_by_hop", "/no_start", "/too_long",
        "/too_long_stream",
    )  # fmt: skip

    @pytest.mark.parametrize("path", BAD)
    def test_it_is_answered_500(self, served: Served, path: str) -> None:
        """The envelope says 5000 and nothing of the cause; the connection lives."""
        with served.client() as client:
            client.send(get(path))
            reply = client.reply()
            assert reply.status == 500
            assert reply.headers["content-type"] == "application/json; charset=utf-8"
            message = "An error occurred while processing your request."
            data = {"exceptionTag": reply.headers["x-request-id"]}
            assert reply.json == {"data": data, "retCode": 5000, "message": message}
            assert client.is_open()

    def test_it_is_logged_with_its_traceback(self, serve: Serve) -> None:
        """The log names the request, without its query, and has the traceback."""
        server = serve()
        server.get("/boom?password=hunter2")
        _, log = server.end()
        assert "GET /boom: the WSGI application failed" in log
        assert "RuntimeError: boom" in log
        assert "hunter2" not in log

    @pytest.mark.parametrize("path", ["/boom_late", "/too_short"])
    def test_a_reply_that_breaks_off_is_cut(self, served: Served, path: str) -> None:
        """The client cannot take a part for the whole; the iterable is closed."""
        closed = served.state().get("closed", 0)
        with served.client() as client:
            client.send(get(path))
            with pytest.raises((EOFError, ConnectionError)):
                client.reply()
        assert served.state()["closed"] == closed + 1

    def test_a_reply_without_length_that_breaks_off_is_reset(self, served: Served) -> None:
        """Where the connection's end is the body's end, only a reset tells a part from the whole."""
        with served.client() as client:
            client.send(get("/boom_late", version="1.0"))
            with pytest.raises(ConnectionResetError):
                client.rest()

    def test_exc_info_replaces_an_unsent_head(self, served: Served) -> None:
        """PEP 3333: a second start_response with exc_info wins while nothing was sent."""
        reply = served.get("/exc_info")
        assert (reply.status, reply.body) == (500, b"replaced")

    def test_head_of_a_failure_has_no_body(self, served: Served) -> None:
        """Also the server's own 500 obeys HEAD."""
        with served.client() as client:
            client.send(get("/boom", method="HEAD"))
            assert client.reply(head_only=True).status == 500
            assert client.is_open()


class TestPersistence:
    """Which connections live on."""

    @pytest.mark.parametrize(
        ("version", "header", "lives"),
        [
            ("1.1", "A: b", True),
            ("1.1", "Connection: close", False),
            ("1.1", "Connection: Keep-Alive, Close", False),
            ("1.0", "A: b", False),
            ("1.0", "Connection: keep-alive", True),
            ("1.0", "Connection: close", False),
        ],
    )
    def test_what_the_client_asks_for_is_done_and_said(
        self, served: Served, version: str, header: str, lives: bool
    ) -> None:
        """A connection that ends says so; one of HTTP/1.0 that lives says so too."""
        with served.client() as client:
            client.send(get("/hello", header, version=version))
            reply = client.reply()
            assert reply.closes is not lives
            if lives and version == "1.0":
                assert reply.headers["connection"] == "keep-alive"
            assert client.is_open() if lives else client.is_closed()

    def test_http_1_0_needs_no_host(self, served: Served) -> None:
        """Host came with HTTP/1.1."""
        assert served.ask(b"GET / HTTP/1.0\r\n\r\n").json["environ"]["SERVER_PROTOCOL"] == "HTTP/1.0"

    def test_pipelined_requests_are_answered_in_order(self, served: Served) -> None:
        """Two hundred requests in one packet, bodies and all, each with its own answer."""
        with served.client() as client:
            client.send(b"".join(post(b"%d" % n) for n in range(200)))
            assert [client.reply().json["body"] for _ in range(200)] == [str(n) for n in range(200)]

    def test_nothing_after_the_last_request_is_answered(self, served: Served) -> None:
        """What is pipelined behind ``Connection: close`` is dropped."""
        with served.client() as client:
            client.send(get("/hello", "Connection: close") + get("/hello"))
            assert client.reply().closes
            assert client.is_closed()

    def test_the_last_reply_can_be_read_though_more_was_sent(self, served: Served) -> None:
        """Megabytes sent behind the last request do not reset the connection under the reply."""
        with served.client() as client:
            client.send(get("/big?bytes=1000000", "Connection: close") + b"x" * 3_000_000)
            assert len(client.reply().body) == 1_000_000
            assert client.is_closed()

    def test_a_client_that_has_sent_all_gets_its_answer(self, served: Served) -> None:
        """A half-closed connection is answered, then closed."""
        with served.client() as client:
            client.send(get("/hello"))
            client.socket.shutdown(socket.SHUT_WR)
            assert client.reply().body == b"hello"
            assert client.is_closed()


class TestExpect:
    """``Expect: 100-continue``."""

    def test_continue_is_said_before_the_body(self, served: Served) -> None:
        """A client that waits is told to go on, and answered after it has."""
        with served.client() as client:
            client.send(get("/", "Content-Length: 3", "Expect: 100-Continue", method="POST"))
            assert client.reply(head_only=True).status == 100
            client.send(b"abc")
            assert client.reply().json["body"] == "abc"
            assert client.is_open()

    def test_continue_is_said_before_chunks(self, served: Served) -> None:
        """The same for a body without length."""
        with served.client() as client:
            client.send(get("/", "Transfer-Encoding: chunked", "Expect: 100-continue", method="POST"))
            assert client.reply(head_only=True).status == 100
            client.send(b"3\r\nabc\r\n0\r\n\r\n")
            assert client.reply().json["body"] == "abc"

    def test_a_body_too_large_is_refused_unsent(self, served: Served) -> None:
        """413 takes the place of 100: the client need not send what will not be read."""
        reply = served.ask(get("/", "Content-Length: 5000", "Expect: 100-continue", method="POST"))
        assert (reply.status, reply.closes) == (413, True)

    @pytest.mark.parametrize(
        "data",
        [
            post(b"abc", "Expect: 100-continue"),
            get("/", "Expect: 100-continue"),
            post(b"abc").replace(b"1.1", b"1.0").replace(b"Host", b"Expect: 100-continue\r\nHost"),
        ],
        ids=["body came along", "no body", "HTTP/1.0"],
    )
    def test_continue_is_not_said_needlessly(self, served: Served, data: bytes) -> None:
        """The first reply is the answer."""
        assert served.ask(data).status == 200


class TestSlowClients:
    """A time limit is a total: bytes that trickle in do not prolong it."""

    def is_stopped(self, client: Client, drip: bytes) -> bool:
        """Send a byte every 20 ms; return whether the server answers before the last."""
        for at in range(len(drip)):
            client.send(drip[at : at + 1])
            if select.select([client.socket], [], [], 0.02)[0]:
                return True
        return False

    def test_a_head_that_drips_is_answered_408(self, serve: Serve) -> None:
        """The header timeout counts from the first byte."""
        with serve(header_timeout=0.3).client() as client:
            assert self.is_stopped(client, b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 20)
            reply = client.reply()
            assert (reply.status, reply.closes, reply.json["retCode"]) == (408, True, 4110)
            assert client.is_closed()

    @pytest.mark.parametrize("framing", ["Content-Length: 1000", "Transfer-Encoding: chunked"])
    def test_a_body_that_drips_is_answered_408(self, serve: Serve, framing: str) -> None:
        """The body timeout counts from the end of the headers."""
        with serve(body_timeout=0.3).client() as client:
            client.send(get("/", framing, method="POST"))
            assert self.is_stopped(client, b"1\r\na\r\n" * 10)
            assert client.reply().status == 408
            assert client.is_closed()

    def test_a_client_that_says_nothing_is_closed(self, serve: Serve) -> None:
        """A new connection has the header timeout for its first byte; there is nothing to answer."""
        with serve(header_timeout=0.2).client() as client:
            assert client.is_closed()

    def test_an_idle_connection_is_closed(self, serve: Serve) -> None:
        """After a reply the idle timeout counts, not the header timeout."""
        with serve(idle_timeout=0.2).client() as client:
            client.send(get("/hello"))
            assert not client.reply().closes
            assert client.is_closed()

    def test_empty_lines_do_not_prolong_the_header_timeout(self, serve: Serve) -> None:
        """They may come before a request, but are no request."""
        with serve(header_timeout=0.3).client() as client:
            assert self.is_stopped(client, b"\r\n" * 30)
            assert client.reply().status == 408

    def test_a_client_that_reads_nothing_is_reset(self, serve: Serve) -> None:
        """A reply that the client does not take within the write timeout ends the connection."""
        server = serve(write_timeout=0.3)
        with server.client() as client:
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.send(get("/big?bytes=50000000"))
            until(lambda: server.get("/hello").status == 200)
            time.sleep(0.5)
            with pytest.raises((EOFError, ConnectionError)):
                client.reply()

    def test_slow_clients_do_not_hold_up_others(self, serve: Serve) -> None:
        """With fifty clients in mid-request, another is served."""
        server = serve(header_timeout=5)
        slow = [Client(server.port) for _ in range(50)]
        for client in slow:
            client.send(b"POST / HTTP/1.1\r\nHost:")
        assert server.get("/hello").body == b"hello"
        for client in slow:
            client.close()


class TestHandlerTimeout:
    """A handler that takes too long is interrupted."""

    def test_it_is_answered_503(self, serve: Serve) -> None:
        """The client is told, the handler is interrupted where it waits, the connection ends."""
        server = serve(handler_timeout=0.2)
        with server.client() as client:
            client.send(get("/slow?seconds=60"))
            reply = client.reply()
            assert (reply.status, reply.closes, reply.json["retCode"]) == (503, True, 5000)
            assert reply.headers["retry-after"]
            assert client.is_closed()
        assert server.state()["interrupted"] == 1

    def test_a_handler_that_carries_on_is_believed(self, serve: Serve) -> None:
        """One that handles the interrupt and answers has answered."""
        reply = serve(handler_timeout=0.2).get("/stubborn")
        assert (reply.status, reply.body) == (200, b"not impressed")

    def test_a_reply_under_way_is_cut(self, serve: Serve) -> None:
        """After the head has gone there is no status left to tell it by; the iterable is closed."""
        server = serve(handler_timeout=0.2)
        with server.client() as client:
            client.send(get("/slow_stream"))
            with pytest.raises((EOFError, ConnectionError)):
                client.reply()
        assert server.state()["closed"] == 1

    def test_the_time_of_one_request_is_not_counted_to_the_next(self, serve: Serve) -> None:
        """Each request on a connection has the whole time."""
        server = serve(handler_timeout=0.5)
        with server.client() as client:
            for _ in range(4):
                client.send(get("/slow?seconds=0.2"))
                assert client.reply().body == b"slept"


class TestCap:
    """The number of connections is bounded."""

    def test_one_too_many_is_answered_503(self, serve: Serve) -> None:
        """It can read the refusal though it had sent a request; when a place is free, others are served."""
        server = serve(max_connections=2)
        first, second = Client(server.port), Client(server.port)
        for client in (first, second):
            client.send(get("/hello"))
            client.reply()
        with server.client() as third:
            third.send(post(b"x" * 1000))
            reply = third.reply()
            assert (reply.status, reply.json["retCode"]) == (503, 5000)
            assert third.is_closed()
        first.close()
        until(lambda: server.get("/hello").status == 200)
        second.close()


class TestDisconnects:
    """A client that goes away is no error."""

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"GET / HT",
            get("/", "Content-Length: 100", method="POST") + b"abc",
            get("/", "Transfer-Encoding: chunked", method="POST") + b"5\r\nab",
            get("/slow?seconds=0.1"),
            get("/big?bytes=30000000"),
        ],
        ids=["at once", "in the head", "in the body", "in a chunk", "in the handler", "in the reply"],
    )
    @pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
    def test_it_leaves_no_trace_in_the_log(self, serve: Serve, data: bytes, reset: bool) -> None:
        """Whenever it goes, and however: no traceback, and the next client is served."""
        server = serve()
        with server.client() as client:
            client.send(data)
            if reset:
                client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        assert server.get("/hello").status == 200
        assert server.end() == ("True\n", "")


class TestDrain:
    """SIGTERM ends the server without a request lost."""

    def test_a_request_under_way_is_answered_and_closes(self, serve: Serve) -> None:
        """Its reply says that it is the last; the drain is clean."""
        server = serve()
        with server.client() as client:
            client.send(get("/slow?seconds=0.5"))
            until(lambda: server.state().get("started", 0) == 1)
            server.terminate()
            reply = client.reply()
            assert (reply.body, reply.closes) == (b"slept", True)
            assert client.is_closed()
        assert server.end()[0] == "True\n"

    def test_an_idle_connection_is_closed_soon(self, serve: Serve) -> None:
        """It does not hold up the drain."""
        server = serve(drain=60.0)
        with server.client() as client:
            client.send(get("/hello"))
            client.reply()
            server.terminate()
            assert client.is_closed()

    def test_an_idle_connection_may_be_used_once_more(self, serve: Serve) -> None:
        """A proxy that keeps it learns from the reply that it ends."""
        server = serve(drain=60.0)
        with server.client() as client:
            client.send(get("/hello"))
            assert not client.reply().closes
            server.terminate()
            until(lambda: not listens(server.port))
            client.send(get("/hello"))
            reply = client.reply()
            assert (reply.body, reply.closes) == (b"hello", True)
        assert server.end()[0] == "True\n"

    def test_a_request_half_sent_is_answered(self, serve: Serve) -> None:
        """One that has begun may end, and be answered."""
        server = serve()
        with server.client() as client:
            client.send(b"GET /hello HTTP/1.1\r\n")
            assert server.get("/hello").status == 200
            server.terminate()
            until(lambda: not listens(server.port))
            client.send(b"Host: x\r\n\r\n")
            reply = client.reply()
            assert (reply.body, reply.closes) == (b"hello", True)

    def test_a_request_that_crosses_the_drain_is_answered(self) -> None:
        """One that has arrived on an idle connection, and that the server has not seen yet, is not lost."""
        server = Server(hello, port=0, limits=Limits(linger_timeout=0.1))
        server.start()
        client = Client(server.address[1])
        client.send(get())
        while not select.select([client.socket], [], [], 0)[0]:
            gevent.sleep(0.01)
        assert client.reply().body == b"hello"
        client.send(get())
        assert server.stop(PATIENCE)
        reply = client.reply()
        assert (reply.body, reply.closes) == (b"hello", True)
        client.close()

    def test_a_connection_that_the_kernel_accepted_is_served(self) -> None:
        """One that waits in the backlog when the drain begins is not reset."""
        server = Server(hello, port=0, limits=Limits(linger_timeout=0.1))
        server.start()
        client = Client(server.address[1])
        client.send(get())
        assert server.stop(PATIENCE)
        assert client.reply().closes
        client.close()

    def test_what_does_not_end_is_cut(self, serve: Serve) -> None:
        """After the drain's time the handler is interrupted, its client told, and the drain reported as unclean."""
        server = serve(drain=0.2)
        with server.client() as client:
            client.send(get("/slow?seconds=60"))
            until(lambda: server.state().get("started", 0) == 1)
            server.terminate()
            assert client.reply().status == 503
        printed, log = server.end()
        assert printed == "False\n"
        assert "1 requests were not finished in time" in log


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=PATIENCE).close()
    except ConnectionRefusedError:
        return False
    return True


class TestStart:
    """Binding the port."""

    def test_a_port_that_is_taken_is_an_error(self, served: Served) -> None:
        """start() raises what the system says."""
        with pytest.raises(OSError, match="in use"):
            Server(lambda environ, start_response: [], port=served.port).start()

    def test_a_listener_can_be_shared(self) -> None:
        """Two servers take turns at one socket."""
        listener = bind("127.0.0.1", 0)
        other = listener.dup()
        first = Server(lambda environ, start_response: [], listener=listener, shared=True)
        first.start()
        second = Server(lambda environ, start_response: [], listener=other, shared=True)
        second.start()
        assert second.address == first.address
        assert first.stop(1) and second.stop(1)

    def test_ipv6_is_served(self) -> None:
        """The host may be an IPv6 address."""
        server = Server(lambda environ, start_response: [], "::1", 0)
        server.start()
        assert server.address[0] == "::1"
        assert server.stop(1)

    def test_stop_ends_serve_forever(self) -> None:
        """serve_forever() starts the server and returns when it has stopped."""
        server = Server(lambda environ, start_response: [], port=0)
        serving = gevent.spawn(server.serve_forever)
        gevent.sleep(0)
        assert server.address[1]
        assert server.stop(1)
        serving.get(timeout=PATIENCE)

    def test_a_second_stop_waits_for_the_first(self) -> None:
        """Two signals are one drain."""
        server = Server(lambda environ, start_response: [], port=0)
        server.start()
        stops = [gevent.spawn(server.stop, 1) for _ in range(2)]
        assert [stop.get(timeout=PATIENCE) for stop in stops] == [True, True]

    def test_stop_before_start_is_nothing(self) -> None:
        """There is nothing to drain."""
        assert Server(lambda environ, start_response: [], port=0).stop(1)

    @pytest.mark.parametrize("name", ["body_bytes", "idle_timeout", "max_connections"])
    def test_a_limit_of_zero_is_refused(self, name: str) -> None:
        """A server that refuses everything is a mistake, and the error names the limit."""
        with pytest.raises(ValueError, match=name):
            Limits(**{name: 0})


def test_the_envelope_of_a_refusal_has_the_contracts_order(served: Served) -> None:
    """``data``, ``retCode``, ``message``, as in every reply of densefog."""
    assert list(json.loads(served.ask(b"nonsense\r\n\r\n").body)) == ["data", "retCode", "message"]
