"""What pluggy passes over in silence, and densefog refuses."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterator
from types import ModuleType
from typing import Any

from densefog_core.errors import PluginError
from densefog_core.functions import ASYNC, is_async
from densefog_core.plugins.markers import PREFIX, PROJECT
from densefog_core.registry import did_you_mean

#: Version of the plugin interface; a plugin may name the one it was written for as ``DENSEFOG_API = 1``.
API_VERSION = 1


def validate(plugin: object, specs: Collection[str]) -> list[str]:
    """Check everything that pluggy passes over in silence and return the hooks that ``plugin`` implements.

    Args:
        plugin: an object or a module.
        specs: names of the hooks that there are.

    Raises:
        PluginError: an unknown or unmarked ``densefog_*`` function, an async one, a generator that is no wrapper, or
            another version of the plugin interface.
    """
    wanted = getattr(plugin, "DENSEFOG_API", API_VERSION)
    if wanted != API_VERSION:
        raise PluginError(f"it was written for plugin interface {wanted}; this densefog has {API_VERSION}")
    hooks = sorted(name for name, _ in _functions(plugin))
    for name, function in _functions(plugin):
        if name not in specs:
            raise PluginError(f"it has {name}, which is no hook{did_you_mean(name, specs)}")
        options = getattr(inspect.unwrap(function), f"{PROJECT}_impl", None)
        if options is None:
            raise PluginError(f"{name} is not marked; put @hookimpl above it")
        if is_async(function):
            raise PluginError(f"{name} {ASYNC}")
        if inspect.isgeneratorfunction(function) and not (options["wrapper"] or options["hookwrapper"]):
            raise PluginError(f"{name} is a generator; mark it @hookimpl(wrapper=True)")
    return hooks


def _functions(plugin: object) -> Iterator[tuple[str, Callable[..., Any]]]:
    for name in dir(plugin):
        if name.startswith(PREFIX):
            value = getattr(plugin, name)
            if callable(value) and not isinstance(value, ModuleType | type):
                yield name, value
