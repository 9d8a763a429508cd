"""Lets pages of other origins call an API from a browser (https://fetch.spec.whatwg.org/#http-cors-protocol)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from densefog_core import hookimpl
from densefog_core.config import Config, Setting

if TYPE_CHECKING:
    from densefog_core.app import App

SETTINGS = (
    Setting(name="cors_origins", plugin="cors", type=list, default=[],
            help="Origins whose pages may call the API, such as https://console.example.com; * allows all."),
    Setting(name="cors_credentials", plugin="cors", type=bool, default=False,
            help="Let those pages send cookies and HTTP authentication."),
    Setting(name="cors_max_age", plugin="cors", type=int, default=600, minimum=0,
            help="Seconds that a browser remembers what is allowed."),
)


@hookimpl
def densefog_configure(config: Config) -> None:
    """Declare the settings."""
    for setting in SETTINGS:
        config.declare(setting)


@hookimpl
def densefog_startup(app: App) -> None:
    """Add the headers to every response, when an origin is allowed at all."""
    if app.config.cors_origins:
        from densefog_plugins.cors.policy import Policy

        app.response_headers.append(Policy(app.config))
        app.origins += app.config.cors_origins
