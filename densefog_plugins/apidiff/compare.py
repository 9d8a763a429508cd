# ruff: noqa: ANN401 - schemas are any JSON
"""Whether what one schema takes is still taken by another one, facet by facet."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from densefog_plugins.apidiff.kinds import Document, Kind, Schema, least, most

#: ``in`` is what clients send, ``out`` what they get.
Way = Literal["in", "out"]

_PLURAL = {"Length": "length", "Items": "items", "Properties": "members"}


@dataclass(frozen=True, slots=True)
class Change:
    """What is different.

    Attributes:
        action: the action's name, or ``*`` for the whole API.
        path: where, such as ``params/size``; empty for the action itself.
        change: what, in words.
        breaks: whether a caller of the old version fails, or gets something else than it expects.
    """

    action: str
    path: str
    change: str
    breaks: bool


Found = Iterator[tuple[str, str, bool]]


class Comparison:
    """Compares schemas of two documents: what clients may send is still taken, what they get still fits."""

    def __init__(self, old: Document, new: Document, way: Way) -> None:
        self._old, self._new, self._way = old, new, way
        self._under_way: set[str] = set()

    def changes(self, path: str, old: Any, new: Any) -> Found:
        """Yield path, change and whether it breaks callers."""
        pair = json.dumps([old, new], sort_keys=True)
        if pair in self._under_way:
            return
        self._under_way.add(pair)
        yield from self._union(path, self._old.kinds(old), self._new.kinds(new))
        self._under_way.discard(pair)

    def _breaks(self, *, narrower: bool) -> bool:
        """Return whether it breaks that less is taken (or, of a reply, that more can come)."""
        return narrower == (self._way == "in")

    def _union(self, path: str, old: list[Kind], new: list[Kind]) -> Found:
        pairs, gone, added = self._matched(old, new)
        for before, after in pairs:
            yield from self._kind(path, before, after)
        names = {kind.type for kind, _ in pairs}
        for kind in gone:
            yield path, f"{_name(kind, names)} gone", self._breaks(narrower=True)
        for kind in added:
            yield path, f"{_name(kind, names)} added", self._breaks(narrower=False)

    def _matched(self, old: list[Kind], new: list[Kind]) -> tuple[list[tuple[Kind, Kind]], list[Kind], list[Kind]]:
        """Return which alternative became which, those that are gone, and those that are new."""
        alone = len(old) == len(new) == 1
        tests: tuple[Callable[[Kind, Kind], bool], ...] = (
            lambda one, other: _alike(one, other) and not list(self._kind("", one, other)),
            _alike,
            lambda one, other: one.type == other.type,
            lambda one, other: alone or _wider(one, other),
        )
        pairs: list[tuple[Kind, Kind]] = []
        gone, left = list(old), list(new)
        # What is the same is told first: the order of alternatives means nothing. Whoever is alone has no choice.
        for fits in tests[alone:]:
            for kind in list(gone):
                match = next((one for one in left if fits(kind, one)), None)
                if match is not None:
                    pairs.append((kind, match))
                    gone.remove(kind)
                    left.remove(match)
        return pairs, gone, left

    def _kind(self, path: str, old: Kind, new: Kind) -> Found:
        if old.type != new.type:
            narrower = new.type == "integer" or old.type == "any"
            breaks = not _wider(old, new) or self._breaks(narrower=narrower)
            yield path, f"type {new.type}, was {old.type}", breaks
        yield from self._values(path, old, new)
        if not (old.values or new.values):
            yield from self._bounds(path, old, new)
            yield from self._texts(path, old.schema, new.schema)
            yield from self._list(path, old.schema, new.schema)
            if old.type == new.type == "object":
                yield from self._object(path, old.schema, new.schema)

    def _values(self, path: str, old: Kind, new: Kind) -> Found:
        if bool(old.values) != bool(new.values):
            which = ", ".join(sorted(old.values or new.values))
            text = f"one of {which} only" if new.values else f"any {new.type}, was one of {which}"
            yield path, text, self._breaks(narrower=bool(new.values))
            return
        for value in sorted(old.values - new.values):
            yield path, f"value {value} gone", self._breaks(narrower=True)
        for value in sorted(new.values - old.values):
            yield path, f"value {value} added", self._breaks(narrower=False)

    def _bounds(self, path: str, old: Kind, new: Kind) -> Found:
        if {old.type, new.type} <= {"integer", "number"}:
            yield from self._bound(path, "minimum", least(old), least(new), up=True)
            yield from self._bound(path, "maximum", most(old), most(new), up=False)
            # The same number, once allowed and once only approached.
            if (least(old), most(old)) == (least(new), most(new)):
                yield from self._exclusive(path, old.schema, new.schema, whole=new.type == "integer")
        for facet in _PLURAL:
            lower, upper = f"min{facet}", f"max{facet}"
            yield from self._bound(path, lower, old.schema.get(lower, 0), new.schema.get(lower, 0), up=True)
            above = (old.schema.get(upper, math.inf), new.schema.get(upper, math.inf))
            yield from self._bound(path, upper, *above, up=False)

    def _bound(self, path: str, name: str, old: float, new: float, *, up: bool) -> Found:
        if old != new:
            yield path, f"{name} {_number(new)}, was {_number(old)}", self._breaks(narrower=(new > old) is up)

    def _exclusive(self, path: str, old: Schema, new: Schema, *, whole: bool) -> Found:
        for name in () if whole else ("exclusiveMinimum", "exclusiveMaximum"):
            if (name in old) != (name in new):
                yield path, f"{name} {'set' if name in new else 'gone'}", self._breaks(narrower=name in new)

    def _texts(self, path: str, old: Schema, new: Schema) -> Found:
        for facet in ("pattern", "format", "multipleOf", "uniqueItems"):
            before, after = old.get(facet) or None, new.get(facet) or None
            if before == after:
                continue
            text = f"{facet} {after or 'gone'}" + (f", was {before}" if before else "")
            if facet == "multipleOf" and before and after and (before % after == 0 or after % before == 0):
                yield path, text, self._breaks(narrower=after > before)
            else:
                # Another pattern refuses what was taken and gives what was not.
                both = before is not None and after is not None
                yield path, text, both or self._breaks(narrower=before is None)

    def _list(self, path: str, old: Schema, new: Schema) -> Found:
        if "items" in old or "items" in new:
            yield from self.changes(f"{path}/[]", old.get("items", {}), new.get("items", {}))
        first, second = old.get("prefixItems", []), new.get("prefixItems", [])
        for number in range(max(len(first), len(second))):
            before, after = (those[number] if number < len(those) else {} for those in (first, second))
            yield from self.changes(f"{path}/{number}", before, after)

    def _object(self, path: str, old: Schema, new: Schema) -> Found:
        before, after = old.get("properties", {}), new.get("properties", {})
        for name in sorted({*before, *after}):
            at = f"{path}/{name}"
            was, now = name in old.get("required", ()), name in new.get("required", ())
            if name not in after:
                yield at, "gone", True
            elif name not in before:
                yield at, "added, required" if now else "added", self._way == "in" and now
            else:
                yield from self._presence(at, was=was, now=now)
                if self._way == "in" and not (was or now):
                    yield from self._default(at, before[name], after[name])
                yield from self.changes(at, before[name], after[name])
        yield from self._others(path, old.get("additionalProperties", True), new.get("additionalProperties", True))

    def _presence(self, path: str, *, was: bool, now: bool) -> Found:
        if was is not now:
            yield path, "required" if now else "not required any more", self._breaks(narrower=now)

    def _default(self, path: str, old: Any, new: Any) -> Found:
        before, after = (
            one.get("default", document.at(one["$ref"]).get("default") if "$ref" in one else None)
            for one, document in ((old, self._old), (new, self._new))
        )
        if json.dumps(before, sort_keys=True) != json.dumps(after, sort_keys=True):
            yield path, f"default {json.dumps(after)}, was {json.dumps(before)}", True

    def _others(self, path: str, old: Any, new: Any) -> Found:
        """Compare what an object takes beside the members that it names."""
        if old is False or new is False:
            # Whoever reads a reply leaves members alone that it does not know.
            if old is not new:
                text = "unknown members are refused" if new is False else "unknown members are taken"
                yield f"{path}/*", text, self._way == "in" and new is False
        elif old != new:
            yield from self.changes(f"{path}/*", old, new)


def _alike(one: Kind, other: Kind) -> bool:
    return (one.type, one.tag) == (other.type, other.tag)


def _wider(one: Kind, other: Kind) -> bool:
    return {one.type, other.type} == {"integer", "number"} or "any" in (one.type, other.type)


def _name(kind: Kind, known: set[str]) -> str:
    if kind.values:
        return f"value {', '.join(sorted(kind.values))}"
    return " ".join([kind.type, *kind.tag]) if kind.type in known or kind.tag else kind.type


def _number(value: float) -> str:
    return "none" if math.isinf(value) else f"{value:g}" if abs(value) < 1e15 else str(value)
