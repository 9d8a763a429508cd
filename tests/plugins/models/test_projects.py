"""Access keys: who is let in, who is not, and that nobody learns more than that."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, event, func, insert, select

import densefog_plugins.models.projects as plugin
from densefog_core.actions import Call, request
from densefog_core.app import App
from densefog_core.jobs import utcnow
from densefog_core.signing import NONCE, SIGNATURE, sign
from densefog_core.testing import TestApp
from densefog_plugins.models.database.database import database
from densefog_plugins.models.projects import keys, tables
from densefog_plugins.models.sessions import close_session, session, transaction
from tests.plugins.models.cloud import cloud, statements

PARTS = {
    "plugins": [plugin],
    "projects_enabled": True,
    "secret_keys": ["A" * 43 + "="],
    "actions": {"WhoAmI": lambda: {"project": request.project_id, "key": request.access_key}},
}
SECRET = "s3cret-" * 6


@pytest.fixture(autouse=True)
def _empty(request: pytest.FixtureRequest) -> None:
    if "app" in request.fixturenames:
        app = request.getfixturevalue("app")
        with database(app).engine.begin() as connection:
            for table in (tables.AccessKey, tables.AccessSecret, tables.Project, tables.Nonce):
                connection.execute(delete(table))


@pytest.fixture
def key(app: TestApp) -> str:
    """A key of project ``prj``."""
    keys.create_project("prj")
    row, _ = keys.create_key("prj", key="thekey", secret=SECRET)
    close_session()
    return row.id


@pytest.fixture
def manage_key(app: TestApp) -> str:
    """A key for operators."""
    row, _ = keys.create_key(None, key="managekey", secret=SECRET)
    close_session()
    return row.id


def call(
    app: TestApp, key: str | None, secret: str | None = SECRET, api: str = "public", **params: Any
) -> dict[str, Any]:
    headers = {"X_Le_Key": key, "X_Le_Secret": secret}
    given = {name: value for name, value in headers.items() if value is not None}
    return app.api(api).post({"action": "WhoAmI", **params}, **given)


def manage(app: TestApp, action: str, **params: Any) -> Any:
    reply = call(app, "managekey", api="manage", action=action, **params)
    close_session()
    assert reply["retCode"] == 0, reply
    return reply["data"]


# -- key and secret --------------------------------------------------------------------------------------------


def test_a_key_and_its_secret_say_whose_call_it_is(app: TestApp, key: str) -> None:
    assert call(app, key)["data"] == {"project": "prj", "key": key}


@pytest.mark.parametrize(
    ("key", "secret"),
    [
        (None, None), ("thekey", None), (None, SECRET), ("thekey", "wrong"), ("thekey", SECRET[:-1]),
        ("thekey", SECRET + "x"), ("nokey", SECRET), ("THEKEY", SECRET), ("thekey ", SECRET), ("thekey", ""), ("", ""),
        ("thekey", "0" * 64),
        ("x" * 500, SECRET), ("thekey' OR '1'='1", SECRET), ("thékey", SECRET), ("thekey", "sécret"), ("\0", SECRET),
    ],
)
@pytest.mark.usefixtures("key")
def test_anything_else_is_refused_in_the_same_words(app: TestApp, key: str | None, secret: str | None) -> None:
    reply = call(app, key, secret)
    shown = (key or "")[:32]
    assert reply["retCode"] == 4101
    assert reply["message"] == f"Authorization failed. Your access key ({shown}) is invalid."
    assert reply["data"]["accessKey"] == shown


def test_the_handler_does_not_run_when_the_call_is_refused(app: TestApp) -> None:
    ran: list[int] = []
    api = app.api()
    api.route({"Run": lambda: ran.append(1)})
    assert api.post({"action": "Run"})["retCode"] == 4101
    assert not ran


def test_a_deleted_key_is_refused_at_once(app: TestApp, key: str) -> None:
    assert call(app, key)["retCode"] == 0
    keys.delete_key(key)
    close_session()
    assert call(app, key)["retCode"] == 4101
    assert call(app, key, "")["retCode"] == 4101


def test_an_expired_key_is_refused_and_says_so_to_those_only_who_know_its_secret(app: TestApp, key: str) -> None:
    keys.expire_key(key)
    close_session()
    assert "expired" in call(app, key)["message"]
    assert "invalid" in call(app, key, "wrong")["message"]
    keys.expire_key(key, utcnow() + timedelta(hours=1))
    close_session()
    assert call(app, key)["retCode"] == 0


def test_a_rotated_key_takes_the_new_secret_only(app: TestApp, key: str) -> None:
    secret = keys.rotate_key(key)
    close_session()
    assert call(app, key)["retCode"] == 4101
    assert call(app, key, secret)["retCode"] == 0


def test_the_keys_of_a_deleted_project_are_refused(app: TestApp, key: str) -> None:
    keys.delete_project("prj")
    close_session()
    assert call(app, key)["retCode"] == 4101


def test_every_refusal_costs_the_same_statements(app: TestApp, key: str) -> None:
    counts = []
    for name, secret in ((key, "wrong"), ("nokey", SECRET), (None, None), ("x" * 100, "")):
        with statements(app) as seen:
            call(app, name, secret)
        counts.append(len(seen))
    keys.delete_key(key)
    close_session()
    with statements(app) as seen:
        call(app, key)
    assert {*counts, len(seen)} == {1}


def test_the_secret_is_nowhere_in_the_database_nor_in_the_log(
    app: TestApp, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    call(app, key)
    call(app, key, "wrong-" + SECRET)
    with database(app).engine.connect() as connection:
        rows = [tuple(row) for row in connection.execute(select(tables.AccessKey.__table__))]
    assert SECRET not in str(rows) + caplog.text


def test_the_names_of_the_headers_are_settings(tmp_path: Any) -> None:
    url = f"sqlite:///{tmp_path}/x.db"
    options = {"projects_enabled": True, "projects_key_header": "X-Ice-Key", "projects_secret_header": "X-Ice-Secret"}
    with cloud(url, plugin, actions=PARTS["actions"], **options) as app:
        keys.create_project("prj")
        keys.create_key("prj", key="k", secret=SECRET)
        assert app.api().post({"action": "WhoAmI"}, X_Ice_Key="k", X_Ice_Secret=SECRET)["retCode"] == 0
        assert app.api().post({"action": "WhoAmI"}, X_Le_Key="k", X_Le_Secret=SECRET)["retCode"] == 4101


def test_without_the_setting_the_plugin_takes_no_part(tmp_path: Any) -> None:
    with cloud(f"sqlite:///{tmp_path}/x.db", plugin, actions=PARTS["actions"]) as app:
        assert call(app, None)["data"] == {"project": None, "key": None}
        assert not app.plugins.is_wrapped("densefog_call_action")
        assert app.guard is None
        assert "manage/CreateProject" not in app.actions


def test_with_it_the_application_knows_that_it_is_guarded(app: App) -> None:
    assert app.guard == "projects"


# -- the APIs of operators -------------------------------------------------------------------------------------


def test_a_projects_key_does_not_open_the_manage_api_nor_the_other_way_round(
    app: TestApp, key: str, manage_key: str
) -> None:
    reply = call(app, key, api="manage", action="DescribeProjects")
    assert (reply["retCode"], reply["data"]["accessKey"]) == (4601, key)
    assert call(app, manage_key, api="manage", action="DescribeProjects")["retCode"] == 0
    assert call(app, manage_key)["retCode"] == 4101


@pytest.mark.usefixtures("manage_key")
def test_operators_create_list_expire_rotate_and_delete(app: TestApp) -> None:
    project = manage(app, "CreateProject", name="Acme")["projectId"]
    created = manage(app, "CreateAccessKey", projectId=project, name="ci")
    key, secret = created["accessKey"], created["accessSecret"]
    assert (len(key), len(secret)) == (20, 40)
    assert call(app, key, secret)["data"]["project"] == project
    (row,) = manage(app, "DescribeAccessKeys", projectId=project)["accessKeySet"]
    assert (row["accessKey"], row["status"], row["name"], row["projectId"]) == (key, "active", "ci", project)
    assert "secret" not in json.dumps(row).lower()
    fresh = manage(app, "RotateAccessKey", accessKey=key)["accessSecret"]
    assert call(app, key, fresh)["retCode"] == 0
    manage(app, "ExpireAccessKey", accessKey=key)
    assert manage(app, "DescribeAccessKeys", accessKeys=[key])["accessKeySet"][0]["status"] == "expired"
    manage(app, "DeleteAccessKey", accessKey=key)
    assert manage(app, "DescribeAccessKeys", projectId=project)["accessKeySet"] == []
    manage(app, "DeleteProject", projectId=project)
    assert manage(app, "DescribeProjects")["total"] == 0


@pytest.mark.usefixtures("manage_key", "key")
@pytest.mark.parametrize(
    ("action", "params", "code"),
    [
        ("CreateProject", {"projectId": "prj"}, 4600),
        ("DeleteProject", {"projectId": "none"}, 4604),
        ("CreateAccessKey", {"projectId": "none"}, 4604),
        ("CreateAccessKey", {"projectId": "prj", "accessKey": "thekey"}, 4611),
        ("CreateAccessKey", {"projectId": "prj", "manage": True}, 4100),
        ("CreateAccessKey", {}, 4100),
        ("CreateAccessKey", {"projectId": "prj", "accessSecret": "short"}, 4110),
        ("RotateAccessKey", {"accessKey": "none"}, 4614),
        ("ExpireAccessKey", {"accessKey": "THEKEY"}, 4614),
        ("DeleteAccessKey", {"accessKey": "none"}, 4614),
    ],
)
def test_what_operators_get_wrong_has_its_number(app: TestApp, action: str, params: dict[str, Any], code: int) -> None:
    assert call(app, "managekey", api="manage", action=action, **params)["retCode"] == code


@pytest.mark.usefixtures("manage_key", "key")
def test_a_key_that_clients_have_already_is_taken_over(app: TestApp) -> None:
    manage(app, "CreateAccessKey", projectId="prj", accessKey="theirs", accessSecret="their-own-secret-of-old")
    assert call(app, "theirs", "their-own-secret-of-old")["retCode"] == 0


def test_a_deleted_key_cannot_be_made_again_with_another_secret(app: TestApp, key: str) -> None:
    keys.delete_key(key)
    close_session()
    with pytest.raises(keys.AccessKeyDuplicated):
        keys.create_key("prj", key=key, secret=SECRET)


# -- signed requests -------------------------------------------------------------------------------------------


def send(app: TestApp, headers: dict[str, str], body: bytes, action: str | None = None) -> dict[str, Any]:
    reply: dict[str, Any] = json.loads(app.api().dispatch(Call(body, headers, "127.0.0.1", action)).text)
    return reply


BODY = b'{"action": "WhoAmI", "n": 1}'


def test_a_signed_request_is_let_in_without_its_secret(app: TestApp, key: str) -> None:
    headers = sign(key, SECRET, BODY)
    assert SECRET not in str(headers)
    assert send(app, headers, BODY)["data"] == {"project": "prj", "key": key}


def test_a_signed_request_is_good_for_one_time(app: TestApp, key: str) -> None:
    headers = sign(key, SECRET, BODY)
    assert [send(app, headers, BODY)["retCode"] for _ in range(3)] == [0, 4101, 4101]
    assert send(app, sign(key, SECRET, BODY), BODY)["retCode"] == 0


@pytest.mark.parametrize(("seconds", "code"), [(-290, 0), (290, 0), (-310, 4101), (310, 4101)])
def test_a_signed_request_is_good_for_300_seconds(app: TestApp, key: str, seconds: int, code: int) -> None:
    headers = sign(key, SECRET, BODY, now=datetime.now(UTC) + timedelta(seconds=seconds))
    assert send(app, headers, BODY)["retCode"] == code


def test_whatever_is_changed_is_refused(app: TestApp, key: str) -> None:
    keys.create_key("prj", key="other", secret=SECRET)
    close_session()
    headers = sign(key, SECRET, BODY)
    later = (datetime.now(UTC) + timedelta(seconds=5)).strftime("%Y%m%dT%H%M%SZ")
    changes = [
        {"X-Le-Key": "other"}, {"X-Le-Date": later}, {"X-Le-Date": "yesterday"}, {"X-Le-Date": ""},
        {NONCE: "another-nonce-of-24-chars"}, {NONCE: ""}, {SIGNATURE: "0" * 64}, {SIGNATURE: ""},
        {SIGNATURE: headers[SIGNATURE].upper()}, {SIGNATURE: "é"},
    ]
    for change in changes:
        assert send(app, {**headers, **change}, BODY)["retCode"] == 4101, change
    assert send(app, headers, BODY.replace(b"1", b"2"))["retCode"] == 4101
    assert send(app, headers, BODY, action="WhoAmI")["retCode"] == 4101
    assert send(app, headers, BODY)["retCode"] == 0
    by_path = sign(key, SECRET, BODY, path="/WhoAmI")
    assert send(app, by_path, BODY, action="WhoAmI")["retCode"] == 0


def test_a_short_nonce_is_refused_whatever_its_signature(
    app: TestApp, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("densefog_core.signing.secrets.token_urlsafe", lambda count: "short")
    assert send(app, sign(key, SECRET, BODY), BODY)["retCode"] == 4101


def test_a_wrong_signature_leaves_nothing_in_the_table(app: TestApp, key: str) -> None:
    send(app, sign(key, "wrong", BODY), BODY)
    send(app, sign("nokey", SECRET, BODY), BODY)
    assert session.scalar(select(func.count()).select_from(tables.Nonce)) == 0


def test_nonces_are_forgotten_when_they_can_do_no_more_harm(
    app: TestApp, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with transaction() as found:
        for name, age in (("old", 901), ("recent", 600)):
            found.execute(insert(tables.Nonce), {"id": name, "created": utcnow() - timedelta(seconds=age)})
    close_session()
    monkeypatch.setattr("densefog_plugins.models.projects.authentication.PRUNE_EVERY", 0)
    send(app, sign(key, SECRET, BODY), BODY)
    left = set(session.scalars(select(tables.Nonce.id)))
    assert "recent" in left
    assert "old" not in left
    assert len(left) == 2


def test_a_signed_request_costs_two_statements(app: TestApp, key: str) -> None:
    send(app, sign(key, SECRET, BODY), BODY)
    with statements(app) as seen:
        assert send(app, sign(key, SECRET, BODY), BODY)["retCode"] == 0
    assert [statement.split()[0] for statement in seen if "DELETE" not in statement][:2] == ["SELECT", "INSERT"]


def test_authentication_holds_one_connection_only(app: TestApp, key: str) -> None:
    most: list[int] = []
    engine = database(app).engine

    def checkout(*args: Any) -> None:
        most.append(engine.pool.checkedout())  # type: ignore[attr-defined]

    event.listen(engine, "checkout", checkout)
    call(app, key)
    event.remove(engine, "checkout", checkout)
    assert len(most) == 1
    assert engine.pool.checkedout() == 0  # type: ignore[attr-defined]
