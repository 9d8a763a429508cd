"""The error table: the most specific class of the MRO answers, plugins add theirs, nothing internal leaks."""

import pickle

import pytest

from densefog_core.errors import (
    BaseIaasException,
    ErrorTable,
    HandleError,
    RegistrationError,
    http_status,
    iaas_error,
    project_error,
)
from densefog_core.errors.table import stack
from densefog_core.registry import Gate


@pytest.fixture
def table():
    return ErrorTable()


class ProviderDown(Exception):
    pass


class ProviderSlow(ProviderDown):
    pass


def test_an_unknown_exception_tells_the_client_nothing(table):
    answer = table.answer(ProviderDown("password=hunter2 at 10.0.0.1"), context_id="ctx-1")
    assert (answer.ret_code, answer.is_fault) == (5000, True)
    assert answer.data == {"exceptionTag": "ctx-1"}
    assert "10.0.0.1" not in answer.message


def test_the_most_specific_registered_class_wins(table):
    table.add(ProviderDown, 5001, "down")
    assert table.answer(ProviderSlow()).message == "down"
    table.add(ProviderSlow, 5002, "slow")
    assert table.answer(ProviderSlow()).message == "slow"
    assert table.answer(ProviderDown()).message == "down"


def test_message_and_data_may_be_functions_of_the_error(table):
    table.add(ProviderDown, 5001, lambda error: f"down: {error}", lambda error: {"host": "h"})
    answer = table.answer(ProviderDown("x"), context_id="c")
    assert (answer.message, answer.data) == ("down: x", {"host": "h", "exceptionTag": "c"})


def test_a_describing_function_that_fails_gives_the_code_and_no_detail(table, caplog):
    with table.owned_by("plugin 'p' of d 1"):
        table.add(ProviderDown, 5001, lambda error: error.nothing)
    answer = table.answer(ProviderDown())
    assert answer.ret_code == 5001
    assert "plugin 'p' of d 1" in caplog.text


def test_an_own_subclass_answers_with_its_own_number(table):
    class TooHot(iaas_error.ResourceActionForbidden):
        ret_code = 4199

    answer = table.answer(TooHot("vol-1"))
    assert (answer.ret_code, answer.data["resourceId"]) == (4199, "vol-1")


def test_a_registered_number_wins_over_the_class_s_own(table):
    table.add(iaas_error.ResourceNotFound, 4444, "gone")
    assert table.answer(iaas_error.ResourceNotFound("x")).ret_code == 4444


def test_a_handle_error_carries_its_own_number_and_data(table):
    answer = table.answer(HandleError("no", 4777, {"a": 1}), context_id="c")
    assert (answer.ret_code, answer.message, answer.data) == (4777, "no", {"a": 1, "exceptionTag": "c"})


def test_a_hook_maps_what_no_class_covers(table):
    answer = table.answer(ProviderDown(), map_error=lambda error: iaas_error.ResourceNotFound("vol-1"))
    assert answer.ret_code == 4104


@pytest.mark.parametrize("wrong", [ValueError("no densefog error"), "text"])
def test_a_hook_that_maps_to_something_else_is_logged_and_ignored(table, caplog, wrong):
    assert table.answer(ProviderDown(), map_error=lambda error: wrong).ret_code == 5000
    assert "none of densefog's" in caplog.text


def test_a_hook_that_fails_is_logged_and_ignored(table, caplog):
    assert table.answer(ProviderDown(), map_error=lambda error: 1 / 0).ret_code == 5000
    assert "ZeroDivisionError" in caplog.text


def test_a_hook_is_not_asked_for_what_the_table_covers(table):
    table.answer(iaas_error.ResourceNotFound("x"), map_error=lambda error: pytest.fail("asked"))


def test_a_partial_success_says_what_became_of_each(table):
    error = iaas_error.ActionsPartialSuccessError(
        [
            {"exception": iaas_error.ResourceIsBusy("vol-2"), "volume_id": "vol-2"},
            {"exception": ProviderDown(), "volume_id": "vol-3"},
        ],
        ["vol-1"],
        "job-1",
    )
    answer = table.answer(error, resource_key="volumeIds")
    assert (answer.ret_code, answer.is_fault) == (5002, True)
    assert answer.data["volumeIds"] == ["vol-1"]
    assert answer.data["jobId"] == "job-1"
    assert [(one["resourceId"], one["retCode"]) for one in answer.data["failures"]] == [
        ("vol-2", 4105),
        ("vol-3", 5000),
    ]


def test_a_batch_that_failed_by_what_its_client_asked_for_is_no_fault_of_ours(table):
    busy = [{"exception": iaas_error.ResourceIsBusy("vol-2"), "volume_id": "vol-2"}]
    for results, code in ((["vol-1"], 5002), ([], 5001)):
        answer = table.answer(iaas_error.ActionsPartialSuccessError(busy, results))
        assert (answer.ret_code, answer.is_fault) == (code, False)


def test_the_failures_of_a_batch_are_mapped_by_hooks_too(table):
    error = iaas_error.ActionsPartialSuccessError([{"exception": ProviderDown(), "id": "vol-3"}])
    answer = table.answer(error, map_error=lambda one: iaas_error.ResourceNotFound("vol-3"))
    assert answer.data["failures"][0]["retCode"] == 4104


