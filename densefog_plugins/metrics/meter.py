"""What is counted."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, values

from densefog_core import hookimpl
from densefog_core.actions.records import Request
from densefog_core.errors import ClientRequestException
from densefog_plugins.metrics.exposition import MetricsPage, PrivateFile, forget_the_dead
from densefog_plugins.metrics.watch import Watch

if TYPE_CHECKING:
    from densefog_core.actions import RequestEvent
    from densefog_core.app import App
    from densefog_core.jobs import JobEvent

#: Stands for whatever actions clients make up: each label value is kept for as long as the process lives.
UNKNOWN = "unknown"

_REQUEST_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_JOB_SECONDS = (0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 600, 1800, 3600)
_STALL_SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Meter:
    """Takes part in the life of an application; see `densefog_core.hookspecs.densefog_parts`.

    Args:
        shared: whether several processes add up their counts in a folder.
    """

    def __init__(self, *, shared: bool) -> None:
        self.registry = CollectorRegistry()
        self._shared = shared
        values.MmapedDict = PrivateFile  # type: ignore[attr-defined]
        self._requests = Counter(
            "densefog_requests", "Calls by action and retCode.", ["api", "action", "ret_code"], registry=self.registry
        )
        self._request_seconds = Histogram(
            "densefog_request_seconds", "Seconds that calls took.", ["api", "action"], registry=self.registry,
            buckets=_REQUEST_SECONDS,
        )
        self._strangers = Counter(
            "densefog_authentication_failures", "Requests whose caller was not let in, by retCode.",
            ["api", "ret_code"], registry=self.registry,
        )
        self._jobs = Counter(
            "densefog_jobs", "Tries of jobs by action and outcome.", ["action", "outcome"], registry=self.registry
        )
        self._job_seconds = Histogram(
            "densefog_job_seconds", "Seconds that tries of jobs took.", ["action"], registry=self.registry,
            buckets=_JOB_SECONDS,
        )
        self._stalls = Histogram(
            "densefog_loop_stall_seconds", "Times in which no greenlet could run.", registry=self.registry,
            buckets=_STALL_SECONDS,
        )
        self._gauges: dict[str, Gauge] = {}

    @hookimpl
    def densefog_startup(self, app: App) -> None:
        """Add the page, and begin to watch the loop."""
        if self._shared:
            forget_the_dead(app.config.metrics_dir)
        app.readers["/metrics"] = "metrics_readers"
        app.pages["/metrics"] = MetricsPage(app, self.registry, shared=self._shared)
        self._watch = Watch(stalled=self._stalls.observe, tick=lambda: self._measure(app))
        self._watch.start()

    @hookimpl
    def densefog_shutdown(self) -> None:
        """Stop watching."""
        self._watch.stop()

    # tryfirst makes it the outermost wrapper: it counts what other wrappers refuse, too.
    @hookimpl(wrapper=True, tryfirst=True)
    def densefog_authenticate(self, request: Request) -> Generator[None, bool, bool]:
        """Count who is not let in."""
        try:
            return (yield)
        except ClientRequestException as exc:
            self._strangers.labels(request.api, str(exc.ret_code)).inc()
            raise

    @hookimpl
    def densefog_request_event(self, event: RequestEvent) -> None:
        """Count a call."""
        api, action = event.request.api, event.action or UNKNOWN
        self._requests.labels(api, action, str(event.ret_code)).inc()
        self._request_seconds.labels(api, action).observe(event.seconds)

    @hookimpl
    def densefog_job_event(self, event: JobEvent) -> None:
        """Count the end of a try, or of a job that had no try."""
        if event.kind == "started":
            return
        self._jobs.labels(event.job.action, event.kind).inc()
        if event.kind in ("finished", "retrying", "failed"):
            self._job_seconds.labels(event.job.action).observe(event.seconds)

    def _measure(self, app: App) -> None:
        for name, value in app.gauges().items():
            if name not in self._gauges:
                self._gauges[name] = Gauge(
                    f"densefog_{name}", f"{name.replace('_', ' ')}, as a plugin measures it.", registry=self.registry,
                    multiprocess_mode="livesum",
                )
            self._gauges[name].set(value)
