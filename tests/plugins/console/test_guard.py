"""What the console refuses, by raw requests."""

from __future__ import annotations

import gzip
import http.client
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest

from densefog_core.errors import ConfigError
from densefog_core.testing import make_app
from densefog_plugins import console as plugin
from densefog_plugins.console.guard import HEADERS, own_page
from tests.plugins.console.conftest import Served

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Answer:
    """A response."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status, self.headers, self.body = response.status, response.headers, response.read()

    @property
    def text(self) -> str:
        """The body, unpacked."""
        packed = self.headers.get("Content-Encoding") == "gzip"
        return (gzip.decompress(self.body) if packed else self.body).decode()


def send(served: Served, method: str, path: str, form: Mapping[str, str] | None = None, **headers: str) -> Answer:
    """Send a request as a browser would."""
    where = urlsplit(served.address).netloc
    connection = http.client.HTTPConnection(where, timeout=60)
    given = {"Host": where, **({} if form is None else FORM), **{k.replace("_", "-"): v for k, v in headers.items()}}
    try:
        connection.request(method, f"/console{path}", urlencode(form or {}), given)
        return Answer(connection.getresponse())
    finally:
        connection.close()


def token(served: Served) -> str:
    """Return the token of a form of ours."""
    found = re.search(r'name="csrf_token" value="([^"]+)"', send(served, "GET", "/actions/manage/Start").text)
    assert found is not None
    return found[1]


def test_each_answer_has_its_headers(served: Served) -> None:
    """Also those of what is not found."""
    for path in ("/", "/jobs", "/nowhere", "/login"):
        answer = send(served, "GET", path)
        assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS, path


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site", "Origin": "http://{host}"},
    ],
)
def test_forms_of_other_sites_are_refused(served: Served, headers: dict[str, str]) -> None:
    """With 403, and nothing is done; even with a right token."""
    host = urlsplit(served.address).netloc
    form = {"csrf_token": token(served), "p.count": "1", "p.later": "true"}
    before = served.call("DescribeJobStats")["counts"]
    given = {name: text.format(host=host) for name, text in headers.items()}
    assert send(served, "POST", "/actions/manage/Start", form, **given).status == 403
    assert served.call("DescribeJobStats")["counts"] == before


def test_a_form_without_its_token_is_refused(served: Served) -> None:
    """Also with one that is changed."""
    origin = served.address
    for text in ("", "x.y", token(served)[:-1] + "0x"):
        form = {"csrf_token": text, "p.later": "true"}
        assert send(served, "POST", "/actions/manage/Start", form, Origin=origin).status == 403
    form = {"csrf_token": token(served), "p.later": "true"}
    assert send(served, "POST", "/actions/manage/Start", form, Origin=origin).status == 200


def test_an_open_console_answers_to_this_machine_alone(served: Served) -> None:
    """A name that somebody's DNS leads here is refused."""
    assert send(served, "GET", "/", Host="evil.example").status == 403
    assert send(served, "GET", "/", Host="localhost:8080").status == 200


def test_static_files_are_kept_for_a_year(served: Served) -> None:
    """Their address changes with their bytes; the first page is small."""
    first = send(served, "GET", "/", Accept_Encoding="gzip")
    paths = re.findall(r'(?:href|src)="/console(/static/[^"]+)"', first.text)
    answers = [send(served, "GET", path, Accept_Encoding="gzip") for path in paths]
    assert {answer.status for answer in answers} == {200}
    assert all("immutable" in answer.headers["Cache-Control"] for answer in answers)
    assert len(first.body) + sum(len(answer.body) for answer in answers) < 60_000
    assert send(served, "GET", "/static/0/../part.py").status in (404, 308)


@pytest.mark.parametrize(
    ("wanted", "page"),
    [
        (None, "/console/"),
        ("/console/jobs?status=error", "/console/jobs?status=error"),
        ("https://evil.example/console/", "/console/"),
        ("//evil.example", "/console/"),
        ("/console/\\evil", "/console/"),
        ("/console//evil", "/console/"),
        ("/elsewhere", "/console/"),
    ],
)
def test_signing_in_leads_to_a_page_of_the_console(wanted: str | None, page: str) -> None:
    """Never to another site."""
    assert own_page(wanted, "/console/") == page


def test_a_console_that_nobody_guards_does_not_start() -> None:
    """Unless it is said to be open."""
    with pytest.raises(ConfigError, match="projects_enabled"):
        make_app(plugin, console_enabled=True)


def test_a_short_secret_is_refused() -> None:
    """It signs who is let in."""
    with pytest.raises(ConfigError, match="32"):
        make_app(plugin, console_enabled=True, console_secret="short")


def test_templates_escape_everything() -> None:
    """None turns it off for a value."""
    for template in (Path(plugin.__file__).parent / "templates").glob("*.html"):
        text = template.read_text()
        assert "|safe" not in text.replace(" ", ""), template
        assert "autoescape" not in text, template
        assert not re.search(r"\son\w+=|\sstyle=|<style|javascript:", text), template
