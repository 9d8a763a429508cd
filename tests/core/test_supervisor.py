"""The supervisor: processes that are kept alive, drained, and never left behind."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from densefog_core.server.children import Child

ROOT = Path(__file__).parents[2]
PATIENCE = 20.0  # seconds until a test that hangs fails

SUPERVISE = """
import logging, sys
from densefog_core.server import children, supervisor
supervisor._KILL_GRACE = 0.1
children.SETTLED = supervisor.SETTLED = float(sys.argv[4])
logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
command = [sys.executable, "-c", sys.argv[3]]
count, drain_timeout = int(sys.argv[1]), float(sys.argv[2])
log = logging.getLogger("densefog.server")
sys.exit(supervisor.supervise(command, count, drain_timeout=drain_timeout, log=log))
"""

# Children, in the words of the test that runs them.
PREAMBLE = "import os, signal, sys, time; number = os.environ['DENSEFOG_PROCESS'];"
READY = "open(f'ready-{number}-{os.getpid()}', 'w').close();"
WAITS = PREAMBLE + READY + "signal.pause()"
DRAINS = PREAMBLE + "signal.signal(signal.SIGTERM, lambda *_: sys.exit(0));" + READY + "signal.pause()"
IGNORES = PREAMBLE + "signal.signal(signal.SIGTERM, signal.SIG_IGN);" + READY + "time.sleep(60)"
MISCONFIGURED = PREAMBLE + "number == '1' and sys.exit(78);" + READY + "signal.pause()"
MISCONFIGURED_LATER = (
    PREAMBLE + "import glob; glob.glob('ready-1-*') and number == '1' and sys.exit(78);" + READY + ("signal.pause()")
)
CRASHES = PREAMBLE + READY + "sys.exit(3)"
#: Says that it serves, as a server does.
SERVES = "os.write(int(os.environ['DENSEFOG_READY_FD']), b'1');"
SERVES_AND_DRAINS = DRAINS.replace(READY, SERVES + READY)
#: The second process of each number cannot start.
FAILS_LATER = PREAMBLE + "import glob; glob.glob(f'ready-{number}-*') and sys.exit(78);" + SERVES_AND_DRAINS


class Supervised:
    """A supervisor in a process of its own, and what it prints."""

    def __init__(self, folder: Path, child: str, count: int, drain_timeout: float, settled: float) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-u", "-c", SUPERVISE, str(count), str(drain_timeout), child, str(settled)],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])},
            stdout=subprocess.PIPE,
            text=True,
        )

    def ready(self, count: int) -> dict[int, int]:
        """Wait until so many children have got ready in all; return number: newest pid."""
        until(lambda: len(list(self.folder.glob("ready-*"))) >= count)
        files = sorted(self.folder.glob("ready-*"), key=lambda file: file.stat().st_mtime_ns)
        return {int(number): int(pid) for _, number, pid in (file.name.split("-") for file in files)}

    def line(self, text: str) -> None:
        """Read its lines until one has a text."""
        assert self.process.stdout is not None
        while text not in (line := self.process.stdout.readline()):
            assert line, f"it ended without a line {text!r}"

    def end(self) -> tuple[int, str]:
        printed, _ = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, printed


def until(condition: Callable[[], bool]) -> None:
    """Wait for what another process does."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that is dead and not yet waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.fixture
def supervised(tmp_path: Path) -> Iterator[Callable[..., Supervised]]:
    """Starts supervisors, and ends what a failed test leaves."""
    started: list[Supervised] = []

    def start(child: str, count: int = 2, drain_timeout: float = 5.0, settled: float = 10.0) -> Supervised:
        started.append(Supervised(tmp_path, child, count, drain_timeout, settled))
        return started[-1]

    yield start
    for each in started:
        each.process.kill()
        each.process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_all_children(supervised: Callable[..., Supervised], number: signal.Signals) -> None:
    """Each child gets SIGTERM whichever it was; the exit code is 0; each start and end has its line."""
    it = supervised(DRAINS)
    pids = it.ready(2)
    assert set(pids) == {0, 1}
    it.process.send_signal(number)
    code, log = it.end()
    assert code == 0
    for index, pid in pids.items():
        assert f"process {index} started, pid {pid}\n" in log
        assert f"process {index} (pid {pid}) ended: exit code 0\n" in log
    assert f"{number.name}: draining\n" in log


def test_a_child_without_a_handler_ends_a_clean_drain(supervised: Callable[..., Supervised]) -> None:
    """SIGTERM's own effect, as on a child that has just started, is not a fault."""
    it = supervised(WAITS)
    it.ready(2)
    it.process.terminate()
    code, log = it.end()
    assert code == 0
    assert "killed by SIGTERM" in log


def test_a_dead_child_is_started_again(supervised: Callable[..., Supervised]) -> None:
    """With its number, and a line that says what killed it; the other one is left alone."""
    it = supervised(DRAINS)
    first = it.ready(2)
    os.kill(first[1], signal.SIGKILL)
    second = it.ready(3)
    assert second[0] == first[0]
    assert second[1] != first[1]
    it.process.terminate()
    code, log = it.end()
    assert code == 0
    assert f"process 1 (pid {first[1]}) died: killed by SIGKILL; next start in 0.5 s\n" in log


def test_a_child_that_keeps_dying_is_started_ever_more_slowly(supervised: Callable[..., Supervised]) -> None:
    """Each early death doubles the wait: no hot loop."""
    it = supervised(CRASHES, count=1)
    it.ready(3)
    it.process.terminate()
    code, log = it.end()
    # The third child may die before the signal comes, or while it drains.
    assert code in (0, 1)
    assert re.findall(r"died: exit code 3; next start in (.*) s", log)[:2] == ["0.5", "1"]


