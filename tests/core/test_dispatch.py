"""Dispatch: one request in, one reply out, whatever goes wrong."""

import json
import re
from datetime import datetime

import pytest

from densefog_core.actions import Call, request
from densefog_core.context import _scope
from densefog_core.errors import iaas_error
from densefog_core.plugins.markers import hookimpl
from densefog_core.testing import make_app


class Lines:
    """An access log that keeps its lines."""

    def __init__(self):
        self.lines = []

    def write(self, address, project, action, ret_code, seconds, size):
        self.lines.append((address, project, action, ret_code, size))


def fail():
    raise ValueError("password=hunter2")


def busy():
    raise iaas_error.ResourceIsBusy("vol-1")


ACTIONS = {
    "Ping": lambda: {"pong": True},
    "Echo": lambda params: params,
    "Who": lambda: {"id": request.context_id, "address": request.remote_addr, "header": request.headers.get("X-A")},
    "Fail": fail,
    "Busy": busy,
    "NoJson": lambda: {"when": datetime(2026, 1, 1), "what": object()},
    "Nan": lambda: {"ratio": float("nan")},
    "Nothing": lambda: None,
}


@pytest.fixture(scope="module")
def app():
    return make_app(actions=ACTIONS)


@pytest.fixture
def lines(app):
    app.access_log = Lines()
    return app.access_log.lines


def send(app, body, **fields):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return app.api().dispatch(Call(raw, fields.pop("headers", {}), **fields))


def test_a_reply_is_the_envelope_with_its_keys_in_order(app):
    assert send(app, {"action": "Ping"}).text == '{"data": {"pong": true}, "retCode": 0, "message": null}'


def test_parameters_include_the_action(app):
    assert json.loads(send(app, {"action": "Echo", "x": 1}).text)["data"] == {"action": "Echo", "x": 1}


def test_a_handler_may_return_nothing(app):
    assert json.loads(send(app, {"action": "Nothing"}).text) == {"data": None, "retCode": 0, "message": None}


@pytest.mark.parametrize(
    ("body", "code", "pointer", "message"),
    [
        ({"action": "Pong"}, 4000, None, "Unknown action Pong."),
        ({}, 4110, "", "'action' is a required property"),
        ({"action": 5}, 4110, "/action", "must be a string"),
        ({"action": None}, 4110, "/action", "must be a string"),
        ([], 4110, "", "the body must be a JSON object"),
        ("text", 4110, "", "the body must be a JSON object"),
        (b"", 4110, "", "it is empty"),
        (b"{", 4110, "", "not JSON"),
    ],
)
def test_a_request_that_cannot_be_understood_says_why(app, body, code, pointer, message):
    reply = json.loads(send(app, body).text)
    assert reply["retCode"] == code
    assert message in reply["message"]
    if pointer is not None:
        assert reply["data"]["errors"][0]["path"] == pointer


def test_an_error_without_a_place_in_the_table_leaks_nothing_and_is_logged(app, caplog):
    reply = json.loads(send(app, {"action": "Fail"}).text)
    assert (reply["retCode"], set(reply["data"])) == (5000, {"exceptionTag"})
    assert "hunter2" not in json.dumps(reply)
    assert "ValueError" in caplog.text


def test_an_expected_error_is_answered_and_not_logged(app, caplog):
    assert json.loads(send(app, {"action": "Busy"}).text)["data"]["resourceId"] == "vol-1"
    assert caplog.text == ""


@pytest.mark.parametrize("action", ["NoJson", "Nan"])
def test_a_result_that_is_not_json_names_the_handler_in_the_log(app, caplog, action):
    assert send(app, {"action": action}).ret_code == 5000
    assert f"action {action}: tests.core.test_dispatch.<lambda> returned something that is not JSON" in caplog.text


def test_the_traceback_is_in_the_reply_in_debug_only(app):
    api = app.api(debug=True)
    reply = json.loads(api.dispatch(Call(b'{"action": "Fail"}', {})).text)
    assert "ValueError" in reply["data"]["exceptionStr"]


@pytest.mark.parametrize("inbound", ["a", "A-1_2.b", "x" * 64])
def test_a_fit_request_id_of_the_client_is_kept(app, inbound):
    assert send(app, {"action": "Ping"}, request_id=inbound).context_id == inbound


