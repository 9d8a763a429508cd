# mypy: disable-error-code="attr-defined"
"""Steps that a regular expression takes on a text: counted, not timed.

A pattern is translated to instructions of a machine that backtracks as `re` does; what it executes is counted.
`re` skips some of them, and repeats none more often, so that growth here is growth there.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from re import _constants as C  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any


class TooManySteps(Exception):
    """More steps than are allowed; whatever the exact number, it is no longer linear."""


class Counter:
    """Counts steps.

    Attributes:
        count: so far.
        limit: beyond which `TooManySteps` is raised.
        used: patterns that were looked for.
    """

    def __init__(self) -> None:
        self.count = 0
        self.limit = 1 << 62
        self.used: set[str] = set()

    def add(self, steps: int) -> None:
        """Count some more."""
        self.count += steps
        if self.count > self.limit:
            raise TooManySteps(self.count)


Text = Any
Program = list[tuple[Any, ...]]
_WORD = re.compile(r"\w").match


def _unbounded(most: Any) -> bool:
    return most is C.MAXREPEAT or most >= 65535


class Machine:
    """One pattern as instructions.

    Args:
        pattern: as `re.compile` takes it.
        flags: likewise.
        counter: where steps are counted.
    """

    def __init__(self, pattern: str | bytes, flags: int, counter: Counter) -> None:
        self._flags = flags | _parser.parse(pattern, flags).state.flags
        self._counter = counter
        self._program = self._compile(_parser.parse(pattern, flags))

    def _compile(self, tree: Any) -> Program:
        program: Program = []
        for op, argument in tree:
            self._emit(program, op, argument)
        return [*program, ("done",)]

    def _part(self, program: Program, tree: Any) -> None:
        for op, argument in tree:
            self._emit(program, op, argument)

    def _emit(self, program: Program, op: Any, argument: Any) -> None:
        if op in (C.LITERAL, C.NOT_LITERAL, C.ANY, C.IN, C.CATEGORY, C.RANGE):
            program.append(("char", self._test(op, argument)))
        elif op is C.SUBPATTERN:
            group, *_, tree = argument
            program.append(("open", group))
            self._part(program, tree)
            program.append(("close", group))
        elif op is C.BRANCH:
            ends = []
            for tree in argument[1]:
                split = len(program)
                program.append(())
                self._part(program, tree)
                ends.append(len(program))
                program.append(())
                program[split] = ("split", split + 1, len(program))
            program.append(("fail",))
            for end in ends:
                program[end] = ("jump", len(program))
        elif op in (C.MAX_REPEAT, C.MIN_REPEAT):
            self._repeat(program, argument, lazy=op is C.MIN_REPEAT)
        elif op is C.POSSESSIVE_REPEAT:
            inner: Program = []
            self._repeat(inner, argument, lazy=False)
            program.append(("atomic", [*inner, ("done",)]))
        elif op is C.ATOMIC_GROUP:
            program.append(("atomic", self._compile(argument)))
        elif op in (C.ASSERT, C.ASSERT_NOT):
            direction, tree = argument
            back = tree.getwidth()[0] if direction < 0 else 0
            program.append(("look", self._compile(tree), back, op is C.ASSERT))
        elif op is C.AT:
            program.append(("at", argument))
        elif op is C.GROUPREF:
            program.append(("ref", argument))
        else:
            raise NotImplementedError(str(op))

    def _repeat(self, program: Program, argument: Any, *, lazy: bool) -> None:
        least, most, tree = argument
        for _ in range(least):
            self._part(program, tree)
        splits = []
        for _ in range(1 if _unbounded(most) else most - least):
            splits.append(len(program))
            program += [(), ("mark", len(program))]
            self._part(program, tree)
            program.append(("moved", splits[-1]))
        if _unbounded(most):
            program.append(("jump", splits[0]))
        for split in splits:
            ways = (split + 1, len(program))
            program[split] = ("split", *(reversed(ways) if lazy else ways))

    def _test(self, op: Any, argument: Any) -> Callable[[int], bool]:
        """Return what says whether a character fits; `re` itself is asked, once for each character."""
        item = (op, argument)
        tree = _parser.SubPattern(_parser.State(), [item])
        ask = _asker(tree, self._flags)
        known: dict[int, bool] = {}

        def test(character: int) -> bool:
            if character not in known:
                known[character] = ask(character)
            return known[character]

        return test

    def search(self, text: Text, start: int, end: int | None, *, whole: bool = False, anchored: bool = False) -> None:
        """Count what it takes to look from ``start``, as far as ``end``, where the match begins; None is not found."""
        codes: Sequence[int] = text if isinstance(text, bytes | bytearray) else [ord(one) for one in text]
        for at in range(start, start + 1 if anchored else (len(codes) if end is None else end) + 1):
            if self._run(self._program, codes, at, {}, whole) is not None:
                return

    def _run(
        self, program: Program, text: Sequence[int], at: int, groups: dict[Any, Any], whole: bool = False
    ) -> int | None:
        stack = [(0, at, groups)]
        steps, size = 0, len(text)
        while stack:
            where, at, groups = stack.pop()
            while True:
                steps += 1
                if steps & 4095 == 0:
                    self._counter.add(4096)
                op, *rest = program[where]
                where += 1
                if op == "char":
                    if at >= size or not rest[0](text[at]):
                        break
                    at += 1
                elif op == "split":
                    stack.append((rest[1], at, groups))
                    where = rest[0]
                elif op == "jump":
                    where = rest[0]
                elif op in ("open", "mark"):
                    groups = {**groups, (op, rest[0]): at}
                elif op == "close":
                    groups = {**groups, rest[0]: (groups["open", rest[0]], at)}
                elif op == "moved":
                    if groups["mark", rest[0]] == at:
                        break
                elif op == "atomic":
                    found = self._run(rest[0], text, at, groups)
                    if found is None:
                        break
                    at = found
                elif op == "look":
                    inner, back, wanted = rest
                    holds = at >= back and self._run(inner, text, at - back, groups) is not None
                    if holds is not wanted:
                        break
                elif op == "at":
                    if not self._stands(rest[0], text, at):
                        break
                elif op == "ref":
                    first, last = groups.get(rest[0], (0, 0))
                    steps += last - first
                    if text[first:last] != text[at : at + last - first]:
                        break
                    at += last - first
                elif op == "fail":
                    break
                elif not whole or at == size:
                    self._counter.add(steps & 4095)
                    return at
                else:
                    break
        self._counter.add(steps & 4095)
        return None

    def _stands(self, kind: Any, text: Sequence[int], at: int) -> bool:
        if kind in (C.AT_BEGINNING, C.AT_BEGINNING_STRING):
            return at == 0
        if kind is C.AT_END_STRING:
            return at == len(text)
        if kind is C.AT_END:
            return at == len(text) or (at == len(text) - 1 and text[at] == ord("\n"))
        words = [0 <= one < len(text) and _WORD(chr(text[one])) is not None for one in (at - 1, at)]
        return (words[0] is not words[1]) is (kind is C.AT_BOUNDARY)


def _asker(tree: Any, flags: int) -> Callable[[int], bool]:
    from re import _compiler  # type: ignore[attr-defined]

    tree.state.flags = flags
    compiled = _compiler.compile(tree, flags)
    if flags & re.UNICODE:
        return lambda code: compiled.match(chr(code)) is not None
    return lambda code: code < 256 and compiled.match(bytes([code])) is not None


class Counting:
    """A compiled pattern that counts the steps of what it is asked.

    Args:
        real: what answers.
        counter: where steps are counted.
    """

    def __init__(self, real: Any, counter: Counter) -> None:
        self._real = real
        self._counter = counter
        self._machine: Machine | None = None

    def _count(self, text: Text, start: int, found: Any, **how: Any) -> None:
        if self._machine is None:
            self._machine = Machine(self._real.pattern, self._real.flags, self._counter)
        self._counter.used.add(str(self._real.pattern))
        # The machine's own lines are not to be counted.
        trace, profile = sys.gettrace(), sys.getprofile()
        sys.settrace(None)
        sys.setprofile(None)
        try:
            given = bytes(text) if isinstance(text, bytearray) else text
            self._machine.search(given, start, found and found.start(), **how)
        finally:
            sys.setprofile(profile)
            sys.settrace(trace)

    def match(self, text: Text, at: int = 0, *more: int) -> Any:
        found = self._real.match(text, at, *more)
        self._count(text, at, found, anchored=True)
        return found

    def fullmatch(self, text: Text, at: int = 0) -> Any:
        found = self._real.fullmatch(text, at)
        self._count(text, at, found, anchored=True, whole=True)
        return found

    def search(self, text: Text, at: int = 0, *more: int) -> Any:
        found = self._real.search(text, at, *more)
        self._count(text, at, found)
        return found

    def finditer(self, text: Text, at: int = 0) -> Iterator[Any]:
        for found in self._real.finditer(text, at):
            self._count(text, at, found)
            at = found.end() + (found.end() == found.start())
            yield found
        self._count(text, at, None)

    def _all(self, text: Text) -> None:
        for _ in self.finditer(text):
            pass

    def sub(self, put: Any, text: Text, count: int = 0) -> Any:
        self._all(text)
        return self._real.sub(put, text, count)

    def findall(self, text: Text, *more: int) -> Any:
        self._all(text)
        return self._real.findall(text, *more)

    def split(self, text: Text, *more: int) -> Any:
        self._all(text)
        return self._real.split(text, *more)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)
