"""OpenTelemetry's SDK, set up for this process."""

from __future__ import annotations

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter

from densefog_core.plugins import MissingDependency


def set_up(exporter: str, service: str) -> TracerProvider | None:
    """Make the provider of this process, and return it; None when the application sets one up itself.

    Args:
        exporter: ``provider``, ``console`` or ``otlp``.
        service: the service's name.

    Raises:
        MissingDependency: the exporter's package is not installed.
    """
    if exporter == "provider":
        return None
    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    provider.add_span_processor(BatchSpanProcessor(ConsoleSpanExporter() if exporter == "console" else _otlp()))
    trace.set_tracer_provider(provider)
    return provider


def _otlp() -> SpanExporter:
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    except ImportError:
        name = "opentelemetry-exporter-otlp-proto-http"
        raise MissingDependency(f"needs the package {name}: pip install {name}") from None
    exporter: SpanExporter = OTLPSpanExporter()
    return exporter
