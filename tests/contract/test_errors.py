"""The error table: every row, over the wire; the families of the classes; the three ways to add to it."""

from __future__ import annotations

import re

import pytest

from densefog_core import errors
from densefog_core.errors import iaas_error, project_error
from tests.contract.conftest import Server

RESOURCE = {"resourceId": "vol-1"}
KEY = {"accessKey": "AK1"}

#: error, retCode, data beside exceptionTag
TABLE = [
    ("InvalidRequestParameter", 4100, {}),
    ("ValidationError", 4110, {"errors": [{"path": "/size", "message": "too big"}]}),
    ("AccessKeyExpired", 4101, KEY),
    ("AccessKeyInvalid", 4101, KEY),
    ("ResourceNotBelongsToProject", 4103, RESOURCE),
    ("ResourceNotFound", 4104, RESOURCE),
    ("ResourceActionForbiden", 4105, RESOURCE),
    ("ResourceActionForbidden", 4105, RESOURCE),
    ("ResourceIsBusy", 4105, RESOURCE),
    ("ResourceIsDeleted", 4105, RESOURCE),
    ("ResourceIsInError", 4105, RESOURCE),
    ("ResourceActionUnsupported", 4106, RESOURCE),
    ("ResourceQuotaNotEnough", 4113, {"quota": 10, "used": 8, "want": 3}),
    ("ProjectDuplicated", 4600, {"projectId": "prj-1"}),
    ("ProjectNotFound", 4604, {"projectId": "prj-1"}),
    ("ManageAccessKeyInvalid", 4601, KEY),
    ("AccessKeyNotFound", 4614, KEY),
    ("AccessKeyDuplicated", 4611, KEY),
    ("IaasProviderActionError", 5001, {}),
    ("AnythingElse", 5000, {}),
]


@pytest.mark.parametrize(("error", "ret_code", "data"), TABLE, ids=[row[0] for row in TABLE])
def test_an_error_is_answered_as_the_table_says(server: Server, error: str, ret_code: int, data: dict):
    reply = server.post({"action": "Fail", "error": error})
    envelope = reply.json
    assert envelope["retCode"] == ret_code
    assert isinstance(envelope["message"], str) and envelope["message"]
    assert envelope["data"] == data | {"exceptionTag": reply.headers["x-request-id"]}


def test_an_unknown_action_is_4000(server: Server):
    envelope = server.call("NoSuchAction")
    assert envelope["retCode"] == 4000
    assert "NoSuchAction" in envelope["message"]


@pytest.mark.parametrize(
    "body", [b"", b" ", b"{", b"[]", b'"Echo"', b"17", b"null", b"{}", b'{"size": 3}', b'{"action": 3}',
             b'{"action": null}', b"\xff\xfe", b"action=Echo"]
)  # fmt: skip
def test_a_body_that_is_no_call_is_4110_with_a_list_of_errors(server: Server, body: bytes):
    reply = server.post(body)
    assert (reply.status, reply.json["retCode"]) == (200, 4110)
    (error,) = reply.json["data"]["errors"]
    assert set(error) == {"path", "message"}
    assert error["path"] == ("/action" if body.startswith(b'{"action"') else "")
    assert error["message"]
    assert reply.json["data"]["exceptionTag"] == reply.headers["x-request-id"]


def test_a_refused_parameter_is_4110_with_a_json_pointer(server: Server):
    envelope = server.call("DescribeJobs", limit=1000)
    assert envelope["retCode"] == 4110
    assert [error["path"] for error in envelope["data"]["errors"]] == ["/limit"]


