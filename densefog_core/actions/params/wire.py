# ruff: noqa: ANN401 - the values of requests, and annotations, are of any type
"""How a typed parameter looks on the wire: camelCase names there, snake_case attributes here.

The nodes rename the members of a request to what msgspec looks for, and find everything that is wrong with a request
that msgspec has refused at its first mistake.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from densefog_core.actions.params.converting import convert
from densefog_core.actions.params.problems import Problem, missing, one_of, pointer, without_secrets

#: What a member that the type does not have is called inside; no attribute can have the name.
UNKNOWN = "\0"


class Node:
    """A value that has the same form on both sides.

    Attributes:
        kind: a type that the value, without what is inside it, can be converted to.
        target: the type itself, when it is known as a whole.
        options: what an enumeration takes.
        renames: whether something in the value has another name on the wire.
        is_timed: whether something in the value is a time; msgspec takes those that UTC has no year for.
    """

    renames = False
    is_timed = False

    def __init__(self, kind: Any, options: Sequence[object] = (), target: Any = None) -> None:
        self.kind = kind
        self.target = target
        self.options = tuple(options)

    def children(self) -> Iterable[Node]:
        """Return the nodes of what is inside."""
        return ()

    def rename(self, value: Any) -> Any:
        """Return the value with the names that msgspec looks for; what does not fit is left as it is."""
        return value

    def problems(self, value: Any, at: str) -> Iterator[Problem]:
        """Yield all that is wrong with a value that stands at ``at``."""
        try:
            convert(value, self.kind)
        except msgspec.ValidationError as exc:
            yield at, self.words(exc)
        else:
            yield from self.inside(value, at)

    def inside(self, value: Any, at: str) -> Iterator[Problem]:
        """Yield what is wrong inside a value whose own form is right."""
        return iter(())

    def step(self, name: str | int) -> tuple[str | int, Node | None]:
        """Return the wire name of a member, and the member's node."""
        return name, None

    def words(self, exc: msgspec.ValidationError) -> str:
        """Return what msgspec says, without the path, and without the value that it quotes for enumerations."""
        text = str(exc).rpartition(" - at `")[0] or str(exc)
        if not text.startswith(("Invalid enum value ", "Invalid value ")) or exc.__cause__ is not None:
            return text
        return one_of(self.options) if self.options else "Not one of the values allowed"


#: What is wrong with a time that UTC has no year for.
UNTIMELY = "Not within the years 1 to 9999 of UTC"


class Moment(Node):
    """A point in time, which is one in UTC, too: the calendar ends there."""

    is_timed = True

    def inside(self, value: Any, at: str) -> Iterator[Problem]:
        """Yield that UTC does not have it."""
        moment: datetime = convert(value, datetime)
        try:
            if moment.tzinfo is not None:
                moment.astimezone(UTC)
        except OverflowError:
            yield at, UNTIMELY


#: Items of an array that are looked at together before each is looked at by itself.
_RUN = 256


class Items(Node):
    """An array: items of one type, or one type for each position."""

    def __init__(self, kind: Any) -> None:
        super().__init__(kind)
        self.first: list[Node] = []
        self.rest: Node | None = None

    def children(self) -> Iterable[Node]:
        """Return the nodes of the items."""
        return [*self.first, *([self.rest] if self.rest else [])]

    def rename(self, value: Any) -> Any:
        """Rename inside the items."""
        if not isinstance(value, list | tuple):
            return value
        nodes = [self.step(index)[1] for index in range(len(value))] if self.first else itertools.repeat(self.rest)
        return [item if node is None else node.rename(item) for item, node in zip(value, nodes, strict=False)]

    def inside(self, value: Any, at: str) -> Iterator[Problem]:
        """Yield what is wrong with the items; runs of good ones are passed over quickly."""
        for start in range(0, len(value), _RUN):
            if self._is_good(value[start : start + _RUN]):
                continue
            for index, item in enumerate(value[start : start + _RUN], start):
                node = self.step(index)[1]
                if node is not None:
                    yield from node.problems(item, pointer(at, index))

    def _is_good(self, items: Sequence[Any]) -> bool:
        if self.first or self.rest is None or self.rest.target is None:
            return False
        try:
            convert([self.rest.rename(item) for item in items], list[self.rest.target])  # type: ignore[name-defined]
        except msgspec.ValidationError:
            return False
        return not self.rest.is_timed

    def step(self, name: str | int) -> tuple[str | int, Node | None]:
        """Return the node of an item."""
        index = name if isinstance(name, int) else -1
        return name, self.first[index] if 0 <= index < len(self.first) else self.rest


class Map(Node):
    """An object whose keys are data: they keep their names."""

    values: Node

    def children(self) -> Iterable[Node]:
        """Return the node of the values."""
        return (self.values,)

    def rename(self, value: Any) -> Any:
        """Rename inside the values."""
        return {k: self.values.rename(v) for k, v in value.items()} if isinstance(value, dict) else value

    def inside(self, value: Any, at: str) -> Iterator[Problem]:
        """Yield what is wrong with the values."""
        for key, item in value.items():
            yield from self.values.problems(item, pointer(at, key))


