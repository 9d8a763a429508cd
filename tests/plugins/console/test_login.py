"""Signing in to the console with access keys, by raw requests."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.plugins.console.conftest import Served
from tests.plugins.console.test_guard import Answer, send

OWN = {"Sec_Fetch_Site": "same-origin"}
WRONG = "The access key or its secret is wrong."


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("guarded")


@pytest.fixture(scope="module")
def guarded(folder: Path) -> Iterator[Served]:
    """A console whose operators sign in."""
    trusted = {"trusted_proxies": ["127.0.0.0/8"]}
    server = Served(folder, projects_enabled=True, secret_keys=["A" * 43 + "="], console_secret="c" * 32, **trusted)
    yield server
    server.process.end()


def shell(folder: Path, *args: str) -> Any:
    """Run a command of operators beside the server."""
    setup = "from densefog_core.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", setup, "--app-root", str(folder), *args], capture_output=True, text=True, timeout=120,
        env={"PATH": "", "DENSEFOG_PROJECTS_ENABLED": "1", "DENSEFOG_SECRET_KEYS": "A" * 43 + "="}, cwd=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


class Operator:
    """A key, and the browser of who has it; each from an address of its own."""

    count = 0

    def __init__(self, served: Served, key: str, secret: str) -> None:
        Operator.count += 1
        self.address = f"203.0.113.{Operator.count}"
        self.served, self.key, self.secret = served, key, secret
        self.cookie = ""

    def add(self, **params: Any) -> Operator:
        """Return another operator, whose key this one makes."""
        made = self.call("CreateAccessKey", manage=True, **params)["data"]
        return Operator(self.served, made["accessKey"], made["accessSecret"])

    def send(self, method: str, path: str, form: dict[str, str] | None = None, **headers: str) -> Answer:
        given = {"X_Forwarded_For": self.address, **OWN, **headers}
        return send(self.served, method, path, form, **given, **({"Cookie": self.cookie} if self.cookie else {}))

    def sign_in(self, secret: str | None = None, path: str = "/login", **headers: str) -> Answer:
        answer = self.send("POST", path, {"key": self.key, "secret": secret or self.secret}, **headers)
        self.cookie = (answer.headers.get("Set-Cookie") or "").partition(";")[0]
        return answer

    def call(self, action: str, **params: Any) -> Any:
        """Return the envelope of a call."""
        headers = {"X-Le-Key": self.key, "X-Le-Secret": self.secret, "X-Forwarded-For": self.address}
        body = json.dumps({"action": action, **params}).encode()
        with urllib.request.urlopen(urllib.request.Request(self.served.address, body, headers), timeout=60) as reply:
            return json.load(reply)


@pytest.fixture(scope="module")
def first(guarded: Served, folder: Path) -> Operator:
    """The operator whose key was made by the shell."""
    made = shell(folder, "projects", "create-key", "--manage", "--json")
    return Operator(guarded, made["access_key"], made["access_secret"])


@pytest.fixture
def operator(first: Operator) -> Operator:
    return first.add()


def test_a_right_secret_opens_the_console(operator: Operator) -> None:
    """Without a session each page leads to the form, with one to itself."""
    before = operator.send("GET", "/jobs?status=error")
    assert (before.status, before.headers["Location"]) == (
        303, "/console/login?next=" + quote("/console/jobs?status=error", safe=""))  # fmt: skip
    assert operator.sign_in().status == 303
    page = operator.send("GET", "/jobs")
    assert page.status == 200
    assert operator.key in page.text
    assert "Sign out" in page.text


@pytest.mark.parametrize("form", [{"secret": "wrong"}, {"secret": ""}, {"key": "nokey"}, {"key": ""}, {"key": "\0'"}])
def test_what_is_wrong_is_answered_in_one_way(operator: Operator, form: dict[str, str]) -> None:
    """Key or secret, nobody learns which."""
    answer = operator.send("POST", "/login", {"key": operator.key, "secret": operator.secret, **form})
    assert answer.status == 403
    assert WRONG in answer.text
    assert answer.headers.get("Set-Cookie") is None


@pytest.mark.parametrize(
    ("wanted", "given"),
    [
        ("/console/jobs?status=error", "/console/jobs?status=error"), ("https://evil.example/", "/console/"),
        ("//evil.example/", "/console/"), ("/console/..//evil", "/console/"), ("", "/console/"),
    ],
)  # fmt: skip
def test_next_stays_in_the_console(operator: Operator, wanted: str, given: str) -> None:
    """Nobody is led elsewhere by signing in."""
    assert operator.sign_in(path=f"/login?next={quote(wanted, safe='')}").headers["Location"] == given


def test_the_cookie_is_the_consoles_alone(operator: Operator) -> None:
    """No script reads it, no other site sends it, and it ends."""
    cookie: SimpleCookie = SimpleCookie(operator.sign_in().headers["Set-Cookie"])
    found = cookie["densefog_console"]
    assert (found["path"], found["samesite"], found["max-age"]) == ("/console", "Lax", "43200")
    assert found["httponly"]
    assert not found["secure"]
    assert operator.secret not in found.value


def test_over_https_the_cookie_is_secure(operator: Operator) -> None:
    """The trusted proxy says which scheme the browser uses."""
    said = operator.sign_in(X_Forwarded_Proto="https").headers["Set-Cookie"]
    assert said.startswith("__Host-densefog_console=")
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= {part.strip() for part in said.split(";")}


def test_signing_out_ends_the_session(operator: Operator) -> None:
    """The cookie is deleted."""
    operator.sign_in()
    token = re.search(r'name="csrf_token" value="([^"]+)"', operator.send("GET", "/").text)
    assert token is not None
    answer = operator.send("POST", "/logout", {"csrf_token": token[1]})
    assert (answer.status, answer.headers["Location"]) == (303, "/console/login")
    assert "Max-Age=0" in answer.headers["Set-Cookie"]


@pytest.mark.parametrize("verb", ["RotateAccessKey", "ExpireAccessKey", "DeleteAccessKey"])
def test_a_key_that_changes_ends_its_sessions(operator: Operator, verb: str) -> None:
    """The next page leads to the form."""
    operator.sign_in()
    assert operator.send("GET", "/").status == 200
    assert operator.call(verb, accessKey=operator.key)["retCode"] == 0
    assert operator.send("GET", "/").status == 303
    assert operator.send("GET", "/", HX_Request="true").headers["HX-Redirect"] == "/console/login"


def test_a_reader_sees_and_does_nothing(operator: Operator) -> None:
    """No buttons; and who sends the form all the same is refused."""
    reader = operator.add(readOnly=True)
    reader.sign_in()
    assert operator.call("Start", later=True)["retCode"] == 0
    page = reader.send("GET", "/jobs?status=pending")
    assert "read only" in page.text
    assert 'type="checkbox"' not in page.text
    found = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
    assert found is not None
    for path in ("/jobs/cancel", "/actions/manage/Start", "/system/test-channel"):
        form = {"csrf_token": found[1], "reason": "x", "channel": "log", "status": "pending"}
        assert reader.send("POST", path, form).status == 403, path
    assert reader.call("Start")["retCode"] == 4603


def test_guessing_is_slowed_down(operator: Operator) -> None:
    """Ten wrong ones a minute and address; then also the right one waits."""
    assert [operator.sign_in("wrong").status for _ in range(11)] == [403] * 10 + [429]
    assert operator.sign_in().status == 429
