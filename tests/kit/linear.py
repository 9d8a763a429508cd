"""Runs what takes others' text on texts that grow, and counts the steps: ``python -m tests.kit.linear [EXAMPLES]``.

Counted are lines of densefog that are executed, steps of its regular expressions, and elements that methods of lists
look at. It is a program of its own, since `re` must be replaced before densefog is imported. It prints JSON.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from tests.kit.steps import Counter, Counting, TooManySteps

COUNTER = Counter()
#: Patterns of densefog's source, with the module of each; and those that repeat a repeat.
PATTERNS: dict[str, str] = {}
NESTED: list[str] = []

#: Texts of so many characters, and so many times as many.
SIZE, TIMES = 500, 4
#: How much steps may grow by; linear ones grow by 4, quadratic ones by 16.
MOST = 9
#: Steps that any call may take: below this, growth says nothing.
FREE = 20_000

_OURS = ("densefog_core", "densefog_plugins", "densefog")
_compile = re.compile


def _is_ours(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0] in _OURS


def _counting_compile(pattern: Any, flags: int = 0) -> Any:
    real, module = _compile(pattern, flags), sys._getframe(1).f_globals.get("__name__", "")
    return _counted(real, module) if _is_ours(sys._getframe(1)) else real


def _counted(real: Any, module: str) -> Counting:
    if str(real.pattern) not in PATTERNS:
        from tests.kit.patterns import nests_repeats

        PATTERNS[str(real.pattern)] = module
        NESTED.extend([f"{module}: {real.pattern}"] * nests_repeats(real.pattern, real.flags & ~re.UNICODE))
    return Counting(real, COUNTER)


def _counting_function(name: str) -> Callable[..., Any]:
    real = getattr(re, name)

    def call(pattern: Any, *arguments: Any, **options: Any) -> Any:
        if not _is_ours(sys._getframe(1)):
            return real(pattern, *arguments, **options)
        real_pattern = _compile(pattern, options.get("flags", 0))
        return getattr(_counted(real_pattern, sys._getframe(1).f_globals["__name__"]), name)(*arguments)

    return call


def install() -> None:
    """Replace `re` for densefog, and import all of it."""
    re.compile = _counting_compile  # type: ignore[assignment]
    for name in ("sub", "split", "search", "match", "fullmatch", "findall", "finditer"):
        setattr(re, name, _counting_function(name))
    for package in _OURS[:2]:
        for module in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)


def _trace(frame: FrameType, event: str, argument: object) -> Any:
    if not _is_ours(frame):
        return None
    if event == "line":
        COUNTER.add(1)
    return _trace


_LOOKING = frozenset({"count", "index", "remove", "insert", "copy", "__contains__"})


def _profile(frame: FrameType, event: str, argument: Any) -> None:
    if event == "c_call":
        owner = getattr(argument, "__self__", None)
        COUNTER.count += len(owner) if isinstance(owner, list) and argument.__name__ in _LOOKING else 1


def steps(function: Callable[[str], object], text: str, limit: int) -> int:
    """Return the steps that a call takes, or some number above ``limit``."""
    COUNTER.count, COUNTER.limit = 0, limit
    sys.settrace(_trace)
    sys.setprofile(_profile)
    try:
        function(text)
    except TooManySteps:
        pass
    except Exception:
        pass
    finally:
        sys.setprofile(None)
        sys.settrace(None)
        COUNTER.limit = 1 << 62
    return COUNTER.count


def growth(function: Callable[[str], object], before: str, unit: str, after: str) -> float:
    """Return by how much steps grow when a text does by `TIMES`."""
    count = max(1, SIZE // len(unit))
    first = max(steps(function, before + unit * count + after, 1 << 62), FREE // TIMES)
    limit = MOST * first
    return steps(function, before + unit * count * TIMES + after, limit) / first


#: What texts are made of: what the patterns look for, and what they pass over.
PIECES = (
    "a", "a.", "1", "A", "-", "--", "_", "=", ":", "://", "@", "/", "?", "&", "%22", "%3D", '"', "'", "\\", '\\"', "(",
    ")", "[", "{", "}", "<", ">", "<a>", "</", "]]>", ",", ";", " ", "\n", "\r\n", "\t", "\0", "\x1b[", "\u202e",
    "\ud800", "password=", "password ", '"password":', "name: password value: ", "identified by (:", "token",
    "login a password ", "mysql -p", "redis-cli -a ", "-u a:", "bearer ", "eyJaaaa.", "-----BEGIN PRIVATE KEY-----",
    "-----END", "hooks.slack.com/services/", 'value":"', "cookie: ", "vol-", "worker lost: ", " (try 1 of 1)", "::",
    "[::1]", "example.com", "10.0.0.1, ", "GET / HTTP/1.1\r\n", "Host: a\r\n", '{"a":', "[[", "null,", "1e", ';keyid="',
)  # fmt: skip


def examine(name: str, function: Callable[[str], object], examples: int) -> dict[str, Any]:
    """Return the worst growth that was found, and the text."""
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis import strategies as st

    worst: tuple[float, tuple[str, str, str]] = (0.0, ("", "", ""))
    piece = st.sampled_from(PIECES)

    @settings(
        max_examples=examples, derandomize=True, database=None, deadline=None, phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.just("") | piece, st.lists(piece, min_size=1, max_size=3).map("".join), st.just("") | piece)
    def look(before: str, unit: str, after: str) -> None:
        nonlocal worst
        worst = max(worst, (growth(function, before, unit, after), (before, unit, after)))

    for one in PIECES:
        worst = max(worst, (growth(function, "", one, ""), ("", one, "")))
    look()
    return {"name": name, "growth": worst[0], "text": worst[1]}


def main() -> None:
    """Print what was found: of each function, and which patterns none of them used."""
    examples = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    install()
    from tests.kit.texts import subjects

    found = [examine(name, function, examples) for name, function in subjects().items()]
    unused = {pattern: module for pattern, module in PATTERNS.items() if pattern not in COUNTER.used}
    print(json.dumps({"found": found, "unused": unused, "patterns": PATTERNS, "nested": NESTED}))


if __name__ == "__main__":
    main()