def test_the_traceback_is_for_debug_only(table):
    assert "exceptionStr" not in table.answer(ProviderDown()).data
    assert "ProviderDown" in table.answer(ProviderDown(), debug=True).data["exceptionStr"]


def test_the_log_gets_what_the_provider_said_and_every_failure_of_a_batch():
    provider = iaas_error.IaasProviderActionError(ProviderDown("socket closed"), "line 5 of client")
    text = stack(iaas_error.ActionsPartialSuccessError([{"exception": provider, "id": "vol-1"}]))
    assert "socket closed" in text
    assert "line 5 of client" in text


def test_a_class_is_registered_once(table):
    with table.owned_by("a"):
        table.add(ProviderDown, 5001)
    with pytest.raises(RegistrationError, match="registered twice: by a and by b"), table.owned_by("b"):
        table.add(ProviderDown, 5002)


@pytest.mark.parametrize("what", [ProviderDown(), "ProviderDown", int, KeyboardInterrupt])
def test_only_exception_classes_can_be_registered(table, what):
    with pytest.raises(RegistrationError, match="no exception class"):
        table.add(what, 5001)


def test_registration_ends_at_start_up(table):
    gate = Gate()
    gate.close()
    table.freeze(gate.check)
    with pytest.raises(RegistrationError, match="after start-up"):
        table.add(ProviderDown, 5001)


@pytest.mark.parametrize(
    "error",
    [
        iaas_error.ResourceNotFound("vol-1"),
        project_error.ResourceQuotaNotEnough("volumes", 10, 9, 2),
        HandleError("no", 4777, {"a": 1}),
        iaas_error.ActionsPartialSuccessError([{"exception": ValueError("x"), "id": 1}], ["y"], "job-1"),
    ],
    ids=lambda one: type(one).__name__,
)
def test_errors_survive_pickling(error):
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.ret_code, again.data) == (
        type(error),
        str(error),
        error.ret_code,
        error.data,
    )


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (0, 200),
        (4000, 400),
        (4100, 400),
        (4110, 400),
        (4101, 401),
        (4103, 403),
        (4105, 403),
        (4104, 404),
        (4113, 429),
        (4604, 400),
        (5000, 500),
        (5001, 500),
        (5002, 500),
    ],
)
def test_mapped_http_statuses(code, status):
    assert http_status(code) == status


def test_an_error_without_a_message_says_what_its_class_is_for():
    class Lost(BaseIaasException):
        """It is lost.

        More about it.
        """

    assert str(Lost()) == "It is lost."


class Sizeless(iaas_error.InvalidRequestParameter):
    """An application's error whose constructor calls no other one."""

    def __init__(self, size):
        self.size = size

    def __str__(self):
        return f"no size {self.size}"


class Wordless(iaas_error.ResourceNotFound):
    def __init__(self, resource_id, reason):
        self.reason = reason


class Property(iaas_error.ResourceActionForbiden):
    def __init__(self, code):
        self.code = code

    @property
    def message(self):
        return f"refused by {self.code}"


class Provider(iaas_error.IaasProviderActionError):
    def __init__(self, reason):
        self.reason = reason


class Batch(iaas_error.ActionsPartialSuccessError):
    """Some resources of a batch, or all of them, could not be acted on."""

    def __init__(self):
        self.note = "nothing of its base"


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (Sizeless(3), 4100, "no size 3"),
        (Wordless("vol-1", "gone"), 4104, "('vol-1', 'gone')"),
        (Property("E7"), 4105, "refused by E7"),
        (Provider("down"), 5001, "down"),
        (Batch(), 5001, "Some resources of a batch, or all of them, could not be acted on."),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_class_need_not_call_its_base(table, error, code, message):
    """Its str() is the message, and nothing that densefog looks at is missing, in the log neither."""
    answer = table.answer(error, debug=True)
    assert answer.ret_code == code
    assert answer.message == message
    assert type(error).__name__ in stack(error)


def test_what_the_provider_says_is_for_the_log(table):
    """The message that an application gives goes there, too: it often is the provider's own."""
    error = iaas_error.IaasProviderActionError(ValueError("x"), "line 5", "cinder: no host h1")
    answer = table.answer(error)
    assert (answer.ret_code, answer.message) == (5001, "Action failed.op")
    assert "no host h1" not in str(answer.data) and "no host h1" in stack(error)
    assert "no host h1" in table.answer(error, debug=True).data["exceptionStr"]


def test_a_job_alone_is_a_partial_success_of_its_resources(table):
    """Applications give the job or the results; the ids are those that the job is about."""
    table.resources_of = {"job-1": ["vol-2"]}.__getitem__
    failures = [{"volume": "vol-1", "exception": iaas_error.ResourceNotFound("vol-1")}]
    answer = table.answer(iaas_error.ActionsPartialSuccessError(failures, job_id="job-1"), resource_key="volumeIds")
    assert (answer.ret_code, answer.data["volumeIds"], answer.data["jobId"]) == (5002, ["vol-2"], "job-1")


def test_a_job_that_cannot_be_read_leaves_the_ids_out(table):
    """A store that fails now must not turn a reply into an internal error."""
    table.resources_of = {}.__getitem__
    answer = table.answer(iaas_error.ActionsPartialSuccessError([], job_id="job-1"))
    assert (answer.ret_code, answer.data["resourceIds"]) == (5002, [])
