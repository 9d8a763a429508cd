"""Requests a second of the whole stack beside its peers, as ratios of one run: ``python -m tests.bench.requests``.

Each server is pinned to the first core and wrk to the second; rounds alternate, and the median of each counts. Needs
wrk (``apt-get install wrk``) and ``pip install flask falcon fastapi uvicorn``.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench.servers import SERVERS, VOLUMES

BODY = json.dumps({"action": "DescribeVolumes", "limit": 20, "volumeIds": [one["volumeId"] for one in VOLUMES]})
SCRIPT = f"""wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{BODY}'
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format("RESULT %d %d %d %d\\n", summary.requests, summary.duration, latency:percentile(99),
    e.connect + e.read + e.write + e.status + e.timeout))
end
"""
FIRST_PORT = 9300


@contextlib.contextmanager
def serving(name: str, port: int) -> Iterator[None]:
    """Run one of the servers on the first core until the block ends."""
    command = ["taskset", "-c", "0", sys.executable, "-m", "tests.bench.servers", name, str(port)]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            until = time.monotonic() + 20
            while not answers(port):
                if process.poll() is not None or time.monotonic() > until:
                    log.seek(0)
                    raise SystemExit(f"{name} does not serve:\n{log.read().decode()}")
                time.sleep(0.05)
            yield
        finally:
            process.terminate()
            process.wait(10)


def answers(port: int) -> bool:
    """Return whether the server answers with the volumes that it should."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("POST", "/", BODY, {"Content-Type": "application/json"})
        return json.loads(connection.getresponse().read())["data"]["volumeSet"] == VOLUMES
    except OSError:
        return False
    finally:
        connection.close()


def measure(port: int, connections: int, seconds: int) -> tuple[float, float]:
    """Return requests a second and the 99th percentile of latency in milliseconds."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "post.lua"
        script.write_text(SCRIPT)
        command = ["taskset", "-c", "1", "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(script),
                   f"http://127.0.0.1:{port}/"]
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    count, micros, p99, errors = map(int, re.search(r"RESULT (\d+) (\d+) (\d+) (\d+)", output).groups())
    if errors:
        raise SystemExit(f"{errors} errors:\n{output}")
    return count / micros * 1e6, p99 / 1000


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=4, help="of each measurement")
    parser.add_argument("--connections", type=int, nargs="+", default=[32, 256])
    parser.add_argument("--servers", nargs="+", default=list(SERVERS), choices=list(SERVERS))
    options = parser.parse_args()
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is not installed: apt-get install wrk")
    seen: dict[tuple[str, int], list[tuple[float, float]]] = {}
    for _ in range(options.rounds):
        for offset, name in enumerate(options.servers):
            with serving(name, FIRST_PORT + offset):
                measure(FIRST_PORT + offset, 32, 1)
                for connections in options.connections:
                    result = measure(FIRST_PORT + offset, connections, options.seconds)
                    seen.setdefault((name, connections), []).append(result)
    for connections in options.connections:
        print(f"\n{connections} connections   req/s   p99 ms   densefog is")
        ours = statistics.median(rate for rate, _ in seen["densefog", connections])
        for name in options.servers:
            rate = statistics.median(rate for rate, _ in seen[name, connections])
            p99 = statistics.median(p99 for _, p99 in seen[name, connections])
            print(f"{name:16} {rate:9.0f} {p99:8.1f}   {ours / rate:.2f} times")


if __name__ == "__main__":
    main()
