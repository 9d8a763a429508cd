"""HTTP that channels send: https unless told otherwise, no redirects, no link-local addresses, bounded in time."""

from __future__ import annotations

import http.client
import ipaddress
import socket
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from typing import Any

from densefog_core.config import Config
from densefog_core.errors import ConfigError

#: Seconds that a request may take, and bytes of an answer that are read.
TIMEOUT = 10.0
MAX_ANSWER = 64 * 1024


class DeliveryError(Exception):
    """A notice could not be delivered.

    Attributes:
        retry_after: seconds after which the receiver wants it again, or None.
        permanent: whether sending it again is no use.
    """

    def __init__(self, message: str, *, retry_after: float | None = None, permanent: bool = False) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.permanent = permanent


def check_url(config: Config, setting: str, url: str) -> str:
    """Return ``url`` when notices may be sent to it.

    Args:
        config: whose ``notify_allow_http`` counts.
        setting: name of the setting that holds it, for the message; the URL itself may be a secret.
        url: the address.

    Raises:
        ConfigError: it is no https address.
    """
    parts = urllib.parse.urlsplit(url)
    schemes = ("https", "http") if config.notify_allow_http else ("https",)
    if parts.scheme not in schemes or not parts.hostname:
        raise ConfigError(f"setting {setting}: not an https address (notify_allow_http = true allows http)")
    return url


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: Any) -> None:  # noqa: ANN401
        return None


_opener = urllib.request.build_opener(_NoRedirects, urllib.request.ProxyHandler())


def post(url: str, body: bytes, headers: Mapping[str, str], *, what: str, timeout: float = TIMEOUT) -> bytes:
    """POST ``body`` and return the start of the answer.

    Args:
        url: where to; never shown, since it may hold a token.
        body: what to send.
        headers: the request's headers.
        what: how errors call the receiver, for example ``slack``.
        timeout: seconds.

    Raises:
        DeliveryError: it did not answer 2xx in time.
    """
    _refuse_link_local(url, what)
    request = urllib.request.Request(url, body, dict(headers), method="POST")
    try:
        with _opener.open(request, timeout=timeout) as response:
            return bytes(response.read(MAX_ANSWER))
    except urllib.error.HTTPError as exc:
        exc.close()
        raise DeliveryError(
            f"{what} answered {exc.code}",
            retry_after=_seconds(exc.headers.get("Retry-After")),
            permanent=exc.code < 500 and exc.code not in (408, 425, 429),
        ) from None
    except (OSError, http.client.HTTPException) as exc:
        reason = getattr(exc, "reason", exc)
        raise DeliveryError(f"{what} is not reached: {type(reason).__name__}") from None


def _refuse_link_local(url: str, what: str) -> None:
    """Metadata services of clouds live on link-local addresses; a notice has no business there."""
    host = urllib.parse.urlsplit(url).hostname or ""
    try:
        addresses = {str(info[4][0]) for info in socket.getaddrinfo(host, None)}
    except OSError:
        raise DeliveryError(f"{what} is not reached: its host is unknown") from None
    if any(ipaddress.ip_address(address.partition("%")[0]).is_link_local for address in addresses):
        raise DeliveryError(f"{what} has a link-local address, to which nothing is sent", permanent=True)


def _seconds(text: str | None) -> float | None:
    return float(text) if text is not None and text.isdigit() else None