class Object(Node):
    """A struct, dataclass or TypedDict.

    Attributes:
        target: the class.
        names: attribute by wire name; the tag of a tagged struct is one, too.
        members: node by wire name.
        required: wire names of what must be there.
        closed: whether other members are refused.
        tag: name and value of the member that tells the structs of a union apart.
    """

    def __init__(self, target: Any, *, closed: bool = False, tag: tuple[str, object] | None = None) -> None:
        super().__init__(dict[str, Any], [tag[1]] if tag else (), target)
        self.closed = closed
        self.tag = tag
        self.names: dict[str, str] = {tag[0]: tag[0]} if tag else {}
        self.members: dict[str, Node] = {}
        self.required: list[str] = []

    def add(self, wire: str, attribute: str, node: Node, *, required: bool) -> None:
        """Add a member."""
        self.names[wire] = attribute
        self.members[wire] = node
        if required:
            self.required.append(wire)

    @property
    def has_other_names(self) -> bool:
        """Whether a member's name on the wire is not its attribute's."""
        return any(wire != attribute for wire, attribute in self.names.items())

    def children(self) -> Iterable[Node]:
        """Return the nodes of the members."""
        return self.members.values()

    @functools.cached_property
    def nested(self) -> list[tuple[str, str, Callable[[Any], Any]]]:
        """Wire name, attribute and renaming of each member inside which something is renamed."""
        return [(wire, self.names[wire], node.rename) for wire, node in self.members.items() if node.renames]

    def rename(self, value: Any) -> Any:
        """Rename the members, and inside them."""
        if not isinstance(value, dict):
            return value
        name = self.names.get
        renamed = {name(key, UNKNOWN): item for key, item in value.items()}
        for wire, attribute, rename in self.nested:
            if wire in value:
                renamed[attribute] = rename(value[wire])
        return renamed

    def inside(self, value: Any, at: str) -> Iterator[Problem]:
        """Yield what is missing, what is unknown, what is wrong with the members, or else with their combination."""
        found = False
        for problem in self._of_members(value, at):
            found = True
            yield problem
        if not found:
            try:
                convert(self.rename(value), self.target)
            except msgspec.ValidationError as exc:
                words = self.words(exc)
                yield locate(self, exc, at), words if exc.__cause__ is None else without_secrets(words, value, at)

    def _of_members(self, value: dict[str, Any], at: str) -> Iterator[Problem]:
        for wire in self.required:
            if wire not in value:
                yield at, missing(wire)
        unknown = [key for key in value if key not in self.names] if self.closed else []
        for key in unknown:
            yield at, f"Additional properties are not allowed ({key[:50]!r} was unexpected)"
        for wire, node in self.members.items():
            if wire in value:
                yield from node.problems(value[wire], pointer(at, wire))

    def step(self, name: str | int) -> tuple[str | int, Node | None]:
        """Return the wire name of an attribute."""
        wire = next((wire for wire, attribute in self.names.items() if attribute == name), str(name))
        return wire, self.members.get(wire)


class Choice(Node):
    """A union: at most one form of array and of object, or several structs with a tag."""

    def __init__(self, kind: Any, options: Sequence[object], members: Sequence[Node]) -> None:
        super().__init__(kind, options)
        self.members = members

    def children(self) -> Iterable[Node]:
        """Return the nodes of the alternatives."""
        return self.members

    def _pick(self, value: Any) -> Node | None:
        """Return the alternative with the form of ``value``; None for those that have nothing inside."""
        if isinstance(value, dict):
            objects = [node for node in self.members if isinstance(node, Object | Map)]
            tagged = [node for node in objects if isinstance(node, Object) and _is_tagged(node, value)]
            return tagged[0] if tagged else objects[0] if len(objects) == 1 else None
        if isinstance(value, list | tuple | str):
            kind = Moment if isinstance(value, str) else Items
            return next((node for node in self.members if isinstance(node, kind)), None)
        return None

    def rename(self, value: Any) -> Any:
        """Rename inside the alternative that the value has the form of."""
        node = self._pick(value)
        return value if node is None else node.rename(value)

    def inside(self, value: Any, at: str) -> Iterator[Problem]:
        """Yield what is wrong with the value as the alternative that it has the form of."""
        node = self._pick(value)
        if node is not None:
            yield from node.problems(value, at)
            return
        tags = [node.tag for node in self.members if isinstance(node, Object) and node.tag]
        if isinstance(value, dict) and tags:
            name = tags[0][0]
            yield (pointer(at, name), one_of([tag for _, tag in tags])) if name in value else (at, missing(name))


def _is_tagged(node: Object, value: dict[str, Any]) -> bool:
    return node.tag is not None and node.tag[0] in value and value[node.tag[0]] == node.tag[1]


_PATH = re.compile(r"\.([^.\[`]+)|\[(\d+)\]")


def locate(node: Node | None, exc: msgspec.ValidationError, at: str) -> str:
    """Return the JSON pointer for the path at which msgspec saw an error, as far as it says it."""
    path = str(exc).rpartition(" - at `")[2].removesuffix("`") if " - at `" in str(exc) else "$"
    position = 1
    while node is not None and (match := _PATH.match(path, position)):
        name, node = node.step(match[1] if match[2] is None else int(match[2]))
        at = pointer(at, name)
        position = match.end()
    return at
