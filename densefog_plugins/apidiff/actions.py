# ruff: noqa: ANN401 - documents are any JSON
"""What differs between two documents, action by action."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from densefog_plugins.apidiff.compare import Change, Comparison, Way
from densefog_plugins.apidiff.kinds import Document, Schema


class NoDocument(ValueError):
    """A file is not an OpenAPI document of densefog."""


def diff(old: Schema, new: Schema) -> list[Change]:
    """Return what is different for callers, what breaks them first.

    Raises:
        NoDocument: one of them has no actions.
    """
    before, after = _actions(old), _actions(new)
    found = [*_whole(old, new)]
    for name in sorted({*before, *after}):
        if name not in after:
            found.append(Change(name, "", "action gone", breaks=True))
        elif name not in before:
            found.append(Change(name, "", "action added", breaks=False))
        else:
            found += _action(name, (Document(old), before[name]), (Document(new), after[name]))
    return sorted(dict.fromkeys(found), key=lambda change: (not change.breaks, change.action, change.path))


def _actions(document: Schema) -> dict[str, Schema]:
    try:
        return {path.removeprefix("/"): item["post"] for path, item in document["paths"].items()}
    except (KeyError, TypeError, AttributeError):
        raise NoDocument("it is no OpenAPI document of densefog: it has no paths with a post each") from None


def _whole(old: Schema, new: Schema) -> Iterator[Change]:
    """Compare what all actions have in common."""
    was, now = (one.get("x-densefog-api") for one in (old, new))
    if was != now:
        yield Change("*", "api", f"moved to the API {now}, was {was}", breaks=True)
    before, after = (_errors(one) for one in (old, new))
    for code in sorted({*before, *after}):
        if code not in after:
            yield Change("*", f"errors/{code}", f"error {before[code]} gone", breaks=True)
        elif code not in before:
            yield Change("*", f"errors/{code}", f"error {after[code]} added", breaks=False)
        elif before[code] != after[code]:
            yield Change("*", f"errors/{code}", f"error {after[code]}, was {before[code]}", breaks=True)
    schemes, wanted = (one.get("components", {}).get("securitySchemes", {}) for one in (old, new))
    for name in sorted(wanted.keys() - schemes.keys()):
        yield Change("*", f"security/{name}", "asked for", breaks=True)
    for name in sorted(schemes.keys() - wanted.keys()):
        yield Change("*", f"security/{name}", "not asked for any more", breaks=False)
    for name in sorted(schemes.keys() & wanted.keys()):
        if _place(schemes[name]) != _place(wanted[name]):
            yield Change("*", f"security/{name}", "stands in another place", breaks=True)


def _errors(document: Schema) -> dict[int, str]:
    return {row["code"]: row["name"] for row in document.get("x-densefog-errors", ())}


def _place(scheme: Schema) -> tuple[Any, ...]:
    return tuple(scheme.get(member) for member in ("type", "in", "name", "scheme"))


def _action(name: str, old: tuple[Document, Schema], new: tuple[Document, Schema]) -> Iterator[Change]:
    (old_document, before), (new_document, after) = old, new
    was, now = (one.get("x-densefog-effect") for one in (before, after))
    if was != now:
        yield Change(name, "effect", f"effect {now}, was {was}", breaks=True)
    if before.get("x-densefog-idempotent") and not after.get("x-densefog-idempotent"):
        yield Change(name, "params/clientToken", "calls are not idempotent any more", breaks=True)
    if after.get("deprecated") and not before.get("deprecated"):
        yield Change(name, "", f"deprecated, ends {after.get('x-densefog-sunset')}", breaks=False)
    ways: tuple[tuple[Way, str, Any], ...] = (("in", "params", _params), ("out", "data", _data))
    for way, path, schema in ways:
        comparison = Comparison(old_document, new_document, way)
        pair = schema(old_document, before), schema(new_document, after)
        yield from (Change(name, *found) for found in comparison.changes(path, *pair))


def _params(document: Document, action: Schema) -> Any:
    del document
    return _content(action.get("requestBody", {}))


def _data(document: Document, action: Schema) -> Any:
    """Return the schema of what a call gives, which stands in the first reply of the envelope's."""
    answers = _content(action.get("responses", {}).get("200", {})).get("oneOf", [])
    reply = document.at(answers[0]["$ref"]) if answers and "$ref" in answers[0] else {}
    return reply.get("properties", {}).get("data", {})


def _content(holder: Schema) -> Mapping[str, Any]:
    found = holder.get("content", {}).get("application/json", {}).get("schema", {})
    return found if isinstance(found, Mapping) else {}
