"""Actions that pages call in this process, as the operator who is signed in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from densefog_core import jsontext
from densefog_core.actions.records import Request
from densefog_core.app import App
from densefog_core.context import context_id_for, entered
from densefog_core.errors import UnknownAction
from densefog_core.server import Api


@dataclass(frozen=True, slots=True)
class Answer:
    """How an action was answered.

    Attributes:
        ret_code: 0, or the error's number.
        message: the error's text, or None.
        data: plain JSON.
        operation_id: the id of the operation that the call left, or None.
    """

    ret_code: int
    message: str | None
    data: Any
    operation_id: str | None = None

    @property
    def has_done_something(self) -> bool:
        """Whether the action was carried out, for some resources at least."""
        return self.ret_code in (0, 5002)


class Refused(Exception):
    """A page cannot be shown, because an action that it needs has failed.

    Attributes:
        answer: how the action was answered.
    """

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.message)
        self.answer = answer


class Caller:
    """Calls actions as one operator.

    Args:
        app: the application.
        manage: name of the API for operators.
        access_key: the operator's key; None where nothing authenticates.
    """

    def __init__(self, app: App, manage: str, access_key: str | None) -> None:
        self.app, self.manage, self.access_key = app, manage, access_key

    def get(self, action: str, **params: Any) -> Any:  # noqa: ANN401
        """Return the data of an action of the API for operators.

        Raises:
            Refused: the action has failed.
        """
        answer = self.call(action, params)
        if answer.ret_code:
            raise Refused(answer)
        return answer.data

    def call(
        self, action: str, params: dict[str, Any], *, api: str | None = None, project_id: str | None = None
    ) -> Answer:
        """Call an action and return how it was answered.

        Args:
            action: its name.
            params: its members on the wire.
            api: the API that serves it; None is the one for operators.
            project_id: the project to act as, on an API for tenants.
        """
        served = self.api(api or self.manage)
        request = Request(served.name, action, {**params, "action": action}, context_id=context_id_for(None))
        request.project_id = project_id
        if self.access_key is not None:
            request.access_key = self.access_key
        spec = served.specs.get(action)
        with entered(request):
            try:
                if spec is None:
                    raise UnknownAction(action)
                data = self.app.action_caller()(request, spec.call)
                return Answer(0, None, jsontext.loads(jsontext.dumps(data)), request.operation_id)
            except Exception as exc:  # noqa: BLE001 - every failure has its answer in the error table
                request.error = exc
                key = "resourceIds" if spec is None else spec.resource_key
                answer = self.app.errors.answer(
                    exc, context_id=request.context_id, resource_key=key, map_error=self.app.map_error
                )
                data = jsontext.loads(jsontext.dumps(answer.data))
                return Answer(answer.ret_code, answer.message, data, request.operation_id)

    def api(self, name: str) -> Api:
        """Return an API of this process, made when it is not served."""
        return self.app.apis.get(name) or Api(self.app, name, debug=False)
