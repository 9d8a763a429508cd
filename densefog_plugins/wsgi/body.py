"""The body of a request, read whole and bounded, from a source that blocks only its own greenlet."""

from __future__ import annotations

import re
from typing import Protocol

from densefog_plugins.wsgi.limits import Limits
from densefog_plugins.wsgi.replies import Refusal

# chunk-size and chunk-ext of RFC 9112, section 7.1; 8 digits are 4 GiB, beyond any limit.
_SIZE_LINE = re.compile(rb"0{0,8}([0-9A-Fa-f]{1,8})((?:;[\t\x20-\x7e\x80-\xff]+)?)\r\n\Z")
_TRAILER_LINE = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*\r\n\Z")
_LONGEST_SIZE_LINE = len("00000000ffffffff\r\n")
_CRLF = b"\r\n"


class Source(Protocol):
    """Where a body's bytes come from."""

    buffer: bytes
    """What has arrived and is not used yet."""

    def fill(self) -> None:
        """Wait for more bytes and append them to ``buffer``; raises when there are none to come."""


class _Cursor:
    """A place in a source's bytes, so that taking many small pieces does not copy the rest each time."""

    __slots__ = ("at", "data", "source")

    def __init__(self, source: Source) -> None:
        self.source = source
        self.data = source.buffer
        self.at = 0

    def release(self) -> None:
        """Give back what was not taken."""
        self.source.buffer = self.data[self.at :]

    def more(self) -> None:
        self.release()
        self.source.fill()
        self.data = self.source.buffer
        self.at = 0

    def take(self, size: int, into: bytearray) -> None:
        while True:
            piece = self.data[self.at : self.at + size]
            into += piece
            self.at += len(piece)
            size -= len(piece)
            if not size:
                return
            self.more()

    def line(self, limit: int) -> bytes:
        """Take a line with its end."""
        while (end := self.data.find(b"\n", self.at)) < 0 and len(self.data) - self.at <= limit:
            self.more()
        line = self.data[self.at : end + 1]
        if end < 0 or len(line) > limit:
            raise Refusal(431, "The body's chunk extensions or trailers are too long.")
        self.at = end + 1
        return line


def read_sized(source: Source, length: int) -> bytes:
    """Take a body of a known length in bytes, which the caller has bounded."""
    buffer = source.buffer
    if len(buffer) >= length:
        source.buffer = buffer[length:]
        return buffer[:length]
    body = bytearray()
    cursor = _Cursor(source)
    cursor.take(length, body)
    cursor.release()
    return bytes(body)


def read_chunked(source: Source, limits: Limits) -> bytes:
    """Take a chunked body with its trailers, which are dropped (RFC 9110, section 6.5.1).

    Raises:
        Refusal: 400 for bad framing, 413 for too many bytes, 431 for trailers or extensions above ``header_bytes``.
    """
    cursor = _Cursor(source)
    body = bytearray()
    spare = limits.header_bytes
    while True:
        line = _SIZE_LINE.match(cursor.line(spare + _LONGEST_SIZE_LINE))
        if line is None:
            raise Refusal(400, "Malformed HTTP request: bad chunk size.")
        size = int(line[1], 16)
        if size == 0:
            break
        spare -= len(line[2])
        if len(body) + size > limits.body_bytes:
            raise Refusal(413, f"The body is larger than {limits.body_bytes} bytes.")
        cursor.take(size, body)
        _expect_crlf(cursor)
    _skip_trailers(cursor, spare)
    cursor.release()
    return bytes(body)


def _expect_crlf(cursor: _Cursor) -> None:
    end = bytearray()
    cursor.take(2, end)
    if end != _CRLF:
        raise Refusal(400, "Malformed HTTP request: a chunk is not as long as it says.")


def _skip_trailers(cursor: _Cursor, spare: int) -> None:
    while (line := cursor.line(spare + 2)) != _CRLF:
        spare -= len(line)
        if not _TRAILER_LINE.match(line):
            raise Refusal(400, "Malformed HTTP request: bad trailer.")
