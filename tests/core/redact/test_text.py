"""Secrets by shape: as programs, shells, files and protocols write them."""

from __future__ import annotations

import pytest

from densefog_core.redact import HIDDEN, redact_text

M = "hunter2-MUST"

SHAPES = [
    f"run --password {M} x",
    f"-password {M}",
    f"--password '{M} z'",
    f"['--password', '{M}']",
    f'{{"password": "{M}',
    rf"{{\"password\": \"{M}\", \"a\": 1}}",
    rf"{{\\\"password\\\": \\\"{M}\\\"}}",
    rf"{{\"password\": \"a\\\"{M}\"}}",
    f"-----BEGIN RSA PRIVATE KEY-----\nabc{M}\n-----END RSA PRIVATE KEY-----",
    f"-----BEGIN PRIVATE KEY-----\\nabc-{M}",
    f"<ns:adminPass a='1'>{M}</ns:adminPass>",
    f"<secret><![CDATA[{M}]]></secret>",
    f'<property name="password" value="{M}"/>',
    f'<entry key="db.password">{M}</entry>',
    f'<user password="{M}"/>',
    f"/x?a=1&passwd={M}&b=2",
    f"token%3D{M}%26a",
    f"%22password%22%3A%22{M}%22",
    f"Authorization: Token {M}",
    f'authorization: Digest username="x", response="{M}"',
    f"('Authorization', 'Foo {M}')",
    f"Cookie: a=b; sid={M}",
    f"curl -H 'X-Auth-Token: {M}' x",
    f"curl -H 'Cookie: a=1; b={M}' x",
    f"curl -u me:{M} x",
    f"{{'password': b'{M}'}}",
    f"User(password='{M}')",
    f"CREATE USER x IDENTIFIED BY '{M}'",
    f"CREATE ROLE x PASSWORD '{M}'",
    f"mysql -u root -p{M} db",
    f"sshpass -p {M} ssh x",
    f"machine h login u password {M}",
    f"mysql://u:p@{M}@h/db",
    f"mysql://u:{M}/x@h/db",
    f"https://{M}abcdefgh@github.com/x",
    f"postgresql+psycopg://u:{M}@[::1]:5432/x?y",
    f"redis://:{M}@h",
    f"http://h:80/?u=https://u:{M}@h",
    f'{{"name": "DB_PASSWORD", "value": "{M}"}}',
    f'{{"value": "{M}", "name": "DB_PASSWORD"}}',
    f"password: {M} with {M}",
    f"DB_PASSWORD={M},{M}",
    f"export TOKEN={M}",
    f"Pwd={M};Uid=x",
    f"'password' => '{M}'",
    f'"passwords": ["a", "{M}"]',
    f'secrets={{"a": ["]", "{M}"]}}',
    f'form-data; name="password"\r\n\r\n{M}\r\n--x',
    f"eyJhbGciOi.eyJzdWIiOi.{M}",
    f"userPassword:: {M}",
    f"AccountKey={M}==;x",
    f"https://x/y?X-Amz-Signature={M}",
    f"https://x.blob/?sv=1&sig={M}",
    f"https://discord.com/api/webhooks/1/{M}",
]


@pytest.mark.parametrize("text", SHAPES)
def test_a_secret_of_a_known_shape_is_hidden(text: str) -> None:
    """Nothing of the value is left, and a mask tells of it; to hide it again changes nothing."""
    hidden = redact_text(text)
    assert "MUST" not in hidden and HIDDEN in hidden
    assert redact_text(hidden) == hidden


@pytest.mark.parametrize(
    "text",
    [
        "volume vol-1 of 10 GiB: created in 0.2 s (try=1)",
        "'password' is a required property",
        "https://example.com:8443/users/me@acme.com",
        "ssh://git@host/x",
        "http://127.0.0.1:8080/",
        "see https://h/p?next=a@b",
        "bypass: yes",
        "<b>bold</b> text: 3",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    """The text is unchanged."""
    assert redact_text(text) == text
