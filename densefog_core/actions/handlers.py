"""Actions: how they are declared, and how a handler is adapted once, at registration."""

from __future__ import annotations

import inspect
import logging
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, TypeVar, overload

from densefog_core.actions import params as typed
from densefog_core.actions.declaring import Effect, day_of, effect_of, examples_of, tags_of
from densefog_core.actions.records import Request
from densefog_core.errors import RegistrationError
from densefog_core.functions import camel_case, check_plain, open_parameters, place_of
from densefog_core.registry import Registry

Handler = Callable[..., Any]
H = TypeVar("H", bound=Handler)

#: The API that actions belong to unless they say otherwise.
DEFAULT_API = "public"
_MARK = "__densefog_action__"
#: The packages whose actions come with densefog.
_OWN = ("densefog_core", "densefog_plugins")

_logger = logging.getLogger("densefog.actions")


@dataclass(frozen=True, slots=True)
class ActionSpec:
    """A registered action.

    Attributes:
        name: what clients send as ``action``.
        handler: the function as it was written.
        call: the function adapted: takes the `Request`, returns the reply's ``data``.
        apis: names of the APIs that serve it.
        params_schema: JSON Schema of the parameters.
        result_schema: JSON Schema of ``data``.
        summary: first line of the handler's docstring.
        description: the docstring.
        resource_key: where ids that succeeded stand in a partial success, for example ``volumeIds``.
        operation: the type of the resources that it acts on and the key of their ids, when calls are to be recorded.
        idempotent: whether a call may carry a ``clientToken``, and is then carried out once however often it is sent.
        effect: what it does: ``read``, ``create``, ``change`` or ``destroy``.
        effect_known: whether its author or its name says so; a guessed effect gives no rights.
        dry_run: whether it can be planned; False where the handler calls outside by itself.
        returns: the type of ``data``.
        check_result: raises TypeError unless an envelope, JSON, has data of that type; None where it says nothing.
        tags: the groups that it belongs to.
        examples: bodies without ``action`` that it takes.
        deprecated: the day on which it ends, or None.
        deprecated_since: the day on which that was said.
        replaced_by: the action to call instead.
        refuse_when_paused: the jobs while one of which is paused a call is refused.
        find_secrets: yields the values in its parameters that its type declares to be secrets; None without any.
    """

    name: str
    handler: Handler
    call: Callable[[Request], Any]
    apis: tuple[str, ...] = (DEFAULT_API,)
    params_schema: dict[str, Any] = field(default_factory=dict)
    result_schema: dict[str, Any] = field(default_factory=dict)
    summary: str = ""
    description: str = ""
    resource_key: str = "resourceIds"
    operation: tuple[str, str] | None = None
    idempotent: bool = False
    effect: Effect = "change"
    effect_known: bool = False
    dry_run: bool = True
    returns: Any = None
    check_result: Callable[[str], None] | None = None
    tags: tuple[str, ...] = ()
    examples: tuple[dict[str, Any], ...] = ()
    deprecated: date | None = None
    deprecated_since: date | None = None
    replaced_by: str | None = None
    refuse_when_paused: tuple[str, ...] = ()
    find_secrets: Callable[[dict[str, Any]], Iterable[str]] | None = None

    @property
    def plannable(self) -> bool:
        """Whether ``dryRun`` may be asked for: its author knows what the action does, and that it can be undone."""
        return self.dry_run and self.effect_known

    @property
    def is_own(self) -> bool:
        """Whether it comes with densefog, so that it gives way to one of the application's of the same name."""
        module: str = getattr(self.handler, "__module__", None) or ""
        return module.partition(".")[0] in _OWN


