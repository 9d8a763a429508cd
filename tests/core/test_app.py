"""The application: registries filled and frozen, start-up and shutdown in order, health, what the settings pick."""

import asyncio
import sys

import pytest

from densefog_core import enqueue, enqueue_many
from densefog_core.actions import request
from densefog_core.app import App
from densefog_core.config import Config
from densefog_core.current import current_app, find_app, set_current_app
from densefog_core.errors import JobRefused, PluginError, RegistrationError, StartupError
from densefog_core.jobs import Job, JobEvent, JobTimeout
from densefog_core.plugins.markers import hookimpl
from densefog_core.testing import make_app


class Part:
    def __init__(self, name, log, fail=False):
        self.__name__, self.log, self.fail = name, log, fail

    @hookimpl
    def densefog_startup(self, app):
        self.log.append(f"start {self.__name__}")
        if self.fail:
            raise ValueError("no disk")

    @hookimpl
    def densefog_shutdown(self, app):
        self.log.append(f"stop {self.__name__}")
        if self.fail:
            raise ValueError("no disk")


def app_of(*plugins, **settings):
    return App(Config().apply(app_root=".", log_dir="-", **settings)).load(found=[], plugins=plugins)


def test_plugins_start_in_order_and_stop_in_reverse():
    log = []
    app = app_of(Part("a", log), Part("b", log)).start()
    app.shutdown()
    assert log == ["start a", "start b", "stop b", "stop a"]


def test_starting_twice_starts_once():
    log = []
    app_of(Part("a", log)).start().start()
    assert log == ["start a"]


def test_a_plugin_that_cannot_start_is_named():
    with pytest.raises(PluginError, match=r"plugin 'a' of the application.*cannot start: ValueError: no disk"):
        app_of(Part("a", [], fail=True)).start()


def test_one_plugin_that_fails_to_shut_down_does_not_keep_the_others_from_it(caplog):
    log = []
    app = app_of(Part("a", log), Part("b", log))
    app.start()
    app.plugins.records[1].plugin.fail = True
    app.shutdown()
    assert log[-2:] == ["stop b", "stop a"]
    assert "failed to shut down" in caplog.text


def test_there_is_no_current_application_before_one_starts():
    assert find_app() is None
    with pytest.raises(RuntimeError, match="densefog is not set up yet"):
        current_app()
    app = make_app()
    assert current_app() is app


def test_what_the_settings_pick_must_be_installed():
    app = app_of(transport="carrier-pigeon")
    with pytest.raises(RegistrationError, match=r"unknown transport 'carrier-pigeon' \(installed: none\)"):
        app.pick(app.transports, app.config.transport)


def test_nothing_is_ready_while_the_process_drains():
    app = make_app()
    assert app.health("ready") == {"draining": None}
    app.draining = True
    assert app.health("ready") == {"draining": "shutting down"}
    assert app.health("live") == {}


def test_a_health_check_that_raises_says_that_something_is_wrong():
    class Sick:
        @hookimpl
        def densefog_health(self, kind):
            raise OSError("no disk")

    assert make_app(Sick()).health("live") == {"Sick": "OSError: no disk"}


@pytest.mark.parametrize("error", [ValueError("observer"), SystemExit(1)])
def test_an_observer_that_raises_harms_neither_the_job_nor_other_observers(caplog, error):
    seen = []

    class Bad:
        @hookimpl
        def densefog_job_event(self, event):
            raise error

    class Good:
        @hookimpl
        def densefog_job_event(self, event):
            seen.append(event.kind)

    app = make_app(Bad(), Good(), jobs={"Work": lambda: None})
    app.enqueue("Work")
    app.run_jobs()
    assert seen == ["started", "finished"]
    assert "failed on the event" in caplog.text


def test_a_job_wrapper_sees_the_job_and_its_result():
    class Wrap:
        @hookimpl(wrapper=True)
        def densefog_call_job(self, job, handler):
            return [job.action, (yield)]

    app = make_app(Wrap(), jobs={"Work": lambda: "done"})
    job_id = app.enqueue("Work")
    app.run_jobs()
    assert app.store.get(job_id).result == ["Work", "done"]


def test_routes_of_the_original_are_served_beside_installed_actions():
    api = make_app(actions={"Ping": lambda: {}}).api()
    api.route({"Pong": lambda: {"pong": 1}})
    assert api.post({"action": "Pong"})["data"] == {"pong": 1}


@pytest.mark.parametrize(
    ("routes", "message"),
    [
        ({}, "not empty"),
        (None, "must be a dict"),
        ({"Ping": lambda: {}}, "action 'Ping' is registered twice: by .* and in the routes"),
        ({"New": 5}, "5 is not a function"),
        ({"New": lambda a, b: 1}, "cannot be called"),
    ],
)
def test_routes_that_cannot_be_served_are_refused(routes, message):
    with pytest.raises(StartupError, match=message):
        make_app(actions={"Ping": lambda: {}}).api().route(routes)


