"""``densefog notify``: try the channels out."""

from __future__ import annotations

import socket
import sys

import click

from densefog_core.cli.tables import as_json, show
from densefog_core.current import get_app
from densefog_core.ids import new_id
from densefog_core.jobs import Job
from densefog_core.notices.records import Channel, Notification
from densefog_core.notify_queue import reason, secrets_of

#: Characters of an answer that are shown.
MAX_ANSWER = 200


@click.group()
def notify() -> None:
    """Try out who is told when a job fails."""


@notify.command("test")
@click.argument("channel", required=False)
@as_json
def send_test(channel: str | None, json_output: bool) -> None:
    """Send a test notice through CHANNEL, or through every channel that is set up; print what the service answered.

    Exits 1 when one was not delivered.
    """
    app = get_app()
    secrets = secrets_of(app.config)
    made = app.notifier.channels(*([channel] if channel else []))
    rows = [{"channel": name, **_try(one, secrets)} for name, one in made]
    show(rows, ["channel", "sent", "answer"], json_output=json_output)
    if not all(row["sent"] for row in rows):
        sys.exit(1)


def _try(channel: Channel, secrets: frozenset[str]) -> dict[str, object]:
    job = Job(id=new_id("job-"), action="densefog.Test", trys=1)
    try:
        answer = channel.send(Notification(topic="test", job=job, host=socket.gethostname()))
    except Exception as exc:  # noqa: BLE001 - a channel may raise anything; it is shown without secrets
        return {"sent": False, "answer": reason(exc, secrets)}
    return {"sent": True, "answer": " ".join((answer or "").split())[:MAX_ANSWER]}
