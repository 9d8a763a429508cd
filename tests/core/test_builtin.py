"""The actions that every API serves."""

from __future__ import annotations

from typing import Any

import pytest
from click.testing import CliRunner
from msgspec import Struct

from densefog_core.cli.main import main
from densefog_core.current import set_current_app
from densefog_core.testing import make_app


class CreateVolumes(Struct):
    volume_size: int


def create_volumes(params: CreateVolumes) -> dict[str, Any]:
    """Create volumes.

    At once.
    """
    return {"size": params.volume_size}


def greet(params: dict[str, Any]) -> dict[str, Any]:
    return {"said": params["name"]}


@pytest.fixture
def app():
    return make_app(actions={"CreateVolumes": create_volumes}, jobs={"Greet": greet, "Part": greet})


# -- DescribeActions -------------------------------------------------------------------------------------------


def described(api, **body: Any) -> dict[str, Any]:
    reply = api.post({"action": "DescribeActions", **body})
    assert reply["retCode"] == 0, reply
    return reply["data"]


@pytest.mark.parametrize("api", ["public", "manage"])
def test_the_actions_of_the_api_that_is_asked_are_listed_by_name(app, api):
    data = described(app.api(api))
    names = ["CreateVolumes"] if api == "public" else []
    assert [one["action"] for one in data["actionSet"]] == [*names, "DescribeActions", "DescribeJobs"]
    assert (data["limit"], data["offset"], data["total"]) == (20, 0, len(names) + 2)


def test_an_action_is_described_with_its_schemas(app):
    (row,) = described(app.api(), actionNames=["CreateVolumes"])["actionSet"]
    assert (row["summary"], row["description"]) == ("Create volumes.", "Create volumes.\n\nAt once.")
    assert row["params"]["properties"] == {"volumeSize": {"type": "integer"}}
    assert row["result"] == {"type": "object"}


def test_actions_that_were_routed_are_listed_too(app):
    api = app.api()
    api.route({"Routed": lambda: {}})
    assert described(api, actionNames=["Routed", "NoSuch"])["total"] == 1


def test_actions_are_listed_in_pages(app):
    data = described(app.api(), limit=1, offset=1)
    assert [one["action"] for one in data["actionSet"]] == ["DescribeActions"]
    assert data["total"] == 3


def test_pages_have_limits(app):
    reply = app.api().post({"action": "DescribeActions", "limit": 0, "offset": -1, "actionNames": "CreateVolumes"})
    assert [one["path"] for one in reply["data"]["errors"]] == ["/actionNames", "/limit", "/offset"]


@pytest.mark.parametrize(
    "member", [{"offset": 2**63}, {"offset": -1}, {"status": ["x"] * 101}, {"jobIds": ["x"] * 101}]
)
def test_a_list_of_jobs_is_bounded_in_each_way(app, member):
    assert app.api().post({"action": "DescribeJobs", **member})["retCode"] == 4110


# -- DescribeJobs ----------------------------------------------------------------------------------------------


def test_jobs_are_listed_with_their_results_newest_first(app):
    first = app.enqueue("Greet", {"name": "Ada"})
    app.run_jobs()
    second = app.enqueue("Part", {"name": "Ben", "resource_ids": ["r-1"]})
    data = app.api().post({"action": "DescribeJobs"})["data"]
    assert {key: data[key] for key in ("limit", "offset", "total")} == {"limit": 20, "offset": 0, "total": 2}
    rows = {row["jobId"]: row for row in data["jobSet"]}
    names = "jobId projectId action status resourceIds result error trys tryMax runAt created updated"
    assert set(rows[first]) == set(names.split())
    assert (rows[first]["status"], rows[first]["result"]) == ("finished", {"said": "Ada"})
    assert (rows[second]["status"], rows[second]["resourceIds"]) == ("pending", ["r-1"])


def test_jobs_are_found_by_id_and_status(app):
    first, second = app.enqueue("Greet", {"name": "a"}), app.enqueue("Greet", {"name": "b"})

    def ids(**body: Any) -> list[str]:
        return [row["jobId"] for row in app.api().post({"action": "DescribeJobs", **body})["data"]["jobSet"]]

    assert ids(jobIds=[first]) == [first]
    assert ids(status=["finished"]) == []
    assert set(ids(status=["pending"])) == {first, second}


# -- the command -----------------------------------------------------------------------------------------------


def test_the_command_prints_an_actions_schemas(app, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    set_current_app(app)
    shown = CliRunner().invoke(main, ["actions", "show", "CreateVolumes"])
    assert shown.exit_code == 0, shown.output
    assert '"volumeSize"' in shown.output
