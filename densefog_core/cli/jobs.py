"""``densefog jobs``: list, look at and steer jobs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import click

from densefog_core.builtin import job_row
from densefog_core.cli import pauses
from densefog_core.cli.tables import as_json, show, show_one
from densefog_core.current import get_app
from densefog_core.jobs import Job, JobEvent, JobFilter
from densefog_core.jobs.sealed import shown
from densefog_core.printable import one_line
from densefog_core.redact import redact

STATUSES = ("pending", "running", "finished", "error")

#: Ids that one statement takes.
BATCH = 100


@click.group()
def jobs() -> None:
    """List, look at and steer jobs."""


for command in (pauses.pause, pauses.resume, pauses.pauses):
    jobs.add_command(command)


@jobs.command("list")
@click.option("--status", multiple=True, type=click.Choice(STATUSES), help="Only jobs in this status; repeatable.")
@click.option("--action", help="Only jobs of this action.")
@click.option("--project", "project_id", help="Only jobs of this project.")
@click.option("--search", help="Only jobs whose action or id contains this.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 100), help="Rows of the page.")
@click.option("--offset", default=0, show_default=True, type=click.IntRange(0), help="Rows to skip.")
@click.option("--oldest-first", is_flag=True, help="By age instead of newest first.")
@as_json
def list_jobs(json_output: bool, status: tuple[str, ...], oldest_first: bool, **filters: Any) -> None:  # noqa: ANN401
    """List jobs, the newest first."""
    found, total = get_app().store.page(JobFilter(status=status or None, reverse=not oldest_first, **filters))
    rows = [_row(job) for job in found]
    show(rows, ["job_id", "action", "status", "tries", "run_at", "updated", "error"], json_output=json_output)
    if not json_output:
        click.echo(f"{len(rows)} of {total} jobs", err=True)


def _row(job: Job) -> dict[str, Any]:
    return {
        "job_id": job.id,
        "action": job.action,
        "status": job.status,
        "tries": f"{job.trys}/{job.try_max}",
        "run_at": job.run_at,
        "updated": job.updated,
        "error": job.error.partition("\n")[0][:60],
        "project_id": job.project_id,
    }


@jobs.command("show")
@click.argument("job_id")
@as_json
def show_job(job_id: str, json_output: bool) -> None:
    """Show everything about one job."""
    store = get_app().store
    job = store.get(job_id)
    if job is None:
        raise click.ClickException(f"there is no job {job_id}")
    more = {"params": redact(job.params), "tryPeriod": job.try_period}
    if steps := store.steps.read([job_id]).get(job_id):
        more["steps"] = [{**step.row(), "value": shown(step.value)} for step in steps]
    show_one({**job_row(job, raw=True), **more}, json_output=json_output)


@jobs.command()
@click.argument("job_ids", nargs=-1)
@click.option("--failed", "action", metavar="ACTION", help="All failed jobs of this action.")
@click.option("--from-step", "step", metavar="NAME", help="Forget this step of the job and those after it.")
def retry(job_ids: tuple[str, ...], action: str | None, step: str | None) -> None:
    """Put ended jobs back to pending, due now, with one more try, which goes on behind the steps that are done.

    Jobs whose params had secrets are left alone: these are not stored any more.
    """
    store = get_app().store
    if step is not None:
        if action is not None or len(job_ids) != 1:
            raise click.UsageError("--from-step takes one job")
        names = [one.name for one in store.steps.read(job_ids).get(job_ids[0], ())]
        if step not in names:
            raise click.ClickException(f"{job_ids[0]} has no step {step!r}; done are: {', '.join(names) or 'none'}")
    ids = list(job_ids)
    if action is not None:
        ids += _all_ids(JobFilter(status=["error"], action=action, limit=BATCH, reverse=False))
    retried = [one for batch in _batches(_given(ids)) for one in store.retry(batch, step)]
    _report("retried", ids, retried, "unknown, not ended, or with secrets that are not stored any more")


@jobs.command()
@click.argument("job_ids", nargs=-1)
def cancel(job_ids: tuple[str, ...]) -> None:
    """End pending and running jobs; a running one is interrupted at its worker's next heartbeat."""
    app = get_app()
    ended = app.store.cancel(_given(job_ids))
    for job in ended:
        app.emit(JobEvent("cancelled", job, error=job.error))
    _report("cancelled", job_ids, [job.id for job in ended], "unknown, or ended")


@jobs.command("run-now")
@click.argument("job_ids", nargs=-1)
def run_now(job_ids: tuple[str, ...]) -> None:
    """Make pending jobs due now."""
    _report("due now", _given(job_ids), get_app().store.run_now(job_ids), "unknown, or not pending")


@jobs.command()
@as_json
def stats(json_output: bool) -> None:
    """Count jobs by action and status, and say how long the oldest has been waiting."""
    store = get_app().store
    paused = [pause.row() for pause in store.pauses.read()]
    numbers = {**store.stats(), **({"paused": paused} if paused else {})}
    if json_output:
        show_one(numbers, json_output=True)
        return
    show(numbers["jobs"], ["action", "status", "count"], json_output=False)
    oldest = numbers["oldest_pending_seconds"]
    click.echo("nothing is due" if oldest is None else f"the oldest due job has waited {oldest:.0f} s", err=True)
    for one in paused:
        click.echo(one_line(f"paused: {one['what']}, by {one['who']}: {one['why']}"), err=True)


def _given(ids: Any) -> Any:  # noqa: ANN401
    if not ids:
        raise click.UsageError("no jobs were named, or none match")
    return ids


def _all_ids(which: JobFilter) -> list[str]:
    store = get_app().store
    ids: list[str] = []
    while True:
        page, total = store.page(replace(which, offset=len(ids)))
        ids += [job.id for job in page]
        if not page or len(ids) >= total:
            return ids


def _batches(ids: list[str]) -> list[list[str]]:
    return [ids[start : start + BATCH] for start in range(0, len(ids), BATCH)]


def _report(done: str, asked: Any, changed: list[str], why_not: str) -> None:  # noqa: ANN401
    for job_id in changed:
        click.echo(f"{job_id} {done}")
    left = [job_id for job_id in asked if job_id not in set(changed)]
    if left:
        raise click.ClickException(f"left alone, {why_not}: {', '.join(left)}")
