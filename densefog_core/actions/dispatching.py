"""One request in, one reply out. Knows no HTTP."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from densefog_core import jsontext
from densefog_core.actions.handlers import ActionSpec
from densefog_core.actions.records import Call, Reply, Request, RequestEvent
from densefog_core.context import _scope, context_id_for
from densefog_core.errors import ErrorTable, UnknownAction
from densefog_core.errors.iaas_error import ValidationError
from densefog_core.errors.table import INTERNAL_CODE, MapError
from densefog_core.plugins.observers import Implementations, tell
from densefog_core.redact import declared, hide_declared, known, without_values

_logger = logging.getLogger("densefog.dispatch")


class Dispatcher:
    """Serves the actions of one API.

    Args:
        api: its name.
        actions: its actions by name; more may be added.
        debug: whether replies carry tracebacks.
        authenticate: finds out whose a request is, or raises; None where nobody does.
        call_action: runs a handler, within what plugins put around it.
        errors: what exceptions are answered with.
        map_error: asked what an exception means that the table does not cover.
        access: writes the line of a call: address, project, action, retCode, seconds, bytes.
        observers: implementations of ``densefog_request_event``.
        strict: whether a result that is not what its action declares is an error, not a line in the log.
        limits: how much may stand in a body.
    """

    def __init__(
        self,
        api: str,
        actions: Mapping[str, ActionSpec],
        *,
        debug: bool,
        authenticate: Callable[[Request], None] | None,
        call_action: Callable[[Request, Callable[[Request], Any]], Any],
        errors: ErrorTable,
        map_error: MapError,
        access: Callable[[str, str, str, int, float, int], None],
        observers: Implementations,
        strict: bool = False,
        limits: jsontext.Limits | None = None,
    ) -> None:
        self._api = api
        self._actions = actions
        self._debug = debug
        self._authenticate = authenticate
        self._call_action = call_action
        self._errors = errors
        self._map_error = map_error
        self._access = access
        self._observers = observers
        self._strict = strict or debug
        self._limits = limits
        self._unfit: set[str] = set()

    def dispatch(self, call: Call) -> Reply:
        """Answer one call; whatever goes wrong is answered too."""
        started = time.perf_counter()
        request = self.request_of(call)
        token = _scope.set(request)
        spec, reply = None, None
        try:
            try:
                spec = self._find(request, call)
                data = self._call_action(request, spec.call)
                text = self._envelope(data, spec, pretty=call.pretty)
                if spec.check_result is not None and not request.dry_run:
                    self._check(spec, spec.check_result, text)
                reply = Reply(text, 0, request.context_id)
            except Exception as exc:  # noqa: BLE001 - every failure has its answer in the error table
                reply = self.failed(request, spec, exc, pretty=call.pretty)
            except (SystemExit, KeyboardInterrupt) as exc:
                # A library's sys.exit() would end the server, and every other request with it.
                reply = self.failed(request, spec, RuntimeError(f"the handler raised {exc!r}"), pretty=call.pretty)
            return reply
        finally:
            if request._teardowns is not None:
                request.teardown()
            # A transport that ends a handler at its deadline raises through here: there is a line, but no reply.
            ret_code, size = (reply.ret_code, _bytes(reply.text)) if reply is not None else (INTERNAL_CODE, 0)
            seconds = time.perf_counter() - started
            self._access(
                request.remote_addr or "-", request.project_id or "-", request.action or "-", ret_code, seconds, size
            )
            if self._observers:
                self._emit(RequestEvent(request, None if spec is None else spec.name, ret_code, seconds, size))
            _scope.reset(token)

    def request_of(self, call: Call) -> Request:
        """Return the request of a call whose body was not looked at yet."""
        request = Request(
            self._api, "", {}, context_id=context_id_for(call.request_id), headers=call.headers,
            remote_addr=call.remote_addr,
        )
        request.body = call.body
        request.method, request.host = call.method, call.host
        if call.path is not None:
            request.path = call.path
        elif call.action is not None:
            request.path = f"/{call.action}"
        return request

    def _emit(self, event: RequestEvent) -> None:
        tell(self._observers, event, f"of a call of {event.action or 'no action'}")

    def _find(self, request: Request, call: Call) -> ActionSpec:
        try:
            self._read(request, call)
        except ValidationError:
            self._let_in(request)
            raise
        self._let_in(request)
        spec = self._actions.get(request.action)
        if spec is None:
            raise UnknownAction(request.action)
        if spec.find_secrets is not None:
            # Also of a call that is refused, or answered as it was before: nothing is converted then.
            request.secrets = {value for value in spec.find_secrets(request.params) if value} or None
        return spec

    def _let_in(self, request: Request) -> None:
        # Before anything is said of the request: strangers do not learn which actions there are.
        if self._authenticate is not None:
            self._authenticate(request)

    def _read(self, request: Request, call: Call) -> None:
        params = _body(call.body, self._limits)
        if call.action is not None:
            params.setdefault("action", call.action)
        request.params = params
        name = params.get("action")
        if type(name) is not str:
            raise _bad_action(params)
        if call.action is not None and name != call.action:
            raise illegal("/action", f"the address names another action, {call.action[:50]}")
        request.action = name

    @staticmethod
    def _envelope(data: object, spec: ActionSpec, *, pretty: bool) -> str:
        try:
            if secrets := declared():
                data = _without_secrets(data, secrets)
            return jsontext.dumps({"data": data, "retCode": 0, "message": None}, pretty=pretty)
        except (TypeError, ValueError, RecursionError) as exc:
            handler = f"{spec.handler.__module__}.{getattr(spec.handler, '__qualname__', spec.handler)}"
            raise TypeError(f"action {spec.name}: {handler} returned something that is not JSON: {exc}") from exc

    def _check(self, spec: ActionSpec, check: Callable[[str], None], text: str) -> None:
        """Raise when a result is not what the action declares; in production it is sent, and logged once."""
        try:
            check(text)
        except TypeError as exc:
            if self._strict:
                raise TypeError(f"action {spec.name}: its result is not what it declares: {exc}") from exc
            if spec.name not in self._unfit:
                self._unfit.add(spec.name)
                _logger.error("action %s: its result is not what it declares: %s", spec.name, exc)

    def failed(
        self, request: Request, spec: ActionSpec | None, exc: Exception, *, pretty: bool = False
    ) -> Reply:
        """Return the reply to a request that ended with an exception; faults of this side are logged."""
        request.error = exc
        answer = self._errors.answer(
            exc,
            debug=self._debug,
            context_id=request.context_id,
            resource_key="resourceIds" if spec is None else spec.resource_key,
            map_error=self._map_error,
        )
        if answer.is_fault:
            _logger.error("action %s failed", request.action or "-", exc_info=exc)
        return error_reply(answer.ret_code, answer.message, answer.data, request.context_id, pretty=pretty)


def error_reply(
    ret_code: int, message: str, data: dict[str, Any], context_id: str, *, pretty: bool = False
) -> Reply:
    """Return the envelope of an error."""
    try:
        if secrets := known():
            # Not only those that types declare: what an error quotes was not meant to be said.
            data, message = _without_secrets(data, secrets), hide_declared(message, secrets)
        text = jsontext.dumps({"data": data, "retCode": ret_code, "message": message}, pretty=pretty)
    except (TypeError, ValueError, RecursionError):
        _logger.exception("the data of an error with retCode %d is not JSON and is left out", ret_code)
        message = message.encode("utf-8", "replace").decode()
        text = jsontext.dumps({"data": {"exceptionTag": context_id}, "retCode": ret_code, "message": message})
    return Reply(text, ret_code, context_id)


def _without_secrets(data: Any, secrets: set[str]) -> Any:  # noqa: ANN401
    """Return what a reply holds without these values, which may turn up anywhere."""
    return without_values(jsontext.loads(jsontext.dumps(data)), secrets)


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def illegal(path: str, message: str) -> ValidationError:
    """Return the error of a request that is refused for one reason.

    Args:
        path: JSON pointer to what is wrong; empty for the whole body.
        message: what is wrong with it.
    """
    return ValidationError(f"Illegal request format: {message}", [{"path": path, "message": message}])


def _body(body: bytes, limits: jsontext.Limits | None) -> dict[str, Any]:
    try:
        params = jsontext.loads(body, limits)
    except jsontext.InvalidJSON as exc:
        raise illegal("", f"the body is not JSON: {exc}") from None
    if type(params) is not dict:
        raise illegal("", "the body must be a JSON object")
    return params


def _bad_action(params: dict[str, Any]) -> ValidationError:
    if "action" not in params:
        return illegal("", "'action' is a required property")
    return illegal("/action", "must be a string")
