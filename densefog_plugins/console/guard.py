"""Which requests are answered at all: none that another site's page has sent."""

from __future__ import annotations

from urllib.parse import urlsplit

from werkzeug.wrappers import Request

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    # With no-referrer browsers send "Origin: null" from our own forms.
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def is_local(request: Request) -> bool:
    """Return whether a request names this machine: no web page can make a browser do that under another name."""
    return (urlsplit(f"//{request.host}").hostname or "") in LOOPBACK


def is_own_form(request: Request) -> bool:
    """Return whether a POST comes from one of our own pages, as far as its headers tell.

    Browsers send ``Sec-Fetch-Site`` to trustworthy addresses and ``Origin`` to all; with neither it is none of them.
    """
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if site is None and origin is None:
        return False
    if site not in (None, "same-origin"):
        return False
    return origin is None or urlsplit(origin).netloc.lower() == request.host.lower()


def own_page(address: str | None, base: str) -> str:
    """Return an address to go to after signing in: below the console, or its first page.

    Args:
        address: what the request says.
        base: the console's address, ``/console/``.
    """
    if address and address.startswith(base) and not set(address) & set("\\\r\n\t\0") and "//" not in address:
        return address
    return base
