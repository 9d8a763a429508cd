"""Logs: the context id in each line, one access line a call, no secrets, rotation from outside."""

import json
import logging
import re

import pytest

from densefog_core import logs
from densefog_core.actions import Request
from densefog_core.context import entered
from densefog_core.errors import ConfigError

_logger = logging.getLogger("app.module")


@pytest.fixture
def files(tmp_path):
    """Set the logs up in a folder and return what reads one of its files."""
    made = []

    def setup(**options):
        made.append(logs.setup(str(tmp_path), "public", **options))
        return made[-1], lambda name="normal.log": (tmp_path / "public" / name).read_text()

    yield setup
    for access in made:
        access.close()


def a_request(context_id="r-1"):
    return entered(Request("public", "Act", {}, context_id=context_id))


def test_each_line_has_level_time_context_and_logger(files):
    _, read = files()
    with a_request():
        _logger.info("hello %s", "you")
    assert re.fullmatch(r"\[INFO\]\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\]\[r-1\]\[app.module\] hello you\n", read())


def test_outside_of_requests_the_context_is_a_dash(files):
    _, read = files()
    _logger.info("hello")
    assert "][-][" in read()


def test_as_json_each_line_is_one_object(files):
    _, read = files(json=True)
    with a_request():
        try:
            raise ValueError("password=hunter2")
        except ValueError:
            _logger.exception("two\nlines")
    line = json.loads(read())
    assert (line["level"], line["context"], line["logger"], line["message"]) == (
        "ERROR",
        "r-1",
        "app.module",
        "two\nlines",
    )
    assert "ValueError" in line["exception"]
    assert "hunter2" not in line["exception"]


@pytest.mark.parametrize("as_json", [False, True])
def test_secrets_in_messages_arguments_and_tracebacks_are_hidden(files, as_json):
    _, read = files(json=as_json)
    _logger.info("params %s and %s", {"password": "hunter2"}, [{"api_key": "hunter2"}])
    _logger.info("connect mysql://root:hunter2@db/x")
    _logger.info("%(token)s", {"token": "hunter2"})
    try:
        raise ValueError("secret: hunter2")
    except ValueError:
        _logger.exception("failed")
    assert "hunter2" not in read()
    assert read().count("********") >= 5


def test_debug_lines_and_sql_are_logged_in_debug_only(files):
    _, read = files()
    _logger.debug("quiet")
    logging.getLogger("sqlalchemy.engine").info("SELECT 1")
    assert read() == ""
    _, read = files(debug=True)
    _logger.debug("loud")
    logging.getLogger("sqlalchemy.engine").info("SELECT 1")
    assert "loud" in read()
    assert "SELECT 1" in read("sql.log")
    assert "SELECT 1" not in read()
    files()


def test_setting_up_again_does_not_double_lines(files):
    files()
    _, read = files()
    _logger.info("once")
    assert read().count("once") == 1


@pytest.mark.parametrize("name", ["normal.log", "access.log"])
def test_a_file_moved_away_is_made_anew(files, tmp_path, name, monkeypatch):
    access, read = files()
    now = [1_000_000.0]
    monkeypatch.setattr(logs.time, "time", lambda: now[0])
    write = _logger.info if name == "normal.log" else lambda text: access.write("a", "-", text, 0, 0.001, 1)
    write("before")
    (tmp_path / "public" / name).rename(tmp_path / "rotated")
    now[0] += 1
    write("after")
    assert "before" in (tmp_path / "rotated").read_text()
    assert "after" in read(name)
    assert "before" not in read(name)


def test_an_access_line_has_time_context_address_project_action_code_duration_and_size(files):
    access, read = files()
    with a_request():
        access.write("10.0.0.1", "p-1", "DescribeVolumes", 4104, 0.01234, 77)
    assert re.fullmatch(
        r"\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\]\[r-1\] 10\.0\.0\.1 p-1 DescribeVolumes 4104 12\.34ms 77\n",
        read("access.log"),
    )


def test_an_access_line_as_json(files):
    access, read = files(json=True)
    access.write("10.0.0.1", "p-1", "Act", 0, 0.01234, 77)
    line = json.loads(read("access.log"))
    assert line | {"time": ""} == {
        "time": "",
        "context": "-",
        "address": "10.0.0.1",
        "project": "p-1",
        "action": "Act",
        "retCode": 0,
        "milliseconds": 12.34,
        "bytes": 77,
    }


@pytest.mark.parametrize("action", ["a\nb", "a b", "x\u2028y", "a\x1b[31m", "x" * 5000])
def test_what_a_client_sends_cannot_forge_lines_or_columns(files, action):
    access, read = files()
    access.write("a", "-", action, 4000, 0.001, 1)
    text = read("access.log")
    assert len(text.splitlines()) == 1
    assert len(text.split(" ")) == 7
    assert len(text) < 700


def test_a_disk_that_is_full_fails_no_call(files, caplog):
    access, _ = files()
    access.write("a", "-", "Act", 0, 0.001, 1)
    access._path = access._path.parent / "gone" / "access.log"
    access._second = -1
    access.write("a", "-", "Act", 0, 0.001, 1)
    assert "cannot write the access log" in caplog.text


def test_a_dash_logs_to_stderr(capsys):
    access = logs.setup("-", "public")
    _logger.info("hello")
    access.write("a", "-", "Act", 0, 0.001, 1)
    err = capsys.readouterr().err
    assert "hello" in err
    assert " Act 0 " in err


def test_a_folder_that_cannot_be_written_to_is_a_setting_that_is_wrong(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="setting log_dir: cannot write to"):
        logs.setup(str(tmp_path / "file"), "public")


def test_without_a_set_up_no_access_line_is_written(capsys):
    logs.AccessLog().write("a", "-", "Act", 0, 0.001, 1)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("field", ["access_key", "claimed_key"])
def test_an_access_line_ends_with_the_key_that_the_call_names(files, field):
    """Whether or not it was the caller's: guesses are seen."""
    access, read = files()
    with a_request() as scope:
        setattr(scope, field, "AK one")
        access.write("10.0.0.1", "p-1", "Act", 4101, 0.01234, 77)
    assert read("access.log").endswith("4101 12.34ms 77 AK_one\n")
    access, read = files(json=True)
    with a_request() as scope:
        setattr(scope, field, "AK one")
        access.write("10.0.0.1", "p-1", "Act", 4101, 0.01234, 77)
    assert json.loads(read("access.log").splitlines()[-1])["accessKey"] == "AK one"
