"""The plugin host: five states, each with a reason; what is named must load, what is installed must not harm."""

import sys
import types

import pytest

from densefog_core import hookspecs
from densefog_core.app import App
from densefog_core.config import Config
from densefog_core.errors import ConfigError, PluginError, RegistrationError
from densefog_core.plugins.discovery import Found
from densefog_core.plugins.manager import Plugins
from densefog_core.plugins.markers import hookimpl, hookspec


@pytest.fixture
def module(monkeypatch):
    """Make an importable module of a source text and return the entry point that names it."""

    def make(name, source="", group="densefog.plugins", dist="alpha", value=None, point=None):
        if source is not None:
            monkeypatch.setitem(sys.modules, name, built := types.ModuleType(name))
            exec("from densefog_core import hookimpl, action, job\n" + source, built.__dict__)
        return Found(group, point or name, value or name, dist, "1.0")

    return make


def states(plugins):
    return {record.name: (record.state, record.reason) for record in plugins.records}


def loaded(*found, **settings):
    plugins = Plugins(Config().apply(**settings), hookspecs)
    plugins.discover(found)
    return plugins


def test_a_plugin_that_loads_lists_its_hooks(module):
    plugins = loaded(module("fine", "@hookimpl\ndef densefog_health(kind): return {}"))
    assert states(plugins) == {"fine": ("loaded", "")}
    assert plugins.records[0].hooks == ["densefog_health"]
    assert plugins.records[0].import_seconds >= 0


def test_a_plugin_whose_import_raises_is_broken_and_others_load(module):
    plugins = loaded(module("gone", None, value="no_such_module_here"), module("fine"))
    assert states(plugins)["gone"][0] == "broken"
    assert "No module named 'no_such_module_here'" in states(plugins)["gone"][1]
    assert states(plugins)["fine"][0] == "loaded"


def test_a_plugin_that_lacks_an_optional_dependency_is_unavailable_and_says_what_to_install(monkeypatch, tmp_path):
    (tmp_path / "needy.py").write_text(
        "from densefog_core import require\nrequire('no_such_package', extra='alpha[telegram]')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    plugins = loaded(Found("densefog.plugins", "needy", "needy", "alpha", "1.0"))
    assert states(plugins) == {
        "needy": ("unavailable", "needs the package no_such_package: pip install 'alpha[telegram]'")
    }


def test_a_disabled_plugin_is_not_imported(module):
    plugins = loaded(module("off", None, value="no_such_module_here"), disabled_plugins=["OFF"])
    assert states(plugins) == {"off": ("disabled", "by configuration")}


def test_a_whole_distribution_can_be_disabled(module):
    assert states(loaded(module("one"), disabled_plugins=["Alpha"]))["one"][0] == "disabled"


def test_an_allow_list_keeps_out_the_rest_but_densefogs_own(module):
    plugins = loaded(module("one"), module("two"), module("log", dist="densefog"), enabled_plugins=["one"])
    assert {name: state for name, (state, _) in states(plugins).items()} == {
        "one": "loaded",
        "two": "disabled",
        "log": "loaded",
    }


def test_the_second_plugin_of_a_name_is_rejected_and_the_first_is_named(module):
    plugins = loaded(module("same"), module("same", dist="beta"))
    assert [record.state for record in plugins.records] == ["loaded", "rejected"]
    assert plugins.records[1].reason == "the name is taken by plugin 'same' of alpha 1.0"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (
            "@hookimpl\ndef densefog_helth(kind): ...",
            "densefog_helth, which is no hook; did you mean",
        ),
        ("def densefog_health(kind): ...", "densefog_health is not marked; put @hookimpl above it"),
        ("@hookimpl\nasync def densefog_health(kind): ...", "is async, and nobody would await it"),
        ("@hookimpl\ndef densefog_health(kind): yield", "is a generator; mark it @hookimpl(wrapper=True)"),
        ("@hookimpl\ndef densefog_health(kynd): ...", "kynd"),
        ("DENSEFOG_API = 2", "written for plugin interface 2; this densefog has 1"),
    ],
)
def test_what_pluggy_passes_over_in_silence_is_rejected_with_a_reason(module, source, reason):
    state, why = states(loaded(module("wrong", source)))["wrong"]
    assert state == "rejected"
    assert reason in why
    assert "\n" not in why


def test_a_plugin_may_leave_out_hook_arguments(module):
    plugins = loaded(module("lazy", "@hookimpl\ndef densefog_health(): return {'db': None}"))
    [(_, check)] = plugins.implementations("densefog_health")
    assert check(kind="live") == {"db": None}


