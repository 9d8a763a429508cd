"""The two-minute tour: the sample cloud, from the first call until its job is finished and its volumes are there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from tests.integration.process import data, eventually, post

ID = "[2-9A-HJ-NP-Za-km-z]"


def finished(address: str, job_id: str) -> dict[str, Any]:
    """Wait until a job has ended and return it as clients see it."""

    def look() -> dict[str, Any] | None:
        (job,) = data(address, "DescribeJobs", jobIds=[job_id])["jobSet"]
        return job if job["status"] in ("finished", "error") else None

    job = eventually(look, f"the end of {job_id}")
    assert job is not None and job["status"] == "finished", job
    return job


def test_volumes_are_created_by_a_job(cloud: str):
    created = data(cloud, "CreateVolumes", count=2, size=10)
    assert set(created) == {"jobId", "volumeIds"}
    assert re.fullmatch(rf"job-{ID}{{10}}", created["jobId"])
    assert all(re.fullmatch(rf"vol-{ID}+", one) for one in created["volumeIds"])
    assert len(set(created["volumeIds"])) == 2

    job = finished(cloud, created["jobId"])
    assert (job["action"], job["resourceIds"]) == ("CreateVolumes", created["volumeIds"])
    assert job["result"] == {"volumeIds": created["volumeIds"]}
    assert (job["trys"], job["error"]) == (1, "")

    page = data(cloud, "DescribeVolumes", volumeIds=created["volumeIds"])
    assert (page["limit"], page["offset"], page["total"]) == (20, 0, 2)
    assert {volume["volumeId"]: volume["status"] for volume in page["volumeSet"]} == dict.fromkeys(
        created["volumeIds"], "available"
    )


def test_an_instance_lives_its_life(cloud: str):
    created = data(cloud, "CreateInstances", cpus=2, memory=1024, name="web")
    (instance_id,) = created["instanceIds"]
    finished(cloud, created["jobId"])
    volume = data(cloud, "CreateVolumes", size=1)
    finished(cloud, volume["jobId"])
    (volume_id,) = volume["volumeIds"]
    attached = data(cloud, "AttachVolume", instanceId=instance_id, volumeId=volume_id)
    finished(cloud, attached["jobId"])
    refused = post(cloud, "DeleteInstances", instanceIds=[instance_id])
    assert refused["retCode"] == 5001
    assert [(one["resourceId"], one["retCode"]) for one in refused["data"]["failures"]] == [(instance_id, 4105)]
    for action, ids in (("DetachVolume", {"volumeId": volume_id}),
                        ("StopInstances", {"instanceIds": [instance_id]}),
                        ("DeleteInstances", {"instanceIds": [instance_id]}),
                        ("DeleteVolumes", {"volumeIds": [volume_id]})):  # fmt: skip
        finished(cloud, data(cloud, action, **ids)["jobId"])
    assert data(cloud, "DescribeInstances", instanceIds=[instance_id])["instanceSet"][0]["status"] == "deleted"


def test_bad_input_is_refused_before_any_row_is_written(cloud: str):
    before = data(cloud, "DescribeVolumes")["total"]
    for params in ({}, {"size": 0}, {"size": 1001}, {"size": "big"}, {"size": 1, "count": 11}):
        assert post(cloud, "CreateVolumes", **params)["retCode"] == 4110
    assert post(cloud, "AttachVolume", volumeId="vol-nobodys", instanceId="i-nobodys")["retCode"] == 4104
    assert data(cloud, "DescribeVolumes")["total"] == before


def test_what_happened_is_in_the_log_files(cloud: str, cloud_root: Path):
    created = data(cloud, "CreateVolumes", size=1)
    finished(cloud, created["jobId"])
    (folder,) = (cloud_root / "logs").iterdir()
    assert folder.name == "public"
    access = (folder / "access.log").read_text()
    assert re.search(r"^\[\S+Z\]\[ctx-\d+-\w{4}\] 127\.0\.0\.1 \S+ CreateVolumes 0 [0-9.]+ms \d+$", access, re.M)
    assert "api public listens on" in (folder / "normal.log").read_text()
