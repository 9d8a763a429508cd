"""A trace goes on: from the caller into the call, from the call into its job, from the job into its notice."""

from __future__ import annotations

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

import densefog_plugins.tracing
from densefog_core import enqueue
from densefog_core.errors import ConfigError, PluginError, iaas_error
from densefog_core.testing import RecordingChannel, make_app
from tests.integration.process import eventually
from tests.plugins.conftest import Serve

TRACE, CALLER = "ab" * 16, "cd" * 8
TRACEPARENT = f"00-{TRACE}-{CALLER}-01"


@pytest.fixture(scope="module")
def exporter():
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    return exporter


@pytest.fixture
def spans(exporter):
    exporter.clear()
    return lambda: {span.name: span for span in exporter.get_finished_spans()}


def traced(**options):
    return make_app(densefog_plugins.tracing, tracing_exporter="provider", **options)


def fail():
    raise RuntimeError("cannot log in with password=hunter2")


def missing():
    raise iaas_error.ResourceNotFound("vol-1")


def start():
    return {"jobId": enqueue("Work", {"size": 1})}


def test_without_an_exporter_nothing_is_wrapped_and_jobs_carry_nothing():
    app = make_app(densefog_plugins.tracing, jobs={"Work": lambda params: params})
    assert not app.plugins.is_wrapped("densefog_call_action")
    assert app.store.get(app.enqueue("Work")).params == {}


def test_a_call_a_job_and_its_notice_belong_to_the_callers_trace(spans):
    channel = RecordingChannel()
    app = traced(actions={"Start": start}, jobs={"Work": lambda params: fail() if params == {"size": 1} else params})
    app.notifier.add(channel)
    job_id = app.api().post({"action": "Start"}, traceparent=TRACEPARENT)["data"]["jobId"]
    app.run_jobs()
    call, job = spans()["Start"], spans()["Work"]
    assert [f"{span.context.trace_id:032x}" for span in (call, job)] == [TRACE, TRACE]
    assert f"{call.parent.span_id:016x}" == CALLER
    assert job.parent.span_id == call.context.span_id
    assert (call.kind, job.kind) == (SpanKind.SERVER, SpanKind.CONSUMER)
    assert (job.attributes["densefog.job_id"], job.attributes["densefog.try"]) == (job_id, 1)
    notice = eventually(lambda: [one for one in channel.sent if one.topic == "failed"], "a notice")[0]
    assert notice.trace_id == notice.document["traceId"] == TRACE
    assert f"trace: {TRACE}" in notice.text
    app.shutdown()


def test_a_handler_does_not_see_whence_its_job_came_and_a_second_try_belongs_to_the_trace_too(spans, exporter):
    seen = []

    def work(params, job):
        seen.append((params, job.params))
        if len(seen) == 1:
            raise RuntimeError("again")

    app = traced(actions={"Start": start}, jobs={"Work": work})
    app.api().post({"action": "Start"}, traceparent=TRACEPARENT)
    app.run_jobs()
    [job_id] = app.store.jobs
    app.store.run_now([job_id])
    app.run_jobs()
    assert seen == [({"size": 1}, {"size": 1})] * 2
    tries = [span for span in exporter.get_finished_spans() if span.name == "Work"]
    assert [f"{span.context.trace_id:032x}" for span in tries] == [TRACE, TRACE]


def test_a_call_without_a_trace_begins_one_and_so_does_a_job(spans):
    app = traced(actions={"Ping": lambda: {}}, jobs={"Work": lambda: None})
    app.api().post({"action": "Ping"}, traceparent="00-nonsense")
    app.enqueue("Work")
    app.run_jobs()
    assert spans()["Ping"].parent is None
    assert spans()["Work"].parent is None
    assert [job.params for job in app.store.jobs.values()] == [{}]


def test_what_the_caller_did_wrong_is_no_error_of_the_service_and_secrets_stay_here(spans):
    api = traced(actions={"Find": missing, "Fail": fail}).api()
    api.post({"action": "Find"})
    api.post({"action": "Fail"})
    assert spans()["Find"].status.status_code is StatusCode.UNSET
    assert spans()["Find"].attributes["densefog.ret_code"] == 4104
    failed = spans()["Fail"]
    assert failed.status.status_code is StatusCode.ERROR
    [event] = failed.events
    assert event.attributes["exception.type"] == "RuntimeError"
    assert "hunter2" not in str(dict(event.attributes))


def test_an_exporter_that_is_unknown_or_not_installed_stops_start_up():
    with pytest.raises(ConfigError, match="none of provider, console, otlp"):
        make_app(densefog_plugins.tracing, tracing_exporter="carrier-pigeon")
    with pytest.raises(PluginError, match="pip install opentelemetry-exporter-otlp-proto-http"):
        make_app(densefog_plugins.tracing, tracing_exporter="otlp")


def test_over_http_the_job_carries_the_callers_trace_and_the_log_names_it_when_it_fails(middleware: Serve):
    server = middleware(tracing_exporter="console", notify_channels=["log"])
    reply = server.send("POST", "/", '{"action": "Start", "fail": true}', traceparent=TRACEPARENT)
    assert reply.json["retCode"] == 0
    server.process.line(f"trace: {TRACE}")
