"""Regular expressions that a text can keep busy for ever."""

from __future__ import annotations

from re import _constants as constants  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

_GREEDY = (constants.MAX_REPEAT, constants.MIN_REPEAT)


def nests_repeats(pattern: str | bytes, flags: int = 0) -> bool:
    """Return whether an unbounded repeat stands in another one that can give back what it took: ``(a+)+``.

    On a text that almost fits, `re` tries all ways to share the text out among the two. Possessive repeats and atomic
    groups give nothing back: ``(?:a++)*`` is fine.
    """
    return _nests(parser.parse(pattern, flags), within=False)


def _nests(tree: Any, *, within: bool) -> bool:
    for op, argument in tree:
        if op in (constants.POSSESSIVE_REPEAT, constants.ATOMIC_GROUP):
            # Nothing outside of it can try it again in another way; what is inside still can.
            inner = argument[2] if op is constants.POSSESSIVE_REPEAT else argument
            if _nests(inner, within=op is constants.POSSESSIVE_REPEAT and _is_unbounded(argument)):
                return True
        elif op in _GREEDY:
            unbounded = _is_unbounded(argument)
            if (within and unbounded) or _nests(argument[2], within=within or unbounded):
                return True
        elif any(_nests(one, within=within) for one in _parts(op, argument)):
            return True
    return False


def _is_unbounded(argument: Any) -> bool:
    return argument[1] is constants.MAXREPEAT


def _parts(op: Any, argument: Any) -> list[Any]:
    if op is constants.SUBPATTERN:
        return [argument[-1]]
    if op is constants.BRANCH:
        return list(argument[1])
    if op in (constants.ASSERT, constants.ASSERT_NOT):
        return [argument[1]]
    if op is constants.GROUPREF_EXISTS:
        return [one for one in argument[1:] if one is not None]
    return []
