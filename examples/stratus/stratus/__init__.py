"""Stratus, a small cloud: the plugin that declares its settings and its errors."""

from densefog_core import hookimpl
from densefog_core.config import Setting


@hookimpl
def densefog_configure(config):
    """Declare where the provider keeps its things, and how badly it behaves."""
    config.declare(Setting(name="stratus_root", plugin="stratus", default="provider", help="Folder of the provider."))
    config.declare(Setting(name="stratus_delay", plugin="stratus", type=float, default=0.5, minimum=0,
                           help="Seconds that the provider takes to build something."))
    config.declare(Setting(name="stratus_fail", plugin="stratus", type=float, default=0.0, minimum=0,
                           help="Share of calls that the provider fails, 0 to 1."))
    config.declare(Setting(name="stratus_lose", plugin="stratus", type=float, default=0.0, minimum=0,
                           help="Share of calls that the provider carries out without answering, 0 to 1."))


@hookimpl
def densefog_register_errors(registry):
    """What the provider says is for the log; tenants see one text."""
    from stratus.provider import ProviderError

    registry.add(ProviderError, code=5001, message="Action failed.op")
