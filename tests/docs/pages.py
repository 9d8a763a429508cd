"""The pages as programs: their blocks are read, and carried out as a reader would, in a folder of their own.

What a block means is said by its language: ``console`` has commands after ``$`` and below them what they print;
a block with a caption is the file of that name; ``python`` is run, in one namespace for each page; ``json``, ``toml``
and ``ini`` must be that; ``text`` is for the eye. ``<!-- test: ... -->`` in the line before a block says more:

- ``skip``, and why: it cannot run here;
- ``eventually``: the commands are repeated until they print what is expected;
- ``fails``: the command's exit code is not 0;
- ``append``: the file is there already, and this is added to it;
- ``in FILE``: the block stands so in a file of the repository.
"""

from __future__ import annotations

import configparser
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sysconfig
import time
import tomllib
import venv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.integration.process import PATIENCE, ROOT, environment

DOCS = ROOT / "docs"

#: Languages whose blocks are for the eye.
SHOWN = ("text",)
#: The port in the pages, in whose place the tests take a free one.
PORT = "8080"
#: What pages install from the index, and the tests share.
PROGRAMS = ("densefog", "densefog-serve", "pip", "pytest")

_server = re.compile(r"(\w+=\S+ )*(densefog-serve|gunicorn|waitress-serve)\b")
#: What a server says when it is there.
_ready = re.compile(r"listens on(.|\n)*worker runs|runs jobs|api \w+ listens|Listening at|Serving on")
#: What is there already; pip takes two seconds to find that out.
_nothing_new = re.compile(r"(?:\. \.venv/bin/activate && )?pip install (?:densefog|pytest|alembic| )+")
_fence = re.compile(r"^(?P<fence>`{3,})(?P<info>[^`\n]*)\n(?P<body>.*?)^(?P=fence)\s*$", re.M | re.S)
_mark = re.compile(r"<!-- test: (.+?) -->\s*\Z")
_option = re.compile(r"\A:(\w+): *(.*)\n+")
_directive = re.compile(r"\{code-block\} *(\w+)")

_TIME = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?Z?"
#: What differs from run to run. An id, or an access key or its secret, stands for the same one in all of a page.
_varying = re.compile(
    r"(?P<id>\b(?:job|vol|srv)-[0-9A-Za-z]{8,10}\b|\b(?=\w*\d)(?:[0-9A-Za-z]{20}){1,2}\b)"
    rf"|(?P<time>{_TIME})"
    r"|(?P<context>\bctx-\d+-\w{4}\b|(?<=pid )\d+|(?<=\()\d+(?= actions))"
    r"|(?P<any>\s*\.\.\.\s*)|(?P<space>\s+)"
)


@dataclass(frozen=True)
class Block:
    """One code block of a page."""

    page: Path
    line: int
    language: str
    text: str
    caption: str = ""
    marks: tuple[str, ...] = ()

    def mark(self, name: str) -> str | None:
        """Return what a mark says beside its name; None when it is not there."""
        return next((one.partition(" ")[2] for one in self.marks if one.split()[0] == name), None)

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(page: Path) -> Iterator[Block]:
    """Yield the code blocks of a Markdown page; directives that are no code are left out."""
    text = page.read_text()
    for match in _fence.finditer(text):
        info, body = match["info"].strip(), match["body"]
        directive = _directive.fullmatch(info)
        if info.startswith("{") and directive is None:
            continue
        options = {}
        while directive and (option := _option.match(body)):
            options[option[1]] = option[2]
            body = body[option.end() :]
        mark = _mark.search(text[: match.start()])
        yield Block(
            page, text.count("\n", 0, match.end() - len(match[0])) + 1, directive[1] if directive else info or "text",
            body, options.get("caption", "").strip("`"), tuple(mark[1].split("; ")) if mark else (),
        )


def pages() -> list[Path]:
    """Return every page that has been written by hand in Markdown."""
    return [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]


