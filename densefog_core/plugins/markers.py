"""What marks a function as a hook, or as a plugin's implementation of one."""

from __future__ import annotations

import pluggy

PROJECT = "densefog"
PREFIX = "densefog_"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)
