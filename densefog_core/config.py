"""Settings: ``CONF``, where its values come from, and how plugins declare their own.

A value given to `Config.apply` wins over the environment, that over ``densefog.toml``, that over the default.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple

from densefog_core.errors import ConfigError
from densefog_core.registry import APPLICATION, did_you_mean
from densefog_core.settings import CORE_SETTINGS as CORE_SETTINGS
from densefog_core.settings import Setting as Setting


class Origin(NamedTuple):
    """Where a setting's value comes from.

    Attributes:
        kind: ``default``, ``file``, ``environment``, ``option`` of a command, or ``code``.
        where: which file or variable; empty for the others.
    """

    kind: Literal["default", "file", "environment", "option", "code"]
    where: str = ""

    def __str__(self) -> str:
        return {"code": "given to apply()", "file": self.where}.get(self.kind, f"{self.kind} {self.where}".rstrip())


DEFAULT = Origin("default")

#: The file's tables that hold no setting of the top: options of plugins, and what is the application's own.
PLUGIN_TABLES, APP_TABLE = "plugins", "app"


class Config:
    """The settings, as attributes. There is one, ``CONF``, from import on."""

    def __init__(self) -> None:
        self._settings: dict[str, Setting] = {}
        self._declarers: dict[str, str] = {}
        self._declarer = "densefog"
        self._aliases: dict[str, str] = {}
        self._applied: dict[str, tuple[Any, Origin]] = {}
        self._fallbacks: dict[str, Any] = {}
        self._file: dict[str, Any] = {}
        self._file_name = ""
        self._values: dict[str, Any] = {}
        self._origins: dict[str, Origin] = {}
        self._wrong: dict[str, ConfigError] = {}
        for setting in CORE_SETTINGS:
            try:
                self.declare(setting)
            except ConfigError as exc:
                # This runs at import, where nobody can show it as one line: `setup` and `require` raise it.
                self._values[setting.name], self._wrong[setting.name] = setting.default, exc
        self._declarer = APPLICATION

    def setup(self, gevent: bool | None = None, **settings: Any) -> Config:  # noqa: ANN401
        """Read the environment again, apply ``gevent`` when it is given, and ``settings``; return ``CONF``."""
        for setting in self._settings.values():
            self._resolve(setting)
        return self.apply(**settings, **({} if gevent is None else {"gevent": gevent}))

    def apply(self, **settings: Any) -> Config:  # noqa: ANN401
        """Set settings; a name that nobody declared becomes an attribute for the application's own use.

        Raises:
            ConfigError: a value is not of the setting's type or out of range.
        """
        return self._apply(Origin("code"), settings)

    def _apply(self, origin: Origin, settings: Mapping[str, Any]) -> Config:
        for given, value in settings.items():
            name = self._aliases.get(given, given)
            self._check_name(given, name)
            setting = self._settings.get(name)
            self._applied[name] = (value if setting is None else setting.read(value, str(origin)), origin)
            self._values[name], self._origins[name] = self._applied[name]
            self._wrong.pop(name, None)
        return self

    @staticmethod
    def _check_name(given: str, name: str) -> None:
        if name.startswith("_") or name in dir(Config):
            raise ConfigError(f"setting {given}: the name is taken by the configuration itself")

    def load_file(self, path: str | os.PathLike[str]) -> Config:
        """Read a ``densefog.toml``: settings at the top, options of plugin x below ``[plugins.x]``.

        What stands below ``[app]`` is the application's own, as what nobody declared is in `apply`.

        Raises:
            ConfigError: it cannot be read, or a value is wrong.
        """
        import tomllib

        try:
            with open(path, "rb") as file:
                self._file = tomllib.load(file)
        except OSError as exc:
            raise ConfigError(f"cannot read {path}: {exc.strerror}") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
            raise ConfigError(f"{path} is not TOML: {exc}") from None
        self._file_name = str(path)
        for name, value in self._table(APP_TABLE).items():
            self._check_name(f"{name} below [{APP_TABLE}]", name)
            if name not in self._settings and name not in self._applied:
                self._values[name], self._origins[name] = value, Origin("file", self._file_name)
        return self.setup()

    def declare(self, setting: Setting) -> None:
        """Add a setting, for ``densefog_configure`` hooks; declaring the same one again changes nothing.

        Raises:
            ConfigError: another setting has the name, or the value that is set does not fit.
        """
        before = self._settings.get(setting.name)
        if before is not None and before != setting:
            raise ConfigError(f"setting {setting.name} is declared twice, differently")
        self._settings[setting.name] = setting
        self._declarers.setdefault(setting.name, self._declarer)
        for alias in setting.aliases:
            self._aliases[alias] = setting.name
            if alias in self._applied:
                self._applied[setting.name] = self._applied.pop(alias)
        if setting.name in self._applied:
            value, origin = self._applied[setting.name]
            self._applied[setting.name] = setting.read(value, str(origin)), origin
        self._resolve(setting)

    def _resolve(self, setting: Setting) -> None:
        self._values[setting.name], self._origins[setting.name] = self._value(setting)
        self._wrong.pop(setting.name, None)

    def _value(self, setting: Setting) -> tuple[Any, Origin]:
        if setting.name in self._applied:
            return self._applied[setting.name]
        for variable in setting.environment:
            if os.environ.get(variable):
                origin = Origin("environment", variable)
                return setting.read(os.environ[variable], str(origin)), origin
        value = self._from_file(setting)
        if value is None:
            return self._fallbacks.get(setting.name, setting.default), DEFAULT
        return setting.read(value, self._file_name), Origin("file", self._file_name)

    def _from_file(self, setting: Setting) -> Any:  # noqa: ANN401
        for table in (self._file, self._table(APP_TABLE)):
            for name in (setting.name, *setting.aliases):
                if name in table:
                    return table[name]
        if setting.plugin is None:
            return None
        return self.plugin_options(setting.plugin).get(setting.name.removeprefix(f"{setting.plugin}_"))

    def plugin_options(self, plugin: str) -> Mapping[str, Any]:
        """Return the table ``[plugins.<plugin>]`` of the file, or an empty one.

        Raises:
            ConfigError: it is not a table.
        """
        return self._table(PLUGIN_TABLES, plugin)

    def _table(self, *path: str) -> Mapping[str, Any]:
        found: Any = self._file
        for name in path:
            found = found.get(name, {}) if isinstance(found, dict) else None
        if not isinstance(found, dict):
            raise ConfigError(f"{self._file_name}: [{'.'.join(path)}] must be a table")
        return found

    @property
    def settings(self) -> Mapping[str, Setting]:
        """Every declared setting by name."""
        return self._settings

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        try:
            return self.__dict__["_values"][self.__dict__["_aliases"].get(name, name)]
        except KeyError:
            raise AttributeError(f"no setting {name!r}{did_you_mean(name, self.__dict__.get('_values', ()))}") from None

    def __setattr__(self, name: str, value: object) -> None:
        if name.startswith("_"):
            object.__setattr__(self, name, value)
        else:
            self.apply(**{name: value})

    def __repr__(self) -> str:
        return f"<Config of {len(self._values)} settings>"

    def require(self, *names: str) -> None:
        """Check that settings which have no default are set.

        Raises:
            ConfigError: one is not; says how to set it. Or the environment has a value that does not fit.
        """
        for wrong in self._wrong.values():
            raise wrong
        for name in names:
            if self._values.get(name) in (None, ""):
                setting = self._settings[name]
                ways = filter(None, (f"config.setup().apply({name}=...)", setting.option))
                variables = " or ".join(setting.environment)
                raise ConfigError(f"setting {name} is not set: {', '.join(ways)}, or {variables}")


#: The settings of this process.
CONF = Config()


def setup(gevent: bool | None = None, **settings: Any) -> Config:  # noqa: ANN401
    """Return ``CONF`` with the environment read again; see `Config.setup`."""
    return CONF.setup(gevent, **settings)


# What follows are functions, because each method of `Config` takes a name from applications.


def apply_from(config: Config, origin: Origin, **settings: Any) -> Config:  # noqa: ANN401
    """Do what `Config.apply` does, for settings that do not come from code."""
    return config._apply(origin, settings)


def fall_back(config: Config, **settings: Any) -> Config:  # noqa: ANN401
    """Change the defaults of settings, for a command that has its own; return ``config``."""
    config._fallbacks |= settings
    return config.setup()


@contextmanager
def declared_by(config: Config, owner: str) -> Iterator[None]:
    """Take every setting that is declared in the block as ``owner``'s."""
    before, config._declarer = config._declarer, owner
    try:
        yield
    finally:
        config._declarer = before


