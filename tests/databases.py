"""Real database servers for the tests: one private MariaDB, PostgreSQL and MySQL for each run of pytest.

They are started when the first test asks for them, in a temporary folder, on a free port of 127.0.0.1, and
end with pytest, whatever ends it. A test gets a database of its own. Without the server's program a test is
skipped, or fails when ``DENSEFOG_REQUIRE_DATABASES`` is set; but not for MySQL, which Debian's stable release lacks.
"""

from __future__ import annotations

import ctypes
import glob
import itertools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from sqlalchemy import Connection, NullPool
from sqlalchemy.exc import OperationalError

KINDS = ("sqlite", "mariadb", "postgresql")

#: Seconds until a server that does not answer fails the test.
PATIENCE = 60.0


class Server(ABC):
    """A database server that only the tests know.

    Attributes:
        kind: what `EVERY_KIND` calls it.
        package: the Debian package that has it.
        programs: what it is made of; shell patterns, searched in PATH too.
        account: who runs it when the tests run as root, which it refuses to be.
        administration: the database to connect to before there is one.
    """

    kind: str
    package: str
    programs: tuple[str, ...]
    account: str
    administration = ""
    #: Ends it without waiting for its clients.
    stop_signal = signal.SIGTERM

    def __init__(self) -> None:
        self._found = self.find()
        self._numbers = itertools.count()
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0
        # A short path: the name of a unix socket has 107 bytes at most.
        self.folder = Path(tempfile.mkdtemp(prefix="densefog-"))
        if os.geteuid() == 0:
            shutil.chown(self.folder, self.account, self.account)

    @classmethod
    def find(cls) -> list[str]:
        """Return the paths of its programs.

        Raises:
            FileNotFoundError: one of them is not there.
        """
        return [_find(program) for program in cls.programs]

    @property
    def pid(self) -> int:
        """The server's process."""
        assert self._process is not None, "the server does not run"
        return self._process.pid

    def run(self, *command: str) -> None:
        """Run one of its programs to its end."""
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **self._as_account())
        assert done.returncode == 0, done.stdout.decode(errors="replace")

    def start(self) -> None:
        """Start it, and wait until it answers."""
        # Not earlier: while its data folder is made, which takes seconds, a client could be given the port.
        self.port = self.port or _free_port()
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self.command(), cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                # Ctrl-C reaches pytest only; when pytest is killed, the kernel ends the server.
                process_group=0, preexec_fn=_end_with_parent(self.stop_signal), **self._as_account(),
            )
        deadline = time.monotonic() + PATIENCE
        while not self.answers():
            assert self._process.poll() is None and time.monotonic() < deadline, (self.folder / "log").read_text()
            time.sleep(0.02)

    def answers(self) -> bool:
        """Whether it takes connections."""
        try:
            self.execute("SELECT 1")
        except OperationalError:
            return False
        return True

    def stop(self, number: signal.Signals | None = None) -> None:
        """End it by a signal and wait until it is gone."""
        if self._process is not None:
            self._process.send_signal(number or self.stop_signal)
            self._process.wait(PATIENCE)
            self._process = None

    def restart(self, number: signal.Signals | None = None) -> None:
        """End it by a signal and start it again."""
        self.stop(number)
        self.start()

    def execute(self, *statements: str) -> None:
        """Run statements as its administrator."""
        with connected(self.url(self.administration)) as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)

    @contextmanager
    def database(self) -> Iterator[str]:
        """Create an empty database for the block, which is given its URL."""
        name = f"densefog_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name}")
        yield self.url(name)
        self.drop(name)

    def close(self) -> None:
        """End it and leave nothing behind."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _as_account(self) -> dict[str, str]:
        return {"user": self.account, "group": self.account} if os.geteuid() == 0 else {}

    @abstractmethod
    def prepare(self) -> None:
        """Make its data folder."""

    @abstractmethod
    def command(self) -> list[str]:
        """Return what starts it."""

    @abstractmethod
    def url(self, database: str) -> str:
        """Return the URL of one of its databases."""

    @abstractmethod
    def drop(self, name: str) -> None:
        """Drop a database, also one that is in use."""


class MariaDB(Server):
    """MariaDB. A commit is in the system's cache when it is confirmed: it outlives the server, not the machine."""

    kind, package, account = "mariadb", "mariadb-server", "mysql"
    programs = ("/usr/sbin/mariadbd", "/usr/bin/mariadb-install-db")

    def prepare(self) -> None:
        self.run(
            self._found[1], "--no-defaults", f"--datadir={self.folder}/data", "--skip-test-db", "--skip-name-resolve",
            "--auth-root-authentication-method=normal", "--innodb-log-file-size=8M",
        )

    def command(self) -> list[str]:
        return [
            self._found[0], "--no-defaults", f"--datadir={self.folder}/data", f"--socket={self.folder}/socket",
            f"--pid-file={self.folder}/pid", "--bind-address=127.0.0.1", f"--port={self.port}", "--skip-name-resolve",
            "--innodb-flush-log-at-trx-commit=2", "--innodb-doublewrite=0", "--innodb-buffer-pool-size=64M",
            "--skip-log-bin", "--performance-schema=OFF", "--max-connections=500",
        ]

    def url(self, database: str) -> str:
        return f"mysql://root@127.0.0.1:{self.port}/{database}"

    def drop(self, name: str) -> None:
        self.execute(f"DROP DATABASE {name}")


