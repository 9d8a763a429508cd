"""Which headers a response carries for which origin."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from densefog_core.config import Config
from densefog_core.errors import ConfigError

METHODS = "GET, HEAD, POST, OPTIONS"
#: Headers of responses that a page may read beside the few that every page may.
EXPOSED = "X-Request-Id"

_header_names = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]++(\s*+,\s*+[A-Za-z0-9!#$%&'*+.^_`|~-]++)*").fullmatch


class Policy:
    """Returns the headers that a browser wants to see before it shows a response to a page of another origin.

    Raises:
        ConfigError: an origin is none, or every origin would be given the user's credentials.
    """

    def __init__(self, config: Config) -> None:
        self._everybody = "*" in config.cors_origins
        self._origins = frozenset(origin if origin == "*" else _checked(origin) for origin in config.cors_origins)
        self._credentials: bool = config.cors_credentials
        self._max_age = str(config.cors_max_age)
        if self._everybody and self._credentials:
            raise ConfigError("setting cors_credentials: name the origins in cors_origins instead of *")

    def __call__(self, method: str, headers: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        """Yield the headers for the response to one request."""
        if not self._everybody:
            yield "Vary", "Origin"
        origin = headers.get("Origin")
        if origin is None or not (self._everybody or origin in self._origins):
            return
        yield "Access-Control-Allow-Origin", "*" if self._everybody else origin
        if self._credentials:
            yield "Access-Control-Allow-Credentials", "true"
        if method == "OPTIONS" and "Access-Control-Request-Method" in headers:
            yield from self._preflight(headers.get("Access-Control-Request-Headers", ""))
        else:
            yield "Access-Control-Expose-Headers", EXPOSED

    def _preflight(self, wanted: str) -> Iterator[tuple[str, str]]:
        yield "Access-Control-Allow-Methods", METHODS
        # Whoever may call may send what headers it likes: the list protects servers that do not know the protocol.
        if _header_names(wanted):
            yield "Access-Control-Allow-Headers", wanted
        yield "Access-Control-Max-Age", self._max_age


def _checked(origin: str) -> str:
    """Return an origin as browsers write it."""
    parts = urlsplit(origin)
    if not (parts.scheme and parts.netloc) or parts.path or parts.query or parts.fragment or "*" in origin:
        raise ConfigError(f"setting cors_origins: {origin!r} is no origin, such as https://console.example.com")
    return origin.lower()
