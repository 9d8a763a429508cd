"""An application of given plugins, called and run in this thread, and a channel that keeps what it is given."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any, Self

from densefog_core.actions.records import Call
from densefog_core.app import App
from densefog_core.config import Config
from densefog_core.current import serving, set_current_app
from densefog_core.flow.control import StoreControl
from densefog_core.jobs import Job, JobEvent, JobFilter, run_job
from densefog_core.notices.records import TOPICS
from densefog_core.notify import Notification
from densefog_core.plugins.markers import hookimpl
from densefog_core.server.api import Api
from densefog_core.testing.store import MemoryStore


class TestApi(Api):
    """An API that is called without a transport."""

    __test__ = False

    def post(self, body: Mapping[str, Any] | bytes | str, **headers: str) -> dict[str, Any]:
        """Send a body as a client would and return the reply's envelope.

        Args:
            body: a mapping, or the raw body.
            **headers: HTTP headers, with ``_`` for ``-``.
        """
        raw = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        call = Call(raw, named, "127.0.0.1", request_id=named.get("X-Request-Id"))
        envelope: dict[str, Any] = json.loads(self.dispatch(call).text)
        return envelope


class TestApp(App):
    """An `App` with what tests need."""

    __test__ = False

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.strict = True

    def start(self) -> Self:
        """Become the application of this process, and start as it does."""
        set_current_app(self)
        super().start()
        return self

    def api(self, name: str = "public", *, debug: bool = False) -> TestApi:
        """Return an API of this application."""
        return TestApi(self, name, debug=debug)

    def run_jobs(self) -> int:
        """Run due jobs in this thread until none is due; return the number of tries run."""
        count = 0
        with serving(self):
            while jobs := self.store.claim(1, self.job_specs):
                count += 1
                self._run_job(jobs[0])
        return count

    def _run_job(self, job: Job) -> None:
        self.emit(JobEvent("started", job))
        control = StoreControl(self.store, time.sleep)
        outcome = run_job(self.job_specs[job.action], self.call_job, job, control, self.told, self.cipher)
        if self.store.finish([outcome])[0]:
            kind: Any = {"retry": "retrying", "error": "failed"}.get(outcome.status, outcome.status)
            self.emit(JobEvent(kind, job, outcome.error, outcome.exception))

    def assert_enqueued(self, action: str, **params: Any) -> Job:  # noqa: ANN401
        """Return the pending job of ``action`` whose params include ``params``.

        Raises:
            AssertionError: there is none; lists those that there are.
        """
        pending = [self.opened(job) for job in self.store.page(JobFilter(status=["pending"], limit=100))[0]]
        for job in pending:
            if job.action == action and params.items() <= job.params.items():
                return job
        there = [(job.action, job.params) for job in pending]
        raise AssertionError(f"no pending job {action} with {params}; there are {there}")


class RecordingChannel:
    """A notify channel that keeps what it is given.

    Attributes:
        sent: the notices, in order.
    """

    topics = TOPICS

    def __init__(self) -> None:
        self.sent: list[Notification] = []

    def send(self, notification: Notification) -> None:
        """Keep one notice."""
        self.sent.append(notification)


def make_app(
    *plugins: object,
    actions: Mapping[str, Callable[..., Any]] | None = None,
    jobs: Mapping[str, Callable[..., Any]] | None = None,
    store: Any = None,  # noqa: ANN401
    **settings: Any,  # noqa: ANN401
) -> TestApp:
    """Return a started application of the given plugins; nothing that is installed is discovered.

    Args:
        *plugins: objects or modules with ``@hookimpl`` functions.
        actions: handlers by action, served by the API ``public``.
        jobs: handlers by action.
        store: the job store, or the name that one of the plugins registers; a new `MemoryStore` by default.
        **settings: settings, applied to a `Config` of its own.
    """

    class Parts:
        @hookimpl
        def densefog_register_stores(self, registry: Any) -> None:  # noqa: ANN401
            registry.add("testing", lambda app: store or MemoryStore())

        @hookimpl
        def densefog_register_actions(self, registry: Any) -> None:  # noqa: ANN401
            for name, handler in (actions or {}).items():
                registry.add(name, handler)

        @hookimpl
        def densefog_register_jobs(self, registry: Any) -> None:  # noqa: ANN401
            for name, handler in (jobs or {}).items():
                registry.add(name, handler)

    config = Config().apply(app_root=".", log_dir="-", store=store if isinstance(store, str) else "testing")
    app = TestApp(config.apply(**settings))
    app.load(found=[], plugins=[Parts(), *plugins])
    app.start()
    return app
