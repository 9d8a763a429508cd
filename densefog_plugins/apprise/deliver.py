"""The process in which Apprise runs: a task on stdin as JSON, what went wrong on stdout as a JSON list of texts.

The task has ``urls`` and ``allow_http``; with ``title``, ``body`` and ``type`` a notice is sent, otherwise the
addresses are only checked.
"""

from __future__ import annotations

import json
import logging
import re
import resource
import socket
import sys
from typing import Any

import apprise

from densefog_core.notices.outbound import DeliveryError, refuse_link_local

#: Bytes of memory that the process may take, so that an answer without end hurts nobody else.
MAX_MEMORY = 400 << 20


class _Reasons(logging.Handler):
    """Keeps what Apprise says of a failure."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(" ".join(record.getMessage().split()))


def main() -> None:
    """Do the task."""
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
    task = json.load(sys.stdin)
    reasons = _Reasons()
    logger = logging.getLogger("apprise")
    logger.addHandler(reasons)
    logger.propagate = False
    asset = apprise.AppriseAsset(app_id="densefog", http_redirects=False, async_mode=False)
    wrong: list[str] = []
    for number, url in enumerate(task["urls"], 1):
        reasons.lines.clear()
        error = _one(url, asset, task, reasons)
        if error:
            wrong.append(_without(url, f"address {number}: {error}"))
    json.dump(wrong, sys.stdout)


def _one(url: str, asset: apprise.AppriseAsset, task: dict[str, Any], reasons: _Reasons) -> str:
    """Check one address, and send to it when there is something to send; return what is wrong."""
    service = apprise.Apprise.instantiate(url, asset=asset)
    if service is None:
        return "Apprise does not know it"
    if not (_is_encrypted(service) or task["allow_http"]):
        return "it is not encrypted; take the service's secure scheme (notify_allow_http = true allows it)"
    if "title" not in task:
        return ""
    try:
        _refuse_link_local(service)
        sent = service.notify(body=task["body"], title=task["title"], notify_type=apprise.NotifyType(task["type"]))
    except DeliveryError as exc:
        return str(exc)
    except Exception as exc:  # noqa: BLE001 - a service's code may raise anything; its text may hold the address
        return type(exc).__name__
    return "" if sent else reasons.lines[-1] if reasons.lines else "it was not delivered"


def _is_encrypted(service: apprise.NotifyBase) -> bool:
    """Return whether the scheme of an address is one that its service calls secure; many have no other."""
    secure = service.secure_protocol or ()
    return service.schema in ((secure,) if isinstance(secure, str) else secure)


def _refuse_link_local(service: apprise.NotifyBase) -> None:
    """Look at the host of an address that has one; in those of other services a token stands in its place."""
    templates: tuple[str, ...] = service.templates
    if not any("{host}" in template for template in templates):
        return
    try:
        found = socket.getaddrinfo(service.host, None)
    except OSError:
        # Apprise will say that it is unknown.
        return
    for info in found:
        refuse_link_local(str(info[4][0]), "the service")


def _without(url: str, text: str) -> str:
    """Return ``text`` without any part of an address that may be a secret."""
    for part in sorted(re.split(r"[/?&=@:,#]+", url), key=len, reverse=True):
        text = text.replace(part, "********") if len(part) >= 6 else text
    return text


if __name__ == "__main__":
    main()
