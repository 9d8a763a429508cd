"""Stratus, a small cloud: the plugin that declares its settings and its errors."""

from __future__ import annotations

from densefog_core import hookimpl
from densefog_core.config import Config, Setting
from densefog_core.errors import ErrorTable


@hookimpl
def densefog_configure(config: Config) -> None:
    """Declare where the provider keeps its things, and how badly it behaves."""
    for name, kind, default, text in (
        ("root", str, "provider", "Folder of the provider, below app_root."),
        ("delay", float, 0.5, "Seconds that the provider takes to build or change something."),
        ("fail", float, 0.0, "Share of calls that the provider refuses, 0 to 1."),
        ("lose", float, 0.0, "Share of calls that the provider carries out without answering, 0 to 1."),
    ):
        minimum = 0 if kind is float else None
        config.declare(
            Setting(name=f"stratus_{name}", plugin="stratus", type=kind, default=default, minimum=minimum, help=text)
        )


@hookimpl
def densefog_register_errors(registry: ErrorTable) -> None:
    """What the provider says is for the log; tenants see one text."""
    from stratus.provider import ProviderError

    registry.add(ProviderError, code=5001, message="Action failed.op")
