"""The plugin host: finds, imports, validates and registers plugins, and says what became of each."""

from densefog_core.plugins.markers import hookimpl
from densefog_core.plugins.needs import MissingDependency, require
from densefog_core.plugins.records import PluginRecord
from densefog_core.plugins.validation import API_VERSION

__all__ = ["API_VERSION", "MissingDependency", "PluginRecord", "hookimpl", "require"]
