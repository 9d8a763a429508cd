"""``/openapi.json`` of the sample cloud: valid, and true of what the server does with whatever is generated from it."""

from __future__ import annotations

import json
import urllib.request

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from openapi_spec_validator import validate
from schemathesis import GenerationMode

EXAMPLES = 15


@pytest.fixture(scope="module")
def document(cloud: str) -> dict:
    with urllib.request.urlopen(f"{cloud}/openapi.json") as reply:
        assert reply.headers["Content-Type"] == "application/json"
        return json.load(reply)


def test_it_is_openapi_3_1_with_a_path_for_each_action(document):
    validate(document)
    assert document["openapi"].startswith("3.1")
    assert {"/CreateVolumes", "/DescribeVolumes", "/DescribeJobs", "/DescribeActions"} <= set(document["paths"])
    assert all(set(path) == {"post"} for path in document["paths"].values())


def operations(document, cloud):
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=cloud)
    return [found.ok() for found in schema.get_all_operations()]


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=lambda mode: mode.name.lower())
def test_no_generated_request_makes_any_action_fail(document, cloud, mode):
    answered = set()
    for operation in operations(document, cloud):

        @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy(generation_mode=mode))
        def check(case):
            response = case.call(timeout=10)
            envelope = response.json()
            assert list(envelope) == ["data", "retCode", "message"]
            # Of a batch the contract answers 5001 and 5002 whosever fault its failures are.
            told = envelope["data"].get("failures") or [envelope]
            assert all(one["retCode"] < 5000 for one in told), (case.body, envelope)
            answered.add(case.operation.path)

        check()
    assert answered == set(document["paths"])
