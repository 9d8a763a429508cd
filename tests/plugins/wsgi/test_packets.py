"""Packets mean nothing: any split of the same bytes gives the same replies."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from densefog_plugins.wsgi.body import read_chunked
from densefog_plugins.wsgi.limits import Limits
from densefog_plugins.wsgi.replies import Refusal
from tests.plugins.wsgi.served import Served

bodies = st.binary(max_size=40)
sizes = st.integers(1, 12)
names = st.from_regex(r"X-[A-Za-z0-9-]{1,8}", fullmatch=True)
values = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=10)


def chunked(body: bytes, size: int, extension: bytes = b"", trailer: bytes = b"") -> bytes:
    """A body in chunks of a size, as bytes on the wire."""
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    coded = b"".join(b"%x%b\r\n%b\r\n" % (len(piece), extension, piece) for piece in pieces)
    return coded + b"0\r\n" + trailer + b"\r\n"


@st.composite
def requests(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """A request as bytes, and its body."""
    body = draw(bodies)
    lines = [b"POST / HTTP/1.1", b"Host: x"]
    lines += [f"{name}: {value}".encode() for name, value in draw(st.lists(st.tuples(names, values), max_size=3))]
    if draw(st.booleans()):
        lines.append(b"Content-Length: %d" % len(body))
        coded = body
    else:
        lines.append(b"Transfer-Encoding: chunked")
        extension = draw(st.sampled_from([b"", b";a", b";a=b"]))
        coded = chunked(body, draw(sizes), extension, draw(st.sampled_from([b"", b"T: 1\r\n"])))
    return b"\r\n".join([*lines, b"", b""]) + coded, body


def split(data: bytes, cuts: list[int]) -> list[bytes]:
    """Cut bytes at places taken modulo their number."""
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[start:end] for start, end in pairwise(places)]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sent=st.lists(requests(), min_size=1, max_size=4), cuts=st.lists(st.integers(0, 5000), max_size=12))
def test_any_split_of_a_stream_gets_the_same_replies(
    served: Served, sent: list[tuple[bytes, bytes]], cuts: list[int]
) -> None:
    """Each request of a pipelined stream gets its own body back, in order, wherever the packets end."""
    with served.client() as client:
        for piece in split(b"".join(data for data, _ in sent), cuts):
            client.send(piece)
        for _, body in sent:
            assert client.reply().json["body"].encode("latin-1") == body


class Pieces:
    """A source of prepared packets."""

    def __init__(self, packets: list[bytes]) -> None:
        self.buffer = b""
        self._packets = list(packets)

    def fill(self) -> None:
        if not self._packets:
            raise EOFError
        self.buffer += self._packets.pop(0)


@given(body=st.binary(max_size=300), size=st.integers(1, 50), cuts=st.lists(st.integers(0, 5000), max_size=30))
def test_chunks_are_joined_and_what_follows_is_left(body: bytes, size: int, cuts: list[int]) -> None:
    """The decoder takes its body to the last byte and nothing of the next request."""
    source = Pieces(split(chunked(body, size) + b"GET /next", cuts))
    assert read_chunked(source, Limits()) == body
    while source._packets:
        source.fill()
    assert source.buffer == b"GET /next"


@given(data=st.binary(max_size=200), cuts=st.lists(st.integers(0, 300), max_size=10))
def test_any_bytes_are_a_body_or_refused_whatever_the_packets(data: bytes, cuts: list[int]) -> None:
    """Noise is refused or waits for more, never another error, and the same for any split."""

    def outcome(packets: list[bytes]) -> object:
        try:
            return read_chunked(Pieces(packets), Limits())
        except EOFError:
            return "more"
        except Refusal as refusal:
            return refusal.status

    assert outcome([data]) == outcome(split(data, cuts))