class Reader:
    """Somebody who does what pages say.

    Args:
        folder: where; what is installed there lasts as long.
        alone: whether environments are made by the page's own commands, with nothing in them but what pip installs.
        **variables: environment variables.
    """

    def __init__(self, folder: Path, *, alone: bool = False, **variables: str) -> None:
        self._alone = alone
        self.folder = self.cwd = folder
        self.port = str(free_port())
        self._ids: dict[str, str] = {}
        self._names: dict[str, Any] = {"__name__": "page"}
        self._server: subprocess.Popen[bytes] | None = None
        self._log = folder / "server.log"
        self._variables = variables

    def follow(self, page: Path) -> None:
        """Carry out one page."""
        self._names = {"__name__": "page"}
        for block in blocks(page):
            try:
                self.do(block)
            except BaseException as exc:
                exc.add_note(f"in {block}")
                raise

    def do(self, block: Block) -> None:
        """Carry out one block."""
        if block.mark("skip") is not None or block.language in SHOWN:
            return
        source = block.mark("in")
        if source is not None:
            assert block.text.strip() in (ROOT / source).read_text(), f"this is not in {source} (any more)"
        elif block.caption:
            self._write(block)
        elif block.language == "console":
            marks = {name: block.mark(name) is not None for name in ("eventually", "fails")}
            self.console(block.text, **marks)
        elif block.language == "python":
            exec(compile("\n" * block.line + block.text, str(block.page), "exec"), self._names)
        else:
            CHECKS[block.language](block.text)

    def _write(self, block: Block) -> None:
        path = self.cwd / block.caption.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        before = path.read_text() if block.mark("append") is not None else ""
        path.write_text(before + block.text.replace(PORT, self.port))

    # -- commands ----------------------------------------------------------------------------------------------

    def console(self, text: str, *, eventually: bool = False, fails: bool = False) -> None:
        """Run the commands of a console block, and compare what they print; see the marks of the same names."""
        deadline = time.monotonic() + (PATIENCE if eventually else 0)
        for command, expected in commands(text):
            while True:
                code, printed = self._run(command)
                if self._matches(expected, printed) and (code != 0) == fails:
                    break
                assert time.monotonic() < deadline, (
                    f"$ {command}\nexit code {code}; expected:\n{expected}\nprinted:\n{printed}\n{self.log()}"
                )
                time.sleep(0.1)

    def _run(self, command: str) -> tuple[int, str]:
        """Run one command, and return its exit code and what it prints."""
        for ours, theirs in self._ids.items():
            command = command.replace(ours, theirs)
        command = command.replace(PORT, self.port)
        if command.startswith("cd "):
            self.cwd = self.cwd / command[3:]
            return 0, ""
        if _server.match(command):
            return self.serve(command)
        if command.startswith("python3 -m venv ") and not self._alone:
            return self._make_venv(self.cwd / shlex.split(command)[-1])
        if not self._alone and _nothing_new.fullmatch(command):
            return 0, ""
        command = re.sub(r"\bdensefog call\b", f"densefog call --url http://127.0.0.1:{self.port}/", command)
        done = subprocess.run(
            command, shell=True, executable="/bin/bash", cwd=self.cwd, env=self._environment(), text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120,
        )
        return done.returncode, done.stdout

    def serve(self, command: str) -> tuple[int, str]:
        """Stop the server that runs, and start one in the background; return what it says when it is there."""
        self.stop()
        served = command.replace("densefog-serve", f"densefog-serve --port {self.port}")
        with self._log.open("wb") as log:
            self._server = subprocess.Popen(
                # Who starts the suite in the background of a script has Ctrl-C ignored.
                ["bash", "-c", f"exec env --default-signal=INT {served}"],
                cwd=self.cwd, env=self._environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )
        deadline = time.monotonic() + PATIENCE
        while not _ready.search(self.log()):
            assert self._server.poll() is None and time.monotonic() < deadline, self.log()
            time.sleep(0.05)
        time.sleep(0.05)
        return 0, self.log()

    def log(self) -> str:
        """Return what the server has written."""
        return self._log.read_text() if self._log.exists() else ""

    def signal(self, number: signal.Signals) -> None:
        """Send the server a signal."""
        assert self._server is not None
        self._server.send_signal(number)

    def stop(self) -> None:
        """Do as Ctrl-C does."""
        if self._server is not None:
            self._server.send_signal(signal.SIGINT)
            assert self._server.wait(PATIENCE) == 0, self.log()
            self._server = None

    def close(self) -> None:
        """Leave nothing running."""
        try:
            self.stop()
        finally:
            if self._server is not None:
                self._server.kill()
                self._server.wait()

    def _environment(self) -> dict[str, str]:
        path = [str(self.cwd / ".venv/bin"), sysconfig.get_path("scripts")]
        return environment(
            PATH=os.pathsep.join([*path, os.environ["PATH"]]), PIP_DISABLE_PIP_VERSION_CHECK="1",
            **{"PYTHONPATH": "", **self._variables},
        )

    def _make_venv(self, folder: Path) -> tuple[int, str]:
        """Make an environment that sees what this one has: densefog is on no index, the rest need not be fetched."""
        venv.create(folder, symlinks=True)
        [site] = folder.glob("lib/python*/site-packages")
        (site / "shared.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
        for program in PROGRAMS:
            _, _, script = (Path(sysconfig.get_path("scripts")) / program).read_text().partition("\n")
            (folder / "bin" / program).write_text(f"#!{folder}/bin/python\n{script}")
            (folder / "bin" / program).chmod(0o755)
        return 0, ""

    # -- what they print ---------------------------------------------------------------------------------------

    def _matches(self, expected: str, printed: str) -> bool:
        if not expected:
            return True
        pattern, groups, at = "", [], 0
        for match in _varying.finditer(expected):
            pattern += re.escape(expected[at : match.start()].replace(PORT, self.port))
            pattern += self._pattern(match, groups)
            at = match.end()
        pattern += re.escape(expected[at:].replace(PORT, self.port))
        found = re.search(rf"(?:\A|\n)\s*{pattern}\s*(?:\Z|\n)", printed)
        if found is None:
            return False
        self._ids |= {ours: found[f"id{number}"] for number, ours in enumerate(groups)}
        return True

    def _pattern(self, match: re.Match[str], groups: list[str]) -> str:
        ours = match[0]
        if match.lastgroup != "id":
            return {"time": _TIME, "context": r"[\w-]+", "any": r"[\s\S]*?", "space": r"\s+"}[str(match.lastgroup)]
        if ours in self._ids:
            return re.escape(self._ids[ours])
        if ours in groups:
            return f"(?P=id{groups.index(ours)})"
        groups.append(ours)
        prefix, dash, _ = ours.rpartition("-")
        return rf"(?P<id{len(groups) - 1}>{prefix}{dash}\w+)"


def commands(text: str) -> list[tuple[str, str]]:
    """Return the commands of a console block, each with what it prints."""
    found: list[tuple[str, str]] = []
    for line in text.replace("\\\n", "").splitlines():
        if line.startswith("$ "):
            found.append((line[2:], ""))
        elif found:
            command, expected = found[-1]
            found[-1] = command, f"{expected}\n{line}" if expected else line
        else:
            assert not line.strip(), f"what prints {line!r}?"
    return [(command, expected.strip()) for command, expected in found]


def _ini(text: str) -> None:
    assert configparser.ConfigParser(interpolation=None).read_string(text) is None


CHECKS = {"json": json.loads, "toml": tomllib.loads, "ini": _ini, "python": lambda text: compile(text, "page", "exec")}


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
