"""Third parties' plugins that fail, installed from wheels: what becomes of each, and of the server beside them."""

from __future__ import annotations

import pytest

from tests.packaging.wheels import GOOD, ask, write_wheel

#: Source of a plugin, the state it ends in, and what its reason says.
FAILURES = {
    "raises": ("raise RuntimeError('no such luck')", "broken", "its import raises RuntimeError: no such luck"),
    "exits": ("raise SystemExit('I give up')", "broken", "its import raises SystemExit: I give up"),
    "typo": ("def f(:", "broken", "its import raises SyntaxError: "),
    "lacks": (
        "from densefog_core import require\nrequire('no_such_package', extra='lacks[all]')",
        "unavailable",
        "needs the package no_such_package: pip install 'lacks[all]'",
    ),
    "unknown": (
        "from densefog_core import hookimpl\n@hookimpl\ndef densefog_register_action(registry): ...",
        "rejected",
        "it has densefog_register_action, which is no hook; did you mean 'densefog_register_actions'?",
    ),
    "unmarked": (
        "def densefog_startup(app): ...",
        "rejected",
        "densefog_startup is not marked; put @hookimpl above it",
    ),
    "awaits": (
        "from densefog_core import hookimpl\n@hookimpl\nasync def densefog_startup(app): ...",
        "rejected",
        "densefog_startup is async, and nobody would await it; write a plain function",
    ),
    "argues": (
        "from densefog_core import hookimpl\n@hookimpl\ndef densefog_startup(application): ...",
        "rejected",
        "application",
    ),
    "configures": (
        "from densefog_core import hookimpl\n@hookimpl\ndef densefog_configure(config): config['x']",
        "broken",
        "it raises TypeError: ",
    ),
    "registers": (
        "from densefog_core import hookimpl\n@hookimpl\ndef densefog_register_jobs(registry): 1 / 0",
        "broken",
        "it raises ZeroDivisionError: ",
    ),
    "future": ("DENSEFOG_API = 2", "rejected", "it was written for plugin interface 2; this densefog has 1"),
}


@pytest.fixture(scope="module")
def crowded(fresh, tmp_path_factory):
    """An environment with a plugin for each way to fail, and one that is well."""
    folder = tmp_path_factory.mktemp("wheels")
    wheels = [
        write_wheel(folder, name, {"densefog.plugins": {name: name}}, "2.5", **{name: source})
        for name, (source, _, _) in FAILURES.items()
    ]
    points = {"densefog.plugins": {"well": "well"}, "densefog.jobs": {"Work": "well:work"}}
    wheels.append(write_wheel(folder, "well", points, well=GOOD.format(action="Well") + "    def work(): ...\n"))
    with fresh.having(*wheels):
        yield fresh


@pytest.fixture(scope="module")
def shown(crowded):
    """What ``densefog plugins`` shows of it."""
    return crowded.plugins()


@pytest.mark.parametrize("name", FAILURES)
def test_plugins_are_shown_with_their_version_their_state_and_the_reason(shown, name):
    _, state, reason = FAILURES[name]
    row = shown[f"{name}/{name}"]
    assert (row["state"], row["version"], row["hooks"]) == (state, "2.5", [])
    assert reason in row["reason"]
    assert "\n" not in row["reason"]


def test_what_fails_is_logged_once_and_the_others_are_served(crowded):
    with crowded.serving() as server:
        assert ask(server.address(), "Well") == {"from": "well"}
    for name, (_, state, reason) in FAILURES.items():
        lines = [line for line in server.log.splitlines() if f"plugin '{name}' of {name} 2.5 is {state}: " in line]
        assert len(lines) == 1
        assert "[ERROR]" in lines[0]
        assert reason in lines[0]
    assert "Traceback" not in server.log


@pytest.mark.parametrize("name", FAILURES)
def test_a_plugin_that_fails_stops_a_server_that_names_it(crowded, name):
    _, state, reason = FAILURES[name]
    line = crowded.refuses("-p", name)
    assert line.startswith(f"densefog: plugin '{name}' of {name} 2.5 is {state}: ")
    assert reason in line


@pytest.mark.parametrize("strict", [{"options": ["--strict-plugins"]}, {"DENSEFOG_STRICT_PLUGINS": "1"}])
def test_a_strict_server_starts_only_without_what_fails(crowded, strict):
    options = strict.pop("options", [])
    assert "(strict_plugins is set)" in crowded.refuses(*options, **strict)
    without = [word for name in FAILURES for word in ("-p", f"no:{name}")]
    with crowded.serving(*options, *without, **strict) as server:
        assert ask(server.address(), "Well") == {"from": "well"}
    assert "[ERROR]" not in server.log


def test_configuration_names_a_broken_plugin_in_each_of_its_ways(crowded, tmp_path):
    (tmp_path / "densefog.toml").write_text('required_plugins = ["raises"]')
    expected = "densefog: plugin 'raises' of raises 2.5 is broken: its import raises RuntimeError: no such luck"
    assert crowded.refuses("--app-root", str(tmp_path)) == expected
    assert crowded.refuses(DENSEFOG_PLUGINS="well,raises") == expected
    for setting in ("transport", "worker", "store"):
        line = crowded.refuses(**{f"DENSEFOG_{setting.upper()}": "raises"})
        assert line.startswith(f"densefog: unknown {setting} 'raises'")
        assert line.endswith(expected.removeprefix("densefog: "))


def test_a_named_plugin_that_is_not_installed_is_unknown(crowded):
    assert crowded.refuses("-p", "wel").startswith("densefog: unknown plugin 'wel'; did you mean 'well'? (installed: ")
