"""How long the loop is held while requests wait for a database: ``python -m tests.bench.stalls``.

Twenty requests at once to ``densefog-serve api``, over HTTP, each a transaction in which the database sleeps 0.2 s:
the first ones of the process, which connect, and later ones. A greenlet that is due each millisecond tells how late it
was at worst, see `tests.ticks`.
"""

from __future__ import annotations

import argparse
import time
from concurrent.futures import ThreadPoolExecutor

from tests.databases import SERVERS, missing, running
from tests.integration.process import data, serving

ROUTES = "tests.plugins.models.waiting_actions:ROUTES"
REQUESTS, SECONDS = 20, 0.2


def together(address: str) -> float:
    """Return the seconds in which the requests are answered."""
    began = time.monotonic()
    with ThreadPoolExecutor(REQUESTS) as threads:
        list(threads.map(lambda number: data(address, "Sleep", seconds=SECONDS), range(REQUESTS)))
    return time.monotonic() - began


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="processes, each with its first and its later requests")
    options = parser.parse_args()
    print(f"{'':20}{'all answered':>14}   loop late by ms: wall, without waiting for a processor, CPU")
    for kind in SERVERS:
        if reason := missing(kind):
            print(f"{kind:20}{reason}")
            continue
        with running(kind) as server, server.database() as url:
            for _ in range(options.rounds):
                with serving(url, ROUTES) as address:
                    for name in ("first", "later"):
                        data(address, "Late")
                        seconds = together(address)
                        late = data(address, "Late")
                        shown = ", ".join(f"{late[clock]:5.1f}" for clock in ("wall", "own", "cpu"))
                        print(f"{f'{kind}, {name}':20}{seconds:12.2f} s   {shown}", flush=True)


if __name__ == "__main__":
    main()
