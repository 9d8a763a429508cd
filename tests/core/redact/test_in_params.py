"""Secrets that the type of parameters, or their names, tell of: known in a call whether or not it is carried out."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from densefog_core import Secret
from densefog_core.actions import Request
from densefog_core.actions.params import json_schema, secret_finder
from densefog_core.context import entered
from densefog_core.jobs.sealed import SEALED, cleaned, shown
from densefog_core.redact import HIDDEN, is_secret_key, redact, redact_text
from densefog_core.testing import make_app


class Inner(msgspec.Struct):
    phrase: Secret


class Params(msgspec.Struct):
    """Secrets in each place."""

    name: str
    one: Secret | None = None
    many: list[Secret] = []
    by_host: dict[str, Secret] = {}
    inner: list[Inner] = []


@pytest.mark.parametrize(
    ("params", "found"),
    [
        ({"name": "a"}, []),
        ({"name": "a", "one": "x1"}, ["x1"]),
        ({"many": ["x1", "x2"], "byHost": {"a": "x3"}}, ["x1", "x2", "x3"]),
        ({"inner": [{"phrase": "x1"}, 5, None]}, ["x1"]),
        ({"one": {"of": ["another", 5, "type"]}}, ["another", "type"]),
    ],
)
def test_secrets_are_found_by_type_also_in_what_does_not_fit(params: dict[str, Any], found: list[str]) -> None:
    """At any depth, under the names of the wire."""
    find = secret_finder(json_schema(Params))
    assert find is not None and list(find(params)) == found


def test_a_type_without_secrets_costs_nothing() -> None:
    """There is no function to call."""
    assert secret_finder({"type": "object", "properties": {"a": {"type": "string"}}}) is None


def test_a_refused_call_does_not_quote_its_secret(caplog: pytest.LogCaptureFixture) -> None:
    """Nothing was converted, so that no `Secret` was made."""

    def login(params: Params) -> None: ...

    app = make_app(actions={"Login": login})
    assert "Zq1" not in str(app.api().post({"action": "Login", "one": "Zq1Zq1", "name": {"Zq1Zq1": "Zq1Zq1"}}))


def test_an_error_does_not_quote_what_has_the_name_of_a_secret() -> None:
    """A reply that is none does: it was meant to be sent."""
    app = make_app(actions={"Echo": lambda params: params["password"], "Fail": _fail})
    assert app.api().post({"action": "Echo", "password": "Zq1Zq1"})["data"] == "Zq1Zq1"
    assert "Zq1" not in str(app.api(debug=True).post({"action": "Fail", "password": "Zq1Zq1"}))


def _fail(params: dict[str, Any]) -> None:
    raise ValueError(f"{params['password']} is too weak")


def test_texts_of_a_call_hide_its_named_secrets() -> None:
    """Those of its headers, too, with and without the scheme; short ones are words of every language."""
    params = {"login": {"adminPass": "Zq1Zq1"}, "pin": "no", "tags": ["blue"]}
    with entered(Request("public", "A", params, headers={"Authorization": "Bearer Zq2Zq2", "Accept": "json"})):
        assert redact_text("Zq1Zq1 Zq2Zq2 json no blue") == f"{HIDDEN} {HIDDEN} json no blue"
    assert redact_text("Zq1Zq1") == "Zq1Zq1"


def test_what_is_sealed_is_kept_and_never_shown() -> None:
    """Its member has the name of a secret."""
    sealed = {"resource_ids": ["vol-1"], SEALED: "gAAAAA"}
    assert is_secret_key(SEALED) and redact(sealed) == {"resource_ids": ["vol-1"], SEALED: HIDDEN}
    assert cleaned(sealed) == sealed and cleaned({"password": "x"}) == {"password": HIDDEN}
    assert (shown(sealed), shown({"a": 1}), shown(None)) == (HIDDEN, {"a": 1}, None)