class Entry(NamedTuple):
    """One setting as it stands.

    Attributes:
        name: what ``CONF`` calls it.
        value: what it is now.
        origin: where that comes from.
        declarer: densefog, a plugin with its distribution and version, or the application.
        setting: its declaration; None for what is the application's own.
    """

    name: str
    value: Any
    origin: Origin
    declarer: str
    setting: Setting | None


def entries(config: Config) -> list[Entry]:
    """Return every setting that is declared, in that order, and then what is the application's own."""
    declared = [(setting.name, setting) for setting in config.settings.values()]
    own = [(name, None) for name in config._values if name not in config.settings]
    return [
        Entry(name, config._values[name], config._origins.get(name, DEFAULT),
              config._declarers.get(name, APPLICATION), setting)
        for name, setting in [*declared, *own]
    ]  # fmt: skip


class Stray(NamedTuple):
    """Something that is set in the file or the environment, and that nobody declares.

    Attributes:
        name: as it is written.
        value: what it is set to.
        origin: where.
        plugin: the plugin whose table it stands in; None for the top of the file and the environment.
    """

    name: str
    value: Any
    origin: Origin
    plugin: str | None = None


#: Variables that begin as settings do: of commands, of the supervisor, and of tests.
_NO_SETTINGS = re.compile(
    r"DENSEFOG_(KEY|SECRET|PROCESS(ES)?|LISTEN_FD|READY_FD|REQUIRE_DATABASES|TEST_\w+"
    # What Kubernetes tells each container of a Service that is called densefog or densefog-something.
    r"|(\w+_)?SERVICE_(HOST|PORT(_\w+)?)|(\w+_)?PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)"
)


def strays(config: Config) -> Iterator[Stray]:
    """Yield what is set and was not declared by now.

    Raises:
        ConfigError: a table of the file is none.
    """
    names = {*config.settings, *config._aliases}
    in_file = Origin("file", config._file_name)
    for name, value in config._file.items():
        if name not in names and name not in (PLUGIN_TABLES, APP_TABLE):
            yield Stray(name, value, in_file)
    for plugin in config._table(PLUGIN_TABLES):
        for name, value in config.plugin_options(plugin).items():
            if f"{plugin}_{name}" not in names:
                yield Stray(name, value, in_file, plugin)
    variables = {variable for setting in config.settings.values() for variable in setting.environment}
    for name, text in os.environ.items():
        if name.startswith("DENSEFOG_") and text and name not in variables and not _NO_SETTINGS.fullmatch(name):
            yield Stray(name, text, Origin("environment", name))
