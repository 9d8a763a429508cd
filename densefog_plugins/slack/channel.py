"""Notices to a Slack webhook, made with Slack's own client and sent as every channel sends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from slack_sdk.models.blocks import Block, HeaderBlock, MarkdownTextObject, PlainTextObject, SectionBlock
from slack_sdk.webhook import WebhookClient, WebhookResponse

from densefog_core.config import Config
from densefog_core.notices.outbound import check_url, post
from densefog_core.notify import Count, Notification

#: Characters that Slack takes: https://docs.slack.dev/reference/block-kit/blocks
MAX_SECTION = 3000
MAX_HEADER = 150
MAX_FIELD = 2000
#: Characters of all blocks together; Slack refuses more than about 13,000 as ``msg_blocks_too_long``.
MAX_ALL = 12_000
#: Characters of the text that notifications show; Slack cuts it at 40,000.
MAX_TEXT = 4000

#: What `fit` needs for its mark at the end.
_MORE = "…"


class SlackChannel:
    """Sends text and blocks for each failed try."""

    topics = ("failed", "gave_up", "lost")

    def __init__(self, config: Config) -> None:
        self._client = _Client(check_url(config, "slack_webhook_url", config.slack_webhook_url))

    def send(self, notification: Notification) -> str:
        """Send one notice; return what Slack answered.

        Raises:
            DeliveryError: Slack did not take it.
        """
        made = blocks(notification)
        response = self._client.send(text=fit(escape(notification.text), MAX_TEXT), blocks=made)
        return str(response.body)


class _Client(WebhookClient):
    """Slack's client, which by itself follows redirects, reads answers without end and logs the webhook at DEBUG."""

    def send_dict(self, body: dict[str, Any], headers: dict[str, str] | None = None) -> WebhookResponse:
        """Send one message.

        Raises:
            DeliveryError: Slack did not take it.
        """
        filled = {name: value for name, value in body.items() if value is not None}
        raw = json.dumps(filled, default=lambda block: block.to_dict()).encode()
        sent = {**self.default_headers, **(headers or {}), "Content-Type": "application/json; charset=utf-8"}
        answer = post(self.url, raw, sent, what="slack")
        return WebhookResponse(url=self.url, status_code=200, body=answer.decode("utf-8", "replace"), headers={})


def blocks(notification: Notification) -> list[Block]:
    """Return a notice as Slack's blocks: what, the facts, and the exception's last lines as code."""
    header = HeaderBlock(text=PlainTextObject(text=fit(notification.title, MAX_HEADER)))
    if notification.topic == "digest":
        return [header, *map(_section, _lists(notification.counts))]
    job = notification.job
    facts = {
        "Action": job.action, "Job": job.id, "Project": job.project_id, "Try": _tries(notification),
        "Host": notification.host, "Context": notification.context_id,
    }
    fields = [
        MarkdownTextObject(text=fit(f"*{name}*\n{escape(value)}", MAX_FIELD)) for name, value in facts.items() if value
    ]
    code = notification.traceback or notification.error
    return [header, SectionBlock(fields=fields), *([_section(_code(code))] if code else [])]


def _tries(notification: Notification) -> str:
    job = notification.job
    return f"{job.trys} of {job.try_max}{', the last one' if notification.is_last_chance else ''}"


def _section(text: str) -> SectionBlock:
    return SectionBlock(text=MarkdownTextObject(text=text))


def _code(text: str) -> str:
    """Return the end of a text, where an exception says what it is, as a code block."""
    escaped = escape(text.replace("```", "'''"))
    return f"```{fit(escaped, MAX_SECTION - 6, end=True)}```"


def _lists(counts: tuple[Count, ...]) -> Iterator[str]:
    """Return the lines of a digest in texts that a section takes; what is too much for a message is counted."""
    lines = [fit(f"• {escape(str(one))}", 500) for one in counts]
    text, used = "", 0
    for number, line in enumerate(lines):
        if used + units(line) > MAX_ALL - MAX_HEADER - 500:
            rest = sum(one.count for one in counts[number:])
            line, lines = f"• {rest} x {len(counts) - number} other failures", []
        if units(text) + units(line) + 1 > MAX_SECTION:
            yield text
            text = ""
        text += f"{line}\n"
        used += units(line) + 1
        if not lines:
            break
    yield text


def escape(text: str) -> str:
    """Return ``text`` without what Slack takes for markup, mentions and links."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def units(text: str) -> int:
    """Return the length of ``text`` as Slack counts it, in units of UTF-16."""
    return len(text.encode("utf-16-le", "replace")) // 2


def fit(text: str, limit: int, *, end: bool = False) -> str:
    """Return ``text`` cut to ``limit`` of `units`, with a mark where something is missing.

    Args:
        text: escaped or plain.
        limit: units that are left.
        end: keep the end instead of the start.
    """
    raw = text.encode("utf-16-le", "replace")
    if len(raw) <= 2 * limit:
        return raw.decode("utf-16-le")
    size = 2 * (limit - 1)
    kept = (raw[-size:] if end else raw[:size]).decode("utf-16-le", "ignore")
    if end:
        head, semicolon, tail = kept.partition(";")
        return _MORE + (tail if semicolon and len(head) < 5 and head in _ENDS else kept)
    head, ampersand, tail = kept.rpartition("&")
    return (head if ampersand and ";" not in tail and len(tail) < 5 else kept) + _MORE


#: What is left of an entity that was cut in the middle.
_ENDS = frozenset(entity[start:] for entity in ("amp", "lt", "gt") for start in range(len(entity) + 1))
