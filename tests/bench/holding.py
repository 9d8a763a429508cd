"""What one process holds, and how soon it is there: ``python -m tests.bench.holding``.

Fifty requests whose handlers each wait 200 ms; ten thousand idle keep-alive connections; the import of the core; the
time from start to the first answer, alone and with a hundred other distributions installed.
"""

from __future__ import annotations

import http.client
import json
import os
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from tests.integration.process import megabytes

WAITING = 50
IDLE = 10_000
START = "from gevent import monkey; monkey.patch_all(); import tests.bench.holding as h; h.serve()"
IMPORT = "import time; t = time.perf_counter(); import densefog_core; print(time.perf_counter() - t)"


def serve() -> None:
    """Serve two actions, on a port that is printed."""
    import gevent

    from densefog_core import config
    from densefog_core.server import create_api

    def wait() -> dict[str, bool]:
        gevent.sleep(0.2)
        return {"waited": True}

    config.setup().apply(app_root=".", log_dir=".", wsgi_max_connections=IDLE + 100, wsgi_idle_timeout=300)
    create_api("bench").route({"Wait": wait, "Ping": lambda: {}}).start(port=0)


class Server:
    """`serve` in a process of its own; the seconds until it had answered its first request."""

    def __init__(self, folder: str, *site: str) -> None:
        started = time.perf_counter()
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([os.getcwd(), *site])}
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-c", START], cwd=folder, env=environment, stderr=subprocess.PIPE, text=True
        )
        assert self.process.stderr is not None
        line = next(line for line in self.process.stderr if "listens on" in line)
        self.port = int(line.partition("http://127.0.0.1:")[2].split()[0])
        self.post("Ping")
        self.seconds = time.perf_counter() - started

    def post(self, action: str) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        connection.request("POST", "/", json.dumps({"action": action}))
        assert connection.getresponse().status == 200
        connection.close()

    def resident(self) -> float:
        """Return its memory in MB."""
        return megabytes(self.process.pid)

    def stop(self) -> None:
        self.process.terminate()
        self.process.communicate(timeout=60)


def wait_together(server: Server) -> float:
    """Return the seconds in which fifty waiting requests are answered."""
    threads = [threading.Thread(target=server.post, args=("Wait",)) for _ in range(WAITING)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - started


def hold(server: Server) -> float:
    """Return the server's memory with ten thousand idle connections, each of which has had an answer."""
    request = b'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 18\r\n\r\n{"action": "Ping"}'
    held = []
    for _ in range(IDLE):
        held.append(socket.create_connection(("127.0.0.1", server.port)))
        held[-1].sendall(request)
        assert held[-1].recv(1000).startswith(b"HTTP/1.1 200")
    memory = server.resident()
    for one in held:
        one.close()
    return memory


def install(folder: Path, count: int) -> str:
    """Put the metadata of so many distributions with entry points of others into a folder."""
    for number in range(count):
        info = folder / f"other_{number}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: other-{number}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[console_scripts]\nother-{number} = other:main\n")
    return str(folder)


def main() -> None:
    """Measure and print."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 50_000), hard))
    imports = [
        float(subprocess.run([sys.executable, "-c", IMPORT], capture_output=True, text=True, check=True).stdout)
        for _ in range(7)
    ]
    print(f"import densefog_core: {statistics.median(imports) * 1000:.0f} ms")
    with tempfile.TemporaryDirectory() as folder:
        site = install(Path(folder) / "site", 100)
        for name, more in (("alone", ()), ("with 100 distributions", (site,))):
            seconds = []
            for _ in range(3):
                server = Server(folder, *more)
                seconds.append(server.seconds)
                server.stop()
            print(f"first answer after start, {name}: {statistics.median(seconds):.2f} s")
        server = Server(folder)
        print(f"{WAITING} requests that wait 0.2 s: {wait_together(server):.2f} s")
        before = server.resident()
        print(f"{IDLE} idle connections: {hold(server):.0f} MB, {before:.0f} MB without them")
        server.stop()


if __name__ == "__main__":
    main()
