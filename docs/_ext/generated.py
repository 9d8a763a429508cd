"""The reference as reStructuredText, made of the code: pure functions, which the tests call, too."""

from __future__ import annotations

import configparser
import importlib
import inspect
import pkgutil
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

import click

from densefog_core import errors, hookspecs
from densefog_core.app import App
from densefog_core.cli import main as commands
from densefog_core.cli import serve as cli
from densefog_core.config import Config, Setting
from densefog_core.errors import iaas_error, project_error
from densefog_core.plugins import PluginRecord
from densefog_core.plugins.discovery import HOME, PLUGINS, Found
from densefog_core.plugins.markers import PREFIX, PROJECT

SETUP_CFG = Path(__file__).parents[2] / "setup.cfg"

#: What a heading of the page's own, of a part, and of a part's part is underlined with.
UNDERLINES = "=-~"

#: Settings of the core by the beginning of their names, in the order in which the reference has them.
CORE_GROUPS = (
    ("The application", ("app_", "log_", "debug", "gevent")),
    ("The API", ("http_", "trusted_", "hide_", "transport", "drain_")),
    ("The worker and its jobs", ("worker", "store", "pick_", "exec_", "poll_", "lease", "job_")),
    ("The database", ("db_",)),
    ("Notices", ("notify_",)),
    ("Plugins", ("",)),
)

#: What public names stand for that are no classes and no functions, and so have no docstring.
PROXIES = {
    "request": "The `~densefog_core.actions.Request` that is answered here; false outside of one.",
    "current_job": "The `~densefog_core.jobs.RunningJob` that runs here; false outside of one.",
    "hookimpl": "Marks a function as an implementation of the hook whose name it has; pluggy's marker.",
    "Ids": "Up to 100 ids, as the type of a parameter.",
    "session": "SQLAlchemy's session of the request, job or thread that runs here.",
}

#: What instances of an exception are answered with when that is not the number of their class.
VARYING = {"HandleError": "its own", "ActionsPartialSuccessError": "5001, 5002"}


# -- what there is ---------------------------------------------------------------------------------------------


def shipped() -> list[Found]:
    """Return the entry points of the plugins that come with densefog, as they are declared now."""
    points = configparser.ConfigParser()
    points.read_string(_setup()["options.entry_points"][PLUGINS].replace("\n", "\n[points]\n", 1))
    return [Found(PLUGINS, name, value, HOME, metadata.version(HOME)) for name, value in points["points"].items()]


def _setup() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(SETUP_CFG)
    return parser


def shipped_app() -> App:
    """Return an application of the plugins that come with densefog, and of nothing else that is installed."""
    return App(Config()).load(found=shipped())


def hooks() -> list[Any]:
    """Return the hook specifications in the order in which they are written."""
    return [value for name, value in vars(hookspecs).items() if name.startswith(PREFIX)]


def settings(app: App) -> list[Setting]:
    """Return every setting that the core and the loaded plugins declare."""
    return list(app.config.settings.values())


def error_classes(app: App) -> list[type[Exception]]:
    """Return every exception that clients or callers may see, by module, in the order in which they are written."""
    modules = [errors, iaas_error, project_error, *_plugin_modules(app)]
    found = dict.fromkeys(
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Exception) and _belongs(value, module)
    )
    return list(found)


def _belongs(error: type[Exception], module: ModuleType) -> bool:
    # Of a plugin, what it defines itself, and what clients see of that: what has a retCode.
    core = module.__name__.startswith(errors.__name__)
    return core or (error.__module__ == module.__name__ and hasattr(error, "ret_code"))


def _plugin_modules(app: App) -> Iterator[ModuleType]:
    """Import every module of the shipped plugins: classes of errors stand anywhere in them."""
    for record in app.plugins.loaded(PLUGINS):
        yield record.plugin
        for found in pkgutil.iter_modules(getattr(record.plugin, "__path__", ())):
            yield importlib.import_module(f"{record.plugin.__name__}.{found.name}")


def command_tree(app: App) -> dict[str, click.Command]:
    """Return every command by its full name, groups before their members."""
    group = click.Group("densefog", commands=dict(commands.main.commands))
    group.params, group.help = commands.main.params, commands.main.help
    for _, register in app.plugins.implementations("densefog_register_commands"):
        register(group=group)
    return {"densefog-serve": cli.serve, **dict(_walk("densefog", group))}


