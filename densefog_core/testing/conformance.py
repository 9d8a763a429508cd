"""The promises of a channel and of a transport that densefog relies on, as tests."""

from __future__ import annotations

import io
import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

from densefog_core.errors import UnknownAction
from densefog_core.jobs import Job
from densefog_core.notices.records import TOPICS, Channel, Count, DeliveryError, Notification
from densefog_core.server.api import Api

_JOB = Job(id="job-conformity", action="CreateVolumes", trys=2, params={"resource_ids": ["vol-1"]})
_COUNTS = (Count("gave_up", _JOB.action, "OSError at volumes.py:12 in create", 997, _JOB.id),)
#: Texts that have broken channels: line ends in headers, quotes in JSON, what is no character in XML, a large notice.
_TEXTS = {
    "none": "", "lines": "a\nb\r\nSubject: c\n\n", "letters": "ö\U0001f600\u202e\u2028", "controls": "\0\x07\x1b[31m",
    "markup": "<b>&amp;*_`~ \"' {0} %s ${x}", "60 kB": "x" * 60_000, "60 000 letters": "\U0001f600" * 60_000,
}  # fmt: skip


class ChannelConformance:
    """What every `densefog_core.notices.records.Channel` promises, for pytest to run on one.

    A subclass has a fixture ``channel``, which returns one whose notices go to something that only the test knows::

        class TestMyChannel(ChannelConformance):
            @pytest.fixture
            def channel(self, receiver):
                return MyChannel(receiver.url)
    """

    def test_it_wants_topics_that_there_are(self, channel: Channel) -> None:
        """At least one, else nobody is ever told."""
        assert isinstance(channel, Channel)
        assert channel.topics
        assert set(channel.topics) <= set(TOPICS)

    def test_it_sends_notices_of_each_topic(self, channel: Channel) -> None:
        """Those that it does not ask for too: the operator may; and digests and the notice of ``notify test``."""
        for topic in TOPICS:
            _send(channel, topic=topic, error="no space left", is_last_chance=topic == "gave_up")
        _send(channel, topic="digest", counts=_COUNTS, seconds=60.0)
        _send(channel, topic="test")

    def test_no_text_breaks_it(self, channel: Channel) -> None:
        """What cannot be delivered is a `DeliveryError`, whatever a failure says and however long it is."""
        for what, text in _TEXTS.items():
            for fields in ({"error": text}, {"traceback": text}, {"failure": text}):
                _send(channel, what, topic="failed", **fields)

    def test_it_can_be_used_again(self, channel: Channel) -> None:
        """A notice that was sent leaves nothing behind that keeps the next one from being sent."""
        for _ in range(3):
            _send(channel, topic="gave_up", error="no space left")


def _send(channel: Channel, what: str = "", **fields: Any) -> None:  # noqa: ANN401
    """Send one notice, which may be refused, in the one way that a channel has."""
    notice = Notification(job=_JOB, host="node-1", **fields)
    try:
        answer = channel.send(notice)
    except (DeliveryError, OSError):
        return
    except Exception as exc:
        raise AssertionError(f"a notice of topic {notice.topic} ({what or 'plain'}) makes the channel raise") from exc
    assert answer is None or isinstance(answer, str)


class TransportConformance:
    """What every `densefog_core.actions.Transport` promises, for pytest to run on one.

    A subclass says how an API is served by it::

        class TestMyTransport(TransportConformance):
            def make_api(self, actions):
                return make_app(my_plugin, actions=actions, transport="mine").api()
    """

    def make_api(self, actions: Mapping[str, Callable[..., Any]]) -> Api:
        """Return an API of these actions whose transport is the one that is tested."""
        raise NotImplementedError

    def test_an_action_is_answered_in_the_envelope(self) -> None:
        """``data``, ``retCode`` and ``message``; params and result arrive as they were sent."""
        reply = self._call({"action": "Echo", "name": "ö\U0001f600", "deep": [{"a": None}]})
        assert reply == {
            "data": {"name": "ö\U0001f600", "deep": [{"a": None}]}, "retCode": 0, "message": None,
        }  # fmt: skip

    def test_an_unknown_action_is_refused(self) -> None:
        """By the number that clients know."""
        assert self._call({"action": "Nope"})["retCode"] == UnknownAction.ret_code

    def test_a_body_that_is_no_json_is_refused(self) -> None:
        """In the envelope too."""
        for body in (b"{", b"", b"\xff", b"[]"):
            assert self._call(body)["retCode"] != 0, body

    def test_the_error_of_a_handler_is_answered(self) -> None:
        """The next call is answered as if nothing had been."""
        with self._served() as call:
            assert call({"action": "Fail"})["retCode"] == 5000
            assert call({"action": "Echo"})["retCode"] == 0

    def test_it_is_a_wsgi_application(self) -> None:
        """By the rules of PEP 3333, which other servers rely on."""
        sent = json.dumps({"action": "Echo", "n": 1}).encode()
        environ: dict[str, Any] = {
            "REQUEST_METHOD": "POST", "SCRIPT_NAME": "", "PATH_INFO": "/", "QUERY_STRING": "",
            "CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(len(sent)), "wsgi.input": io.BytesIO(sent),
        }  # fmt: skip
        setup_testing_defaults(environ)
        started: list[str] = []

        def start_response(status: str, headers: object, exc_info: object = None) -> Callable[[bytes], object]:
            started.append(status)
            return io.BytesIO().write

        answer = validator(self._api().transport.wsgi_app)(environ, start_response)
        body = b"".join(answer)
        # The validator's answer has it, though PEP 3333 lets an answer do without.
        answer.close()  # type: ignore[attr-defined]
        assert json.loads(body)["data"] == {"n": 1}
        assert started == ["200 OK"]

    def test_its_client_needs_no_socket(self) -> None:
        """It is called as werkzeug's is."""
        client = self._api().test_client()
        reply = client.post("/", data=json.dumps({"action": "Echo", "n": 1}))
        assert json.loads(reply.data)["data"] == {"n": 1}

    def test_it_stops_listening(self) -> None:
        """Cleanly, when nothing runs; nobody is answered after that."""
        transport = self._api().transport
        address = transport.listen("127.0.0.1", 0)
        assert _post(address, b'{"action": "Echo"}')["retCode"] == 0
        assert transport.stop(5) is True
        try:
            _post(address, b'{"action": "Echo"}')
        except OSError:
            return
        raise AssertionError(f"{address} still answers after stop()")

    def _api(self) -> Api:
        def echo(params: dict[str, Any]) -> dict[str, Any]:
            return {name: value for name, value in params.items() if name != "action"}

        def fail() -> None:
            raise ZeroDivisionError

        return self.make_api({"Echo": echo, "Fail": fail})

    @contextmanager
    def _served(self) -> Iterator[Callable[[dict[str, Any] | bytes], dict[str, Any]]]:
        """Yield a function that calls the API over a socket."""
        transport = self._api().transport
        address = transport.listen("127.0.0.1", 0)
        try:
            yield lambda body: _post(address, body if isinstance(body, bytes) else json.dumps(body).encode())
        finally:
            transport.stop(5)

    def _call(self, body: dict[str, Any] | bytes) -> dict[str, Any]:
        with self._served() as call:
            return call(body)


def _post(address: str, body: bytes) -> dict[str, Any]:
    try:
        answer = urllib.request.urlopen(address, body, timeout=10)
    except urllib.error.HTTPError as exc:
        answer = exc
    with answer:
        reply: dict[str, Any] = json.load(answer)
    assert reply.keys() == {"data", "retCode", "message"}
    return reply
