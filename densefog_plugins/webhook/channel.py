"""A notice as one JSON document, signed so that its receiver knows whose it is and when it was sent."""

from __future__ import annotations

import hashlib
import hmac
import time

from densefog_core import jsontext
from densefog_core.config import Config
from densefog_core.notices.outbound import check_url, post
from densefog_core.notify import Notification


class WebhookChannel:
    """POSTs what `Notification.document` holds.

    With a secret, ``X-Densefog-Timestamp`` has the time in seconds since 1970 and ``X-Densefog-Signature`` has
    `sign`'s answer: the receiver signs the body it got in the same way, compares in constant time, and refuses a
    timestamp that is some minutes old. ``id`` is the same when a document is sent again.
    """

    topics = ("failed", "gave_up", "recovered", "lost")

    def __init__(self, config: Config) -> None:
        self._url = check_url(config, "webhook_url", config.webhook_url)
        self._secret = config.webhook_secret

    def send(self, notification: Notification) -> str:
        """Send one document; return what its receiver answered.

        Raises:
            DeliveryError: it was not taken.
        """
        body = jsontext.dumps(notification.document).encode()
        headers = {"Content-Type": "application/json"}
        if self._secret:
            timestamp = int(time.time())
            headers["X-Densefog-Timestamp"] = str(timestamp)
            headers["X-Densefog-Signature"] = sign(self._secret, timestamp, body)
        return post(self._url, body, headers, what="the webhook").decode("utf-8", "replace")


def sign(secret: str, timestamp: int, body: bytes) -> str:
    """Return ``sha256=`` and the HMAC-SHA256 of ``<timestamp>.<body>`` in hexadecimal."""
    signed = b"%d." % timestamp + body
    return "sha256=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
