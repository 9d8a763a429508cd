"""Spans of calls and jobs for OpenTelemetry: a trace goes on from the caller's into jobs, and into their notices."""

from __future__ import annotations

from collections.abc import Iterable

from densefog_core import hookimpl, require
from densefog_core.config import Config, Setting

SETTINGS = (
    Setting(name="tracing_exporter", plugin="tracing", choices=("provider", "console", "otlp"),
            help="Where spans go: to the tracer provider that the application sets up, to stdout, or by OTLP as the "
                 "OTEL variables of the environment say. Unset makes none."),
    Setting(name="tracing_service", plugin="tracing", default="densefog", help="The service's name in the spans."),
)


@hookimpl
def densefog_configure(config: Config) -> None:
    """Declare the settings."""
    for setting in SETTINGS:
        config.declare(setting)


@hookimpl
def densefog_parts(config: Config) -> Iterable[object]:
    """Make spans when somebody takes them."""
    if not config.tracing_exporter:
        return []
    require("opentelemetry.sdk", extra="densefog[tracing]")
    from densefog_plugins.tracing.provider import set_up
    from densefog_plugins.tracing.spans import Spans

    return [Spans(set_up(config.tracing_exporter, config.tracing_service))]