def test_the_wait_is_bounded_and_forgotten_after_a_good_start() -> None:
    """At most 30 seconds; a child that ran 10 seconds starts again at once, and begins anew."""
    child = Child(0, started=100.0)
    assert [child.backoff(101.0) for _ in range(9)] == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]
    assert child.backoff(110.0) == 0
    assert child.backoff(101.0) == 0.5


def test_a_wrong_configuration_ends_all(supervised: Callable[..., Supervised]) -> None:
    """Exit code 78 at the first start is the supervisor's own; the other child is not left behind."""
    it = supervised(MISCONFIGURED)
    code, log = it.end()
    assert code == 78
    assert "cannot start: exit code 78" in log
    assert not any(is_alive(int(file.name.split("-")[2])) for file in it.folder.glob("ready-*"))


def test_a_wrong_configuration_found_later_does_not_end_what_runs(supervised: Callable[..., Supervised]) -> None:
    """Once children have started well, exit code 78 is a death like others."""
    it = supervised(MISCONFIGURED_LATER, settled=0.01)
    pids = it.ready(2)
    os.kill(pids[1], signal.SIGKILL)
    it.line("died: exit code 78; next start in")
    assert is_alive(pids[0])
    it.process.terminate()
    assert it.end()[0] == 0


def test_a_second_signal_kills(supervised: Callable[..., Supervised]) -> None:
    """Without waiting for the drain's end; the exit code is not 0."""
    it = supervised(IGNORES, drain_timeout=600)
    pids = it.ready(2)
    it.process.terminate()
    it.line("draining")
    it.process.terminate()
    code, log = it.end()
    assert code == 1
    assert log.count("killed by SIGKILL") == 2
    assert not any(map(is_alive, pids.values()))


def test_a_child_that_does_not_drain_is_killed(supervised: Callable[..., Supervised]) -> None:
    """After the drain's time and some grace."""
    it = supervised(IGNORES, count=1, drain_timeout=0.1)
    it.ready(1)
    it.process.terminate()
    code, log = it.end()
    assert code == 1
    assert "killed by SIGKILL" in log


def test_children_die_with_a_killed_supervisor(supervised: Callable[..., Supervised]) -> None:
    """SIGKILL leaves it no time to tell them; the kernel does."""
    it = supervised(IGNORES)
    pids = it.ready(2)
    it.process.kill()
    until(lambda: not any(map(is_alive, pids.values())))


def test_children_start_with_no_signal_blocked(supervised: Callable[..., Supervised]) -> None:
    """Whatever the supervisor does to wait for them."""
    it = supervised(PREAMBLE + READY + "print('blocked', signal.pthread_sigmask(0, ()), flush=True); signal.pause()", 1)
    it.ready(1)
    it.line("blocked set()\n")
    it.process.terminate()
    assert it.end()[0] == 0


def test_a_restart_lets_the_old_ones_drain_when_all_new_ones_serve(supervised: Callable[..., Supervised]) -> None:
    """SIGHUP starts each number anew, and only then ends its old process."""
    it = supervised(SERVES_AND_DRAINS)
    old = it.ready(2)
    it.process.send_signal(signal.SIGHUP)
    new = it.ready(4)
    assert not set(old.values()) & set(new.values())
    until(lambda: not any(map(is_alive, old.values())))
    assert all(map(is_alive, new.values()))
    it.process.terminate()
    code, log = it.end()
    assert code == 0
    assert log.index(f"started, pid {new[1]}") < log.index(f"(pid {old[0]}) ended: exit code 0")


def test_a_restart_that_fails_leaves_the_old_ones(supervised: Callable[..., Supervised]) -> None:
    """A wrong setting stops what is new, not what runs."""
    it = supervised(FAILS_LATER)
    old = it.ready(2)
    it.process.send_signal(signal.SIGHUP)
    it.line("the new processes cannot start; the old ones go on")
    assert all(map(is_alive, old.values()))
    it.process.terminate()
    assert it.end()[0] == 0


def test_a_child_that_served_is_started_again_at_once(supervised: Callable[..., Supervised]) -> None:
    """However early it died: most often one job did it."""
    it = supervised(SERVES_AND_DRAINS, count=1)
    first = it.ready(1)
    os.kill(first[0], signal.SIGKILL)
    it.line("died: killed by SIGKILL; next start in 0 s")
    it.ready(2)
    it.process.terminate()
    assert it.end()[0] == 0


def test_systemd_is_told(
    supervised: Callable[..., Supervised], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That all serve, that they are alive, that a restart begins and ends, that they stop; the children are not."""
    told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    told.bind(str(tmp_path / "notify"))
    told.settimeout(PATIENCE)
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", "100000")
    it = supervised("import os; assert 'NOTIFY_SOCKET' not in os.environ;" + SERVES_AND_DRAINS)

    def state() -> str:
        while (line := told.recv(200).decode().splitlines()[0]) == "WATCHDOG=1":
            pass
        return line

    with told:
        assert told.recv(200) == b"WATCHDOG=1"
        assert state() == "READY=1"
        it.process.send_signal(signal.SIGHUP)
        assert [state(), state()] == ["RELOADING=1", "READY=1"]
        it.process.terminate()
        assert state() == "STOPPING=1"
        assert it.end()[0] == 0