@overload
def action(name: H, /) -> H: ...
@overload
def action(name: str | None = None, /, **options: Any) -> Callable[[H], H]: ...  # noqa: ANN401
def action(name: Any = None, /, **options: Any) -> Any:
    """Mark a function as an action.

    The mark takes effect when the function's module, or the function, is named by a ``densefog.actions`` entry point or
    registered by a plugin. ``describe_volumes`` is called ``DescribeVolumes`` unless a name is given::

        @action
        def describe_volumes(params: DescribeVolumes) -> dict: ...

        @action("PurgeVolumes", api="manage")
        def purge(): ...

    Args:
        name: what clients send as ``action``.
        **options: what `ActionRegistry.add` takes.
    """
    if callable(name):
        return action()(name)

    def mark(handler: H) -> H:
        setattr(handler, _MARK, (name or camel_case(handler.__name__), options))
        return handler

    return mark


class ActionRegistry(Registry[ActionSpec]):
    """Actions by ``<api>/<name>``: one name may be served by two APIs with a handler each."""

    def __init__(self) -> None:
        super().__init__("action")

    def add(self, name: str, handler: Handler, **options: Any) -> None:  # type: ignore[override]  # noqa: ANN401
        """Register ``handler`` as action ``name``, in place of one of that name that comes with densefog.

        Args:
            name: what clients send.
            handler: ``handler()``, ``handler(params)`` with the whole body as a dict, or ``handler(params: Type)`` with
                a dataclass, TypedDict, ``msgspec.Struct`` or anything with pydantic's ``model_validate``; returns a
                dict.
            **options: ``api``, a name or several (default ``public``); ``schema``, a JSON Schema of the parameters;
                ``resource_key``; ``operation``, such as ``("volume", "volumeIds")``; ``idempotent``; ``effect``,
                ``read``, ``create``, ``change`` or ``destroy``; ``returns``, the type of the result where the
                annotation does not say it; ``tags``; ``examples``, bodies without ``action``; ``deprecated`` and
                ``deprecated_since``, days such as ``2027-06-01``; ``replaced_by``;
                ``refuse_when_paused``, True or the names of jobs; ``dry_run=False`` when the handler
                calls outside and cannot be planned. They win over those of the handler's `action` mark.

        Raises:
            RegistrationError: the name is taken, the signature cannot be called, or an option is wrong.
        """
        spec = make_spec(name, handler, **options)
        for key in (f"{api}/{name}" for api in spec.apis):
            there = self._values.get(key)
            if there is None or there.is_own is spec.is_own:
                super().add(key, spec)
                continue
            _logger.info("densefog's own action %s gives way to the application's", key)
            if there.is_own:
                del self._values[key]
                super().add(key, spec)

    def replace(self, name: str, handler: Handler, **options: Any) -> None:  # type: ignore[override]  # noqa: ANN401
        """Register ``handler`` in place of another plugin's; see `add`."""
        spec = make_spec(name, handler, **options)
        for api in spec.apis:
            super().replace(f"{api}/{name}", spec)

    def of(self, api: str) -> dict[str, ActionSpec]:
        """Return the actions of one API by name."""
        prefix = f"{api}/"
        return {key.removeprefix(prefix): spec for key, spec in self._values.items() if key.startswith(prefix)}


def make_spec(name: str, handler: Handler, **options: Any) -> ActionSpec:  # noqa: ANN401
    """Build the `ActionSpec` of a handler; see `ActionRegistry.add`."""
    check_plain(f"action {name!r}", handler)
    where = f"action {name!r}: {place_of(handler)}"
    if not isinstance(name, str) or not name:
        raise RegistrationError(f"{where}: the name {name!r} is not a text")
    return _build(name, handler, where, **{**getattr(handler, _MARK, ("", {}))[1], **options})


