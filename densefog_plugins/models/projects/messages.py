"""Signatures by RFC 9421 with Ed25519, checked by ``http-message-signatures``."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from http_message_signatures import (
    HTTPMessageSignaturesException,
    HTTPMessageVerifier,
    HTTPSignatureKeyResolver,
    InvalidSignature,
)
from http_message_signatures.algorithms import ED25519

from densefog_core.actions import Request
from densefog_core.signing import authority, tag

#: What a signature covers: the second covers by one name what the first does by two.
COVERED = (
    ("@method", "@authority", "@path", "content-digest"),
    ("@method", "@target-uri", "content-digest"),
)


@dataclass
class Message:
    """A request as the library reads it."""

    method: str
    url: str
    headers: dict[str, str]


class _OneKey(HTTPSignatureKeyResolver):
    """Knows one key: whose id the request names."""

    def __init__(self, key: str, public: str) -> None:
        self._key = key
        self._public = public

    def resolve_public_key(self, key_id: str) -> Any:  # noqa: ANN401 - the library's
        if key_id != self._key:
            return None
        return Ed25519PublicKey.from_public_bytes(base64.b64decode(self._public))


def verified_nonce(
    request: Request, key: str, public: str, headers: dict[str, str], window: timedelta
) -> str | None:
    """Return what makes a rightly signed request unrepeatable; None when its signature is wrong.

    Args:
        request: it.
        key: the id of the access key.
        public: the 32 bytes of its public half, as base64.
        headers: those that the signature may cover.
        window: how old the signature may be.
    """
    verifier = HTTPMessageVerifier(signature_algorithm=ED25519, key_resolver=_OneKey(key, public))
    verifier.max_clock_skew = window
    # Behind a proxy nobody knows the scheme that the client called.
    for scheme in ("https", "http"):
        message = Message(request.method, f"{scheme}://{authority(request.host)}{request.path}", headers)
        for components in COVERED:
            try:
                [found] = verifier.verify(
                    message, max_age=timedelta(0), require_components=components, body=request.body
                )
            except (InvalidSignature, HTTPMessageSignaturesException, ValueError):
                continue
            if found.parameters.get("tag", tag(request.api)) == tag(request.api):
                return str(found.nonce or headers["Signature"])
    return None
