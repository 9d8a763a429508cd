"""A cloud in which each place has a secret of its own, which nothing may show; see ``test_canary``."""

from __future__ import annotations

import logging
from typing import Any

import msgspec

from densefog_core import Secret, action, current_job, enqueue, job, request
from densefog_core.errors.iaas_error import IaasProviderActionError, InvalidRequestParameter

_logger = logging.getLogger("canary")


def canary(place: str) -> str:
    """Return the secret of a place: no name, shape or dictionary tells of it."""
    return f"Zq{place}Wx"


class Login(msgspec.Struct):
    """A secret that its type tells of, and one that its name does, nested."""

    phrase: Secret
    inside: dict[str, Any] = {}
    resource_ids: list[str] = []


def _tell(params: dict[str, Any]) -> None:
    """Log all that a careless author might."""
    _logger.info("asked: %s", params)
    _logger.info("headers: %s", dict(request.headers))
    _logger.info(f"in words: {params.get('password')} {request.headers.get('authorization')}")


@action(operation=("server", "serverIds"), idempotent=True)
def create_server(params: Login) -> dict[str, Any]:
    """Echo its secret, log it, and enqueue both kinds of jobs with it."""
    _tell(request.params)
    _logger.warning("the phrase is %s", params.phrase.reveal())
    enqueue("UseTyped", {"phrase": params.phrase, "inside": params.inside, "resource_ids": ["srv-1"]}, try_max=1)
    enqueue("UseNamed", {"login": {"adminPass": canary("JobNested")}, "password": canary("JobNamed")}, try_max=1)
    enqueue("FailNamed", {"token": canary("FailNamed")}, try_max=1)
    return {"serverIds": ["srv-1"], "echo": f"made with {params.phrase.reveal()}"}


@action(operation=("server", "serverIds"))
def refuse_server(params: dict[str, Any]) -> None:
    """Quote a secret in an error that is answered."""
    _tell(params)
    raise InvalidRequestParameter(f"{params['password']} is too weak")


@action(operation=("server", "serverIds"))
def break_server(params: dict[str, Any]) -> None:
    """Quote secrets in errors that are logged."""
    _tell(params)
    try:
        raise OSError(f"login {params['login']['adminPass']} is refused")
    except OSError as exc:
        raise IaasProviderActionError(exc, f"stack with {params['password']}", params["password"]) from exc


@action
def crash_server(params: dict[str, Any]) -> None:
    """Quote secrets in an error that nobody knows."""
    raise RuntimeError(f"{params['password']} and {params['extra'][0]['value']}")


@job
def use_typed(params: Login) -> None:
    """Fail with the secrets of an encrypted job."""
    phrase = params.phrase.reveal()
    _logger.info("params: %s, job: %s, phrase: %s", params, current_job.job, phrase)
    current_job.progress({"at": phrase})
    value = current_job.step("login", lambda: {"made": Secret(canary("Step")), "note": phrase})
    _logger.info("step: %s %s", value, value["made"])
    raise RuntimeError(f"cannot use {phrase}, {value['made']} or {params.inside['adminPass']}")


@job
def use_named(params: dict[str, Any]) -> dict[str, Any]:
    """Return the secrets of a job that is not encrypted."""
    password, nested = params["password"], params["login"]["adminPass"]
    _logger.info("params: %s, in words: %s %s", params, password, nested)
    current_job.progress({"at": password, "token": canary("Progress")})
    return {"password": canary("Result"), "note": f"{password} {nested}", "pair": {"name": "PSK", "value": nested}}


@job
def fail_named(params: dict[str, Any]) -> None:
    """Fail with the secret of a job that is not encrypted."""
    raise RuntimeError(f"cannot use {params['token']}")
