"""Third parties' plugins, installed from wheels: which are chosen, whose names count, and where they are looked for."""

from __future__ import annotations

import json
import zipfile

import pytest

from tests.packaging.wheels import GOOD, ask, write_wheel

# -- chosen ----------------------------------------------------------------------------------------------------


def test_plugins_are_left_out_and_allowed_by_name_or_distribution(fresh, plugin):
    marker = "import sys; print('{0} was imported', file=sys.stderr)"
    wheels = [
        plugin("first", marker.format("first"), one="first"),
        plugin("second", marker.format("second"), two="second"),
    ]
    with fresh.having(*wheels):
        for options, variables, expected in (
            ([], {}, {"first/one": "loaded", "second/two": "loaded"}),
            (["-p", "no:two"], {}, {"first/one": "loaded", "second/two": "disabled"}),
            (["-p", "no:First"], {}, {"first/one": "disabled", "second/two": "loaded"}),
            ([], {"DENSEFOG_DISABLE_PLUGINS": "one,second"}, {"first/one": "disabled", "second/two": "disabled"}),
            ([], {"DENSEFOG_PLUGINS": "second"}, {"first/one": "disabled", "second/two": "loaded"}),
            (["-p", "one"], {"DENSEFOG_PLUGINS": "two"}, {"first/one": "loaded", "second/two": "loaded"}),
        ):
            done = fresh.run("densefog", *options, "plugins", "--json", **variables).checked()
            states = {f"{row['distribution']}/{row['name']}": row["state"] for row in json.loads(done.stdout)}
            assert {name: state for name, state in states.items() if name in expected} == expected
            for name, state in expected.items():
                assert (f"{name.partition('/')[0]} was imported" in done.stderr) == (state == "loaded")


# -- names taken twice -----------------------------------------------------------------------------------------


def test_the_second_plugin_of_a_name_is_rejected_and_both_are_named(fresh, plugin):
    wheels = [plugin("alpha", GOOD.format(action="A"), "1.1", same="alpha"), plugin("beta", "", "1.2", same="beta")]
    with fresh.having(*wheels):
        shown = fresh.plugins()
        assert shown["alpha/same"]["state"] == "loaded"
        assert shown["beta/same"]["state"] == "rejected"
        assert shown["beta/same"]["reason"] == "the name is taken by plugin 'same' of alpha 1.1"
        assert "public/A" in fresh.actions()
        line = fresh.refuses("--strict-plugins")
        assert "plugin 'same' of beta 1.2 is rejected: the name is taken by plugin 'same' of alpha 1.1" in line


TAKEN = {
    "actions": ({"densefog.actions": {"{name}": "{name}:HANDLERS"}}, "HANDLERS = {'Taken': lambda: {}}"),
    "functions": ({"densefog.actions": {"Taken": "{name}:taken"}}, "def taken(): return {}"),
    "jobs": ({"densefog.jobs": {"{name}": "{name}:HANDLERS"}}, "HANDLERS = {'Taken': lambda: {}}"),
    "hooks": ({"densefog.plugins": {"{name}": "{name}"}}, GOOD.format(action="Taken")),
}


@pytest.mark.parametrize("how", TAKEN)
def test_two_owners_of_one_name_stop_every_server_with_one_line_that_names_both(fresh, tmp_path, how):
    groups, source = TAKEN[how]

    def wheel(name, version):
        points = {
            group: {key.format(name=name): value.format(name=name) for key, value in points.items()}
            for group, points in groups.items()
        }
        return write_wheel(tmp_path, name, points, version, **{name: source})

    with fresh.having(wheel("alpha", "1.1"), wheel("beta", "1.2")):
        line = fresh.refuses()
        what = "job 'Taken'" if how == "jobs" else "action 'public/Taken'"
        assert line.startswith(f"densefog: {what} is registered twice: by ")
        for owner in ("of alpha 1.1", "of beta 1.2"):
            assert owner in line
        assert "uninstall or disable one" in line

        def states(*options):
            return {row["distribution"]: row["state"] for row in fresh.plugins(*options).values()}

        assert states() == {"alpha": "loaded", "beta": "rejected"}
        assert states("-p", "no:alpha") == {"alpha": "disabled", "beta": "loaded"}


def test_a_plugin_replaces_an_action_when_it_says_so(fresh, plugin):
    replacing = GOOD.replace("registry.add", "registry.replace").format(action="Shared")
    with fresh.having(plugin("alpha", replacing), plugin("beta", GOOD.format(action="Shared"))):
        assert fresh.actions()["public/Shared"] == "plugin 'alpha' of alpha 1.0"
        with fresh.serving() as server:
            assert ask(server.address(), "Shared") == {"from": "alpha"}


