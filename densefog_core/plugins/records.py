"""What became of each plugin."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, Literal

from densefog_core.plugins.discovery import PLUGINS, Found

State = Literal["loaded", "disabled", "unavailable", "broken", "rejected"]

#: Seconds from which on an import is named as slow: it delays each start, and each command.
SLOW_IMPORT = 0.2


@dataclass
class PluginRecord:
    """What became of one entry point.

    Attributes:
        found: group, name, distribution and version.
        state: ``loaded``, ``disabled``, ``unavailable``, ``broken`` or ``rejected``.
        reason: one line why it is not loaded.
        error: the exception behind it, for its traceback.
        plugin: the imported object.
        hooks: names of the hooks that it implements.
        parts: names under which pluggy knows what its ``densefog_parts`` returned.
        import_seconds: how long its import took.
    """

    found: Found
    state: State = "loaded"
    reason: str = ""
    error: BaseException | None = None
    plugin: Any = None
    hooks: list[str] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)
    import_seconds: float = 0.0

    @property
    def name(self) -> str:
        """The name that ``-p`` and the settings take."""
        return self.found.name

    @property
    def module(self) -> str:
        """The dotted name of the module that it is, or stands in."""
        if isinstance(self.plugin, ModuleType):
            return self.plugin.__name__
        return str(getattr(self.plugin, "__module__", ""))

    @property
    def is_slow(self) -> bool:
        """Whether its import takes so long that somebody should look why.

        Actions and jobs are the application itself, which imports what it works with.
        """
        return self.found.group == PLUGINS and self.import_seconds > SLOW_IMPORT

    def fail(self, state: State, reason: str, error: BaseException | None = None) -> None:
        """Record that the plugin is not loaded, and why."""
        self.state, self.reason, self.error, self.hooks = state, " ".join(reason.split()), error, []

    def __str__(self) -> str:
        return f"{self.found.owner} is {self.state}: {self.reason}"
