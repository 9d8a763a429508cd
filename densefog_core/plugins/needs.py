"""How a plugin says which package it cannot work without."""

from __future__ import annotations

import importlib.util


class MissingDependency(Exception):
    """A plugin cannot work without a package that is not installed; raised by `require`."""


def require(module: str, *, extra: str) -> None:
    """Say, at the top of a plugin or where its settings turn it on, that it needs ``module``, which is not imported.

    Args:
        module: the import name, for example ``slack_sdk``.
        extra: what to install, for example ``densefog[slack]``.

    Raises:
        MissingDependency: it is not installed; the plugin's state becomes ``unavailable``.
    """
    if not _is_installed(module):
        raise MissingDependency(f"needs the package {module}: pip install '{extra}'")


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        # Of a.b.c, a or a.b is missing already.
        return False
