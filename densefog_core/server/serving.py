"""The one loop that serves APIs and a worker until a signal comes."""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from types import FrameType
from typing import Protocol

from densefog_core.actions.transports import Transport
from densefog_core.app import App
from densefog_core.config import CONF
from densefog_core.jobs.workers import Worker, chosen
from densefog_core.server import notify

_logger = logging.getLogger("densefog.server")


class Served(Protocol):
    """What is served of an API."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def specs(self) -> Mapping[str, object]:
        """Its actions by name."""

    @property
    def transport(self) -> Transport:
        """What carries its requests."""


_STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class _Signals:
    """SIGTERM, SIGINT and SIGHUP: the first one asks to stop, the second ends the process at once."""

    def __init__(self) -> None:
        self.stop = threading.Event()

    def __enter__(self) -> _Signals:
        self._before = {number: signal.signal(number, self._on_signal) for number in _STOPPING}
        return self

    def __exit__(self, *exc: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.stop.is_set():
            os._exit(128 + number)
        self.stop.set()


def serve(app: App, apis: Sequence[tuple[Served, str, int]], worker: Worker | None) -> None:
    """Serve APIs and a worker in this process until SIGTERM, SIGINT or SIGHUP, then drain.

    Args:
        app: the application.
        apis: each API with the host and port that it listens on.
        worker: the worker to run beside them, or None.

    Raises:
        StartupError: an address or the database cannot be used.
    """
    if worker is not None:
        app.notifier.start()
    listening = []
    failures: list[BaseException] = []
    # Before the first address is announced: whoever reads it may already want to stop the server.
    with _Signals() as signals:
        for api, host, port in apis:
            address = api.transport.listen(host, port)
            listening.append(api)
            announce(f"api {api.name} listens on {address} ({len(api.specs)} actions, pid {os.getpid()})")
        if apis and app.guard is None:
            announce("no plugin authenticates calls: whoever reaches an address may call everything there")
        thread = None if worker is None else _run_worker(worker, signals, failures)
        if thread is not None:
            announce(f"worker runs jobs of {len(chosen(app.job_specs, app.config))} actions (pid {os.getpid()})")
        # What was loaded stays to the end: the garbage collector need not look at it over and over.
        gc.collect()
        gc.freeze()
        notify.ready()
        _wait(signals.stop)
        notify.stopping()
        drain(app, listening, worker)
        if thread is not None:
            thread.join()
    app.shutdown()
    announce("stopped")
    if failures:
        raise failures[0]


def _wait(stop: threading.Event) -> None:
    """Wait for the end; where systemd watches, tell it that this thread, and so the loop of all calls, goes on."""
    interval = notify.watchdog_interval()
    while not stop.wait(interval):
        notify.alive()


def _run_worker(worker: Worker, signals: _Signals, failures: list[BaseException]) -> threading.Thread:
    def run() -> None:
        try:
            worker.start()
        except BaseException as exc:  # noqa: BLE001 - raised again by the main thread
            failures.append(exc)
        finally:
            signals.stop.set()

    thread = threading.Thread(target=run, name="densefog-worker")
    thread.start()
    return thread


def drain(app: App, apis: Sequence[Served], worker: Worker | None) -> None:
    """Be ready no more, stop accepting, finish what runs within ``drain_timeout`` seconds, put back the rest."""
    app.draining = True
    timeout, delay = app.config.drain_timeout, app.config.drain_delay if apis else 0
    app.drain_deadline = time.monotonic() + timeout + delay
    announce(f"draining, {timeout + delay:g} s at most")

    def stop_accepting(api: Served) -> None:
        # A load balancer asks only now and then, and sends requests until it learns that this server is not ready.
        time.sleep(delay)
        api.transport.stop(timeout)

    stops = [threading.Thread(target=stop_accepting, args=(api,)) for api in apis]
    if worker is not None:
        stops.append(threading.Thread(target=worker.stop, args=(timeout,)))
    for stop in stops:
        stop.start()
    for stop in stops:
        stop.join()


def announce(line: str, level: int = logging.INFO) -> None:
    """Log a line about the server's life, and show it on stderr when the log goes to files."""
    _logger.log(level, "%s", line)
    if CONF.log_dir != "-":
        print(f"densefog: {line}", file=sys.stderr, flush=True)
