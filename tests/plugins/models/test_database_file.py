"""The file of the embedded database."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from densefog_plugins.models.database.engine import create_engine


@pytest.mark.parametrize("umask", [0o000, 0o022])
def test_only_its_owner_can_read_the_database(tmp_path: Path, umask: int) -> None:
    """Whatever the umask is; nor the two files beside it, in which rows stand too."""
    before = os.umask(umask)
    try:
        engine = create_engine(f"sqlite:///{tmp_path}/x.db")
        with engine.begin() as connection:
            connection.exec_driver_sql("CREATE TABLE t (a)")
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
        engine.dispose()
    finally:
        os.umask(before)
    assert modes == {"x.db": 0o600, "x.db-wal": 0o600, "x.db-shm": 0o600}


OTHER = """
import sqlite3, sys
other = sqlite3.connect(sys.argv[1])
other.execute("INSERT INTO t VALUES (2)")
other.commit()
other.close()
"""


def test_a_new_connection_takes_no_lock_from_the_others(tmp_path: Path) -> None:
    """Without them another process that ends takes the write-ahead log along."""
    path = tmp_path / "x.db"
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE t (a)")
    with engine.connect(), engine.connect():
        subprocess.run([sys.executable, "-c", OTHER, path], check=True)
        assert path.with_name("x.db-wal").exists()
    engine.dispose()
