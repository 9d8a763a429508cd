"""What a webhook is sent, and how its receiver knows whose it is."""

import hashlib
import hmac
import time

from densefog_plugins import webhook
from tests.plugins.receiver import DIGEST, FAILED, config, receiving


def sent(notice=FAILED, **settings):
    with receiving() as server:
        webhook.make_channel(config(webhook, webhook_url=server.url(), **settings)).send(notice)
    [request], [document] = server.requests, server.documents
    return *request, document


def test_a_document_has_everything_that_is_known():
    headers, _, document = sent()
    assert headers["Content-Type"] == "application/json"
    assert document["job"].pop("created")
    assert document == {
        "id": "gave_up:job-abcdefghij:3",
        "topic": "gave_up",
        "title": "job CreateVolumes job-abcdefghij failed (try 3 of 3, the last one)",
        "text": FAILED.text,
        "host": "node-1",
        "contextId": "ghij",
        "traceId": "",
        "isLastChance": True,
        "error": "no disk",
        "failure": "OSError at volumes.py:12 in create",
        "traceback": "Traceback (most recent call last):\nOSError: no disk",
        "job": {
            "jobId": "job-abcdefghij", "action": "CreateVolumes", "projectId": "p-1", "resourceIds": [],
            "trys": 3, "tryMax": 3,
        },
        "counts": [],
        "seconds": 0.0,
    }  # fmt: skip


def test_a_digest_has_its_counts():
    _, _, document = sent(DIGEST)
    assert [(one["action"], one["count"]) for one in document["counts"]] == [
        ("CreateVolumes", 997), ("DeleteVolumes", 3),
    ]  # fmt: skip


def test_with_a_secret_timestamp_and_body_are_signed():
    headers, body, _ = sent(webhook_secret="s3cr3t")
    timestamp = headers["X-Densefog-Timestamp"]
    assert abs(int(timestamp) - time.time()) < 10
    expected = hmac.new(b"s3cr3t", timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    assert headers["X-Densefog-Signature"] == f"sha256={expected}"


def test_without_a_secret_nothing_is_signed():
    headers, _, _ = sent()
    assert not any(name.startswith("X-Densefog") for name in headers)
