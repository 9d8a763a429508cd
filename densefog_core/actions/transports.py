"""What carries requests to an API, and what it answers beside actions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol


class Transport(Protocol):
    """Carries requests to an `Api`."""

    @property
    def wsgi_app(self) -> Callable[..., Iterable[bytes]]:
        """The API as a WSGI application, for other servers."""

    def test_client(self) -> Any:  # noqa: ANN401 - werkzeug's, or what fits the transport
        """Return a client that calls the API without a socket."""

    def listen(self, host: str, port: int) -> str:
        """Accept connections in the background and return the address, ``http://127.0.0.1:8080``.

        Raises:
            StartupError: the address cannot be used.
        """

    def stop(self, timeout: float) -> bool:
        """Stop accepting, let requests finish for ``timeout`` seconds; return whether all did."""


@dataclass(frozen=True, slots=True)
class Page:
    """What a plugin answers to GET at an address of its own, such as ``/healthz``."""

    body: str
    content_type: str = "text/plain; charset=utf-8"
    status: int = 200


TransportFactory = Callable[[Any], Transport]
HeaderSource = Callable[[str, Mapping[str, str]], Iterable[tuple[str, str]]]
