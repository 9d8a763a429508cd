"""What others wrote moves no cursor and begins no line: on terminals, in logs, in JSON."""

from __future__ import annotations

import io
import json
import logging
import sys
from logging.handlers import WatchedFileHandler
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from densefog_core import logs
from densefog_core.cli.main import main
from densefog_core.cli.tables import show, show_one
from densefog_core.printable import _PrintableStream, in_json, one_line

HOSTILE = "x\x1b]0;owned\x07\x1b[2J\r\n\u202e\u2028\x9b1m\ud800"
FORGED = "[INFO][2026-01-01T00:00:00.000Z][ctx-1-aaaa][app] approved"

#: Halves of surrogates too.
texts = st.text(st.characters(exclude_categories=()) | st.sampled_from("\x1b\n\r\t\x7f\x9b\u202e\u2028\ud800\udfff\\"))


@given(texts)
def test_any_text_is_one_printable_line(text: str) -> None:
    """Whatever it was; and what was printable is as it was."""
    assert one_line(text).isprintable()
    assert one_line(text) == text or not text.isprintable()


@given(st.recursive(texts, lambda inner: st.lists(inner) | st.dictionaries(texts, inner)))
def test_printable_json_is_the_same_json(value: object) -> None:
    """Escapes of JSON stand for what was not printable."""
    text = in_json(json.dumps(value, ensure_ascii=False))
    assert text.isprintable()
    assert json.loads(text) == json.loads(json.dumps(value))


@given(texts)
def test_a_stream_writes_lines_of_printable_characters(text: str) -> None:
    """The lines stay, the rest is written out."""
    written = io.StringIO()
    assert _PrintableStream(written).write(text) == len(text)
    assert written.getvalue().count("\n") == text.count("\n")
    assert written.getvalue().replace("\n", "").isprintable()


def test_a_stream_lets_the_colours_of_commands_through() -> None:
    """`click.style` works as ever; what moves the cursor does not."""
    written = io.StringIO()
    _PrintableStream(written).write("\x1b[1mNAME\x1b[0m \x1b[2J")
    assert written.getvalue() == "\x1b[1mNAME\x1b[0m \\x1b[2J"


@pytest.mark.parametrize("json_output", [False, True])
def test_tables_and_objects_show_only_what_is_printable(
    capsys: pytest.CaptureFixture[str], json_output: bool
) -> None:
    """Colours of others are written out too, unlike those of the table itself."""
    hostile = HOSTILE[:-1] + "\x1b[8m"
    show([{"name": hostile, "of": [hostile], "it": {"a": hostile}}], ["name", "of", "it"], json_output=json_output)
    show_one({"name": hostile}, json_output=json_output)
    assert capsys.readouterr().out.replace("\n", "").isprintable()


def test_the_error_of_a_command_is_printable() -> None:
    """What a command says of its arguments, it says through the same stream."""
    result = CliRunner().invoke(main, ["\x1b[2Jno\u202ecommand"])
    assert result.exit_code == 2
    assert result.output.replace("\n", "").isprintable()


@pytest.mark.parametrize("as_json", [False, True])
def test_no_text_forges_or_loses_a_line_of_the_log(tmp_path: Path, as_json: bool) -> None:
    """Neither a message nor an exception's text; the line of half a surrogate is there too."""
    access = logs.setup(str(tmp_path), "public", json=as_json)
    try:
        raise ValueError(f"no {HOSTILE}\n{FORGED}")
    except ValueError:
        # Not by a logger: pytest, too, has a handler, and cannot tell half of a surrogate to its other processes.
        record = logging.LogRecord("app", logging.ERROR, "", 0, "told %s\n%s", (HOSTILE, FORGED), sys.exc_info())
        next(one for one in logging.getLogger().handlers if isinstance(one, WatchedFileHandler)).handle(record)
    access.write("a", HOSTILE, HOSTILE, 0, 0.001, 1)
    access.close()
    for name in ("normal.log", "access.log"):
        found = (tmp_path / "public" / name).read_text().removesuffix("\n").split("\n")
        assert all(line.isprintable() for line in found)
        assert FORGED not in found
        assert found[0].count("owned") == (1 if name == "normal.log" and not as_json else 2)
        if as_json:
            assert [json.loads(line) for line in found]
