"""Handlers written for the original run as they are, and Flask applications serve an API beside their own pages."""

from __future__ import annotations

import flask
import pytest

import densefog_plugins.flask
import densefog_plugins.wsgi
from densefog_core import enqueue, request
from densefog_core.current import current_app
from densefog_core.plugins.markers import hookimpl
from densefog_core.testing import make_app


def original():
    """A handler as the original has them."""
    request = flask.request
    agent = request.user_agent.string
    return {"action": request.action, "params": request.params, "json": request.get_json(), "agent": agent}


def who():
    return {"project": flask.request.project_id, "address": flask.request.remote_addr}


def nested():
    inner = current_app().apis["public"].call("Original", size=1)
    return {"inner": inner["params"], "outer": flask.request.params}


class Projects:
    """A wrapper that is written for Flask, too."""

    @hookimpl(wrapper=True)
    def densefog_call_action(self, request):
        request.project_id = f"project of {flask.request.action}"
        return (yield)


ACTIONS = {"Original": original, "Who": who, "Nested": nested}


def api(*plugins, **settings):
    return make_app(densefog_plugins.flask, *plugins, actions=ACTIONS, **{"flask_enabled": True, **settings}).api()


def test_without_the_setting_there_is_no_request_of_flasks():
    assert api(flask_enabled=False).post({"action": "Original"})["retCode"] == 5000


def test_inside_a_handler_flasks_request_has_action_params_and_what_a_request_has():
    body = {"action": "Original", "name": "Ada"}
    data = api().post(body, User_Agent="lynx")["data"]
    assert data == {"action": "Original", "params": body, "json": body, "agent": "lynx"}


def test_what_middleware_says_of_the_call_is_there_too_and_middleware_may_ask_flask():
    data = api(Projects()).post({"action": "Who"})["data"]
    assert data == {"project": "project of Who", "address": "127.0.0.1"}


def test_a_call_within_a_call_has_its_own_params_and_gives_the_others_back():
    data = api().post({"action": "Nested"})["data"]
    assert data == {"inner": {"action": "Original", "size": 1}, "outer": {"action": "Nested"}}


def test_after_a_call_there_is_no_request():
    served = api()
    served.post({"action": "Original"})
    served.post({"action": "Divide"})
    assert not flask.has_request_context()


@pytest.mark.parametrize("prefix", ["", "/cloud", "/über/cloud"])
@pytest.mark.parametrize("enabled", [True, False])
def test_an_api_in_a_flask_application_answers_as_it_does_alone(prefix, enabled):
    mounted = api(densefog_plugins.wsgi, flask_enabled=enabled)
    application = flask.Flask("shop")
    application.add_url_rule("/shop", view_func=lambda: f"{len(vars(flask.request))} things")
    application.register_blueprint(densefog_plugins.flask.blueprint(mounted), url_prefix=prefix)
    client, alone = application.test_client(), mounted.test_client()
    body = {"action": "Who" if enabled else "DescribeActions"}
    same = {"json": body, "headers": {"X-Request-Id": "same"}, "environ_base": {"REMOTE_ADDR": "10.1.2.3"}}
    for path in ("/", f"/{body['action']}", "/nowhere", "/größe"):
        for method in ("GET", "POST", "OPTIONS", "HEAD"):
            ours = client.open(prefix + path, method=method, **same)
            theirs = alone.open(path, method=method, **same)
            assert (ours.status, ours.data) == (theirs.status, theirs.data), (method, path)
            assert ours.headers["X-Request-Id"] == "same"
    if prefix:
        assert client.post(prefix, json=body).get_json()["retCode"] == 0
    assert b"things" in client.get("/shop").data


def test_two_apis_are_mounted_under_two_names():
    application = flask.Flask("shop")
    for name in ("public", "manage"):
        mounted = make_app(densefog_plugins.flask, densefog_plugins.wsgi).api(name)
        application.register_blueprint(densefog_plugins.flask.blueprint(mounted, name), url_prefix=f"/{name}")
    assert b"densefog API manage" in application.test_client().get("/manage/").data


def take_over():
    """What an application of the original does that authenticates in a wrapper of its own."""
    flask.request.project_id = "prj-1"
    flask.request.ticket = "t-1"
    return {"project": request.project_id, "ticket": request.ticket, "job": enqueue("Nop")}


def test_what_is_set_on_flasks_request_is_densefogs_too():
    """So jobs and lists belong to the project that a wrapper has found out."""
    app = make_app(
        densefog_plugins.flask, actions={"TakeOver": take_over}, jobs={"Nop": lambda: None}, flask_enabled=True
    )
    data = app.api().post({"action": "TakeOver"})["data"]
    assert (data["project"], data["ticket"]) == ("prj-1", "t-1")
    assert app.store.get(data["job"]).project_id == "prj-1"
