"""Short messages: ``{"content": text, "tos": mobiles}`` to a gateway."""

from __future__ import annotations

from densefog_core import jsontext
from densefog_core.config import Config
from densefog_core.notify import Notification
from densefog_core.outbound import check_url, post

#: Characters of a message: what three parts of a long one hold.
MAX_TEXT = 200


class SMSChannel:
    """Sends a short text for each failed try."""

    topics = ("failed", "gave_up", "lost")

    def __init__(self, config: Config) -> None:
        self._url = check_url(config, "notify_sms_url", config.notify_sms_url)
        self._mobiles = ",".join(config.notify_sms_mobiles)
        self._headers = {"Content-Type": "application/json"}
        if config.notify_sms_key:
            self._headers[config.notify_sms_key_header] = config.notify_sms_key
        if config.notify_sms_secret:
            self._headers[config.notify_sms_secret_header] = config.notify_sms_secret

    def send(self, notification: Notification) -> None:
        """Send one notice.

        Raises:
            DeliveryError: the gateway did not take it.
        """
        text = f"{notification.title}: {notification.error}"[:MAX_TEXT]
        body = jsontext.dumps({"content": text, "tos": self._mobiles}).encode()
        post(self._url, body, self._headers, what="the SMS gateway")
