"""Notices through Apprise, which runs in a process of its own for each.

A hundred services' code follows redirects, reads answers without end and logs as it likes. In a process it can be
ended, its memory is bounded, nothing that it logs gets anywhere, and a worker without notices never imports it. The
addresses go through a pipe, so that no list of processes shows them.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any

from densefog_core.config import Config
from densefog_core.errors import ConfigError
from densefog_core.notify import DeliveryError, Notification

#: Seconds that the process may take, from its start.
TIMEOUT = 30.0

_COMMAND = (sys.executable, "-P", "-m", "densefog_plugins.apprise.deliver")
#: The statuses of HTTP after which sending again is no use.
_refused = re.compile(r"error=(3|4(?!08|25|29))\d\d\b").search


class AppriseChannel:
    """Sends each notice to every address."""

    topics = ("failed", "gave_up", "lost")

    def __init__(self, config: Config) -> None:
        self._task = {"urls": config.apprise_urls, "allow_http": config.notify_allow_http}
        wrong = _run(self._task)
        if wrong:
            raise ConfigError(f"setting apprise_urls: {'; '.join(wrong)}")

    def send(self, notification: Notification) -> None:
        """Send one notice.

        Raises:
            DeliveryError: a service did not take it.
        """
        body = notification.traceback or notification.error
        text = f"{notification.text}\n\n{body}" if notification.traceback else notification.text
        kind = "warning" if notification.topic in ("failed", "digest") else "failure"
        wrong = _run({**self._task, "title": notification.title, "body": text, "type": kind})
        if wrong:
            raise DeliveryError(f"apprise: {'; '.join(wrong)}", permanent=all(map(_refused, wrong)))


def _run(task: dict[str, Any]) -> list[str]:
    """Return what is wrong with the addresses or the delivery, a line for each address."""
    try:
        done = subprocess.run(_COMMAND, input=json.dumps(task).encode(), capture_output=True, timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        return [f"no answer within {TIMEOUT:g} s"]
    try:
        return [str(line) for line in json.loads(done.stdout)]
    except ValueError:
        return [f"its process ended with {done.returncode}"]
