"""Huey on SQLite, greenlets."""

import os

from huey import SqliteHuey

app = SqliteHuey(filename=os.path.join(os.environ["BENCH_FOLDER"], "huey.db"), results=False)


@app.task()
def noop():
    pass


def fill(count):
    for _ in range(count):
        noop()
