"""HTTP that channels send: https unless told otherwise, no redirects, no link-local addresses, bounded in every way."""

from __future__ import annotations

import http.client
import ipaddress
import os
import re
import socket
import ssl
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any

from densefog_core.config import Config
from densefog_core.errors import ConfigError
from densefog_core.notices.records import DeliveryError as DeliveryError
from densefog_core.redact import HIDDEN, redact_text

#: Seconds that a request may take in all, and bytes of an answer that are read.
TIMEOUT = 10.0
MAX_ANSWER = 64 * 1024
#: Characters of an answer that an error shows.
MAX_SHOWN = 200


def check_url(config: Config, setting: str, url: str) -> str:
    """Return ``url`` when notices may be sent to it.

    Args:
        config: whose ``notify_allow_http`` counts.
        setting: name of the setting that holds it, for the message; the URL itself may be a secret.
        url: the address.

    Raises:
        ConfigError: it is no https address.
    """
    try:
        parts = urllib.parse.urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ConfigError(f"setting {setting}: not an address") from None
    schemes = ("https", "http") if config.notify_allow_http else ("https",)
    if parts.scheme not in schemes or not host:
        raise ConfigError(f"setting {setting}: not an https address (notify_allow_http = true allows http)")
    return url


def post(url: str, body: bytes, headers: Mapping[str, str], *, what: str, timeout: float = TIMEOUT) -> bytes:
    """POST ``body`` and return the start of the answer.

    Args:
        url: where to; never shown, since it may hold a token.
        body: what to send.
        headers: the request's headers.
        what: how errors call the receiver, for example ``slack``.
        timeout: seconds, from the connection to the end of the answer.

    Raises:
        DeliveryError: it did not answer 2xx in time.
    """
    refuse_link_local(urllib.parse.urlsplit(url).hostname or "", what)
    request = urllib.request.Request(url, body, dict(headers), method="POST")
    guard = _Guard(what, timeout)
    try:
        with _opener(guard).open(request, timeout=timeout) as response:
            if guard.expired:
                raise TimeoutError
            return bytes(response.read(MAX_ANSWER))
    except urllib.error.HTTPError as exc:
        raise DeliveryError(
            f"{what} answered {exc.code}{_shown(exc, url)}",
            retry_after=_seconds(exc.headers.get("Retry-After")),
            permanent=exc.code < 500 and exc.code not in (408, 425, 429),
        ) from None
    except (OSError, http.client.HTTPException, ValueError) as exc:
        reason = getattr(exc, "reason", exc)
        late = guard.expired or isinstance(reason, TimeoutError)
        why = f"no answer within {timeout:g} s" if late else type(reason).__name__
        raise DeliveryError(f"{what} is not reached: {why}") from None
    finally:
        guard.close()


def refuse_link_local(host: str, what: str) -> None:
    """Refuse a link-local address: metadata services of clouds live there, and a notice has no business with them.

    Args:
        host: an IP address; names are looked at when they are resolved.
        what: how errors call the receiver.

    Raises:
        DeliveryError: the address is link-local.
    """
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return
    if (getattr(address, "ipv4_mapped", None) or address).is_link_local:
        raise DeliveryError(f"{what} has a link-local address, to which nothing is sent", permanent=True)


class _Guard:
    """Ends a connection when its time is over; a socket's own timeout begins anew with each byte that comes."""

    def __init__(self, what: str, timeout: float) -> None:
        self.what = what
        self.expired = False
        self._until = time.monotonic() + timeout
        self._socket: socket.socket | None = None
        self._timer: threading.Timer | None = None

    def connect(self, host: str, port: int, timeout: float | None) -> socket.socket:
        """Connect to a host, none of whose addresses may be link-local."""
        found = [str(info[4][0]) for info in socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)]
        for address in found:
            refuse_link_local(address, self.what)
        connected = _first(found, port, timeout)
        # Wrapping a socket in TLS takes its descriptor away; a second one still reaches the connection.
        self._socket = socket.socket(fileno=os.dup(connected.fileno()))
        self._timer = threading.Timer(max(0.0, self._until - time.monotonic()), self._expire)
        self._timer.daemon = True
        self._timer.start()
        return connected

    def _expire(self) -> None:
        self.expired = True
        one = self._socket
        if one is not None:
            # It may have ended by itself just now.
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Let go of the connection."""
        if self._timer is not None:
            self._timer.cancel()
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _first(addresses: list[str], port: int, timeout: float | None) -> socket.socket:
    """Connect to the first address that lets us, among those that were looked at."""
    for address in addresses[:-1]:
        with suppress(OSError):
            return socket.create_connection((address, port), timeout)
    return socket.create_connection((addresses[-1], port), timeout)


class _Connection(http.client.HTTPConnection):
    """A connection that its guard makes."""

    guard: _Guard

    def connect(self) -> None:
        self.sock = self.guard.connect(self.host, self.port, self.timeout)
        if self._tunnel_host:  # type: ignore[attr-defined]
            self._tunnel()  # type: ignore[attr-defined]


class _TLSConnection(http.client.HTTPSConnection, _Connection):
    """The same with TLS on top: `HTTPSConnection.connect` calls that of the class above."""


class _Handler(urllib.request.HTTPHandler, urllib.request.HTTPSHandler):
    """Opens addresses of both schemes with connections that a guard makes."""

    def __init__(self, guard: _Guard) -> None:
        super().__init__()
        self._guard = guard

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(self._plain, req)

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(self._encrypted, req)

    def _plain(self, host: str, /, **options: Any) -> http.client.HTTPConnection:  # noqa: ANN401
        connection = _Connection(host, **options)
        connection.guard = self._guard
        return connection

    def _encrypted(self, host: str, /, **options: Any) -> http.client.HTTPConnection:  # noqa: ANN401
        connection = _TLSConnection(host, context=_tls(), **options)
        connection.guard = self._guard
        return connection


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: Any) -> None:  # noqa: ANN401
        return None


def _opener(guard: _Guard) -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(_NoRedirects, _Handler(guard))


def _shown(answer: urllib.error.HTTPError, url: str) -> str:
    """Return the start of a refusal as the end of a sentence: Slack says there what it does not like."""
    try:
        raw = answer.read(MAX_ANSWER)
    except (OSError, http.client.HTTPException):
        raw = b""
    answer.close()
    text = " ".join(raw.decode("utf-8", "replace").split())
    parts = urllib.parse.urlsplit(url)
    for secret in (url, parts.path.strip("/"), parts.query):
        text = text.replace(secret, HIDDEN) if len(secret) > 3 else text
    text = "".join(char for char in redact_text(text) if char.isprintable())[:MAX_SHOWN]
    return f": {text}" if text else ""


def _seconds(text: str | None) -> float | None:
    """Return a Retry-After, which is seconds or a date."""
    if text is None:
        return None
    if re.fullmatch(r"\d{1,9}", text.strip(), re.ASCII):
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except ValueError:
        return None
