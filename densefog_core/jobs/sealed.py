"""What is stored of a job that is encrypted: its values, sealed by the keys of setting ``secret_keys``.

To stores a sealed value is JSON like any other. Which resources a job is about, and what plugins add to its params,
stays as it is: lists and traces need it.

.. versionadded:: 1.0
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from densefog_core import jsontext
from densefog_core.errors.iaas_error import Unreadable
from densefog_core.jobs.records import MAX_TEXT, Job
from densefog_core.redact import HIDDEN, declare, redact
from densefog_core.sealing import Cipher

#: The member that a sealed value has. It is the name of a secret, so that whatever redacts hides it.
SEALED = "$secret"
#: Members of params that are never sealed.
OPEN = frozenset(["resource_ids"])


def is_sealed(value: object) -> bool:
    """Return whether a stored value is sealed, or a part of it."""
    return isinstance(value, Mapping) and SEALED in value


def shown(value: Any) -> Any:  # noqa: ANN401
    """Return a stored result, or a step's value, as others see it: a mask in place of what is sealed."""
    return HIDDEN if is_sealed(value) else value


def cleaned(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the params that are kept of a job that has ended: without secrets, unless these are sealed."""
    kept: dict[str, Any] = redact(params)
    return {**kept, SEALED: params[SEALED]} if is_sealed(params) else kept


class Vault:
    """How the values of one job are stored, and read again.

    Args:
        cipher: returns what opens and seals, or None without keys.
        seals: whether the job is encrypted.
    """

    def __init__(self, cipher: Callable[[], Cipher | None], *, seals: bool) -> None:
        self._cipher = cipher
        self.seals = seals

    def seal(self, value: object) -> dict[str, Any]:
        """Return a value sealed, with the secrets in it revealed.

        Raises:
            TypeError, ValueError: it is not JSON that can be read again.
            Unreadable: there are no keys.
        """
        found: list[str] = []
        plain = jsontext.loads(jsontext.dumps_revealed(value, found.append))
        return {SEALED: self._key().seal(jsontext.dumps([plain, found]))}

    def sealed_params(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return the params of a new job as they are stored; see `seal`."""
        inside = {key: value for key, value in params.items() if key not in OPEN}
        return {**{key: params[key] for key in params if key in OPEN}, **(self.seal(inside) if inside else {})}

    def open(self, stored: Any) -> Any:  # noqa: ANN401
        """Return what was sealed; another value is returned as it is. Secrets in it are hidden in the running job.

        Raises:
            Unreadable: no key opens it.
        """
        if not is_sealed(stored):
            return stored
        value, found = jsontext.loads(self._key().open(stored[SEALED]))
        for secret in found:
            declare(secret)
        return value

    def params(self, stored: Mapping[str, Any]) -> dict[str, Any]:
        """Return the params of a job as its handler gets them.

        Raises:
            Unreadable: no key opens them.
        """
        params = dict(stored)
        if is_sealed(stored):
            params |= self.open({SEALED: params.pop(SEALED)})
        return params

    def result(self, value: object) -> Any:  # noqa: ANN401
        """Return a result, or progress, sealed as its column takes it: one that is too long is replaced by a note.

        Raises:
            TypeError, ValueError: it is not JSON that can be read again.
        """
        sealed = self.seal(value)
        size = len(sealed[SEALED])
        if size + len(SEALED) + 10 <= MAX_TEXT:
            return sealed
        return {"truncated": True, "reason": f"the result has {size} characters once it is sealed"}

    def _key(self) -> Cipher:
        cipher = self._cipher()
        if cipher is None:
            raise Unreadable
        return cipher


def opened(job: Job, cipher: Callable[[], Cipher | None]) -> Job:
    """Return a job with its params and its result as the application gave them.

    Raises:
        Unreadable: no key opens them.
    """
    vault = Vault(cipher, seals=False)
    return replace(job, params=vault.params(job.params), result=vault.open(job.result))
