"""Celery on Redis, gevent pool."""

import os

from celery import Celery

app = Celery("bench", broker=os.environ["BENCH_REDIS"])
app.conf.update(task_ignore_result=True, task_acks_late=True, worker_prefetch_multiplier=10)


@app.task
def noop():
    pass


def fill(count):
    for _ in range(count):
        noop.delay()
