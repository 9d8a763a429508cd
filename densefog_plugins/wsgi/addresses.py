"""The address that a client called, which a mount point or a proxy may have changed on the way here."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

#: What may stand in a path as it is (RFC 3986, section 3.3).
_PATH = "/%!$&'()*+,;=:@~"


def called_host(environ: WSGIEnvironment, *, proxied: bool) -> str:
    """Return name and port as the client sent them; from a trusted proxy, as it tells them."""
    host: str = environ.get("HTTP_HOST", "")
    if proxied:
        host = _first(environ.get("HTTP_X_FORWARDED_HOST")) or host
    return host


def called_path(environ: WSGIEnvironment, *, proxied: bool) -> str:
    """Return the whole path: what a trusted proxy cut off, the mount point, and what is left of it here."""
    path: str = environ.get("SCRIPT_NAME", "") + environ["PATH_INFO"]
    if path == "/" and not proxied:
        return path
    if not path.replace("/", "").isalnum():
        path = quote(path.encode("latin-1"), safe=_PATH)
    if proxied and (prefix := _first(environ.get("HTTP_X_FORWARDED_PREFIX")).rstrip("/")):
        path = prefix + path
    return path or "/"


def _first(header: str | None) -> str:
    return "" if header is None else header.partition(",")[0].strip()
