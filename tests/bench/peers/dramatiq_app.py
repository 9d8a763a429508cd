"""Dramatiq on Redis, gevent."""

import os

import dramatiq
from dramatiq.brokers.redis import RedisBroker

dramatiq.set_broker(RedisBroker(url=os.environ["BENCH_REDIS"]))


@dramatiq.actor
def noop():
    pass


def fill(count):
    for _ in range(count):
        noop.send()
