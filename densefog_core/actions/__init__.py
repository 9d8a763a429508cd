"""The request engine: actions, what they are called with, and how a call is dispatched."""

from densefog_core.actions.handlers import ActionRegistry, ActionSpec

__all__ = ["ActionRegistry", "ActionSpec"]