@pytest.mark.parametrize("inbound", ["", "x" * 65, "a b", "a\n", "é", "a;b"])
def test_an_unfit_request_id_is_replaced(app, inbound):
    reply = send(app, {"action": "Busy"}, request_id=inbound)
    assert re.fullmatch(r"ctx-\d+-\w{4}", reply.context_id)
    assert json.loads(reply.text)["data"]["exceptionTag"] == reply.context_id


def test_the_handler_sees_the_request(app):
    reply = send(app, {"action": "Who"}, request_id="r-1", headers={"X-A": "b"}, remote_addr="10.0.0.1")
    assert json.loads(reply.text)["data"] == {"id": "r-1", "address": "10.0.0.1", "header": "b"}


def test_nothing_of_a_request_is_left_behind(app):
    send(app, {"action": "Fail"})
    assert _scope.get() is None


def test_the_address_may_name_the_action(app):
    assert send(app, {}, action="Ping").ret_code == 0
    reply = json.loads(send(app, {"action": "Echo"}, action="Ping").text)
    assert reply["data"]["errors"] == [{"path": "/action", "message": "the address names another action, Ping"}]


def test_pretty_indents_errors_too(app):
    assert send(app, {"action": "Ping"}, pretty=True).text.startswith('{\n    "data": {\n        "pong"')
    assert send(app, {"action": "Busy"}, pretty=True).text.startswith('{\n    "data"')


def test_each_call_writes_one_access_line(app, lines):
    reply = send(app, {"action": "Ping"}, remote_addr="10.0.0.1")
    send(app, b"{")
    assert lines[0] == ("10.0.0.1", "-", "Ping", 0, len(reply.text))
    assert lines[1][:4] == ("-", "-", "-", 4110)


def test_a_call_that_the_transport_ends_still_writes_its_line(lines):
    class Deadline(BaseException):
        pass

    def end():
        raise Deadline

    app = make_app(actions={"End": end})
    app.access_log = Lines()
    with pytest.raises(Deadline):
        send(app, {"action": "End"})
    assert app.access_log.lines == [("-", "-", "End", 5000, 0)]
    assert _scope.get() is None


class Authenticating:
    @hookimpl(wrapper=True)
    def densefog_call_action(self, request, handler):
        request.project_id = "p-1"
        if request.params.get("key") == "wrong":
            raise iaas_error.InvalidRequestParameter("no")
        result = yield
        return {**result, "wrapped": True}


def test_middleware_wraps_calls_refuses_them_and_names_the_project():
    app = make_app(Authenticating(), actions=ACTIONS)
    app.access_log = Lines()
    assert json.loads(send(app, {"action": "Ping"}).text)["data"] == {"pong": True, "wrapped": True}
    assert send(app, {"action": "Ping", "key": "wrong"}).ret_code == 4100
    assert [line[1] for line in app.access_log.lines] == ["p-1", "p-1"]


def test_without_middleware_no_hook_is_called_at_all():
    app = make_app(actions=ACTIONS)
    assert not app.plugins.is_wrapped("densefog_call_action")


def test_error_data_that_is_not_json_is_left_out():
    def odd():
        raise iaas_error.HandleError("odd", 4777, {"what": object()})

    reply = json.loads(send(make_app(actions={"Odd": odd}), {"action": "Odd"}).text)
    assert (reply["retCode"], set(reply["data"])) == (4777, {"exceptionTag"})


def test_a_mapping_hook_answers_for_errors_of_others():
    class Maps:
        @hookimpl
        def densefog_map_error(self, error):
            return iaas_error.ResourceNotFound("x") if isinstance(error, LookupError) else None

    def look():
        raise KeyError("x")

    assert send(make_app(Maps(), actions={"Look": look, "Fail": fail}), {"action": "Look"}).ret_code == 4104


def test_clean_up_runs_after_the_reply_is_decided():
    done = []

    def act():
        request.on_teardown(lambda: done.append(request.action))
        raise ValueError

    send(make_app(actions={"Act": act}), {"action": "Act"})
    assert done == ["Act"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({str(number): 0 for number in range(10_001)}, "it has more than 10000 members"),
        ({"rows": [[]] * 50_001}, "it has more than 50000 elements"),
    ],
)
def test_a_body_of_too_much_is_refused_before_it_is_worked_on(app, body, words):
    """The settings say how much; whoever calls learns it."""
    reply = send(app, {"action": "Echo", **body})
    assert reply.ret_code == 4110
    assert words in reply.text
