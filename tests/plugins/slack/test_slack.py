"""What Slack is sent, against the limits that it publishes."""

import dataclasses
import json

import pytest

from densefog_core.jobs import Job
from densefog_core.notices.records import Count, Notification
from densefog_plugins import slack
from densefog_plugins.slack.channel import blocks, escape, fit, units
from tests.plugins.receiver import DIGEST, FAILED, config, receiving

#: https://docs.slack.dev/reference/block-kit: the most that each part may have.
MAX_BLOCKS, MAX_FIELDS, MAX_ALL = 50, 10, 13_000
TEXTS = {"header": 150, "section": 3000, "field": 2000, "text": 40_000}


def length(text):
    return len(text.encode("utf-16-le")) // 2


def check(payload):
    """Check a message as Slack does; return its texts."""
    assert set(payload) == {"text", "blocks"}
    assert 1 <= length(payload["text"]) <= TEXTS["text"]
    assert 1 <= len(payload["blocks"]) <= MAX_BLOCKS
    texts = []
    for block in payload["blocks"]:
        assert set(block) <= {"type", "text", "fields"}
        if block["type"] == "header":
            assert block["text"]["type"] == "plain_text"
            parts, limit = [block["text"]], TEXTS["header"]
        elif "text" in block:
            assert (block["type"], block["text"]["type"]) == ("section", "mrkdwn")
            parts, limit = [block["text"]], TEXTS["section"]
        else:
            assert block["type"] == "section"
            parts, limit = block["fields"], TEXTS["field"]
            assert 1 <= len(parts) <= MAX_FIELDS
        for part in parts:
            assert 1 <= length(part["text"]) <= limit
            texts.append(part["text"])
    assert sum(map(length, texts)) <= MAX_ALL
    return texts


def sent(notice):
    with receiving() as server:
        channel = slack.make_channel(config(slack, slack_webhook_url=server.url()))
        channel.send(notice)
    [payload] = server.documents
    return payload


def test_a_message_has_what_people_need():
    texts = check(sent(FAILED))
    assert texts == [
        "job CreateVolumes job-abcdefghij failed (try 3 of 3, the last one)",
        "*Action*\nCreateVolumes",
        "*Job*\njob-abcdefghij",
        "*Project*\np-1",
        "*Try*\n3 of 3, the last one",
        "*Host*\nnode-1",
        "*Context*\nghij",
        "```Traceback (most recent call last):\nOSError: no disk```",
    ]


def test_a_digest_names_each_failure_by_its_count():
    texts = check(sent(DIGEST))
    assert texts[0] == "1000 notices of jobs in 60 s: CreateVolumes 997, DeleteVolumes 3"
    assert texts[1].splitlines() == [
        "• 997 x CreateVolumes failed in their last try: OSError at volumes.py:12 in create (one is job-abcdefghij)",
        "• 3 x DeleteVolumes lost (one is job-abcdefghij)",
    ]


@pytest.mark.parametrize(
    "text", ["x" * 100_000, "&<>" * 50_000, "\U0001f525" * 50_000, "```" * 9_999, "\ud800", "&" * 2_993]
)
def test_whatever_a_failure_says_the_message_is_within_slacks_limits(text):
    job = Job(id="job-abcdefghij", action=text[:50], project_id=text, trys=1)
    notice = dataclasses.replace(FAILED, job=job, error=text, traceback=text, host=text)
    texts = check(json.loads(json.dumps(sent(notice))))
    assert texts[-1].count("```") == 2


@pytest.mark.parametrize("count", [1, 60, 1000, 5000])
def test_a_digest_of_many_failures_is_within_slacks_limits_and_counts_all(count):
    counts = tuple(Count("gave_up", f"Action{number}", "é<&>" * 30, 2, "job-abcdefghij") for number in range(count))
    texts = check(sent(dataclasses.replace(DIGEST, counts=counts)))
    lines = "".join(texts[1:]).splitlines()
    assert sum(int(line.split()[1]) for line in lines) == 2 * count


def test_nothing_in_a_failure_mentions_people_or_makes_links():
    texts = check(sent(dataclasses.replace(FAILED, traceback="<!channel> <https://evil.example|click> & <@U1>")))
    assert texts[-1] == "```&lt;!channel&gt; &lt;https://evil.example|click&gt; &amp; &lt;@U1&gt;```"


def test_the_end_of_an_exception_is_kept():
    texts = check(sent(dataclasses.replace(FAILED, traceback="File x\n" * 2000 + "ValueError: the cause")))
    assert texts[-1].startswith("```…")
    assert texts[-1].endswith("ValueError: the cause```")


@pytest.mark.parametrize("limit", range(2, 40))
@pytest.mark.parametrize("end", [False, True])
def test_no_entity_is_cut_in_two(limit, end):
    cut = fit(escape("a&b<c>d" * 10), limit, end=end)
    assert units(cut) <= limit
    whole = cut.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "")
    assert not set(whole) - set("abcd…")


def test_a_test_notice_is_a_message_too():
    notice = Notification(topic="test", job=Job(id="job-abcdefghij", action="densefog.Test", trys=1), host="node-1")
    assert check(sent(notice))[0] == "a test notice from node-1"


def test_slacks_own_classes_find_nothing_wrong():
    for notice in (FAILED, DIGEST):
        for block in blocks(notice):
            block.validate_json()