def _build(
    name: str,
    handler: Handler,
    where: str,
    *,
    api: str | Sequence[str] = DEFAULT_API,
    schema: dict[str, Any] | None = None,
    resource_key: str | None = None,
    operation: tuple[str, str] | None = None,
    idempotent: bool = False,
    effect: str | None = None,
    dry_run: bool = True,
    returns: Any = None,  # noqa: ANN401
    tags: Sequence[str] = (),
    examples: Sequence[Mapping[str, Any]] = (),
    deprecated: str | date | None = None,
    deprecated_since: str | date | None = None,
    replaced_by: str | None = None,
    refuse_when_paused: bool | str | Sequence[str] = False,
    **unknown: Any,  # noqa: ANN401
) -> ActionSpec:
    if unknown:
        raise RegistrationError(f"{where}: unknown option {', '.join(sorted(unknown))}")
    if operation is not None and not (isinstance(operation, tuple) and [*map(type, operation)] == [str, str]):
        raise RegistrationError(f"{where}: operation must be a type and a key such as ('volume', 'volumeIds')")
    takes, result = _signature(handler, where)
    documentation = inspect.getdoc(handler) or ""
    known_effect, effect_known = effect_of(name, effect, where)
    result = result if returns is None else returns
    params_schema = schema or typed.json_schema(None if takes is _NOTHING else takes)
    return ActionSpec(
        name=name,
        handler=handler,
        call=_adapt(handler, where, takes, schema),
        apis=(api,) if isinstance(api, str) else tuple(api),
        params_schema=params_schema,
        result_schema=typed.result_schema(result),
        summary=documentation.partition("\n")[0],
        description=documentation,
        resource_key=resource_key or (operation[1] if operation else "resourceIds"),
        operation=operation,
        idempotent=idempotent,
        effect=known_effect,
        effect_known=effect_known,
        dry_run=dry_run,
        returns=result,
        check_result=typed.result_checker(result),
        tags=tags_of(tags, operation, getattr(handler, "__module__", "") or "", where),
        examples=examples_of(examples, where),
        deprecated=day_of("deprecated", deprecated, where),
        deprecated_since=day_of("deprecated_since", deprecated_since, where),
        replaced_by=replaced_by,
        refuse_when_paused=_jobs(name, refuse_when_paused),
        find_secrets=typed.secret_finder(params_schema),
    )


_NOTHING = object()


def _jobs(action: str, given: bool | str | Sequence[str]) -> tuple[str, ...]:
    """Return the names of jobs that an option means; True is the job of the action's own name."""
    if isinstance(given, bool):
        return (action,) if given else ()
    return (given,) if isinstance(given, str) else tuple(given)


def _signature(handler: Handler, where: str) -> tuple[Any, Any]:
    """Return the annotation of the one parameter (or `_NOTHING`) and of the result.

    Raises:
        RegistrationError: the signature cannot be called, has a parameter that nothing fills, or names a type that does
            not exist.
    """
    try:
        parameters = open_parameters(handler)
        hints = typing.get_type_hints(_annotated(handler), include_extras=True)
    except (NameError, TypeError, ValueError) as exc:
        raise RegistrationError(f"{where}: its signature cannot be read: {exc}") from None
    parameters = [one for one in parameters if one.kind not in _VARIADIC]
    filled = [one for one in parameters[:1] if one.kind in _POSITIONAL]
    if unfilled := [one.name for one in parameters if one not in filled]:
        raise RegistrationError(
            f"{where} cannot be called; an action takes nothing or one argument, params: "
            f"nothing fills {', '.join(unfilled)}"
        )
    return hints.get(filled[0].name) if filled else _NOTHING, hints.get("return")


_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def _annotated(handler: Handler) -> Any:  # noqa: ANN401
    """Return the object that carries the annotations: the function, or the ``__call__`` of an instance."""
    return handler if inspect.isroutine(handler) or isinstance(handler, type) else type(handler).__call__


def _adapt(handler: Handler, where: str, takes: object, schema: dict[str, Any] | None) -> Callable[[Request], Any]:
    convert = None if takes is _NOTHING else typed.converter(takes, where)
    if takes is _NOTHING:
        call: Callable[[Request], Any] = lambda request: handler()  # noqa: E731
    elif convert is None:
        call = lambda request: handler(request.params)  # noqa: E731
    else:
        call = lambda request: handler(convert(request.params))  # noqa: E731
    if schema is None:
        return call
    check = typed.schema_validator(schema, where)

    def checked(request: Request) -> Any:  # noqa: ANN401
        check(request.params)
        return call(request)

    return checked
