"""What is kept of an access key's secret, and whether a request proves to know it.

Kept is one of: a hash, which proves a secret that is sent and signs nothing; the key of the HMAC, sealed; or the public
half of an Ed25519 key. Keys of before 1.0 have the key of the HMAC as it is, until ``densefog projects rotate-keys``.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple

from densefog_core.actions import Request
from densefog_core.errors.iaas_error import InvalidRequestParameter
from densefog_core.plugins.needs import require
from densefog_core.signing import DATE, DATE_FORMAT, NONCE, SCHEME, SIGNATURE, secret_hash, signature

#: How a key may be used.
Use = Literal["any", "header", "signature"]
USES: tuple[Use, ...] = ("any", "header", "signature")
HASHED, SEALED, PUBLIC = "sha256:", "sealed:", "ed25519:"
#: What a key is compared with that does not exist.
NOBODY = "0" * 64
#: Characters of the headers of an RFC 9421 signature that are looked at.
MAX_HEADER = 2048
INPUT = "Signature-Input"


class Proof(NamedTuple):
    """What a request showed.

    Attributes:
        right: whether the sender knows the secret.
        nonce: what makes a signed request unrepeatable; None of one that sent its secret.
        old: whether the signature is of the scheme that covers neither host nor API.
    """

    right: bool
    nonce: str | None = None
    old: bool = False


class Kept(NamedTuple):
    """What is kept of a key's secret.

    Attributes:
        use: how the key may be used.
        value: one of the forms above; the empty string of a key that does not exist.
    """

    use: str
    value: str


def hashed(secret: str) -> str:
    """Return what is kept of the secret of a key that is never used for signatures."""
    return HASHED + hashlib.sha256(secret.encode()).hexdigest()


def public_half(text: str) -> str:
    """Return what is kept of an Ed25519 key.

    Args:
        text: the public half, as PEM or as the base64 of its 32 bytes.

    Raises:
        InvalidRequestParameter: it is none.
    """
    lines = [line for line in text.strip().splitlines() if not line.startswith("-----")]
    try:
        raw = base64.b64decode("".join(lines), validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    # In PEM an identifier of the algorithm comes before the key (RFC 8410).
    raw = raw.removeprefix(bytes.fromhex("302a300506032b6570032100")) if len(raw) == 44 else raw
    if len(raw) != 32:
        raise InvalidRequestParameter("publicKey is no Ed25519 public key, as PEM or as base64 of 32 bytes.")
    return PUBLIC + base64.b64encode(raw).decode()


def check(
    request: Request, key: str, kept: Kept, unseal: Callable[[str], str], *, secret: str, window: timedelta
) -> Proof:
    """Return what a request proves; at the same cost whether or not there is such a key.

    Args:
        request: it.
        key: the id of the access key that it names.
        kept: what is kept of the key.
        unseal: opens a sealed text.
        secret: what it sent as its secret.
        window: how far its date may be from now.
    """
    if INPUT in request.headers:
        return _message(request, key, kept, window)
    signing_key = unseal(kept.value.removeprefix(SEALED)) if kept.value.startswith(SEALED) else kept.value
    signed = request.headers.get(SIGNATURE)
    if signed is not None:
        proof = _signed(request, signing_key if _is_key(signing_key) else NOBODY, signed, window)
        return proof._replace(right=proof.right and kept.use != "header")
    digest = hashed(secret) if kept.value.startswith(HASHED) else secret_hash(key, secret)
    return Proof(_equal(digest, signing_key or NOBODY) and kept.use != "signature")


def _is_key(text: str) -> bool:
    return len(text) == 64


def _signed(request: Request, key: str, signed: str, window: timedelta) -> Proof:
    date, nonce = request.headers.get(DATE) or "", request.headers.get(NONCE) or ""
    old = not signed.startswith(SCHEME)
    # Below a mount point clients of the first scheme had to sign the path that the API saw.
    paths = {request.path, _inner(request)} if old else {request.path}
    covered: dict[str, Any] = {} if old else {"host": request.host, "api": request.api}
    right = False
    for path in sorted(paths):
        expected = signature(key, request.method, path, date, nonce, request.body, **covered)
        right = _equal(expected, signed) or right
    return Proof(right and 16 <= len(nonce) <= 64 and _is_recent(date, window), nonce, old)


def _inner(request: Request) -> str:
    suffix = f"/{request.action}"
    return suffix if request.action and request.path.endswith(suffix) else "/"


def _is_recent(date: str, window: timedelta) -> bool:
    try:
        moment = datetime.strptime(date, DATE_FORMAT).replace(tzinfo=UTC)
    except ValueError:
        return False
    return abs(datetime.now(UTC) - moment) <= window


def _message(request: Request, key: str, kept: Kept, window: timedelta) -> Proof:
    if not kept.value.startswith(PUBLIC) or any(len(value) > MAX_HEADER for value in _headers(request).values()):
        return Proof(False, "")
    require("http_message_signatures", extra="densefog[auth]")
    from densefog_plugins.models.projects.messages import verified_nonce

    nonce = verified_nonce(request, key, kept.value.removeprefix(PUBLIC), _headers(request), window)
    return Proof(nonce is not None, nonce or "")


def _headers(request: Request) -> dict[str, str]:
    """Return the headers that a signature may cover; another one is none of what an API asks for."""
    names = (INPUT, "Signature", "Content-Digest", "Content-Type", "Content-Length", "Date", "X-Request-Id")
    return {name: value for name in names if (value := request.headers.get(name)) is not None}


def _equal(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(errors="replace"), other.encode(errors="replace"))
