"""Requests that prove that their sender knows a secret, without sending it.

There are two schemes. Both cover the method, the host, the API, the path as the client sees it, and the body; a
signature is good once, and for some minutes. ``docs/reference/signatures.json`` has examples of each, for signers in
other languages.

HMAC-SHA256 with what the access key's secret is hashed to, in headers ``X-Le-*``::

    headers = sign("ak-Gf5tQhY2Lk", secret, body, host="api.example.com")
    urllib.request.Request(url, body, {"Content-Type": "application/json", **headers})

HTTP message signatures (RFC 9421) with Ed25519, of which the server has the public half only::

    headers = sign_message("ak-Gf5tQhY2Lk", private_key, body, url="https://api.example.com/")
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from datetime import UTC, datetime
from typing import Protocol
from urllib.parse import urlsplit

#: The headers of a signed request; the first one goes with requests that send their secret, too.
KEY, DATE, NONCE, SIGNATURE = "X-Le-Key", "X-Le-Date", "X-Le-Nonce", "X-Le-Signature"
DATE_FORMAT = "%Y%m%dT%H%M%SZ"
#: What a signature that covers the host and the API begins with.
SCHEME = "v2="
#: What an RFC 9421 signature covers at least.
COMPONENTS = ("@method", "@authority", "@path", "content-digest")


class PrivateKey(Protocol):
    """What signs: an ``Ed25519PrivateKey`` of ``cryptography``, or a module of hardware."""

    def sign(self, data: bytes, /) -> bytes:
        """Return the 64 bytes of the Ed25519 signature."""


def secret_hash(key: str, secret: str) -> str:
    """Return the key of the HMAC: 64 hexadecimal digits, other ones for each access key.

    A secret has 40 random characters, so that guessing is hopeless and a slow hash would protect nothing.

    Args:
        key: the access key's id.
        secret: its secret.
    """
    return hmac.new(f"densefog:{key}".encode(), secret.encode(), hashlib.sha256).hexdigest()


def authority(host: str) -> str:
    """Return a host as signatures have it: in lower case, without the ports 80 and 443."""
    return host.lower().removesuffix(":80").removesuffix(":443")


def tag(api: str) -> str:
    """Return the ``tag`` of an RFC 9421 signature for an API."""
    return f"densefog:{api}"


def signature(
    hashed: str, method: str, path: str, date: str, nonce: str, body: bytes, *, host: str | None = None,
    api: str = "public",
) -> str:
    """Return the signature of a request, as `SIGNATURE` has it.

    Args:
        hashed: what `secret_hash` returns.
        method: in upper case.
        path: what follows the host, without the query.
        date: as `DATE_FORMAT` has it.
        nonce: 16 to 64 characters that were never used with this key.
        body: as it is sent.
        host: name and port of the address; None makes a signature of the first scheme, which covers neither it nor the
            API and is taken until 1.2.
        api: the API's name.
    """
    parts = [method, path, date, nonce, hashlib.sha256(body).hexdigest()]
    covered = parts if host is None else ["densefog-v2", authority(host), api, *parts]
    digest = hmac.new(hashed.encode(), "\n".join(covered).encode(), hashlib.sha256).hexdigest()
    return digest if host is None else SCHEME + digest


def sign(
    key: str,
    secret: str,
    body: bytes,
    *,
    host: str | None = None,
    api: str = "public",
    method: str = "POST",
    path: str = "/",
    now: datetime | None = None,
) -> dict[str, str]:
    """Return the headers that sign one request; the next one needs others.

    Args:
        key: the access key's id.
        secret: its secret.
        body: as it is sent.
        host: name and port of the address, as in the ``Host`` header; see `signature`.
        api: the API's name.
        method: in upper case.
        path: what follows the host, without the query.
        now: the time, aware; by default this machine's.
    """
    date = (now or datetime.now(UTC)).astimezone(UTC).strftime(DATE_FORMAT)
    nonce = secrets.token_urlsafe(18)
    signed = signature(secret_hash(key, secret), method, path, date, nonce, body, host=host, api=api)
    return {KEY: key, DATE: date, NONCE: nonce, SIGNATURE: signed}


def sign_message(
    key: str,
    private_key: PrivateKey,
    body: bytes,
    *,
    url: str,
    api: str = "public",
    method: str = "POST",
    now: datetime | None = None,
    nonce: str | None = None,
) -> dict[str, str]:
    """Return the headers that sign one request by RFC 9421; the next one needs others.

    Args:
        key: the access key's id.
        private_key: signs; the server has its public half.
        body: as it is sent.
        url: the whole address.
        api: the API's name.
        method: in upper case.
        now: the time, aware; by default this machine's.
        nonce: never used before with this key; None makes one.

    .. versionadded:: 1.0
    """
    address = urlsplit(url)
    created = int(time.time() if now is None else now.timestamp())
    digest = f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"
    values = (method, authority(address.netloc.rpartition("@")[2]), address.path or "/", digest)
    covered = " ".join(f'"{name}"' for name in COMPONENTS)
    nonce = nonce or secrets.token_urlsafe(18)
    params = f'({covered});created={created};keyid="{key}";alg="ed25519";nonce="{nonce}";tag="{tag(api)}"'
    lines = [f'"{name}": {value}' for name, value in zip(COMPONENTS, values, strict=True)]
    signed = private_key.sign("\n".join([*lines, f'"@signature-params": {params}']).encode())
    return {
        "Content-Digest": digest,
        "Signature-Input": f"densefog={params}",
        "Signature": f"densefog=:{base64.b64encode(signed).decode()}:",
    }