class TestProvider:
    def test_what_the_provider_says_stays_on_the_server(self, server: Server):
        reply = server.post({"action": "Fail", "error": "IaasProviderActionError"})
        assert reply.json["message"] == "Action failed.op"
        assert b"nova" not in reply.body

    def test_it_goes_to_the_log(self, server: Server):
        reply = server.post({"action": "Fail", "error": "IaasProviderActionError"})
        assert server.logged(reply.headers["x-request-id"])
        server.logged("nova says no")
        server.logged("trace of nova.boot")

    def test_it_reaches_the_client_in_debug(self, debugging: Server):
        envelope = debugging.call("Fail", error="IaasProviderActionError")
        assert envelope["message"] == "Action failed.op"
        assert "trace of nova.boot" in envelope["data"]["exceptionStr"]

    def test_a_message_of_its_own_is_for_the_log(self, server: Server):
        reply = server.post({"action": "Fail", "error": "ProviderWithMessage"})
        assert (reply.json["retCode"], reply.json["message"]) == (5001, "Action failed.op")
        assert b"Try tomorrow." not in reply.body
        server.logged("Try tomorrow.")


class TestPartialSuccess:
    def test_one_that_failed_alone(self, server: Server):
        envelope = server.call("Fail", error="OneFailed")
        assert (envelope["retCode"], envelope["message"]) == (5001, "Action failed.")

    def test_several_and_none_succeeded(self, server: Server):
        envelope = server.call("Fail", error="AllFailed")
        assert (envelope["retCode"], envelope["message"]) == (5001, "Actions all failed.")
        assert [failure["resourceId"] for failure in envelope["data"]["failures"]] == ["vol-1", "vol-2"]
        assert envelope["data"]["jobId"] is None

    def test_some_succeeded(self, server: Server):
        envelope = server.call("Fail", error="SomeFailed")
        assert (envelope["retCode"], envelope["message"]) == (5002, "Actions partial success")
        data = envelope["data"]
        (failure,) = data["failures"]
        message = failure.pop("message")
        assert (failure, "vol-1" in message) == ({"resourceId": "vol-1", "retCode": 4104}, True)
        assert data["jobId"] == "job-1"
        assert set(data) == {"jobId", "resourceIds", "failures", "exceptionTag"}
        assert data["resourceIds"] == ["vol-2"]

    def test_those_that_succeeded_stand_under_the_actions_resource_key(self, server: Server):
        data = server.call("FailVolumes", error="SomeFailed")["data"]
        assert data["volumeIds"] == ["vol-2"]
        assert "resourceIds" not in data

    def test_a_failure_that_nobody_expected_says_nothing_of_itself(self, server: Server):
        (failure,) = server.call("Fail", error="UnknownFailed")["data"]["failures"]
        assert failure["retCode"] == 5000
        assert "password" not in failure["message"]


class TestUnexpected:
    def test_the_client_reads_a_fixed_text(self, server: Server):
        reply = server.post({"action": "Fail", "error": "AnythingElse"})
        assert b"disk" not in reply.body and b"Error" not in reply.body
        assert reply.json["message"] == server.call("Broken", kind="object")["message"]

    def test_the_log_has_the_exception_and_the_action_under_the_replys_id(self, server: Server):
        tag = server.call("Fail", error="AnythingElse")["data"]["exceptionTag"]
        assert "Fail" in server.logged(tag)
        server.logged("RuntimeError: disk 7 of host 3 is broken")

    @pytest.mark.parametrize("error", ["ResourceNotFound", "AnythingElse"])
    def test_a_traceback_is_in_the_reply_in_debug_only(self, server: Server, debugging: Server, error: str):
        assert "exceptionStr" not in server.call("Fail", error=error)["data"]
        shown = debugging.call("Fail", error=error)["data"]["exceptionStr"]
        assert shown.startswith("Traceback") and "in fail" in shown