def test_an_action_can_be_called_in_process():
    api = make_app(actions={"Echo": lambda params: params}).api()
    assert api.call("Echo", x=1) == {"action": "Echo", "x": 1}
    with pytest.raises(Exception, match="Unknown action"):
        api.call("Nope")


# -- what plugins see and add ----------------------------------------------------------------------------------


class Auditor:
    """Sees how calls are answered."""

    def __init__(self):
        self.seen = []

    @hookimpl
    def densefog_request_event(self, event):
        self.seen.append((event.request.api, event.action, event.ret_code))
        assert event.seconds > 0
        assert event.size > 50


class Clumsy:
    @hookimpl
    def densefog_request_event(self, event):
        raise OSError("no paper")

    @hookimpl
    def densefog_gauges(self):
        raise OSError("no scale")


@pytest.mark.parametrize("raised", [SystemExit(3), KeyboardInterrupt(), asyncio.CancelledError(), ValueError("no")])
def test_an_observer_that_exits_leaves_the_reply(raised: BaseException, caplog: pytest.LogCaptureFixture) -> None:
    """The work of the call is done: whatever an observer or a clean-up raises is logged, and the next one is told."""

    def leave() -> None:
        raise raised

    class Leaving:
        @hookimpl
        def densefog_request_event(self, event: object) -> None:
            leave()

    auditor = Auditor()
    api = make_app(Leaving(), auditor, actions={"Ping": lambda: request.on_teardown(leave)}).api()
    assert api.post({"action": "Ping"})["retCode"] == 0
    assert auditor.seen == [("public", "Ping", 0)]
    assert "plugin 'Leaving' of the application failed on the event" in caplog.text
    assert "clean-up" in caplog.text


@pytest.mark.parametrize("hook", ["densefog_health", "densefog_gauges", "densefog_shutdown", "densefog_job_event"])
def test_a_plugin_that_exits_in_a_hook_harms_nobody(hook: str) -> None:
    """Checks, gauges, observers of jobs and shutdowns are guarded as observers of calls are."""

    def leave(self: object) -> None:
        raise SystemExit(3)

    plugin = type("Leaving", (), {hook: hookimpl(leave)})()
    app = make_app(plugin, jobs={"Greet": lambda params: "hello"})
    app.enqueue("Greet")
    assert app.run_jobs() == 1
    assert app.gauges() == {}
    assert set(app.health("live")) == ({"Leaving"} if hook == "densefog_health" else set())
    app.shutdown()


def test_an_interrupt_from_outside_goes_through_an_observer() -> None:
    """A job that is cancelled while its observer waits ends as that."""

    class Interrupted:
        @hookimpl
        def densefog_job_event(self, event: object) -> None:
            raise JobTimeout("too late")

    with pytest.raises(JobTimeout):
        make_app(Interrupted()).emit(JobEvent("started", Job(id="job-1", action="Greet", params={})))


def test_every_call_is_an_event_also_those_that_no_handler_saw_and_an_observer_that_fails_harms_nobody(caplog):
    auditor = Auditor()
    api = make_app(Clumsy(), auditor, actions={"Ping": lambda: {}, "Exit": lambda: sys.exit()}).api()
    assert api.post({"action": "Ping"}) == {"data": {}, "retCode": 0, "message": None}
    for body in ({"action": "Pong"}, b"{", {"action": "Exit"}):
        api.post(body)
    assert auditor.seen == [
        ("public", "Ping", 0), ("public", None, 4000), ("public", None, 4110), ("public", "Exit", 5000),
    ]  # fmt: skip
    assert "plugin 'Clumsy' of the application failed on the event of a call of no action" in caplog.text


class Origin:
    def __init__(self, **members):
        self.members = members

    @hookimpl
    def densefog_job_params(self, action):
        return {**self.members, "_of": action}


class Nothing:
    @hookimpl
    def densefog_job_params(self):
        return None


def test_what_plugins_add_to_a_job_is_in_its_row_however_it_is_enqueued():
    app = make_app(Origin(_a=1), Nothing(), jobs={"Work": lambda params: params["_a"]})
    before = set_current_app(app)
    try:
        ids = [app.enqueue("Work"), enqueue("Work", {"x": 2}), *enqueue_many([{"action": "Work"}])]
    finally:
        set_current_app(before)
    assert [app.store.get(one).params for one in ids] == [
        {"_a": 1, "_of": "Work"}, {"x": 2, "_a": 1, "_of": "Work"}, {"_a": 1, "_of": "Work"},
    ]  # fmt: skip
    assert app.run_jobs() == 3


def test_what_plugins_add_counts_for_the_size_of_params():
    app = make_app(Origin(_a="x" * 70_000), jobs={"Work": lambda: None})
    with pytest.raises(JobRefused, match="its params have 7"):
        app.enqueue("Work")


def test_gauges_are_those_of_all_plugins_that_can_measure_themselves(caplog):
    class Tank:
        @hookimpl
        def densefog_gauges(self, app):
            return {"tank_litres": 3}

    assert make_app(Clumsy(), Tank()).gauges() == {"tank_litres": 3}
    assert "failed to measure itself" in caplog.text
