"""Notices to a Slack webhook, through Slack's own client."""

from __future__ import annotations

from typing import Any

from slack_sdk.webhook import WebhookClient

from densefog_core.config import Config
from densefog_core.notify import Notification
from densefog_core.outbound import TIMEOUT, DeliveryError, check_url

#: Characters that Slack takes in a section's text and in a header: https://docs.slack.dev/reference/block-kit/blocks
MAX_SECTION = 3000
MAX_HEADER = 150


class SlackChannel:
    """Sends text and blocks for each failed try."""

    topics = ("failed", "gave_up", "lost")

    def __init__(self, config: Config) -> None:
        url = check_url(config, "slack_webhook_url", config.slack_webhook_url)
        self._client = WebhookClient(url, timeout=int(TIMEOUT))

    def send(self, notification: Notification) -> None:
        """Send one notice.

        Raises:
            DeliveryError: Slack did not take it.
        """
        try:
            response = self._client.send(text=notification.text[:MAX_SECTION], blocks=blocks(notification))
        except OSError as exc:
            raise DeliveryError(f"slack is not reached: {type(exc).__name__}") from None
        if response.status_code != 200:
            retry_after = response.headers.get("Retry-After", "")
            raise DeliveryError(
                f"slack answered {response.status_code}",
                retry_after=float(retry_after) if retry_after.isdigit() else None,
                permanent=400 <= response.status_code < 429,
            )


def blocks(notification: Notification) -> list[dict[str, Any]]:
    """Return a notice as Slack's blocks: what, the facts, and the error as code."""
    job = notification.job
    facts = {
        "Action": job.action, "Job": job.id, "Project": job.project_id, "Try": f"{job.trys} of {job.try_max}",
        "Host": notification.host, "Context": job.id[-4:],
    }
    fields = [{"type": "mrkdwn", "text": f"*{name}*\n{value}"[:2000]} for name, value in facts.items() if value]
    header = {"type": "header", "text": {"type": "plain_text", "text": notification.title[:MAX_HEADER]}}
    result: list[dict[str, Any]] = [header, {"type": "section", "fields": fields}]
    if notification.error:
        code = notification.error.replace("```", "'''")[: MAX_SECTION - 6]
        result.append({"type": "section", "text": {"type": "mrkdwn", "text": f"```{code}```"}})
    return result
