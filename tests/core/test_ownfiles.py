"""Files that hold tenants' data and secrets: their modes, and a word about those that everybody can read."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from densefog_core import logs
from densefog_core.config import Config
from densefog_core.ownfiles import readable_secrets


@pytest.fixture(params=[0o000, 0o022, 0o077])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    """What the process takes away from the modes of new files."""
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_others_cannot_read_the_logs(tmp_path: Path, umask: int) -> None:
    """Neither new ones nor those made anew after a rotation, whatever the umask is."""
    access = logs.setup(str(tmp_path / "logs"), "public")
    for _ in range(2):
        logging.getLogger("app").warning("a line")
        access._second = -1
        access.write("a", "-", "Act", 0, 0.001, 1)
        for name in ("normal.log", "access.log"):
            path = tmp_path / "logs" / "public" / name
            assert mode_of(path) == 0o640 & ~umask
            path.rename(path.with_suffix(".1"))
    access.close()


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ('db_password = "hunter2"', "db_password"),
        ('db_url = "mysql://u:p@h/d"', "db_url"),
        ('secret_keys = ["a", "b"]', "secret_keys"),
        ('[app]\nmail_token = "x"', "mail_token"),
        ('db_url = "sqlite:///x.db"', None),
        ('db_password = ""', None),
        ("debug = true", None),
    ],
)
def test_a_readable_file_with_a_secret_is_told(tmp_path: Path, text: str, held: str | None) -> None:
    """With what it holds and what to do; a private one is not, whatever it holds."""
    path = tmp_path / "densefog.toml"
    path.write_text(text)
    path.chmod(0o644)
    config = Config().load_file(path)
    found = list(readable_secrets(config))
    assert found == ([] if held is None else [
        f"{path} holds {held}, and everybody on this machine can read it: chmod 600 {path}"
    ])
    path.chmod(0o600)
    assert not list(readable_secrets(config))


def test_a_readable_file_of_keys_is_told(tmp_path: Path) -> None:
    """Settings may name it from anywhere, also from the environment."""
    keys = tmp_path / "keys"
    keys.write_text("x")
    keys.chmod(0o644)
    config = Config().apply(secret_keys_file=str(keys))
    assert [line.partition(",")[0] for line in readable_secrets(config)] == [f"{keys} holds keys"]
