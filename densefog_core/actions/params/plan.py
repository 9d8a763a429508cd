# ruff: noqa: ANN401 - the values of requests, and annotations, are of any type
"""From a dataclass, TypedDict or Struct to the function that converts requests to it; walked once, at registration."""

from __future__ import annotations

import datetime
import decimal
import itertools
import uuid
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal, Union

import msgspec
from msgspec import inspect as mi

from densefog_core.actions.params.converting import camel, convert
from densefog_core.actions.params.kinds import Unsupported, without_action
from densefog_core.actions.params.problems import MAX_PROBLEMS, refused
from densefog_core.actions.params.wire import UNTIMELY, Choice, Items, Map, Moment, Node, Object, locate
from densefog_core.redact import Secret


def converter(takes: Any) -> Callable[[dict[str, Any]], Any]:
    """Return the function that turns a request's parameters into ``takes``.

    Raises:
        Unsupported: msgspec, or densefog, cannot convert to it.
    """
    root = plan(takes)
    objects = _alternatives(root)
    if not objects:
        raise Unsupported("it is no object; write a dataclass, a TypedDict or a Struct")
    strip = any(one.closed for one in objects) and not any("action" in one.names for one in objects)

    def convert_params(params: dict[str, Any]) -> Any:
        given = without_action(params) if strip else params
        try:
            converted = convert(root.rename(given) if root.renames else given, takes)
            if root.is_timed and (found := [one for one in root.problems(given, "") if one[1] == UNTIMELY]):
                raise refused(found)
            return converted
        except msgspec.ValidationError as exc:
            found = list(itertools.islice(root.problems(given, ""), MAX_PROBLEMS))
            error = refused(found or [(locate(root, exc, ""), root.words(exc))])
        raise error

    return convert_params


def _alternatives(root: Node) -> list[Object]:
    members = root.members if isinstance(root, Choice) else [root]
    return [one for one in members if isinstance(one, Object)]


def wire_name(field: mi.Field) -> str:
    """Return a field's name on the wire: the one it declares, or else the camelCase of its attribute."""
    return field.encode_name if field.encode_name != field.name else camel(field.name)


def plan(kind: Any) -> Node:
    """Return the tree of a type.

    Raises:
        Unsupported: msgspec, or densefog, cannot convert to it.
    """
    try:
        info = mi.type_info(kind)
    except (TypeError, NameError, AttributeError, ValueError, RecursionError) as exc:
        raise Unsupported(str(exc).partition("\n")[0]) from None
    root = _node(info, {})
    for node in closure(root):
        inner = closure(node)
        node.renames = any(isinstance(one, Object) and one.has_other_names for one in inner)
        node.is_timed = any(isinstance(one, Moment) for one in inner)
    return root


def closure(root: Node) -> list[Node]:
    """Return a node and all those it leads to, each once; types may contain themselves."""
    seen, queue = {id(root): root}, [root]
    for node in queue:
        for child in node.children():
            if id(child) not in seen:
                seen[id(child)] = child
                queue.append(child)
    return queue


_KINDS: dict[type[mi.Type], Any] = {
    mi.AnyType: Any,
    mi.NoneType: None,
    mi.BoolType: bool,
    mi.IntType: int,
    mi.FloatType: float,
    mi.StrType: str,
    mi.BytesType: bytes,
    mi.ByteArrayType: bytearray,
    mi.MemoryViewType: memoryview,
    mi.DateTimeType: datetime.datetime,
    mi.TimeType: datetime.time,
    mi.DateType: datetime.date,
    mi.TimeDeltaType: datetime.timedelta,
    mi.UUIDType: uuid.UUID,
    mi.DecimalType: decimal.Decimal,
}


def _node(info: mi.Type, seen: dict[int, Object]) -> Node:
    while isinstance(info, mi.Metadata):
        info = info.type
    if isinstance(info, mi.StructType | mi.DataclassType | mi.TypedDictType | mi.NamedTupleType):
        return _record(info, seen)
    if isinstance(info, mi.CollectionType):
        items = Items(_limited(list[Any], min_length=info.min_length, max_length=info.max_length))
        items.rest = _node(info.item_type, seen)
        return items
    if isinstance(info, mi.TupleType):
        return _positional([_node(one, seen) for one in info.item_types], len(info.item_types), len(info.item_types))
    if isinstance(info, mi.DictType):
        key = _node(info.key_type, seen)
        limits = {"min_length": info.min_length, "max_length": info.max_length}
        table = Map(_limited(dict[key.kind, Any], **limits), key.options)  # type: ignore[name-defined]
        table.values = _node(info.value_type, seen)
        return table
    if isinstance(info, mi.UnionType):
        members = [_node(one, seen) for one in info.types]
        options = [option for node in members if not isinstance(node, Object) for option in node.options]
        return Choice(Union[tuple(node.kind for node in members)], options, members)  # noqa: UP007
    return _scalar(info)


def _scalar(info: mi.Type) -> Node:
    if isinstance(info, mi.EnumType):
        return Node(info.cls, [member.value for member in info.cls], info.cls)
    if isinstance(info, mi.LiteralType):
        return Node(Literal[info.values], info.values)
    if isinstance(info, mi.CustomType) and isinstance(info.cls, type) and issubclass(info.cls, Secret):
        return Node(info.cls)
    if type(info) not in _KINDS:
        raise Unsupported(f"type {getattr(info, 'cls', type(info).__name__)!r} is not supported")
    kind = _limited(_KINDS[type(info)], **msgspec.structs.asdict(info))
    return (Moment if isinstance(info, mi.DateTimeType) else Node)(kind, target=kind)


def _limited(kind: Any, **limits: Any) -> Any:
    given = {name: value for name, value in limits.items() if value is not None}
    return Annotated[kind, msgspec.Meta(**given)] if given else kind


def _positional(nodes: Sequence[Node], least: int, most: int | None) -> Items:
    items = Items(_limited(list[Any], min_length=least or None, max_length=most))
    items.first = list(nodes)
    return items


def _record(info: Any, seen: dict[int, Object]) -> Node:
    if isinstance(info, mi.NamedTupleType) or getattr(info, "array_like", False):
        tag = [Node(Any)] if getattr(info, "tag_field", None) else []
        nodes = [*tag, *(_node(field.type, seen) for field in info.fields)]
        is_open = isinstance(info, mi.StructType) and not info.forbid_unknown_fields
        return _positional(nodes, sum(field.required for field in info.fields), None if is_open else len(nodes))
    if id(info) not in seen:
        tag_field = getattr(info, "tag_field", None)
        node = seen[id(info)] = Object(
            info.cls,
            closed=getattr(info, "forbid_unknown_fields", False),
            tag=None if tag_field is None else (tag_field, info.tag),
        )
        for field in info.fields:
            wire = wire_name(field)
            if wire in node.names:
                raise Unsupported(f"{info.cls.__name__}.{field.name} is {wire!r} on the wire, which is taken")
            node.add(wire, field.encode_name, _node(field.type, seen), required=field.required)
    return seen[id(info)]
