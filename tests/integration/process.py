"""Programs run as the tests' users run them, with what they write to stderr awaited line by line."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

ROOT = Path(__file__).parents[2]
#: Seconds until a test that waits for something fails.
PATIENCE = 20.0

#: Run like their console scripts, but as modules, so that no script has to be installed.
SUPERVISED = ("-P", "-m", "densefog_core.cli.serve")
#: The same in one process, which tests may kill and ask for its exit code.
SERVE = (*SUPERVISED, "--no-supervisor")
DENSEFOG = ("-P", "-c", "from densefog_core.cli.main import main; main(prog_name='densefog')")

T = TypeVar("T")


def environment(**variables: str) -> dict[str, str]:
    """Return this process's environment without densefog's settings, and with ``variables``."""
    ours = ("DENSEFOG_", "DB_", "WORKER_", "NOTIFY_", "SLACK_", "LOG_DIR", "DEBUG", "DRAIN_TIMEOUT", "APP_ROOT")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)} | variables


def eventually(look: Callable[[], T], what: str = "", patience: float = PATIENCE) -> T:
    """Return the first true answer of ``look``, asked again and again until patience ends."""
    deadline = time.monotonic() + patience
    while not (found := look()):
        assert time.monotonic() < deadline, f"{what or look} did not happen in {patience:g} s"
        time.sleep(0.02)
    return found


class Process:
    """A Python program with its stderr read as it comes.

    Args:
        *arguments: of the interpreter.
        cwd: its working folder.
        pass_fds: descriptors that it inherits.
        **variables: environment variables.
    """

    def __init__(self, *arguments: str, cwd: Path = ROOT, pass_fds: Sequence[int] = (), **variables: str) -> None:
        self._lines: list[str] = []
        self._news = threading.Condition()
        self.popen = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=cwd,
            env=environment(**variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            pass_fds=pass_fds,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.popen.stderr is not None
        for line in self.popen.stderr:
            with self._news:
                self._lines.append(line.rstrip("\n"))
                self._news.notify_all()
        with self._news:
            self._lines.append("<the end>")
            self._news.notify_all()

    @property
    def log(self) -> str:
        """All that it has written to stderr so far."""
        return "\n".join(self._lines)

    def line(self, pattern: str, patience: float = PATIENCE) -> re.Match[str]:
        """Wait for a line on stderr in which ``pattern`` is found."""
        search = re.compile(pattern).search
        deadline = time.monotonic() + patience
        read = 0
        with self._news:
            while True:
                for line in self._lines[read:]:
                    if match := search(line):
                        return match
                read = len(self._lines)
                ended = bool(self._lines) and self._lines[-1] == "<the end>"
                assert not ended, f"no line {pattern!r}; it wrote:\n{self.log}"
                assert self._news.wait(max(0.0, deadline - time.monotonic())), f"no line {pattern!r} in:\n{self.log}"

    def address(self) -> str:
        """Wait until it listens and return where."""
        return self.line(r"listens on (http://\S+)")[1]

    def signal(self, number: int) -> None:
        self.popen.send_signal(number)

    def wait(self, patience: float = PATIENCE) -> int:
        """Wait for its end and return its exit code."""
        code = self.popen.wait(patience)
        self._reader.join(PATIENCE)
        return code

    def end(self) -> None:
        """Drain it when it runs, and kill it when that takes too long."""
        try:
            if self.popen.poll() is None:
                self.popen.send_signal(signal.SIGTERM)
                self.popen.wait(PATIENCE)
        finally:
            self.popen.kill()
            self.popen.wait()
            self._reader.join(PATIENCE)
            assert self.popen.stderr is not None
            self.popen.stderr.close()


def run(*arguments: str, cwd: Path = ROOT, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a Python program to its end."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env=environment(**variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


def init_database(url: str) -> None:
    """Make the tables of all that is installed."""
    done = run(*DENSEFOG, "db", "init", DB_URL=url)
    assert done.returncode == 0, done.stderr


@contextmanager
def serving(url: str, routes: str) -> Iterator[str]:
    """Serve actions of the tests and what is installed, on a new database; gives the address."""
    init_database(url)
    with tempfile.TemporaryDirectory() as folder:
        process = Process(
            *SERVE, "api", routes, "--port", "0", cwd=Path(folder), DB_URL=url, PYTHONPATH=str(ROOT)
        )
        try:
            yield process.address()
        finally:
            process.end()


def megabytes(pid: int, kind: str = "Rss") -> float:
    """Return a process's resident memory; as ``Pss``, with shared pages divided by those who share them."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(rollup.partition(f"\n{kind}:")[2].split()[0]) / 1024


def post(address: str, action: str, **params: Any) -> dict[str, Any]:
    """Call an action and return the envelope."""
    body = json.dumps({"action": action, **params}).encode()
    with urllib.request.urlopen(address, body, timeout=PATIENCE) as reply:
        return json.load(reply)


def data(address: str, action: str, **params: Any) -> dict[str, Any]:
    """Call an action that must succeed and return its data."""
    envelope = post(address, action, **params)
    assert envelope["retCode"] == 0, envelope
    return envelope["data"]
