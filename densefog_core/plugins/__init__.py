"""The plugin host: finds, imports, validates and registers plugins, and says what became of each."""

from densefog_core.plugins.manager import API_VERSION, MissingDependency, PluginRecord, require

__all__ = ["API_VERSION", "MissingDependency", "PluginRecord", "require"]
