"""What others wrote, shown so that it moves no cursor, hides no text and begins no line.

.. versionadded:: 1.0
"""

from __future__ import annotations

import re
import sys
from typing import Any, TextIO

#: What a command's own style looks like: colours and weights, which move nothing.
_STYLE = re.compile(r"(\x1b\[[0-9;]{0,16}m)")


def one_line(text: str) -> str:
    r"""Return a text as one line of printable characters: ``\n``, ``\x1b`` and ``\u202e`` are written out.

    Args:
        text: what others wrote; control characters, marks of direction and halves of surrogates may be in it.
    """
    return text if text.isprintable() else "".join(map(_written_out, text))


def _lines(text: str) -> str:
    return "\n".join(map(one_line, text.split("\n")))


def in_json(text: str) -> str:
    r"""Return JSON text with what is not printable as ``\uXXXX``; it stays the same JSON."""
    return "\n".join(line if line.isprintable() else "".join(map(_as_json, line)) for line in text.split("\n"))


def _written_out(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode()


def _as_json(character: str) -> str:
    if character.isprintable():
        return character
    units = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


class _PrintableStream:
    """A text stream that writes printable characters, ends of lines, and the colours of commands.

    Args:
        stream: where it writes; everything but `write` is the stream's own.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write a text; return how many characters that were."""
        parts = _STYLE.split(text)
        parts[::2] = map(_lines, parts[::2])
        self._stream.write("".join(parts))
        return len(text)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(self._stream, name)


def make_output_printable() -> None:
    """Let this process write printable characters only to its stdout and stderr: whatever it says, and whoever's."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is not None and not isinstance(stream, _PrintableStream):
            setattr(sys, name, _PrintableStream(stream))
