"""The server for the tests of middleware: ``python -m tests.plugins.middleware '{"app_root": ...}'``.

It has every plugin that stands between a transport and a handler; the settings say which of them do something.
"""

from __future__ import annotations

import http.client
import json
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import gevent

import densefog_plugins.cors
import densefog_plugins.flask
import densefog_plugins.health
import densefog_plugins.log
import densefog_plugins.metrics
import densefog_plugins.models
import densefog_plugins.ratelimit
import densefog_plugins.tracing
import densefog_plugins.worker
import densefog_plugins.wsgi
from densefog_core import config, enqueue, hookimpl, server
from densefog_core.app import App
from densefog_core.current import set_current_app
from densefog_core.server import serving
from tests.integration.process import Process


def nap(params: dict[str, Any]) -> dict[str, Any]:
    gevent.sleep(params["seconds"])
    return {}


def block(params: dict[str, Any]) -> dict[str, Any]:
    # gevent has patched time.sleep: this is what a C extension does that waits for itself.
    deadline = time.monotonic() + params["seconds"]
    while time.monotonic() < deadline:
        pass
    return {}


def start(params: dict[str, Any]) -> dict[str, str]:
    return {"jobId": enqueue("Work", params)}


def work(params: dict[str, Any]) -> None:
    if "fail" in params:
        raise RuntimeError("no luck")


def divide() -> float:
    return 1 / 0


ACTIONS = {"Ping": lambda: {"pong": True}, "Nap": nap, "Block": block, "Start": start, "Divide": divide}


class Handlers:
    @hookimpl
    def densefog_register_actions(self, registry: Any) -> None:
        for name, handler in ACTIONS.items():
            registry.add(name, handler)

    @hookimpl
    def densefog_register_jobs(self, registry: Any) -> None:
        registry.add("Work", work, try_max=1)


PLUGINS = (
    densefog_plugins.wsgi, densefog_plugins.models, densefog_plugins.worker, densefog_plugins.log,
    densefog_plugins.health, densefog_plugins.cors, densefog_plugins.metrics, densefog_plugins.ratelimit,
    densefog_plugins.tracing, densefog_plugins.flask, Handlers(),
)  # fmt: skip


def main() -> None:
    config.setup(gevent=True).apply(log_dir="-", **json.loads(sys.argv[1]))
    app = App().load(found=[], plugins=PLUGINS)
    set_current_app(app)
    api = server.create_api("public")
    serving.serve(app, [(api, "127.0.0.1", 0)], app.pick(app.workers, "gevent")(app))


class Reply:
    """A response, with the headers that came once under their names."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.text = response.read().decode()

    @property
    def json(self) -> Any:
        return json.loads(self.text)


class Served:
    """The server in a process of its own."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.process = Process("-m", "tests.plugins.middleware", json.dumps({"app_root": str(folder), **settings}))
        self.port = urlsplit(self.process.address()).port or 0

    def send(self, method: str, path: str, body: str = "", **headers: str) -> Reply:
        """Send a request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, body, {name.replace("_", "-"): one for name, one in headers.items()})
            return Reply(connection.getresponse())
        finally:
            connection.close()

    def get(self, path: str) -> Reply:
        return self.send("GET", path)

    def call(self, action: str, **params: Any) -> dict[str, Any]:
        return self.send("POST", "/", json.dumps({"action": action, **params})).json

    def end(self) -> None:
        self.process.end()
        assert self.process.popen.returncode == 0, self.process.log


if __name__ == "__main__":
    main()