@pytest.mark.parametrize("settings", [{"required_plugins": ["gone"]}, {"enabled_plugins": ["gone"]}])
def test_a_plugin_that_the_configuration_names_must_load(module, settings):
    plugins = loaded(module("gone", None, value="no_such_module_here"), **settings)
    with pytest.raises(
        PluginError, match=r"plugin 'gone' of alpha 1.0 is broken: its import raises Module"
    ):
        plugins.check()


def test_a_named_plugin_that_is_not_installed_is_refused_with_the_closest_name(module):
    plugins = loaded(module("slack"), required_plugins=["slak"])
    with pytest.raises(PluginError, match=r"unknown plugin 'slak'; did you mean 'slack'\? \(installed: slack\)"):
        plugins.check()


def test_a_merely_installed_plugin_that_fails_is_logged_once_and_stops_nothing(module, caplog):
    loaded(module("gone", None, value="no_such_module_here")).check()
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def test_strict_plugins_stops_for_any_plugin(module):
    plugins = loaded(module("gone", None, value="no_such_module_here"), strict_plugins=True)
    with pytest.raises(PluginError, match="strict_plugins is set"):
        plugins.check()


def app_of(*found, **settings):
    return App(Config().apply(app_root=".", log_dir="-", **settings)).load(found=list(found))


def test_a_registration_hook_that_raises_takes_only_its_own_plugin_away(module):
    app = app_of(
        module("bad", "@hookimpl\ndef densefog_register_channels(registry):\n registry.add('x', 1)\n 1/0"),
        module("fine", "@hookimpl\ndef densefog_register_channels(registry): registry.add('y', 1)"),
    )
    assert list(app.channels) == ["y"]
    assert states(app.plugins)["bad"] == ("broken", "it raises ZeroDivisionError: division by zero")


def test_one_action_of_two_distributions_stops_start_up_and_names_both(module):
    source = "@action\ndef ping(): return {}"
    found = [module("a", source, "densefog.actions"), module("b", source, "densefog.actions", dist="beta")]
    with pytest.raises(RegistrationError, match=r"by action 'a' of alpha 1.0 and by action 'b' of beta 1.0"):
        app_of(*found)


def test_settings_of_a_plugin_that_are_wrong_stop_start_up(module):
    source = (
        "from densefog_core.config import Setting\n"
        "@hookimpl\ndef densefog_configure(config): config.declare(Setting(name='x_size', type=int))"
    )
    with pytest.raises(ConfigError, match="x_size"):
        app_of(module("x", source), x_size="big")


@pytest.mark.parametrize("group", ["actions", "jobs"])
@pytest.mark.parametrize("form", ["module", "function", "mapping"])
def test_handlers_are_declared_in_three_forms(module, group, form):
    mark = group.removesuffix("s")
    source = f"@{mark}\ndef make_disk(): return {{}}\nTABLE = {{'MakeDisk': make_disk}}"
    value = {"module": "disks", "function": "disks:make_disk", "mapping": "disks:TABLE"}[form]
    point = "MakeDisk" if form == "function" else "disks"
    app = app_of(module("disks", source, f"densefog.{group}", value=value, point=point))
    names = app.actions.of("public") if group == "actions" else app.job_specs
    assert "MakeDisk" in names


def test_a_module_without_marked_functions_is_rejected_with_a_reason(module):
    with pytest.raises(RegistrationError, match=r"action 'empty' of alpha 1.0: there is no action in empty"):
        app_of(module("empty", "", "densefog.actions"))


def test_marked_functions_imported_from_another_package_are_not_taken(module):
    module("other", "@action\ndef theirs(): return {}")
    app = app_of(module("mine", "from other import theirs\n@action\ndef ours(): return {}", "densefog.actions"))
    assert "Ours" in app.actions.of("public")
    assert "Theirs" not in app.actions.of("public")


def test_a_plugin_object_can_be_registered_without_an_entry_point():
    class Mine:
        @hookimpl
        def densefog_health(self, kind):
            return {"mine": None}

    app = App(Config().apply(app_root=".", log_dir="-")).load(found=[], plugins=[Mine()])
    assert app.health("live") == {"mine": None}


def test_an_invalid_plugin_object_is_refused():
    class Mine:
        def densefog_health(self, kind): ...

    with pytest.raises(PluginError, match=r"Mine.*not marked"):
        App(Config()).load(found=[], plugins=[Mine()])


