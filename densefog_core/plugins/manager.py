"""The plugin host: import, validate, register, and the record of what became of each plugin.

pluggy's own ``load_setuptools_entrypoints`` is not used: one failing plugin ends its loop, its message does not name
the distribution, and duplicate names are dropped silently.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import takewhile
from types import ModuleType
from typing import Any

import pluggy

from densefog_core.config import Config, declared_by
from densefog_core.errors import ConfigError, PluginError, StartupError
from densefog_core.plugins.discovery import HOME, PLUGINS, Found, discover, normalized
from densefog_core.plugins.markers import PREFIX, PROJECT
from densefog_core.plugins.needs import MissingDependency
from densefog_core.plugins.records import PluginRecord
from densefog_core.plugins.validation import validate
from densefog_core.registry import APPLICATION, did_you_mean

#: Name under which the core takes part in hooks.
CORE = "densefog_core"

_logger = logging.getLogger("densefog.plugins")


class _Manager(pluggy.PluginManager):
    def parse_hookimpl_opts(self, plugin: object, name: str) -> Any:  # noqa: ANN401
        """Look at names with our prefix only; on a module of 300 names that is 30 times cheaper."""
        return super().parse_hookimpl_opts(plugin, name) if name.startswith(PREFIX) else None


class Plugins:
    """The plugins of one application, with a pluggy manager of its own.

    Args:
        config: the settings.
        specs: the module of the hook specs.

    Attributes:
        records: one for each entry point, in the order in which they are loaded.
        hook: pluggy's hook callers: ``plugins.hook.densefog_startup(app=app)``.
    """

    def __init__(self, config: Config, specs: ModuleType) -> None:
        self._config = config
        self._manager = _Manager(PROJECT)
        self._manager.add_hookspecs(specs)
        self._specs = [name for name in vars(specs) if name.startswith(PREFIX)]
        self.hook = self._manager.hook
        self.hook.densefog_configure.call_historic(kwargs={"config": config})
        self.records: list[PluginRecord] = []

    def discover(self, found: Sequence[Found] | None = None) -> None:
        """Find, filter, import and register every installed entry point.

        Raises:
            ConfigError: a plugin's settings are wrong; every other one is loaded all the same.
        """
        wrong: list[ConfigError] = []
        names: dict[tuple[str, str], Found] = {}
        for one in discover() if found is None else found:
            record = PluginRecord(one)
            self.records.append(record)
            if self._is_disabled(one):
                record.fail("disabled", "by configuration")
                continue
            if one.wrong:
                record.fail("broken", one.wrong)
                continue
            first = names.setdefault((one.group, one.name), one)
            if first is not one and not _may_be_function(one):
                record.fail("rejected", f"the name is taken by {first.owner}")
                continue
            try:
                self._load(record)
            except ConfigError as exc:
                record.fail("rejected", str(exc), exc)
                wrong.append(exc)
        if wrong:
            raise wrong[0]

    def add(self, plugin: object, name: str | None = None) -> PluginRecord:
        """Register a plugin object that no entry point names.

        Raises:
            PluginError: it is not a valid plugin.
        """
        name = name or str(getattr(plugin, "__name__", type(plugin).__name__))
        record = PluginRecord(Found(PLUGINS, name, "", "the application", ""), plugin=plugin)
        self.records.append(record)
        self._register(record)
        if record.state != "loaded":
            raise PluginError(str(record)) from record.error
        return record

    def add_parts(self) -> None:
        """Register what the settings ask for: the objects that ``densefog_parts`` returns.

        Raises:
            PluginError: one of them needs a package that is not installed.
        """
        for record, parts in self.implementations("densefog_parts"):
            try:
                with declared_by(self._config, record.found.owner):
                    for part in parts(config=self._config) or ():
                        self._add_part(record, part)
            except MissingDependency as exc:
                raise PluginError(f"{record.found.owner} is turned on by its settings, and {exc}") from exc
            except Exception as exc:
                if fatal(exc):
                    raise
                self.drop(record, exc)

    def _add_part(self, record: PluginRecord, part: object) -> None:
        hooks = validate(part, self._specs)
        name = f"{record.name}/{len(record.parts) + 1}"
        self._manager.register(part, name=name)
        record.parts.append(name)
        record.hooks = sorted({*record.hooks, *hooks})

    def _is_disabled(self, found: Found) -> bool:
        if _names(found) & {normalized(name) for name in self._config.disabled_plugins}:
            return True
        allowed = self._config.enabled_plugins
        if allowed is None or found.dist == HOME:
            return False
        required = self._config.required_plugins
        return not _names(found) & {normalized(name) for name in (*allowed, *required)}

    def _load(self, record: PluginRecord) -> None:
        started = time.perf_counter()
        try:
            record.plugin = record.found.load()
        except MissingDependency as exc:
            record.fail("unavailable", str(exc), exc)
        except (Exception, SystemExit) as exc:  # noqa: BLE001 - whatever somebody's module raises must not stop the others
            record.fail("broken", f"its import raises {type(exc).__name__}: {exc}", exc)
        record.import_seconds = time.perf_counter() - started
        if record.state == "loaded" and record.found.group == PLUGINS:
            self._register(record)

    def _register(self, record: PluginRecord) -> None:
        try:
            record.hooks = validate(record.plugin, self._specs)
            if self._manager.is_registered(record.plugin):
                raise PluginError(f"it is the same object as plugin {self._manager.get_name(record.plugin)!r}")
            with declared_by(self._config, record.found.owner):
                self._manager.register(record.plugin, name=record.name)
        except ConfigError:
            raise
        except (PluginError, pluggy.PluginValidationError) as exc:
            record.fail("rejected", str(exc), exc)
            if self._manager.get_plugin(record.name) is record.plugin:
                self._manager.unregister(name=record.name)
        except Exception as exc:  # noqa: BLE001 - as above; its densefog_configure runs in there
            self.drop(record, exc)

    def loaded(self, *groups: str) -> Iterator[PluginRecord]:
        """Yield the records of loaded entry points of ``groups`` (default: all), in order."""
        for record in self.records:
            if record.state == "loaded" and (not groups or record.found.group in groups):
                yield record

    def implementations(self, hook: str) -> list[tuple[PluginRecord, Callable[..., Any]]]:
        """Return each loaded plugin's implementation of ``hook``, in the plugins' order.

        The functions take the hook's arguments by name, those that they declare.
        """
        functions = {impl.plugin_name: impl for impl in getattr(self.hook, hook).get_hookimpls()}
        return [
            (record, _caller(functions[name]))
            for record in self.loaded(PLUGINS)
            for name in (record.name, *record.parts)
            if name in functions
        ]

    def register_core(self, plugin: object) -> None:
        """Register the core's own implementations, which have no record."""
        self._manager.register(plugin, name=CORE)

    def is_wrapped(self, hook: str) -> bool:
        """Return whether a plugin implements a hook that the core implements too."""
        return any(impl.plugin_name != CORE for impl in getattr(self.hook, hook).get_hookimpls())

    def answers(self, hook: str) -> str | None:
        """Return the name of the first plugin that implements ``hook`` itself, rather than wraps it, or None."""
        own = {impl.plugin_name for impl in getattr(self.hook, hook).get_hookimpls() if not impl.wrapper}
        return next((one.name for one in self.loaded(PLUGINS) if not own.isdisjoint((one.name, *one.parts))), None)

    def drop(self, record: PluginRecord, error: Exception) -> None:
        """Unregister a plugin whose hook raised at start-up, and record it as broken, or as lacking a package."""
        if isinstance(error, MissingDependency):
            record.fail("unavailable", str(error), error)
        else:
            record.fail("broken", f"it raises {type(error).__name__}: {error}", error)
        if record.found.group == PLUGINS:
            for name in (record.name, *record.parts):
                self._manager.unregister(name=name)

    def check(self) -> None:
        """Apply the two failure policies: what is named stops start-up, what is merely installed is logged.

        Raises:
            PluginError: a named plugin is not loaded, or any plugin under ``strict_plugins``.
        """
        for name in [*self._config.required_plugins, *(self._config.enabled_plugins or ())]:
            self._check_named(name)
        for record in self.records:
            if record.state in ("loaded", "disabled"):
                continue
            spare = record.state == "unavailable" and record.found.dist == HOME
            if self._config.strict_plugins and not spare:
                raise PluginError(f"{record} (strict_plugins is set)") from record.error
            if spare:
                _logger.debug("%s", record)
            else:
                _logger.error("%s", record, exc_info=record.error if self._config.debug else None)

    def _check_named(self, name: str) -> None:
        matching = [record for record in self.records if normalized(name) in _names(record.found)]
        if not matching:
            known = sorted({record.name for record in self.records})
            raise PluginError(f"unknown plugin {name!r}{did_you_mean(name, known)} (installed: {', '.join(known)})")
        for record in matching:
            if record.state != "loaded":
                raise PluginError(str(record)) from record.error

    def name_slow_ones(self) -> None:
        """Log which plugins take long to import."""
        for record in self.records:
            if record.is_slow:
                _logger.warning("%s takes %.0f ms to import; it should import what is heavy when it is called",
                                record.found.owner, record.import_seconds * 1000)

    def owner_of(self, module: str) -> str:
        """Return whose code a module is: the plugin that shares most of its dotted name, or the application."""
        parts = module.split(".")
        near = max(self.loaded(), key=lambda record: _shared(parts, record.module), default=None)
        return near.found.owner if near is not None and _shared(parts, near.module) else f"{APPLICATION} ({module})"

    def explain(self, name: str) -> str:
        """Return why a plugin called ``name`` is not loaded, as the end of a sentence, or the empty string."""
        return "".join(f"; {record}" for record in self.records if record.name == name and record.state != "loaded")


def _may_be_function(found: Found) -> bool:
    """Return whether the name may be an action's or a job's own: two owners of one are the registry's to refuse."""
    return found.group != PLUGINS and ":" in found.value


def _shared(parts: Sequence[str], module: str) -> int:
    """Return how many parts of two dotted names agree, from the first on."""
    pairs = zip(parts, module.split("."), strict=False)
    return len(list(takewhile(lambda pair: pair[0] == pair[1], pairs)))


def _names(found: Found) -> set[str]:
    return {normalized(found.name), normalized(found.dist)}


def _caller(impl: Any) -> Callable[..., Any]:  # noqa: ANN401 - pluggy's HookImpl
    def call(**arguments: Any) -> Any:  # noqa: ANN401
        return impl.function(*(arguments[name] for name in impl.argnames))

    return call


def fatal(error: BaseException) -> bool:
    """Return whether an error of a plugin's hook stops start-up for everybody: settings, and names taken twice."""
    return isinstance(error, StartupError) and not isinstance(error, PluginError)
