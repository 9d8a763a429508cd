"""What the database keeps of access keys: nothing in it can sign, and keys of before go on to work."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import insert, select

import densefog_plugins.models.projects as plugin
from densefog_core.actions import Call, request
from densefog_core.errors import ConfigError, InvalidRequestParameter
from densefog_core.signing import secret_hash, sign, sign_message, signature
from densefog_core.testing import TestApp
from densefog_plugins.models.database.database import database
from densefog_plugins.models.projects import keys, tables
from densefog_plugins.models.projects.rotation import rotate
from densefog_plugins.models.sessions import close_session
from tests.plugins.models.cloud import cloud

SECRET = "s3cret-" * 6
BODY = b'{"action": "WhoAmI"}'
HOST = "api.example.com"
FIRST, SECOND = (Fernet.generate_key().decode() for _ in range(2))
VECTORS = json.loads((Path(__file__).parents[3] / "docs/reference/signatures.json").read_text())


def served(folder: Path, *secret_keys: str, **options: Any) -> Any:
    """An application whose database outlives it."""
    return cloud(
        f"sqlite:///{folder}/x.db", plugin, projects_enabled=True, app_root=str(folder),
        secret_keys=list(secret_keys), actions={"WhoAmI": lambda: request.project_id}, **options,
    )  # fmt: skip


@pytest.fixture
def app(tmp_path: Path) -> Iterator[TestApp]:
    with served(tmp_path, FIRST) as made:
        keys.create_project("prj")
        keys.create_key("prj", key="thekey", secret=SECRET)
        close_session()
        yield made


def send(app: TestApp, headers: dict[str, str], *, host: str = HOST, path: str = "/", api: str = "public") -> int:
    call = Call(BODY, headers, "127.0.0.1", host=host, path=path)
    code: int = json.loads(app.api(api).dispatch(call).text)["retCode"]
    close_session()
    return code


def by_secret(app: TestApp, key: str = "thekey", secret: str = SECRET) -> int:
    return send(app, {"X-Le-Key": key, "X-Le-Secret": secret})


def by_signature(app: TestApp, key: str = "thekey", secret: str = SECRET) -> int:
    return send(app, sign(key, secret, BODY, host=HOST))


def rows(app: TestApp) -> str:
    with database(app).engine.connect() as connection:
        found = [connection.execute(select(table)).all() for table in (tables.AccessKey, tables.AccessSecret)]
    return str(found)


def old_key(app: TestApp) -> None:
    """A key as 0.9 has left it."""
    row = {"id": "oldkey", "project_id": "prj", "secret_hash": secret_hash("oldkey", SECRET)}
    with database(app).engine.begin() as connection:
        connection.execute(insert(tables.AccessKey), row)


# -- what is kept ----------------------------------------------------------------------------------------------


def test_nothing_in_the_database_signs(app: TestApp) -> None:
    """Neither the secret nor the key of the HMAC is in a row."""
    shown = rows(app)
    assert SECRET not in shown
    assert secret_hash("thekey", SECRET) not in shown


def test_a_key_works_by_secret_and_by_signature(app: TestApp) -> None:
    """A key without a use is good for both."""
    assert (by_secret(app), by_signature(app)) == (0, 0)


def test_a_header_only_key_refuses_signatures(app: TestApp) -> None:
    """Of such a key a hash is kept, which signs nothing."""
    keys.create_key("prj", key="header", secret=SECRET, use="header")
    close_session()
    assert (by_secret(app, "header"), by_signature(app, "header")) == (0, 4101)


def test_a_signature_only_key_refuses_its_secret(app: TestApp) -> None:
    """A secret that is never to be sent is refused when it is."""
    keys.create_key("prj", key="signs", secret=SECRET, use="signature")
    close_session()
    assert (by_secret(app, "signs"), by_signature(app, "signs")) == (4101, 0)


def test_a_rotated_key_keeps_its_use(app: TestApp) -> None:
    """The new secret is good for what the old one was."""
    keys.create_key("prj", key="header", secret=SECRET, use="header")
    fresh = keys.rotate_key("header")
    close_session()
    assert (by_secret(app, "header", fresh), by_signature(app, "header", fresh)) == (0, 4101)


# -- keys of the settings --------------------------------------------------------------------------------------


def test_a_key_of_before_works_and_is_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Rows that the release before has written need no step, and start-up names the step that seals them."""
    with served(tmp_path, FIRST) as app:
        keys.create_project("prj")
        close_session()
        old_key(app)
        assert (by_secret(app, "oldkey"), by_signature(app, "oldkey")) == (0, 0)
    with served(tmp_path, FIRST), caplog.at_level(logging.WARNING):
        pass
    assert "rotate-keys" in caplog.text


def test_rotation_seals_keys_of_before(app: TestApp) -> None:
    """Afterwards no row shows what signs, and the key works as before."""
    old_key(app)
    assert rotate(app) == 2
    assert secret_hash("oldkey", SECRET) not in rows(app)
    assert (by_secret(app, "oldkey"), by_signature(app, "oldkey")) == (0, 0)
    assert rotate(app) == 2


def test_the_first_key_is_enough_after_a_rotation(tmp_path: Path, app: TestApp) -> None:
    """A new key comes first, everything is sealed anew, the old key goes."""
    with served(tmp_path, SECOND, FIRST) as both:
        assert by_signature(both) == 0
        rotate(both)
    with served(tmp_path, SECOND) as after:
        assert (by_secret(after), by_signature(after)) == (0, 0)


def test_without_the_right_key_nothing_starts(tmp_path: Path, app: TestApp) -> None:
    """The error names the setting."""
    with pytest.raises(ConfigError, match="setting secret_keys does not have the key"), served(tmp_path, SECOND):
        pass


