"""Outbound HTTP, against real servers on loopback that answer well, badly, slowly and without end."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from densefog_core.config import Config
from densefog_core.errors import ConfigError
from densefog_core.outbound import MAX_ANSWER, DeliveryError, check_url, post


@pytest.fixture
def server():
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.server.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.server.answer(self)

        do_GET = do_POST

        def log_message(self, *args):
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.bodies, httpd.daemon_threads = [], True
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield httpd
    httpd.shutdown()
    thread.join()
    httpd.server_close()


def url(server):
    return f"http://127.0.0.1:{server.server_port}/hook?token=hunter2"


def answer(status, headers=(), body=b"ok"):
    def write(handler):
        handler.send_response(status)
        for name, value in headers:
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    return write


def send(server, **options):
    return post(url(server), b"notice", {}, what="slack", **options)


def test_an_answer_of_2xx_is_returned(server):
    server.answer = answer(200)
    assert send(server) == b"ok"
    assert server.bodies == [b"notice"]


@pytest.mark.parametrize(
    ("status", "headers", "retry_after", "permanent"),
    [
        (429, [("Retry-After", "7")], 7.0, False),
        (503, [], None, False),
        (500, [("Retry-After", "soon")], None, False),
        (400, [], None, True),
        (404, [], None, True),
        (302, [("Location", "http://127.0.0.1:1/")], None, True),
    ],
)
def test_another_answer_says_whether_and_when_to_send_again(server, status, headers, retry_after, permanent):
    server.answer = answer(status, headers)
    with pytest.raises(DeliveryError, match=f"slack answered {status}") as caught:
        send(server)
    assert (caught.value.retry_after, caught.value.permanent) == (retry_after, permanent)
    assert "hunter2" not in str(caught.value)


def test_a_redirect_is_not_followed(server):
    server.answer = answer(307, [("Location", "/elsewhere")])
    with pytest.raises(DeliveryError):
        send(server)
    assert len(server.bodies) == 1


def test_an_endless_answer_is_read_to_a_limit_only(server):
    server.answer = answer(200, body=b"x" * 5_000_000)
    assert len(send(server)) == MAX_ANSWER


def test_silence_ends_with_the_timeout(server):
    release = threading.Event()
    server.answer = lambda handler: release.wait(10)
    try:
        with pytest.raises(DeliveryError, match="slack is not reached"):
            send(server, timeout=0.2)
    finally:
        release.set()


def test_a_connection_cut_off_is_an_error(server):
    server.answer = lambda handler: handler.connection.shutdown(2)
    with pytest.raises(DeliveryError, match="slack is not reached"):
        send(server)


def test_link_local_addresses_are_refused():
    with pytest.raises(DeliveryError, match="link-local") as caught:
        post("http://169.254.169.254/latest", b"", {}, what="webhook")
    assert caught.value.permanent


@pytest.mark.parametrize("address", ["http://example.com/x", "ftp://example.com", "nonsense", "https://"])
def test_only_https_addresses_are_settings(address):
    with pytest.raises(ConfigError, match="setting slack_webhook_url: not an https address") as caught:
        check_url(Config(), "slack_webhook_url", address)
    assert address not in str(caught.value).replace("https://", "") or address == "https://"


def test_http_can_be_allowed():
    config = Config().apply(notify_allow_http=True)
    assert check_url(config, "x", "http://example.com/x") == "http://example.com/x"
