"""Settings that nobody knows, and settings of plugins that are not loaded: neither is passed over in silence."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from densefog_core.config import Config, Stray, entries, strays
from densefog_core.errors import ConfigError, PluginError
from densefog_core.registry import did_you_mean

if TYPE_CHECKING:
    from densefog_core.plugins.records import PluginRecord

#: Texts that turn something off: whoever says so in a plugin's name does not want it.
OFF = ("", "0", "false", "no", "off")
#: Unknown settings that one line names.
SHOWN = 5

_logger = logging.getLogger("densefog.plugins")


def check_settings(config: Config, records: Iterable[PluginRecord], *, complete: bool) -> None:
    """Refuse settings of plugins that cannot take part, and settings that nobody declares.

    Args:
        config: the settings, after every plugin has declared its own.
        records: what became of each plugin.
        complete: whether these are all that is installed: of a part, nobody can tell what the others declare.

    Raises:
        PluginError: a plugin is not loaded although one of its settings is set.
        ConfigError: something is set that nobody declares; only logged under ``allow_unknown_settings``.
    """
    unknown = list(strays(config))
    for record in records:
        if record.state != "loaded":
            own = [stray for stray in unknown if _is_of(stray, record.name)]
            unknown = [stray for stray in unknown if stray not in own]
            _check_absent(config, record, own)
    if not (complete and unknown):
        return
    words = "; ".join(_words(config, stray) for stray in unknown[:SHOWN])
    if len(unknown) > SHOWN:
        words += f"; and {len(unknown) - SHOWN} more"
    if not config.allow_unknown_settings:
        raise ConfigError(f"{words} (--allow-unknown-settings starts all the same)")
    _logger.warning("%s", words)


def _is_of(stray: Stray, plugin: str) -> bool:
    prefix = re.sub(r"\W", "_", plugin)
    return stray.plugin in (plugin, prefix) or _full_name(stray).startswith(f"{prefix}_")


def _full_name(stray: Stray) -> str:
    if stray.origin.kind == "environment":
        return stray.name.removeprefix("DENSEFOG_").lower()
    return stray.name if stray.plugin is None else f"{stray.plugin}_{stray.name}"


def _check_absent(config: Config, record: PluginRecord, own: Sequence[Stray]) -> None:
    """Refuse to go on without a plugin that the settings ask for; one that is disabled is not asked for."""
    if record.state == "disabled":
        return
    declared = [one for one in entries(config) if one.declarer == record.found.owner and one.origin.kind != "default"]
    known = [(one.name, one.value, one.origin) for one in declared]
    for name, value, origin in [*known, *((_full_name(one), one.value, one.origin) for one in own)]:
        if _is_on(value):
            raise PluginError(f"{name} is set ({origin}), but {record}") from record.error


def _is_on(value: Any) -> bool:  # noqa: ANN401
    if isinstance(value, str):
        return value.strip().lower() not in OFF
    return value is not False and value not in (None, [], {})


def _words(config: Config, stray: Stray) -> str:
    where = "environment" if stray.origin.kind == "environment" else str(stray.origin)
    if stray.plugin is not None:
        where = f"[plugins.{stray.plugin}] of {where}"
    return f"unknown setting {stray.name!r} ({where}){_hint(config, stray)}"


def _hint(config: Config, stray: Stray) -> str:
    settings = config.settings.values()
    plugins = {setting.plugin for setting in settings if setting.plugin}
    if stray.origin.kind == "environment":
        return did_you_mean(stray.name, [variable for setting in settings for variable in setting.environment])
    if stray.plugin is None:
        if stray.name in plugins:
            return f"; did you mean [plugins.{stray.name}]?"
        names = [name for setting in settings for name in (setting.name, *setting.aliases)]
        return did_you_mean(stray.name, names) or "; what is the application's own stands below [app]"
    if stray.name in config.settings:
        return "; it belongs above the first table"
    if stray.plugin not in plugins:
        return did_you_mean(f"[plugins.{stray.plugin}]", [f"[plugins.{plugin}]" for plugin in plugins])
    short = [one.name.removeprefix(f"{stray.plugin}_") for one in settings if one.plugin == stray.plugin]
    return did_you_mean(stray.name, short)
