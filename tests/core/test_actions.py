"""Actions: declared once, adapted to their signature at registration, kept apart by API."""

import functools
from dataclasses import dataclass
from typing import Any

import pytest

from densefog_core.actions import Request
from densefog_core.actions.handlers import ActionRegistry, action, make_spec
from densefog_core.errors import RegistrationError
from densefog_core.registry import Gate
from densefog_core.testing import make_app


@dataclass
class Size:
    size: int


def call(handler, **params):
    return make_spec("Act", handler).call(Request("public", "Act", {"action": "Act", **params}))


def test_a_handler_without_parameters_is_called_with_nothing():
    assert call(lambda: {"a": 1}) == {"a": 1}


def test_a_handler_with_an_untyped_parameter_gets_the_whole_body():
    assert call(lambda params: params, x=1) == {"action": "Act", "x": 1}


def test_a_handler_with_a_typed_parameter_gets_an_object():
    def handler(params: Size):
        return params.size

    assert call(handler, size=5) == 5


@pytest.mark.parametrize("optional", [lambda params=None: params, lambda *args: args, lambda **more: more])
def test_parameters_that_may_be_left_out_need_not_be_filled(optional):
    assert make_spec("Act", optional)


@pytest.mark.parametrize(
    "handler",
    [lambda params, seconds=0.1: None, lambda params, *, verbose=False: None, lambda *, verbose=False: None],
)
def test_a_parameter_that_nothing_fills_is_refused(handler):
    """Its author believes that it is an option; nobody could ever set it."""
    with pytest.raises(RegistrationError, match=r"one argument, params: nothing fills (seconds|verbose)"):
        make_spec("Act", handler)


def test_a_parameter_that_a_partial_function_fills_is_filled():
    """By name or by place, in any depth."""
    inner = functools.partial(lambda prefix, params, seconds: [prefix, params["x"], seconds], "p")
    assert call(functools.partial(inner, seconds=3), x=1) == ["p", 1, 3]


class Callable:
    def __call__(self, params):
        return params["x"]

    def method(self, params):
        return params["x"]


@pytest.mark.parametrize(
    "handler",
    [
        Callable(),
        Callable().method,
        functools.partial(lambda prefix, params: params["x"], "p"),
    ],
    ids=["object", "method", "partial"],
)
def test_any_callable_can_be_a_handler(handler):
    assert call(handler, x=3) == 3


@pytest.mark.parametrize(
    ("handler", "reason"),
    [
        (lambda a, b: None, "cannot be called; an action takes nothing or one argument"),
        (lambda *, a: None, "cannot be called; an action takes nothing or one argument"),
        (5, "5 is not a function"),
    ],
)
def test_a_handler_that_cannot_be_called_is_refused_at_registration(handler, reason):
    with pytest.raises(RegistrationError, match=f"action 'Act'.*{reason}"):
        make_spec("Act", handler)


def test_an_async_handler_is_refused():
    async def handler(): ...

    with pytest.raises(RegistrationError, match=r"test_actions.*handler is async, and nobody would await it"):
        make_spec("Act", handler)


def test_an_annotation_that_does_not_exist_is_refused():
    def handler(params: "NoSuchType"): ...  # noqa: F821

    with pytest.raises(RegistrationError, match="its signature cannot be read: name 'NoSuchType'"):
        make_spec("Act", handler)


def test_an_unknown_option_is_refused():
    with pytest.raises(RegistrationError, match="unknown option apis"):
        make_spec("Act", lambda: None, apis="x")


def test_the_name_comes_from_the_functions_name_or_the_decorator():
    @action
    def describe_volumes(): ...

    @action("Purge", api="manage")
    def purge_everything(): ...

    assert describe_volumes.__densefog_action__ == ("DescribeVolumes", {})
    assert purge_everything.__densefog_action__ == ("Purge", {"api": "manage"})


def test_a_marked_function_stays_a_plain_function():
    @action
    def ping():
        return "pong"

    assert ping() == "pong"


def test_one_name_may_be_served_by_two_apis_with_a_handler_each():
    registry = ActionRegistry()
    registry.add("Act", lambda: 1)
    registry.add("Act", lambda: 2, api="manage")
    assert registry.of("public")["Act"].call(None) == 1
    assert registry.of("manage")["Act"].call(None) == 2
    assert registry.of("other") == {}


def test_one_handler_may_serve_several_apis():
    registry = ActionRegistry()
    registry.add("Act", lambda: 1, api=["public", "manage"])
    assert set(registry.of("public")) == set(registry.of("manage")) == {"Act"}


def test_an_option_given_at_registration_wins_over_the_decorators():
    @action(api="manage")
    def act(): ...

    registry = ActionRegistry()
    registry.add("Act", act, api="public")
    assert registry.of("manage") == {}


def test_an_action_is_replaced_in_the_api_it_names_only():
    registry = ActionRegistry()
    registry.add("Act", lambda: 1, api=["public", "manage"])
    registry.replace("Act", lambda: 2, api="manage")
    registry.freeze(Gate().check)
    assert [registry.of(api)["Act"].call(None) for api in ("public", "manage")] == [1, 2]


def test_the_docstring_describes_the_action():
    def act():
        """Do it.

        At length.
        """

    spec = make_spec("Act", act)
    assert (spec.summary, spec.description) == ("Do it.", "Do it.\n\nAt length.")


def densefogs() -> dict[str, Any]:
    """Stand for an action that comes with densefog."""
    return {"whose": "densefog"}


densefogs.__module__ = "densefog_core.builtin"


def applications() -> dict[str, Any]:
    return {"whose": "application"}


@pytest.mark.parametrize("handlers", [(densefogs, applications), (applications, densefogs)], ids=["before", "after"])
def test_densefogs_own_action_gives_way(handlers: tuple[Any, Any], caplog: pytest.LogCaptureFixture) -> None:
    """An application's action of the same name wins, whoever registers first, and the log says so."""
    registry = ActionRegistry()
    with caplog.at_level("INFO", "densefog.actions"):
        for handler in handlers:
            registry.add("DescribeJobs", handler)
    assert registry.of("public")["DescribeJobs"].handler is applications
    assert "public/DescribeJobs gives way" in caplog.text


def test_of_two_applications_none_gives_way() -> None:
    """Two packages that register one action are a mistake, as ever."""
    registry = ActionRegistry()
    registry.add("DescribeJobs", applications)
    with pytest.raises(RegistrationError, match="registered twice"):
        registry.add("DescribeJobs", lambda: {})


def test_routes_take_the_place_of_densefogs_own() -> None:
    """`route` is where applications of the original say which actions they have."""
    api = make_app().api().route({"DescribeJobs": applications})
    assert api.call("DescribeJobs") == {"whose": "application"}
    with pytest.raises(RegistrationError, match="registered twice"):
        api.route({"DescribeJobs": applications})
