"""What a type declares as a secret is hidden wherever its value turns up in that call or job."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import pytest

from densefog_core import Secret, enqueue, request
from densefog_core.actions.records import Request
from densefog_core.context import entered
from densefog_core.jobs import JobEvent
from densefog_core.plugins.markers import hookimpl
from densefog_core.redact import HIDDEN, redact, redact_text
from densefog_core.testing import make_app

#: A value without a telling shape, which JSON and Python write otherwise.
VALUE = 'blue "moon"\n17'


@dataclass
class Login:
    phrase: Secret
    size: int = 1


def echo(params: Login) -> dict[str, Any]:
    logging.getLogger("app").warning("tried %s", request.params)
    if params.size > 1:
        raise ValueError(f"cannot open with {params.phrase.reveal()}")
    return {"list": [f"opened with {params.phrase.reveal()}"]}


def test_a_reply_hides_it() -> None:
    """A handler that answers with the value answers with the mask."""
    reply = make_app(actions={"Echo": echo}).api().post({"action": "Echo", "phrase": VALUE})
    assert reply["data"] == {"list": [f"opened with {HIDDEN}"]}


def test_an_error_in_debug_hides_it() -> None:
    """The traceback that debug shows has the mask."""
    reply = make_app(actions={"Echo": echo}).api(debug=True).post({"action": "Echo", "phrase": VALUE, "size": 2})
    assert "cannot open with" in reply["data"]["exceptionStr"] and "moon" not in str(reply)


def test_each_way_to_write_it_is_hidden() -> None:
    """The value is found as it is, as JSON, as Python's repr and in an address; what is nested, too."""
    with entered(Request("public", "Echo", {})):
        Secret(VALUE)
        for text in (VALUE, f"x {VALUE!r}", 'blue \\"moon\\"\\n17', "?a=blue%20%22moon%22%0A17"):
            assert "moon" not in redact_text(text)
        assert redact({"size": [VALUE]}) == {"size": [HIDDEN]}
    assert redact_text(f"x {VALUE}") == f"x {VALUE}"


def test_a_short_one_is_hidden_as_a_word() -> None:
    """A secret of three characters does not eat other words."""
    with entered(Request("public", "Echo", {})):
        Secret("abc")
        assert redact_text("abc abcd xabc") == f"{HIDDEN} abcd xabc"


def test_very_many_hide_the_text_as_a_whole() -> None:
    """A client that declares thousands does not make each text cost thousands of searches."""
    with entered(Request("public", "Echo", {})):
        for number in range(300):
            Secret(f"secret-{number}")
        assert redact_text("any text") == HIDDEN


class Observer:
    def __init__(self) -> None:
        self.seen: list[str] = []

    @hookimpl
    def densefog_job_event(self, event: JobEvent) -> None:
        self.seen.append(redact_text(f"{event.error}; {event.exception}"))


def open_job(params: dict[str, Any]) -> dict[str, Any]:
    phrase = Secret(params["given"])
    if params.get("fail"):
        raise ValueError(f"cannot open with {phrase.reveal()}")
    return {"said": f"opened with {phrase.reveal()}", "adminPass": "x"}


def test_a_job_hides_it_in_its_result() -> None:
    """The stored result has the mask, and so has what a name tells of."""
    app = make_app(jobs={"Open": open_job})
    job_id = enqueue("Open", {"given": VALUE})
    app.run_jobs()
    found = app.store.get(job_id)
    assert found is not None and found.result == {"said": f"opened with {HIDDEN}", "adminPass": HIDDEN}


def test_a_job_hides_it_in_its_error_and_events(caplog: pytest.LogCaptureFixture) -> None:
    """Who is told of the failure after the try has ended is told the mask."""
    observer = Observer()
    app = make_app(observer, jobs={"Open": open_job})
    job_id = enqueue("Open", {"given": VALUE, "fail": True}, try_max=1)
    app.run_jobs()
    found = app.store.get(job_id)
    assert found is not None and found.error == f"cannot open with {HIDDEN}"
    assert observer.seen[-1] == f"cannot open with {HIDDEN}; cannot open with {HIDDEN}"
