"""Outbound HTTP, against real servers on loopback that answer well, badly, slowly and without end."""

import socket
import ssl
import subprocess
import time
import tracemalloc
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from densefog_core.config import Config
from densefog_core.errors import ConfigError
from densefog_core.notices import outbound
from densefog_core.notices.outbound import MAX_ANSWER, DeliveryError, check_url, post
from tests.plugins.receiver import answer, drip, endless, half, half_a_body, nothing, receiving

URL = "http://127.0.0.1:{}/hook?token=hunter2"


@pytest.fixture
def server():
    with receiving() as server:
        yield server


def send(server, **options):
    return post(URL.format(server.server_port), b"notice", {}, what="slack", **options)


def test_an_answer_of_2xx_is_returned(server):
    assert send(server) == b"ok"
    assert [body for _, body in server.requests] == [b"notice"]


@pytest.mark.parametrize(
    ("status", "headers", "retry_after", "permanent"),
    [
        (429, [("Retry-After", "7")], 7.0, False),
        (503, [], None, False),
        (500, [("Retry-After", "soon")], None, False),
        (500, [("Retry-After", "-1")], None, False),
        (400, [], None, True),
        (404, [], None, True),
        (302, [("Location", "http://127.0.0.1:1/")], None, True),
    ],
)
def test_another_answer_says_whether_and_when_to_send_again(server, status, headers, retry_after, permanent):
    server.answers = [answer(status, headers=headers)]
    with pytest.raises(DeliveryError, match=f"slack answered {status}") as caught:
        send(server)
    assert (caught.value.retry_after, caught.value.permanent) == (retry_after, permanent)


def test_a_retry_after_may_be_a_date(server):
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    server.answers = [answer(503, headers=[("Retry-After", later)])]
    with pytest.raises(DeliveryError) as caught:
        send(server)
    assert 25 < caught.value.retry_after <= 30


def test_a_refusal_says_what_the_service_says_without_the_token(server):
    server.answers = [answer(403, b"invalid_token\x1b[31m\n for /hook?token=hunter2")]
    with pytest.raises(DeliveryError) as caught:
        send(server)
    assert str(caught.value) == "slack answered 403: invalid_token[31m for /********?********"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(server, status):
    server.answers = [answer(status, headers=[("Location", "/elsewhere")])]
    with pytest.raises(DeliveryError):
        send(server)
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [200, 500])
def test_of_1_gb_only_the_start_is_read(server, status):
    def huge(handler):
        handler.wfile.write(b"HTTP/1.1 %d\r\n\r\n" % status)
        endless(handler)

    server.answers = [huge]
    tracemalloc.start()
    started = time.monotonic()
    try:
        assert len(send(server)) == MAX_ANSWER
    except DeliveryError as exc:
        assert status == 500 and len(str(exc)) < 300
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 10_000_000
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("silent", [nothing, drip])
def test_silence_and_dripping_end_with_the_timeout(server, silent):
    server.answers = [silent]
    started = time.monotonic()
    with pytest.raises(DeliveryError, match=r"slack is not reached: no answer within 0.3 s") as caught:
        send(server, timeout=0.3)
    assert time.monotonic() - started < 2
    assert not caught.value.permanent


def test_half_a_reply_is_an_error(server):
    server.answers = [half]
    with pytest.raises(DeliveryError, match="slack is not reached"):
        send(server)


def test_half_a_body_after_a_2xx_is_an_answer_for_the_service_has_taken_the_notice(server):
    server.answers = [half_a_body]
    assert send(server) == b"ok"


def test_a_connection_that_is_refused_or_a_host_that_is_unknown_is_an_error():
    for url in ("http://127.0.0.1:1/x", "http://nowhere.invalid/x"):
        with pytest.raises(DeliveryError, match="slack is not reached") as caught:
            post(url, b"", {}, what="slack")
        assert not caught.value.permanent


@pytest.mark.parametrize("host", ["[fe80::1]", "[::ffff:169.254.169.254]", "169.254.1.1"])
def test_link_local_hosts_are_refused_in_every_notation(host):
    with pytest.raises(DeliveryError, match="link-local"):
        post(f"http://{host}/latest", b"", {}, what="webhook")


@pytest.mark.parametrize("number", ["0xa9fea9fe", "2852039166"])
def test_link_local_addresses_behind_a_name_are_refused(number):
    with pytest.raises(DeliveryError, match=r"link-local|not reached: gaierror"):
        post(f"http://{number}/latest", b"", {}, what="webhook")


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


# -- TLS and proxies ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate of 127.0.0.1 and its key, in one file."""
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1", "-addext",
         "subjectAltName=IP:127.0.0.1", "-keyout", f"{file}.key", "-out", f"{file}.crt"],
        check=True, capture_output=True,
    )  # fmt: skip
    file.write_text(file.with_name("both.pem.crt").read_text() + file.with_name("both.pem.key").read_text())
    return file


@pytest.fixture
def tls_server(server, certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    outbound._tls.cache_clear()
    yield server
    outbound._tls.cache_clear()


def test_a_certificate_that_is_trusted_is_taken(tls_server, certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert post(f"https://127.0.0.1:{tls_server.server_port}/x", b"notice", {}, what="slack") == b"ok"
    assert len(tls_server.requests) == 1


def test_a_certificate_that_is_not_trusted_is_refused(tls_server):
    with pytest.raises(DeliveryError, match="slack is not reached: SSLCertVerificationError"):
        post(f"https://127.0.0.1:{tls_server.server_port}/x", b"notice", {}, what="slack")
    assert tls_server.requests == []


@pytest.mark.parametrize("silent", [nothing, drip])
def test_silence_ends_with_the_timeout_under_tls_too(tls_server, certificate, monkeypatch, silent):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    tls_server.answers = [silent]
    with pytest.raises(DeliveryError, match=r"no answer within 0.5 s"):
        post(f"https://127.0.0.1:{tls_server.server_port}/x", b"notice", {}, what="slack", timeout=0.5)


def test_a_handshake_that_never_ends_is_ended():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}/x"
        with pytest.raises(DeliveryError, match=r"no answer within 0.3 s"):
            post(url, b"", {}, what="slack", timeout=0.3)


def test_a_proxy_of_the_environment_is_used(server, monkeypatch):
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.delenv("no_proxy", raising=False)
    assert post("http://far-away.invalid/x", b"notice", {}, what="slack") == b"ok"
    assert server.requests[0][0]["Host"] == "far-away.invalid"
