"""Requests that prove that their sender knows a secret, without sending it.

What is signed is the method, the path, the date, a nonce and the body's SHA-256, with HMAC-SHA256. The key of the
HMAC is a hash of the secret, which is all that a server keeps::

    headers = sign("ak-Gf5tQhY2Lk", secret, body)
    urllib.request.Request(url, body, {"Content-Type": "application/json", **headers})
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import UTC, datetime

#: The headers of a signed request; the first one goes with requests that send their secret, too.
KEY, DATE, NONCE, SIGNATURE = "X-Le-Key", "X-Le-Date", "X-Le-Nonce", "X-Le-Signature"
DATE_FORMAT = "%Y%m%dT%H%M%SZ"


def secret_hash(key: str, secret: str) -> str:
    """Return what a server keeps of a secret: 64 hexadecimal digits, other ones for each key.

    A secret has 40 random characters, so that guessing is hopeless and a slow hash would protect nothing.

    Args:
        key: the access key's id.
        secret: its secret.
    """
    return hmac.new(f"densefog:{key}".encode(), secret.encode(), hashlib.sha256).hexdigest()


def signature(hashed: str, method: str, path: str, date: str, nonce: str, body: bytes) -> str:
    """Return the signature of a request, 64 hexadecimal digits.

    Args:
        hashed: what `secret_hash` returns.
        method: in upper case.
        path: what follows the host, without the query.
        date: as `DATE_FORMAT` has it.
        nonce: 16 to 64 characters that were never used with this key.
        body: as it is sent.
    """
    text = "\n".join((method, path, date, nonce, hashlib.sha256(body).hexdigest()))
    return hmac.new(hashed.encode(), text.encode(), hashlib.sha256).hexdigest()


def sign(
    key: str, secret: str, body: bytes, *, method: str = "POST", path: str = "/", now: datetime | None = None
) -> dict[str, str]:
    """Return the headers that sign one request; the next one needs others.

    Args:
        key: the access key's id.
        secret: its secret.
        body: as it is sent.
        method: in upper case.
        path: what follows the host, without the query.
        now: the time, aware; by default this machine's.
    """
    date = (now or datetime.now(UTC)).astimezone(UTC).strftime(DATE_FORMAT)
    nonce = secrets.token_urlsafe(18)
    signed = signature(secret_hash(key, secret), method, path, date, nonce, body)
    return {KEY: key, DATE: date, NONCE: nonce, SIGNATURE: signed}
