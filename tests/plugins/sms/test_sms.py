"""What a gateway for short messages is sent."""

import dataclasses

from densefog_plugins import sms
from densefog_plugins.sms.channel import MAX_TEXT
from tests.plugins.receiver import DIGEST, FAILED, config, receiving


def sent(notice=FAILED, **settings):
    with receiving() as server:
        made = config(sms, **{"sms_url": server.url(), "sms_mobiles": "+4912, 34", **settings})
        sms.make_channel(made).send(notice)
    [(headers, _)], [document] = server.requests, server.documents
    return headers, document


def test_the_text_and_the_mobiles_as_a_comma_list():
    _, document = sent()
    title = "job CreateVolumes job-abcdefghij failed (try 3 of 3, the last one)"
    assert document == {"content": f"{title}: no disk", "tos": "+4912,34"}


def test_the_key_and_the_secret_are_in_the_headers():
    headers, _ = sent(sms_key="k", sms_secret="s")
    assert (headers["X-Le-Key"], headers["X-Le-Secret"]) == ("k", "s")
    headers, _ = sent(sms_key="k", sms_secret="s", sms_key_header="X-Key", sms_secret_header="X-Secret")
    assert (headers["X-Key"], headers["X-Secret"]) == ("k", "s")


def test_a_long_text_is_cut_and_is_one_line():
    _, document = sent(dataclasses.replace(FAILED, error="line\nline\n" * 100))
    assert len(document["content"]) == MAX_TEXT
    assert "\n" not in document["content"]


def test_of_a_digest_only_the_title_is_sent():
    _, document = sent(DIGEST)
    assert document["content"] == "1000 notices of jobs in 60 s: CreateVolumes 997, DeleteVolumes 3"


def test_the_names_of_the_original_are_taken(monkeypatch):
    monkeypatch.setenv("NOTIFY_SMS_UR", "https://sms.example/x")
    monkeypatch.setenv("NOTIFY_SMS_MOBILE", "1,2")
    made = config(sms, notify_sms_key="k")
    assert sms.make_channel(made) is not None
    assert (made.notify_sms_url, made.sms_mobiles, made.sms_key) == ("https://sms.example/x", ["1", "2"], "k")