class MySQL(MariaDB):
    """MySQL itself. Its commits outlive what MariaDB's do."""

    kind, package = "mysql", "mysql-server, where there is one"
    programs = ("/usr/sbin/mysqld",)

    @classmethod
    def find(cls) -> list[str]:
        found = super().find()
        # MariaDB has a program of the same name.
        if b"MariaDB" in subprocess.run([*found, "--version"], capture_output=True, check=True).stdout:
            raise FileNotFoundError("mysqld of MySQL")
        return found

    def prepare(self) -> None:
        self.run(self._found[0], "--no-defaults", "--initialize-insecure", f"--datadir={self.folder}/data")

    def command(self) -> list[str]:
        return [
            self._found[0], "--no-defaults", f"--datadir={self.folder}/data", f"--socket={self.folder}/socket",
            f"--pid-file={self.folder}/pid", "--bind-address=127.0.0.1", f"--port={self.port}", "--mysqlx=OFF",
            "--secure-file-priv=NULL", "--innodb-flush-log-at-trx-commit=2", "--innodb-doublewrite=OFF",
            "--innodb-buffer-pool-size=64M", "--skip-log-bin", "--performance-schema=OFF", "--max-connections=500",
        ]


class PostgreSQL(Server):
    """PostgreSQL."""

    kind, package, account = "postgresql", "postgresql", "postgres"
    programs = ("/usr/lib/postgresql/*/bin/postgres", "/usr/lib/postgresql/*/bin/initdb")
    administration = "postgres"
    stop_signal = signal.SIGINT

    def prepare(self) -> None:
        self.run(
            self._found[1], "--pgdata", f"{self.folder}/data", "--username=postgres", "--auth=trust", "--no-sync",
            "--encoding=UTF8", "--locale=C.UTF-8",
        )

    def command(self) -> list[str]:
        options = {
            "listen_addresses": "127.0.0.1", "port": self.port, "unix_socket_directories": self.folder, "fsync": "off",
            "full_page_writes": "off", "max_connections": 300, "wal_level": "minimal", "max_wal_senders": 0,
        }
        return [self._found[0], "-D", f"{self.folder}/data", *(f"--{name}={value}" for name, value in options.items())]

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/{database}"

    def drop(self, name: str) -> None:
        self.execute(f"DROP DATABASE {name} WITH (FORCE)")


SERVERS = {server.kind: server for server in (MariaDB, PostgreSQL, MySQL)}


def _find(program: str) -> str:
    found = shutil.which(Path(program).name) or max(glob.glob(program), default=None)
    if found is None:
        raise FileNotFoundError(program)
    return found


def _free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        port: int = probe.getsockname()[1]
        return port


def _end_with_parent(number: signal.Signals) -> Callable[[], None]:
    """Return what a child calls to get a signal when its parent dies (prctl(2), PR_SET_PDEATHSIG)."""
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    return lambda: prctl(1, number, 0, 0, 0)


def missing(kind: str) -> str | None:
    """Return what is to be installed for a server of a kind, None when it is there."""
    try:
        SERVERS[kind].find()
    except FileNotFoundError as exc:
        return f"{exc} is not there: apt-get install {SERVERS[kind].package}"
    return None


def param(kind: str, *marks: pytest.MarkDecorator) -> Any:
    """Return a parameter of a test or fixture that is skipped where there is no such server."""
    reason = missing(kind)
    return pytest.param(kind, marks=marks if reason is None else (pytest.mark.skip(reason=reason), *marks))


#: With the one that is not everywhere, for tests that are about the database and do not take long.
EVERY_KIND = (*KINDS, param("mysql"))
SERVER_KINDS = EVERY_KIND[1:]


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    """A connection for the block that commits each statement."""
    engine = sqlalchemy.create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield connection


@contextmanager
def running(kind: str) -> Iterator[Server]:
    """Run a server of a kind for the block; skips the test when it is not installed."""
    reason = missing(kind)
    if reason is not None:
        (pytest.fail if os.environ.get("DENSEFOG_REQUIRE_DATABASES") else pytest.skip)(reason)
    server = SERVERS[kind]()
    try:
        server.prepare()
        server.start()
        yield server
    finally:
        server.close()


@pytest.fixture(scope="session")
def mariadb() -> Iterator[Server]:
    """The MariaDB of this run."""
    with running("mariadb") as server:
        yield server


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    """The PostgreSQL of this run."""
    with running("postgresql") as server:
        yield server


@pytest.fixture(scope="session")
def mysql() -> Iterator[Server]:
    """The MySQL of this run."""
    with running("mysql") as server:
        yield server


@contextmanager
def new_database(kind: str, request: pytest.FixtureRequest, folder: Path | None = None) -> Iterator[str]:
    """Create an empty database of a kind for the block, which is given its URL.

    Args:
        kind: one of `EVERY_KIND`.
        request: of the test or fixture that wants it.
        folder: where SQLite's file goes; the test's own by default.
    """
    if kind == "sqlite":
        yield f"sqlite:///{folder or request.getfixturevalue('tmp_path')}/jobs.db"
        return
    server: Server = request.getfixturevalue(kind)
    with server.database() as url:
        yield url


@pytest.fixture(params=EVERY_KIND)
def database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of an empty database, of each kind in turn."""
    with new_database(request.param, request) as url:
        yield url


@pytest.fixture(params=["mariadb", param("mysql")])
def innodb_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of an empty database, on MariaDB and on MySQL in turn."""
    with new_database(request.param, request) as url:
        yield url


@pytest.fixture
def mariadb_url(mariadb: Server) -> Iterator[str]:
    """The URL of an empty database on MariaDB."""
    with mariadb.database() as url:
        yield url


@pytest.fixture
def postgresql_url(postgresql: Server) -> Iterator[str]:
    """The URL of an empty database on PostgreSQL."""
    with postgresql.database() as url:
        yield url
