"""Requests that are not HTTP, or are more than one thing at a time: each is answered and ends the connection."""

from __future__ import annotations

import pytest

from tests.plugins.wsgi.served import Client, Served

HOST = b"Host: x\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"


def get(target: bytes = b"/", version: bytes = b"HTTP/1.1", headers: bytes = HOST) -> bytes:
    return b"GET " + target + b" " + version + b"\r\n" + headers + b"\r\n"


def post(headers: bytes, body: bytes = b"") -> bytes:
    return b"POST / HTTP/1.1\r\nHost: x\r\n" + headers + b"\r\n" + body


def header(line: bytes) -> bytes:
    return get(headers=HOST + line)


# What it is: the bytes, the status that answers them. The connection is closed after each.
MALFORMED: dict[str, tuple[bytes, int]] = {
    # request line
    "HTTP/0.9": (b"GET /\r\n", 400),
    "HTTP/0.9 with headers": (b"GET /\r\nHost: x\r\n\r\n", 400),
    "version missing": (b"GET / \r\n\r\n", 400),
    "version 0.9": (get(version=b"HTTP/0.9"), 505),
    "version 1.2": (get(version=b"HTTP/1.2"), 505),
    "version 2.0": (get(version=b"HTTP/2.0"), 505),
    "HTTP/2 preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    "version without dot": (get(version=b"HTTP/11"), 400),
    "version of two digits": (get(version=b"HTTP/1.10"), 400),
    "version in lower case": (get(version=b"http/1.1"), 400),
    "other protocol": (get(version=b"RTSP/1.0"), 400),
    "space after version": (get(version=b"HTTP/1.1 "), 400),
    "method in lower case": (b"get / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "method unknown": (b"FOO / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "method with a brace": (b"GE{T / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "method missing": (b"/ HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "two spaces before target": (b"GET  / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "tab before target": (b"GET\t/ HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "space before method": (b" GET / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "LF before method": (b"\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    # target
    "space in target": (get(b"/a b"), 400),
    "raw UTF-8 in target": (get(b"/\xc3\xa9"), 400),
    "control character in target": (get(b"/a\x01b"), 400),
    "NUL in target": (get(b"/a\x00b"), 400),
    "fragment": (get(b"/a#b"), 400),
    "absolute target": (get(b"http://x/"), 400),
    "authority target": (get(b"x:80"), 400),
    "relative target": (get(b"foo"), 400),
    "asterisk with GET": (get(b"*"), 400),
    "CONNECT": (b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n" + SMUGGLED, 501),
    # Host
    "Host missing": (get(headers=b""), 400),
    "Host twice, the same": (get(headers=HOST + HOST), 400),
    "Host twice": (get(headers=b"Host: x\r\nA: b\r\nHost: y\r\n"), 400),
    "Host with a path": (get(headers=b"Host: x/y\r\n"), 400),
    "Host with user": (get(headers=b"Host: a@x\r\n"), 400),
    "Host with two ports": (get(headers=b"Host: x:1:2\r\n"), 400),
    "Host list": (get(headers=b"Host: x, y\r\n"), 400),
    # header lines
    "space before colon": (get(headers=b"Host : x\r\n"), 400),
    "space before colon of a later header": (post(b"Content-Length : 3\r\n", b"abc"), 400),
    "no colon": (header(b"nocolon\r\n"), 400),
    "no name": (header(b": value\r\n"), 400),
    "name with space": (header(b"A b: c\r\n"), 400),
    "name with NUL": (header(b"A\x00: b\r\n"), 400),
    "name in UTF-8": (header(b"\xc3\xa9: b\r\n"), 400),
    "folded header": (header(b"A: b\r\n c\r\n"), 400),
    "folded empty header": (header(b"A:\r\n b\r\n"), 400),
    "folded first header": (get(headers=b" A: b\r\nHost: x\r\n"), 400),
    "bare LF throughout": (b"GET / HTTP/1.1\nHost: x\n\n", 400),
    "bare LF after the request line": (b"GET / HTTP/1.1\nHost: x\r\n\r\n", 400),
    "bare LF after a header": (b"GET / HTTP/1.1\r\nHost: x\n\r\n", 400),
    "bare LF at the end": (b"GET / HTTP/1.1\r\nHost: x\r\n\n", 400),
    "bare CR in a value": (header(b"A: b\rC: d\r\n"), 400),
    "NUL in a value": (header(b"A: b\x00c\r\n"), 400),
    "control character in a value": (header(b"A: b\x01c\r\n"), 400),
    "DEL in a value": (header(b"A: b\x7fc\r\n"), 400),
    "headers too many": (header(b"A: b\r\n" * 20), 431),
    "header too large": (header(b"A: " + b"b" * 2048 + b"\r\n"), 431),
    "header without end": (b"GET / HTTP/1.1\r\nA: " + b"b" * 4096, 431),
    "target too long": (get(b"/" + b"a" * 2048), 431),
    "request line without end": (b"GET /" + b"a" * 4096, 431),
    # the body's length
    "Content-Length with sign": (post(b"Content-Length: +3\r\n", b"abc"), 400),
    "Content-Length negative": (post(b"Content-Length: -3\r\n", b"abc"), 400),
    "Content-Length hexadecimal": (post(b"Content-Length: 0x3\r\n", b"abc"), 400),
    "Content-Length with fraction": (post(b"Content-Length: 3.0\r\n", b"abc"), 400),
    "Content-Length with underscore": (post(b"Content-Length: 1_0\r\n", b"abc"), 400),
    "Content-Length empty": (post(b"Content-Length:\r\n", b"abc"), 400),
    "Content-Length with space": (post(b"Content-Length: 3 3\r\n", b"abc"), 400),
    "Content-Length list": (post(b"Content-Length: 3, 3\r\n", b"abc"), 400),
    "Content-Length huge": (post(b"Content-Length: " + b"9" * 30 + b"\r\n", b"abc"), 400),
    "Content-Length twice, the same": (post(b"Content-Length: 3\r\nContent-Length: 3\r\n", b"abc"), 400),
    "Content-Length twice": (post(b"Content-Length: 3\r\nContent-Length: 40\r\n", b"abc" + SMUGGLED), 400),
    "Content-Length, then chunked": (
        post(b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n" + SMUGGLED),
        400,
    ),
    "chunked, then Content-Length": (
        post(b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", b"0\r\n\r\n" + SMUGGLED),
        400,
    ),
    "body too large": (post(b"Content-Length: 4097\r\n", b"a" * 4097), 413),
    "body far too large": (post(b"Content-Length: 9999999999\r\n", b"a" * 100_000), 413),
    # Transfer-Encoding
    "coding xchunked": (post(b"Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n" + SMUGGLED), 400),
    "coding gzip, chunked": (post(b"Transfer-Encoding: gzip, chunked\r\n", b"0\r\n\r\n" + SMUGGLED), 501),
    "coding chunked, gzip": (post(b"Transfer-Encoding: chunked, gzip\r\n", b"0\r\n\r\n" + SMUGGLED), 400),
    "coding identity": (post(b"Transfer-Encoding: identity\r\n", SMUGGLED), 400),
    "coding empty": (post(b"Transfer-Encoding:\r\n", SMUGGLED), 400),
    "coding quoted": (post(b'Transfer-Encoding: "chunked"\r\n', b"0\r\n\r\n" + SMUGGLED), 400),
    "coding with parameter": (post(b"Transfer-Encoding: chunked;a=b\r\n", b"0\r\n\r\n" + SMUGGLED), 400),
    "coding after vertical tab": (post(b"Transfer-Encoding:\x0bchunked\r\n", b"0\r\n\r\n" + SMUGGLED), 400),
    "coding twice": (
        post(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n" + SMUGGLED),
        400,
    ),
    "coding chunked, chunked": (post(b"Transfer-Encoding: chunked, chunked\r\n", b"0\r\n\r\n" + SMUGGLED), 400),
    "coding with HTTP/1.0": (
        b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n0\r\n\r\n" + SMUGGLED,
        400,
    ),
    # chunks
    "chunk size negative": (CHUNKED + b"-3\r\nabc\r\n0\r\n\r\n", 400),
    "chunk size with sign": (CHUNKED + b"+3\r\nabc\r\n0\r\n\r\n", 400),
    "chunk size with 0x": (CHUNKED + b"0x3\r\nabc\r\n0\r\n\r\n", 400),
    "chunk size with underscore": (CHUNKED + b"1_0\r\nabc\r\n0\r\n\r\n", 400),
    "chunk size empty": (CHUNKED + b"\r\nabc\r\n0\r\n\r\n", 400),
    "chunk size with space": (CHUNKED + b"3 \r\nabc\r\n0\r\n\r\n", 400),
    "chunk size huge": (CHUNKED + b"f" * 18 + b"\r\nabc", 400),
    "chunk size beyond 32 bits": (CHUNKED + b"100000000\r\nabc", 400),
    "chunk size with bare LF": (CHUNKED + b"3\nabc\r\n0\r\n\r\n", 400),
    "chunk size without end": (CHUNKED + b"0" * 4096, 431),
    "chunk longer than it says": (CHUNKED + b"3\r\nabcd\r\n0\r\n\r\n", 400),
    "chunk shorter than it says": (CHUNKED + b"4\r\nabc\r\n0\r\n\r\n", 400),
    "chunk ended by bare LF": (CHUNKED + b"3\r\nabc\n0\r\n\r\n", 400),
    "chunk extension with bare LF": (CHUNKED + b"3;a\nb\r\nabc\r\n0\r\n\r\n", 400),
    "chunk extension with bare CR": (CHUNKED + b"3;a\rb\r\nabc\r\n0\r\n\r\n", 400),
    "chunk extension with NUL": (CHUNKED + b"3;a\x00\r\nabc\r\n0\r\n\r\n", 400),
    "chunk extension too long": (CHUNKED + b"3;" + b"a" * 4096 + b"\r\nabc\r\n0\r\n\r\n", 431),
    "chunk extensions too many": (CHUNKED + b"1;aaaaaaaaaaaa\r\nx\r\n" * 200 + b"0\r\n\r\n", 431),
    "chunks too large together": (CHUNKED + b"800\r\n" + b"a" * 0x800 + b"\r\n801\r\n" + b"a" * 0x801, 413),
    "chunk too large": (CHUNKED + b"1001\r\n", 413),
    "trailer with space before colon": (CHUNKED + b"0\r\nA : b\r\n\r\n", 400),
    "trailer folded": (CHUNKED + b"0\r\nA: b\r\n c\r\n\r\n", 400),
    "trailer with bare LF": (CHUNKED + b"0\r\nA: b\n\r\n", 400),
    "trailers too large": (CHUNKED + b"0\r\n" + b"A: bbbbbbbbbbbb\r\n" * 200 + b"\r\n", 431),
    "trailers ended by bare LF": (CHUNKED + b"0\r\n\n", 400),
    # the rest
    "expectation unknown": (post(b"Content-Length: 3\r\nExpect: a-miracle\r\n"), 417),
    "expectation twice": (post(b"Content-Length: 3\r\nExpect: 100-continue\r\nExpect: 100-continue\r\n"), 400),
    "Content-Type twice": (post(b"Content-Type: a/b\r\nContent-Type: c/d\r\n"), 400),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_a_malformed_request_is_answered_and_ends_its_connection(served: Served, case: str) -> None:
    """The answer has the case's status and the envelope; the connection ends; the next one works; nothing ran."""
    data, status = MALFORMED[case]
    before = served.state()["requests"]
    with served.client() as client:
        client.send(data)
        reply = client.reply()
        assert (reply.status, reply.closes) == (status, True)
        assert reply.headers["content-type"] == "application/json; charset=utf-8"
        assert reply.json["data"] == {"exceptionTag": reply.headers["x-request-id"]}
        assert reply.json["retCode"] == (4110 if status < 500 else 5000)
        assert client.is_closed()
    assert served.state()["requests"] == before + 1, "the application was called for a malformed request"


@pytest.mark.parametrize("case", MALFORMED)
def test_a_malformed_request_is_the_same_byte_by_byte(served: Served, case: str) -> None:
    """However the bytes arrive, the answer has the same status: no decision hangs on packets."""
    data, status = MALFORMED[case]
    if len(data) > 300:
        pieces = [data[:7], data[7:2000], data[2000:2050], data[2050:]]
    else:
        pieces = [data[at : at + 1] for at in range(len(data))]
    with served.client() as client:
        assert send_pieces(client, pieces).status == status


def send_pieces(client: Client, pieces: list[bytes]):
    """Send pieces until the server has had enough, and return its reply."""
    try:
        for piece in pieces:
            client.send(piece)
    except ConnectionError:
        pass
    return client.reply()


@pytest.mark.parametrize("case", MALFORMED)
def test_a_good_request_before_a_malformed_one_is_answered(served: Served, case: str) -> None:
    """Pipelined behind a good request, a malformed one changes nothing for the good one."""
    data, status = MALFORMED[case]
    with served.client() as client:
        client.send(b"POST /?first=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc" + data)
        first = client.reply()
        assert (first.status, first.json["body"]) == (200, "abc")
        assert client.reply().status == status
        assert client.is_closed()


# Odd but legal: answered, and the connection lives on.
LEGAL: dict[str, bytes] = {
    "empty Host": get(headers=b"Host:\r\n"),
    "Host with port": get(headers=b"Host: x:80\r\n"),
    "Host of IPv6": get(headers=b"Host: [::1]:80\r\n"),
    "empty lines first": b"\r\n\r\n" + get(),
    "header without a value": header(b"A:\r\n"),
    "Latin-1 in a value": header(b"A: \xe9\r\n"),
    "tab around a value": header(b"A:\tb\t\r\n"),
    "asterisk with OPTIONS": b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
    "upgrade to h2c": header(b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n"),
    "upgrade to websocket": header(b"Connection: Upgrade\r\nUpgrade: websocket\r\n"),
    "upgrade with a body": post(b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 3\r\n", b"abc"),
    "upgrade with chunks": post(
        b"Connection: Upgrade\r\nUpgrade: h2c\r\nTransfer-Encoding: chunked\r\n", b"3\r\nabc\r\n0\r\n\r\n"
    ),
    "body of GET": b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
    "zeros before a length": post(b"Content-Length: 0003\r\n", b"abc"),
    "space after a length": post(b"Content-Length: 3 \r\n", b"abc"),
    "coding in capitals": post(b"Transfer-Encoding: Chunked\r\n", b"3\r\nabc\r\n0\r\n\r\n"),
    "zeros before a chunk size": CHUNKED + b"0003\r\nabc\r\n00\r\n\r\n",
    "chunk extensions": CHUNKED + b'3;a=b;c="d"\r\nabc\r\n0;e\r\n\r\n',
    "trailers": CHUNKED + b"3\r\nabc\r\n0\r\nContent-Length: 7\r\nA: b\r\n\r\n",
    "chunk size in capitals": CHUNKED + b"A\r\nabcdefghij\r\n0\r\n\r\n",
    "largest body": post(b"Content-Length: 4096\r\n", b"a" * 4096),
    "largest chunked body": CHUNKED + b"1000\r\n" + b"a" * 4096 + b"\r\n0\r\n\r\n",
    "most headers": header(b"A: b\r\n" * 19),
}


@pytest.mark.parametrize("case", LEGAL)
def test_an_odd_but_legal_request_is_answered_and_the_connection_lives(served: Served, case: str) -> None:
    """The application answers it, and the next request on the connection gets its own answer."""
    with served.client() as client:
        client.send(LEGAL[case])
        assert client.reply().status == 200
        assert client.is_open()
