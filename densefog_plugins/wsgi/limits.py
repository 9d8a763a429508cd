"""What one client may take of the server: bytes, seconds and connections."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds of :class:`~densefog_plugins.wsgi.server.Server`. Each time is a total, in seconds, which
    bytes arriving one by one do not prolong.

    Raises:
        ValueError: A limit is zero or negative.
    """

    body_bytes: int = 1 << 20
    """Bytes of a request's body, chunked or not; more is answered 413."""
    header_bytes: int = 16 << 10
    """Bytes of the request line and the headers together, and of a chunked body's trailers; more is answered 431."""
    header_count: int = 100
    """Number of header lines; more is answered 431."""
    header_timeout: float = 10.0
    """From a request's first byte to the end of its headers; then 408. Also for a new connection's first byte."""
    body_timeout: float = 30.0
    """From the end of the headers to the end of the body; then 408."""
    idle_timeout: float = 75.0
    """Between a reply and the next request's first byte; then the connection is closed."""
    handler_timeout: float = 60.0
    """For the application, from its call to the end of its reply; then 503."""
    write_timeout: float = 30.0
    """For the client to take each piece that is sent; then the connection is reset."""
    linger_timeout: float = 2.0
    """How long what a refused client still sends is read and dropped, so that the client can read the refusal."""
    max_connections: int = 16384
    """Connections at one time; one more is answered 503 at once."""

    def __post_init__(self) -> None:
        for field in fields(self):
            if getattr(self, field.name) <= 0:
                raise ValueError(f"limit {field.name} must be above 0, not {getattr(self, field.name)}")

    @property
    def shortest(self) -> float:
        """The shortest of the times, in seconds."""
        times: list[float] = [getattr(self, field.name) for field in fields(self) if field.name.endswith("_timeout")]
        return min(times)