def _walk(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    yield name, command
    if isinstance(command, click.Group):
        for member in sorted(command.commands):
            yield from _walk(f"{name} {member}", command.commands[member])


def public_names(module: str) -> list[tuple[str, Any]]:
    """Return what a module offers: ``__all__``, or the classes and functions that are defined in it or below it."""
    found = importlib.import_module(module)
    names = getattr(found, "__all__", None) or [
        name for name, value in vars(found).items()
        if not name.startswith("_") and (inspect.isclass(value) or inspect.isfunction(value))
        and value.__module__.startswith(module)
    ]  # fmt: skip
    return [(name, getattr(found, name)) for name in names]


# -- reStructuredText ------------------------------------------------------------------------------------------


def heading(text: str, level: int = 1) -> list[str]:
    """Return a heading; level 0 is the page's own."""
    return [text, UNDERLINES[level] * len(text), ""]


def indented(text: str, by: int = 3) -> list[str]:
    """Return the lines of a block below a directive."""
    return [*textwrap.indent(inspect.cleandoc(text), " " * by).splitlines(), ""]


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], widths: str = "auto") -> list[str]:
    """Return a list-table."""
    lines = [".. list-table::", "   :header-rows: 1", f"   :widths: {widths}", ""]
    for row in (columns, *rows):
        lines += [f"   {'*' if not i else ' '} - {cell}" for i, cell in enumerate(row)]
    return [*lines, ""]


def code(text: str) -> str:
    """Return a literal; nothing for nothing."""
    return f"``{text}``" if text else ""


def label(kind: str, name: str) -> list[str]:
    """Return a target that other pages refer to, such as ``hook-densefog_configure``."""
    return [f".. _{kind}-{name}:", ""]


# -- pages -----------------------------------------------------------------------------------------------------


def hooks_page() -> list[str]:
    """Return every hook with its docstring, and which of pluggy's ways it is called in."""
    lines = table(
        ("Hook", "What it is for"),
        [(f":func:`~densefog_core.hookspecs.{one.__name__}`", _first(one)) for one in hooks()],
    )
    for one in hooks():
        lines += [f".. autofunction:: densefog_core.hookspecs.{one.__name__}", "", *_how_called(one)]
    return lines


def _how_called(hook: Any) -> list[str]:  # noqa: ANN401
    options = getattr(hook, f"{PROJECT}_spec")
    said = {
        "historic": "A plugin that is registered later is called, too.",
        "firstresult": "The first answer that is not None counts, and the rest is not called.",
    }
    return [line for option in said if options.get(option) for line in indented(said[option])]


def _first(value: Any) -> str:  # noqa: ANN401
    return (inspect.getdoc(value) or "").partition("\n")[0]


def settings_page(app: App) -> list[str]:
    """Return every setting, in groups."""
    everything = settings(app)
    lines: list[str] = []
    left = [one for one in everything if one.plugin is None]
    for title, prefixes in CORE_GROUPS:
        group = [one for one in left if one.name.startswith(prefixes)]
        left = [one for one in left if one not in group]
        lines += [*heading(title), *(line for one in group for line in setting_entry(one))]
    for plugin in sorted({one.plugin for one in everything if one.plugin}):
        lines += heading(f"Plugin {plugin}")
        lines += [line for one in everything if one.plugin == plugin for line in setting_entry(one)]
    return lines


def setting_entry(one: Setting) -> list[str]:
    """Return one setting: its type and default, what it means, and where it is set."""
    where = [f"environment {' or '.join(map(code, one.environment))}"]
    if one.plugin:
        where.append(f"{code(one.name.removeprefix(one.plugin + '_'))} below {code(f'[plugins.{one.plugin}]')}")
    if one.aliases:
        where.append(f"also called {', '.join(map(code, one.aliases))}")
    limits = [f"one of {', '.join(map(code, one.choices))}"] if one.choices else []
    limits += [f"at least {one.minimum:g}"] if one.minimum is not None else []
    limits += ["never shown"] if one.secret else []
    about = f"{one.help} ({'; '.join(limits)})" if limits else one.help
    kind = f"{code(one.type.__name__)}, {_default(one)}; {'; '.join(where)}."
    return [f".. confval:: {one.name}", "", *indented(about.replace("*", r"\*")), *indented(kind)]


