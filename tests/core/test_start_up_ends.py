"""What plugins add at start-up is refused later, and whoever comes too late is named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from densefog_core import hookimpl
from densefog_core.app import _SET_AT_START
from densefog_core.errors import RegistrationError
from densefog_core.registry import Registry, StartUpDict, StartUpList
from densefog_core.testing import TestApp, make_app

#: What App fills itself while it runs.
OWN = {"apis", "job_specs"}

LATE: dict[str, Callable[[Any], object]] = {
    "a dict's item": lambda app: app.pages.__setitem__("/late", print),
    "a dict's update": lambda app: app.readers.update({"/late": "x"}),
    "a dict's default": lambda app: app.mounts.setdefault("/late", print),
    "a dict's pop": lambda app: app.pages.pop("/openapi.json"),
    "a list's append": lambda app: app.response_headers.append(print),
    "a list's insert": lambda app: app.action_wrappers.insert(0, print),
    "a list's extend": lambda app: app.origins.extend(["https://late.example"]),
    "a list's slice": lambda app: app.wake_listeners.__setitem__(slice(None), [print]),
    "a value": lambda app: setattr(app, "guard", "late"),
    "a registry": lambda app: app.actions.add("Late", lambda: {}),
    "the error table": lambda app: app.errors.add(ZeroDivisionError, 5001),
}


class Late:
    """A plugin that keeps the application, and changes it when it is told to."""

    @hookimpl
    def densefog_startup(self, app: Any) -> None:
        self.app = app

    def change(self, change: Callable[[Any], object]) -> None:
        change(self.app)


@pytest.mark.parametrize("change", LATE.values(), ids=LATE)
def test_who_comes_too_late_is_named(change: Callable[[Any], object]) -> None:
    """The message names the plugin, as start-up does, and the hook."""
    late = Late()
    make_app(late)
    message = r"^plugin 'Late' of the application adds .* after start-up; add it in the hook densefog_\w+$"
    with pytest.raises(RegistrationError, match=message):
        late.change(change)


def test_a_stranger_is_named_by_its_module() -> None:
    """Code of no plugin is the application's."""
    app = make_app()
    message = rf"^the application \({__name__}\) adds page '/late'"
    with pytest.raises(RegistrationError, match=message):
        app.pages["/late"] = lambda api: None  # type: ignore[assignment,return-value]


@pytest.mark.parametrize("name", sorted(_SET_AT_START))
def test_nothing_of_start_up_is_replaced_later(name: str) -> None:
    """Another object in its place would be read by nobody, or go round the check."""
    app = make_app()
    with pytest.raises(RegistrationError, match=f"adds {name} after start-up"):
        setattr(app, name, getattr(app, name))


def test_app_keeps_no_open_collection(app: TestApp) -> None:
    """Each public collection is one that closes, but for those that App fills itself."""
    kept = {name: value for name, value in vars(app).items() if not name.startswith("_") and name not in OWN}
    assert [name for name, value in kept.items() if isinstance(value, dict | list | set)] == []
    closing = {name for name, value in kept.items() if isinstance(value, StartUpDict | StartUpList)}
    assert closing <= _SET_AT_START
    assert {name for name, value in kept.items() if isinstance(value, Registry)} >= {"actions", "jobs", "stores"}


@pytest.fixture
def app() -> TestApp:
    """A started application."""
    return make_app()


def test_start_up_itself_may_change_all(app: TestApp) -> None:
    """A plugin adds, replaces and sets in `densefog_startup`."""

    class Early:
        @hookimpl
        def densefog_startup(self, app: Any) -> None:
            app.pages["/early"] = print
            app.action_wrappers.insert(0, lambda spec: spec)
            app.guard = "early"

    early = make_app(Early())
    assert ("/early" in early.pages, len(early.action_wrappers), early.guard) == (True, 1, "early")
