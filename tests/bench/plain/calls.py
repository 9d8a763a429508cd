"""Functions that clients can call, and how one is called."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_type_hints

import pydantic
from pydantic.alias_generators import to_camel, to_pascal

from tests.bench.plain import errors
from tests.bench.plain.control import once
from tests.bench.plain.replies import Reply

Handler = Callable[[Any], dict[str, Any] | Reply]


class Params(pydantic.BaseModel):
    """Parameters of an action: snake_case here, camelCase on the wire."""

    model_config = pydantic.ConfigDict(alias_generator=to_camel, strict=True)


@dataclass
class Action:
    """A function that clients can call.

    Attributes:
        name: what they call it.
        handler: the function.
        params: what it takes.
        kind: what it writes, if it writes.
        idempotent: whether it takes a ``clientToken``.
    """

    name: str
    handler: Handler
    params: type[Params]
    kind: str | None
    idempotent: bool

    def __call__(self, given: dict[str, Any]) -> Reply:
        """Carry out a call, once for each ``clientToken``."""
        if self.idempotent and "clientToken" in given:
            return once(self.name, given.pop("clientToken"), given, lambda: self._carry_out(given))
        return self._carry_out(given)

    def _carry_out(self, given: dict[str, Any]) -> Reply:
        try:
            params = self.params.model_validate(given)
        except pydantic.ValidationError as error:
            raise errors.IllegalRequest(*map(_problem, error.errors())) from None
        result = self.handler(params)
        return result if isinstance(result, Reply) else Reply(result)


def _problem(error: Any) -> tuple[str, str]:
    """Return the JSON pointer to what is wrong, and what that is; what is missing is wrong with its object."""
    if error["type"] == "missing":
        *path, name = error["loc"]
        return "".join(f"/{step}" for step in path), f"'{name}' is a required property"
    return "".join(f"/{step}" for step in error["loc"]), error["msg"]


#: Actions by name.
ACTIONS: dict[str, Action] = {}


def action(kind: str | None = None, *, idempotent: bool = False) -> Callable[[Handler], Handler]:
    """Let clients call a function; ``create_volumes`` is called ``CreateVolumes``.

    Args:
        kind: what it writes: its calls are recorded then.
        idempotent: whether it takes a ``clientToken``.
    """

    def register(handler: Handler) -> Handler:
        name = to_pascal(handler.__name__)
        ACTIONS[name] = Action(name, handler, get_type_hints(handler)["params"], kind, idempotent)
        return handler

    return register