def _default(one: Setting) -> str:
    if one.default is None or one.default == []:
        return "unset by default"
    if isinstance(one.default, float):
        return f"default {code(f'{one.default:g}')}"
    return f"default {code(str(one.default).lower() if isinstance(one.default, bool) else str(one.default))}"


def errors_page(app: App) -> list[str]:
    """Return the retCodes, and every exception."""
    classes = error_classes(app)
    answered = sorted((one for one in classes if hasattr(one, "ret_code")), key=_code)
    lines = [*heading("By retCode")]
    lines += table(
        ("retCode", "HTTP", "Exception", "Meaning"),
        [(_shown(one), str(errors.http_status(_code(one))), f":exc:`~{_path(one)}`", _first(one)) for one in answered],
    )
    for module in dict.fromkeys(one.__module__ for one in classes):
        lines += heading(module)
        for one in (one for one in classes if one.__module__ == module):
            lines += [f".. autoexception:: {_path(one)}", "   :no-members:", "   :show-inheritance:", ""]
            lines += indented(f"retCode **{_shown(one)}**") if hasattr(one, "ret_code") else []
    return lines


def _shown(error: type[Exception]) -> str:
    return VARYING.get(error.__name__, str(_code(error)))


def _code(error: Any) -> int:  # noqa: ANN401
    return int(error.ret_code)


def _path(value: Any) -> str:  # noqa: ANN401
    return f"{value.__module__}.{value.__qualname__}"


def commands_page(app: App) -> list[str]:
    """Return every command with its help, arguments and options."""
    lines: list[str] = []
    for name, command in command_tree(app).items():
        lines += [*label("command", name.replace(" ", "-")), *heading(name, 1 if " " not in name else 2)]
        lines += [*_help(command), ".. code-block:: text", "", *indented(_usage(name, command))]
        options = [_option(one) for one in command.params if isinstance(one, click.Option) and not one.hidden]
        lines += table(("Option", "Meaning"), options, "40 60") if options else []
    return lines


def _help(command: click.Command) -> list[str]:
    return [*inspect.cleandoc(command.help or "").splitlines(), ""]


def _usage(name: str, command: click.Command) -> str:
    return command.get_usage(click.Context(command, info_name=name)).removeprefix("Usage: ")


def _option(option: click.Option) -> tuple[str, str]:
    record = option.get_help_record(click.Context(click.Command("")))
    names, text = record or ("", "")
    return code(names), text.replace("*", r"\*")


def plugins_page(app: App) -> list[str]:
    """Return the plugins that ship, each with what its module says of itself, its extra and its hooks."""
    extras = _extras()
    lines: list[str] = []
    for record in sorted(app.plugins.records, key=lambda one: one.name):
        extra = f"Needs ``pip install 'densefog[{record.name}]'``." if record.name in extras else ""
        used = ", ".join(f":func:`~densefog_core.hookspecs.{hook}`" for hook in record.hooks)
        lines += [*label("plugin", record.name), *heading(record.name), *_module_text(record), "", extra, ""]
        lines += [f"Hooks: {used}.", ""] if used else []
    return lines


def _module_text(record: PluginRecord) -> list[str]:
    return inspect.cleandoc(getattr(record.plugin, "__doc__", None) or record.reason).splitlines()


def _extras() -> Mapping[str, str]:
    return dict(_setup()["options.extras_require"])


def names_page(module: str) -> list[str]:
    """Return the public names of a module, documented by autodoc: functions, classes, modules."""
    lines = [f".. py:currentmodule:: {module}", ""]
    names = sorted(public_names(module), key=lambda one: (inspect.ismodule(one[1]), inspect.isclass(one[1])))
    for name, value in names:
        if inspect.ismodule(value):
            lines += [f"- Module ``{name}``: {_first(value)}", ""]
        elif inspect.isclass(value) or inspect.isroutine(value):
            kind = "function" if inspect.isroutine(value) else "class"
            lines += [f".. auto{kind}:: {module}.{name}", ""]
        else:
            assert name in PROXIES, f"say in PROXIES what {module}.{name} is"
            lines += [f".. py:data:: {name}", "", *indented(PROXIES[name])]
    return lines
