"""Short messages: ``{"content": text, "tos": mobiles}`` to a gateway."""

from __future__ import annotations

from densefog_core import jsontext
from densefog_core.config import Config
from densefog_core.notices.outbound import check_url, post
from densefog_core.notify import Notification

#: Characters of a message: what three parts of a long one hold.
MAX_TEXT = 200


class SMSChannel:
    """Sends a short text for each failed try."""

    topics = ("failed", "gave_up", "lost")

    def __init__(self, config: Config) -> None:
        self._url = check_url(config, "sms_url", config.sms_url)
        self._mobiles = ",".join(config.sms_mobiles)
        self._headers = {"Content-Type": "application/json"}
        if config.sms_key:
            self._headers[config.sms_key_header] = config.sms_key
        if config.sms_secret:
            self._headers[config.sms_secret_header] = config.sms_secret

    def send(self, notification: Notification) -> str:
        """Send one notice; return what the gateway answered.

        Raises:
            DeliveryError: the gateway did not take it.
        """
        error = " ".join(notification.error.split())
        text = f"{notification.title}: {error}" if error else notification.title
        body = jsontext.dumps({"content": text[:MAX_TEXT], "tos": self._mobiles}).encode()
        return post(self._url, body, self._headers, what="the SMS gateway").decode("utf-8", "replace")
