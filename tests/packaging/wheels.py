"""Wheels, built or written on the fly, and virtual environments to install them in."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import subprocess
import sys
import urllib.request
import venv
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent
from typing import Any

from tests.integration.process import ROOT, Process, environment

#: Seconds until a program that hangs fails its test, and until a build does, or a download.
PATIENCE, BUILD_PATIENCE = 30.0, 300.0

#: Becomes the program that its arguments name, so that a `Process` can be any program.
_EXEC = "import os, sys; os.execv(sys.argv[1], sys.argv[1:])"

#: Source of a plugin with one action, which says who it is.
GOOD = """
    from densefog_core import hookimpl
    @hookimpl
    def densefog_register_actions(registry):
        registry.add("{action}", lambda: {{"from": __name__}})
"""

#: What a build must not find: what earlier ones left, and what is no part of a distribution.
_LEFT_OUT = shutil.ignore_patterns(".*", "build", "dist", "*.egg-info", "__pycache__", "tests", "examples")


def copy_source(folder: Path, to: Path) -> Path:
    """Copy a distribution's source, so that builds leave nothing in the repository and find nothing stale there."""
    return shutil.copytree(folder, to, ignore=_LEFT_OUT)


def build_wheel(source: Path, to: Path) -> Path:
    """Build the wheel of a source folder or an sdist, and return it."""
    pip("wheel", "--no-deps", "--wheel-dir", to, source)
    [wheel] = to.glob("*.whl")
    return wheel


def build_sdist(source: Path, to: Path) -> Path:
    """Build the sdist of a source folder, and return it."""
    run(sys.executable, "-m", "build", "--sdist", "--outdir", to, source)
    [sdist] = to.glob("*.tar.gz")
    return sdist


def write_wheel(
    folder: Path,
    name: str,
    entry_points: Mapping[str, Mapping[str, str]],
    version: str = "1.0",
    **modules: str,
) -> Path:
    """Write the wheel of a small distribution, much faster than a build.

    Args:
        folder: where to.
        name: of the distribution.
        entry_points: values by group and name.
        version: of the distribution.
        **modules: source by module name.
    """
    info = f"{name.replace('-', '_')}-{version}.dist-info"
    groups = [
        f"[{group}]\n" + "".join(f"{key} = {value}\n" for key, value in points.items())
        for group, points in entry_points.items()
    ]
    files = {
        **{f"{module}.py": dedent(source) for module, source in modules.items()},
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "\n".join(groups),
    }
    record = "".join(f"{path},sha256={_digest(text)},{len(text.encode())}\n" for path, text in files.items())
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n"
    wheel = folder / f"{name.replace('-', '_')}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return wheel


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def contents(wheel: Path) -> dict[str, bytes]:
    """Return a wheel's files by name; RECORD, which lists the others, is left out."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist() if not name.endswith("/RECORD")}


class Venv:
    """A fresh virtual environment, without even pip: the one of the tests installs into it.

    Args:
        folder: where it is made.
        python: an interpreter to make it of, instead of the one of the tests.
    """

    def __init__(self, folder: Path, python: Path | None = None) -> None:
        self.bin = folder / "bin"
        # Programs run here, where nothing can be imported by accident.
        self.away = folder / "away"
        if python is None:
            venv.create(folder, with_pip=False, symlinks=True)
        else:
            run(python, "-m", "venv", "--without-pip", folder)
        self.away.mkdir()

    def install(self, *arguments: str | Path) -> None:
        """Run ``pip install`` for it."""
        pip("--python", self.bin / "python", "install", "--no-compile", *arguments)

    def uninstall(self, *names: str) -> None:
        """Run ``pip uninstall`` for it."""
        pip("--python", self.bin / "python", "uninstall", "--yes", *names)

    @contextmanager
    def having(self, *wheels: Path) -> Iterator[Venv]:
        """Have wheels installed for the block."""
        self.install("--no-deps", "--no-index", *wheels)
        try:
            yield self
        finally:
            self.uninstall(*(wheel.name.partition("-")[0] for wheel in wheels))

    def run(self, program: str, *arguments: str | Path, cwd: Path | None = None, **variables: str) -> Done:
        """Run one of its programs to its end."""
        return Done.of(self.bin / program, *arguments, cwd=cwd or self.away, **variables)

    def output(self, program: str, *arguments: str | Path, **variables: str) -> str:
        """Run one of its programs, which must succeed, and return what it prints."""
        return self.run(program, *arguments, **variables).checked().stdout

    def json(self, *arguments: str | Path, cwd: Path | None = None, **variables: str) -> Any:
        """Run ``densefog`` with ``--json`` and return what it prints."""
        return json.loads(self.run("densefog", *arguments, "--json", cwd=cwd, **variables).checked().stdout)

    def plugins(self, *options: str, cwd: Path | None = None, **variables: str) -> dict[str, dict[str, Any]]:
        """Return what ``densefog plugins`` shows of other distributions than densefog, by ``distribution/name``."""
        rows = self.json(*options, "plugins", cwd=cwd, **variables)
        return {f"{row['distribution']}/{row['name']}": row for row in rows if row["distribution"] != "densefog"}

    def actions(self, *options: str, **variables: str) -> dict[str, str]:
        """Return the actions' owners by ``api/action``."""
        rows = self.json(*options, "actions", **variables)
        return {f"{row['api']}/{row['action']}": row["owner"] for row in rows}

    @contextmanager
    def serving(self, *options: str, **variables: str) -> Iterator[Process]:
        """Run ``densefog-serve`` on a free port for the block; it must end well when it is told to."""
        arguments = [str(self.bin / "densefog-serve"), "--port", "0", *options]
        process = Process("-c", _EXEC, *arguments, cwd=self.away, **{"PYTHONPATH": "", **variables})
        try:
            yield process
        finally:
            process.end()
        assert process.wait() == 0, process.log

    def refuses(self, *options: str, **variables: str) -> str:
        """Run ``densefog-serve``, which must not start, and return the one line that says why."""
        done = self.run("densefog-serve", "--port", "0", "--log-dir", "logs", *options, **variables)
        lines = done.stderr.splitlines()
        assert (done.code, len(lines)) == (78, 1), done.stderr
        return lines[0]


class Done:
    """A program that has ended: its exit code and what it wrote."""

    def __init__(self, code: int, stdout: str, stderr: str) -> None:
        self.code, self.stdout, self.stderr = code, stdout, stderr

    @classmethod
    def of(cls, *command: str | Path, cwd: Path = ROOT, patience: float = PATIENCE, **variables: str) -> Done:
        """Run a command to its end; ``patience`` seconds at most."""
        done = subprocess.run(
            [str(part) for part in command], cwd=cwd, env=environment(**{"PYTHONPATH": "", **variables}),
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=patience,
        )
        return cls(done.returncode, done.stdout, done.stderr)

    def checked(self) -> Done:
        """Return it when it succeeded."""
        assert self.code == 0, self.stdout + self.stderr
        return self


def ask(address: str, action: str, **params: Any) -> Any:
    """Call an action over HTTP, which must succeed, and return its data."""
    body = json.dumps({"action": action, **params}).encode()
    with urllib.request.urlopen(address, body, timeout=20) as response:
        reply = json.load(response)
    assert reply["retCode"] == 0, reply
    return reply["data"]


def run(*command: str | Path) -> str:
    """Run a command that may build or download, which must succeed, and return what it prints."""
    return Done.of(*command, patience=BUILD_PATIENCE).checked().stdout


def pip(*arguments: str | Path) -> str:
    """Run pip, which must succeed."""
    return run(sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments)