# -- the forms of entry points ---------------------------------------------------------------------------------

SHAPES = """
    from densefog_core import action, enqueue, hookimpl, job

    @action
    def from_module(): return {"jobId": enqueue("JobOfModule")}
    @action("Secret", api="manage")
    def hidden(): return {}
    def plain(): return {"jobId": enqueue("JobOfFunction")}
    def mapped(params): return {"jobId": enqueue("JobOfMapping", {"text": params["action"]})}
    ACTIONS = {"FromMapping": mapped}

    @job
    def job_of_module(): return "module"
    def job_plain(): return "function"
    JOBS = {"JobOfMapping": lambda params: params["text"]}

    class Plugin:
        @hookimpl
        def densefog_register_actions(self, registry):
            registry.add("FromObject", lambda: {})
    plugin = Plugin()

    @hookimpl
    def densefog_register_actions(registry):
        registry.add("FromPluginModule", lambda: {})
"""


def test_actions_jobs_and_plugins_are_found_in_all_their_forms(fresh, tmp_path):
    points = {
        "densefog.actions": {"shapes": "shapes", "FromFunction": "shapes:plain", "mapping": "shapes:ACTIONS"},
        "densefog.jobs": {"shapes": "shapes", "JobOfFunction": "shapes:job_plain", "mapping": "shapes:JOBS"},
        "densefog.plugins": {"shapes": "shapes", "object": "shapes:plugin"},
    }
    with fresh.having(write_wheel(tmp_path, "shapes", points, shapes=SHAPES)):
        owners = {key: owner for key, owner in fresh.actions().items() if "shapes" in owner}
        assert owners == {
            "public/FromModule": "action 'shapes' of shapes 1.0",
            "manage/Secret": "action 'shapes' of shapes 1.0",
            "public/FromFunction": "action 'FromFunction' of shapes 1.0",
            "public/FromMapping": "action 'mapping' of shapes 1.0",
            "public/FromPluginModule": "plugin 'shapes' of shapes 1.0",
            "public/FromObject": "plugin 'object' of shapes 1.0",
        }
        ran = """if True:
            from densefog_core.testing import TestApp
            from densefog_core.config import CONF
            app = TestApp(CONF.setup().apply(app_root='.', log_dir='-')).load()
            app.start()
            for action in ("FromModule", "FromFunction", "FromMapping"):
                job_id = app.api().post({"action": action})["data"]["jobId"]
                app.run_jobs()
                print(app.store.get(job_id).result)
        """
        assert fresh.output("python", "-c", ran) == "module\nfunction\nFromMapping\n"


USELESS = {
    "empty": ("densefog.actions", "empty", "rejected", "there is no action in empty"),
    "number": ("densefog.actions", "number:NUMBER", "rejected", "number:NUMBER is no function, mapping or module"),
    "nothing": ("densefog.jobs", "nothing:NOTHING", "rejected", "there is no job in nothing:NOTHING"),
    "missing": ("densefog.jobs", "missing:missing", "broken", "its import raises AttributeError: "),
}


def test_entry_points_that_name_nothing_useful_say_so(fresh, tmp_path):
    wheels = [
        write_wheel(tmp_path, name, {group: {"odd": value}}, **{name: "NUMBER = 3\nNOTHING = {}"})
        for name, (group, value, _, _) in USELESS.items()
    ]
    with fresh.having(*wheels):
        shown = fresh.plugins()
    for name, (_, _, state, reason) in USELESS.items():
        assert shown[f"{name}/odd"]["state"] == state
        assert reason in shown[f"{name}/odd"]["reason"]


# -- the current folder ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["", "."])
def test_nothing_in_the_current_folder_poses_as_a_plugin(fresh, plugin, tmp_path, path):
    with zipfile.ZipFile(plugin("planted", "raise SystemExit('planted')")) as wheel:
        wheel.extractall(tmp_path / "here")
    show = "import sys; from densefog_core.cli.main import main; main(['plugins', '--json'])"
    for program in (("densefog", "plugins", "--json"), ("python", "-c", show)):
        rows = json.loads(fresh.run(*program, cwd=tmp_path / "here", PYTHONPATH=path).checked().stdout)
        assert {row["distribution"] for row in rows} == {"densefog"}
    serve = ["--app-root", str(tmp_path / "here"), "--strict-plugins"]
    with fresh.serving(*serve) as server:
        server.address()