def test_without_a_setting_a_file_keeps_the_key(tmp_path: Path) -> None:
    """The file is beside the application, and only its owner reads it."""
    with served(tmp_path) as app:
        keys.create_project("prj")
        keys.create_key("prj", key="thekey", secret=SECRET)
        close_session()
        assert by_signature(app) == 0
    assert (tmp_path / "densefog.keys").stat().st_mode & 0o777 == 0o600
    with served(tmp_path) as again:
        assert by_signature(again) == 0


def test_what_is_no_fernet_key_is_refused(tmp_path: Path) -> None:
    """The error says which key, not what it is."""
    with pytest.raises(ConfigError, match="secret_keys: key 2 is no Fernet key") as caught:
        with served(tmp_path, FIRST, "hunter2"):
            pass
    assert "hunter2" not in str(caught.value)


# -- signatures ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", [{"host": "other.example.com"}, {"path": "/cloud/"}, {"api": "other"}])
def test_a_signature_is_good_at_one_place(app: TestApp, place: dict[str, str]) -> None:
    """What was signed for a host, an API and a path is refused at any other."""
    assert send(app, sign("thekey", SECRET, BODY, host=HOST), **place) == 4101


def test_the_first_scheme_is_taken_and_warned_of_once(app: TestApp, caplog: pytest.LogCaptureFixture) -> None:
    """It covers neither host nor API; 1.2 refuses it."""
    assert [send(app, sign("thekey", SECRET, BODY)) for _ in range(2)] == [0, 0]
    assert caplog.text.count("access key thekey signs without host and API") == 1


@pytest.mark.parametrize("case", VECTORS["hmac"]["requests"])
def test_hmac_signatures_are_those_of_the_vectors(case: dict[str, str]) -> None:
    """Signers in other languages are tested with the same file."""
    hashed = secret_hash(VECTORS["accessKey"], VECTORS["hmac"]["accessSecret"])
    assert hashed == VECTORS["hmac"]["hmacKey"]
    made = signature(
        hashed, case["method"], case["path"], case["date"], case["nonce"], case["body"].encode(),
        host=case["host"], api=case["api"],
    )  # fmt: skip
    assert made == case["signature"]


# -- RFC 9421 --------------------------------------------------------------------------------------------------

PRIVATE = Ed25519PrivateKey.generate()
PEM = PRIVATE.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@pytest.fixture
def public(app: TestApp) -> str:
    """A key of which the server has the public half."""
    _, secret = keys.create_key("prj", key="public", public_key=PEM)
    close_session()
    assert secret == ""
    return "public"


def message(key: str, url: str = f"https://{HOST}/", **options: Any) -> dict[str, str]:
    return sign_message(key, PRIVATE, BODY, url=url, **options)


def test_a_message_signature_is_good_once(app: TestApp, public: str) -> None:
    """The key's id is in the signature; no other header is needed."""
    headers = message(public)
    assert [send(app, headers) for _ in range(2)] == [0, 4101]
    assert send(app, message(public, f"http://{HOST}/cloud/"), path="/cloud/") == 0


@pytest.mark.parametrize("place", [{"host": "other.example.com"}, {"path": "/cloud/"}])
def test_a_message_is_good_at_one_place(app: TestApp, public: str, place: dict[str, str]) -> None:
    """Host and path are covered."""
    assert send(app, message(public), **place) == 4101


def test_a_message_for_another_api_is_refused(app: TestApp, public: str) -> None:
    """The tag names the API."""
    assert send(app, message(public, api="manage")) == 4101


def test_a_message_of_another_key_or_body_is_refused(app: TestApp, public: str) -> None:
    """The signature is the private half's, over this body."""
    other = sign_message(public, Ed25519PrivateKey.generate(), BODY, url=f"https://{HOST}/")
    assert send(app, other) == 4101
    assert send(app, sign_message(public, PRIVATE, b"{}", url=f"https://{HOST}/")) == 4101
    assert by_secret(app, public, "") == 4101


@pytest.mark.parametrize("text", ["", "x" * 3000, 'densefog=();keyid="public"', "\u00e9", "densefog=("])
def test_hostile_signature_headers_are_refused(app: TestApp, public: str, text: str) -> None:
    """Whatever stands in them, the answer is 4101."""
    for name in ("Signature-Input", "Signature", "Content-Digest"):
        assert send(app, {"X-Le-Key": public, **message(public), name: text}) == 4101


def test_what_is_no_public_key_is_refused(app: TestApp) -> None:
    """A private half must not be sent by mistake, and the error names the member."""
    with pytest.raises(InvalidRequestParameter, match="publicKey"):
        keys.create_key("prj", public_key="c2hvcnQ=")


def test_the_client_rotates_its_own_half(app: TestApp, public: str) -> None:
    """The server cannot make a secret for it."""
    with pytest.raises(InvalidRequestParameter, match="publicKey"):
        keys.rotate_key(public)


@pytest.mark.parametrize("case", VECTORS["rfc9421"]["requests"])
def test_messages_are_those_of_the_vectors(case: dict[str, Any]) -> None:
    """Signers in other languages are tested with the same file."""
    from base64 import b64decode
    from datetime import UTC, datetime

    private = Ed25519PrivateKey.from_private_bytes(b64decode(VECTORS["rfc9421"]["privateKey"]))
    made = sign_message(
        VECTORS["accessKey"], private, case["body"].encode(), url=case["url"], api=case["api"],
        now=datetime.fromtimestamp(case["created"], UTC), nonce=case["nonce"],
    )  # fmt: skip
    assert made == case["headers"]