class TestOdd:
    """Errors that are wrong themselves, or none that a server should die of."""

    @pytest.mark.parametrize(("error", "ret_code"), [("DataThatIsNotJSON", 4778), ("MessageThatIsNotText", 4779)])
    def test_what_cannot_be_sent_of_an_error_is_left_out(self, server: Server, error: str, ret_code: int):
        reply = server.post({"action": "Fail", "error": error})
        assert (reply.status, reply.json["retCode"]) == (200, ret_code)
        assert reply.json["data"] == {"exceptionTag": reply.headers["x-request-id"]}

    @pytest.mark.parametrize("error", ["Exit", "Interrupt"])
    def test_a_handler_that_wants_to_end_the_process_is_answered_and_the_server_goes_on(
        self, server: Server, error: str
    ):
        assert server.call("Fail", error=error)["retCode"] == 5000
        assert server.call("Nothing")["retCode"] == 0


class TestApplicationsOwn:
    """The three ways, and which class wins."""

    @pytest.mark.parametrize(
        ("error", "ret_code", "message", "data"),
        [
            ("OwnSubclass", 4418, "short and stout", {"spout": 1}),
            ("OwnSubSubclass", 4418, "tempered", {}),
            ("HandleError", 4777, "the moon is full", {"phase": "full"}),
            ("Registered", 4501, "the library is closed", {}),
            ("RegisteredRefined", 4502, "refined: sugar", {"shelf": 7}),
            ("RegisteredByBase", 4502, "refined: salt", {"shelf": 7}),
            ("MappedByHook", 4104, "Resource (vol-mapped) is not found.", {"resourceId": "vol-mapped"}),
        ],
    )
    def test_it_is_answered(self, server: Server, error: str, ret_code: int, message: str, data: dict):
        envelope = server.call("Fail", error=error)
        tag = envelope["data"].pop("exceptionTag")
        assert re.fullmatch(r"ctx-\d+-\w{4}", tag)
        assert envelope == {"data": data, "retCode": ret_code, "message": message}


class TestFamilies:
    """The classes stand as the original's stood, so that its ``except`` clauses go on catching."""

    RESOURCE_ERRORS = (
        "ResourceNotBelongsToProject ResourceNotFound ResourceActionForbiden ResourceIsBusy ResourceIsDeleted "
        "ResourceIsInError ResourceActionUnsupported"
    ).split()

    @pytest.mark.parametrize("name", RESOURCE_ERRORS)
    def test_resource_errors(self, name: str):
        families = errors.BaseResourceException, errors.ClientRequestException, errors.BaseIaasException, Exception
        assert [one for one in getattr(iaas_error, name).__mro__ if one in families] == list(families)

    @pytest.mark.parametrize("name", ["InvalidRequestParameter", "ValidationError"])
    def test_request_errors(self, name: str):
        assert issubclass(getattr(iaas_error, name), iaas_error.ClientRequestException)

    @pytest.mark.parametrize("name", project_error.__all__)
    def test_project_errors(self, name: str):
        assert issubclass(getattr(project_error, name), errors.BaseIaasException)

    @pytest.mark.parametrize(
        "name",
        ["IaasProviderActionError", "WaitObjectInterrupt", "WaitObjectTimeout", "WaitObjectNotFound",
         "BaseJobException", "DBLockTimeoutError"],
    )  # fmt: skip
    def test_server_errors(self, name: str):
        kind = getattr(iaas_error, name)
        assert issubclass(kind, errors.ServerInternalError) and issubclass(kind, errors.BaseIaasException)
        assert not issubclass(kind, errors.ClientRequestException)

    def test_a_job_that_is_not_found(self):
        assert issubclass(errors.JobNotFound, errors.BaseJobException)

    def test_the_originals_spelling_is_an_alias(self):
        assert iaas_error.ResourceActionForbidden is iaas_error.ResourceActionForbiden

    @pytest.mark.parametrize(
        ("old", "new"),
        [("densefog.iaas_error", iaas_error), ("densefog.project_error", project_error), ("densefog.error", iaas_error),
         ("densefog.error", project_error)],
    )  # fmt: skip
    def test_the_skins_names_are_the_same_classes(self, old: str, new: object):
        import importlib

        skin = importlib.import_module(old)
        for name in new.__all__:
            assert getattr(skin, name) is getattr(new, name)
