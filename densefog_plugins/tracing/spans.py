"""The spans, and how a trace gets from one to the next."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from opentelemetry import propagate, trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Span, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from densefog_core import hookimpl
from densefog_core.actions import Request
from densefog_core.errors import BaseIaasException
from densefog_core.errors.table import stack
from densefog_core.jobs import RunningJob
from densefog_core.notices.records import TRACEPARENT
from densefog_core.redact import redact_text

_w3c = TraceContextTextMapPropagator()


class Spans:
    """Takes part in calls and jobs; see `densefog_core.hookspecs.densefog_parts`.

    Args:
        provider: to be shut down with the application, or None.
    """

    def __init__(self, provider: TracerProvider | None) -> None:
        self._provider = provider
        self._tracer = trace.get_tracer("densefog")

    @hookimpl(wrapper=True, tryfirst=True)
    def densefog_call_action(self, request: Request) -> Generator[None, Any, Any]:
        """Make a span of a call, below the caller's."""
        attributes = {"densefog.api": request.api, "densefog.context_id": request.context_id}
        parent = propagate.extract(request.headers)
        with self._tracer.start_as_current_span(
            request.action, parent, SpanKind.SERVER, attributes, record_exception=False, set_status_on_exception=False
        ) as span, _judged(span):
            return (yield)

    @hookimpl
    def densefog_job_params(self) -> Mapping[str, Any]:
        """Send the trace along with a job."""
        carrier: dict[str, str] = {}
        _w3c.inject(carrier)
        return {TRACEPARENT: carrier["traceparent"]} if carrier else {}

    @hookimpl(wrapper=True, tryfirst=True)
    def densefog_call_job(self, job: RunningJob) -> Generator[None, Any, Any]:
        """Make a span of a try, below the span that enqueued the job; the handler does not see whence it came."""
        record = job.job
        params = dict(record.params)
        parent = _w3c.extract({"traceparent": str(params.pop(TRACEPARENT, ""))})
        job.job = replace(record, params=params)
        attributes: dict[str, str | int] = {"densefog.job_id": record.id, "densefog.try": record.trys}
        with self._tracer.start_as_current_span(
            record.action, parent, SpanKind.CONSUMER, attributes, record_exception=False, set_status_on_exception=False
        ) as span, _judged(span):
            return (yield)

    @hookimpl
    def densefog_shutdown(self) -> None:
        """Send the spans that wait."""
        if self._provider is not None:
            self._provider.shutdown()


@contextmanager
def _judged(span: Span) -> Iterator[None]:
    """Mark the span by how the block ends: what a caller did wrong is no error of this service."""
    try:
        yield
    except BaseIaasException as exc:
        span.set_attribute("densefog.ret_code", exc.ret_code)
        if exc.ret_code >= 5000:
            span.set_status(StatusCode.ERROR, redact_text(str(exc)))
        raise
    except BaseException as exc:
        shown = {"exception.message": str(exc), "exception.stacktrace": stack(exc)}
        span.record_exception(exc, {name: redact_text(text) for name, text in shown.items()})
        span.set_status(StatusCode.ERROR, type(exc).__name__)
        raise