PARTS = """
class Part:
    def __init__(self, name): self.name = name
    @hookimpl(wrapper=True)
    def densefog_call_action(self, request, handler): return f"{self.name}({(yield)})"
    @hookimpl
    def densefog_register_actions(self, registry): registry.add(self.name, lambda: "")
@hookimpl
def densefog_parts(config): return [Part("inner"), Part("outer")] if config.debug else None
"""


def test_what_the_settings_ask_for_belongs_to_its_plugin_and_takes_part_like_it(module):
    app = app_of(module("parts", PARTS), debug=True).start()
    assert [app.actions.owner(f"public/{name}") for name in ("inner", "outer")] == ["plugin 'parts' of alpha 1.0"] * 2
    assert app.plugins.records[0].hooks == ["densefog_call_action", "densefog_parts", "densefog_register_actions"]
    assert app.action_caller()(None, lambda request: "handler") == "outer(inner(handler))"


def test_what_the_settings_do_not_ask_for_costs_nothing(module):
    app = app_of(module("parts", PARTS)).start()
    assert app.plugins.records[0].hooks == ["densefog_parts"]
    assert not app.plugins.is_wrapped("densefog_call_action")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("class Part:\n @hookimpl\n def densefog_helth(self): ...", "which is no hook"),
        ("class Part:\n def __init__(self): 1/0", "ZeroDivisionError"),
    ],
)
def test_a_part_that_fails_takes_its_whole_plugin_away_and_no_other(module, source, reason):
    good = "class Good:\n @hookimpl(wrapper=True)\n def densefog_call_action(self): return (yield)\n"
    parts = "\n@hookimpl\ndef densefog_parts(config): return [Good(), Part()]"
    app = app_of(module("bad", good + source + parts), module("fine"))
    assert states(app.plugins)["bad"][0] == "broken"
    assert reason in states(app.plugins)["bad"][1]
    assert states(app.plugins)["fine"][0] == "loaded"
    assert not app.plugins.is_wrapped("densefog_call_action")


def test_what_the_settings_ask_for_and_lacks_a_package_stops_start_up(module):
    source = """
from densefog_core import require
@hookimpl
def densefog_parts(config): require("no_such.package", extra="alpha[x]")
"""
    with pytest.raises(PluginError, match=r"plugin 'needy' of alpha 1.0 is turned on by its settings, and needs the"):
        app_of(module("needy", source))


# -- how hooks change ------------------------------------------------------------------------------------------


def test_a_hook_that_is_given_another_argument_works_with_the_plugins_there_are(module, monkeypatch):
    @hookspec
    def densefog_health(kind, verbose): ...

    monkeypatch.setattr(hookspecs, "densefog_health", densefog_health)
    older = module("older", "@hookimpl\ndef densefog_health(kind): return {'older': kind}")
    newer = module("newer", "@hookimpl\ndef densefog_health(kind, verbose): return {'newer': f'{kind} {verbose}'}")
    plugins = loaded(older, newer)
    assert [record.state for record in plugins.records] == ["loaded", "loaded"]
    answers = [check(kind="live", verbose=True) for _, check in plugins.implementations("densefog_health")]
    assert answers == [{"older": "live"}, {"newer": "live True"}]
    assert sorted(map(str, plugins.hook.densefog_health(kind="live", verbose=True))) == sorted(map(str, answers))


def test_who_asks_for_an_argument_that_is_to_go_is_warned_and_loaded(module, monkeypatch):
    @hookspec(warn_on_impl_args={"kind": DeprecationWarning("kind goes in 1.2; ask for probe")})
    def densefog_health(kind, probe): ...

    monkeypatch.setattr(hookspecs, "densefog_health", densefog_health)
    with pytest.warns(DeprecationWarning, match="kind goes in 1.2; ask for probe"):
        plugins = loaded(module("older", "@hookimpl\ndef densefog_health(kind): return {}"))
    assert states(plugins) == {"older": ("loaded", "")}
    loaded(module("newer", "@hookimpl\ndef densefog_health(probe): return {}"))


def test_only_plugins_whose_import_is_slow_are_named_when_a_server_starts(module, monkeypatch, caplog):
    plugins = loaded(module("slow"), module("quick"), module("app", "x = 1", group="densefog.actions"))
    plugins.records[0].import_seconds = plugins.records[2].import_seconds = 0.3
    plugins.name_slow_ones()
    assert [record.getMessage() for record in caplog.records] == [
        "plugin 'slow' of alpha 1.0 takes 300 ms to import; it should import what is heavy when it is called"
    ]
