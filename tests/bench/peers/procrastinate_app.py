"""Procrastinate on PostgreSQL, asyncio."""

import os

import procrastinate

CONNECTION = os.environ["DB_URL"].replace("+psycopg", "")
app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=CONNECTION))


@app.task(name="noop")
async def noop():
    pass


def fill(count):
    with app.replace_connector(procrastinate.SyncPsycopgConnector(conninfo=CONNECTION)) as sync, sync.open():
        if not sync.check_connection():
            sync.schema_manager.apply_schema()
        for _ in range(count // 500):
            sync.configure_task("noop").batch_defer(*[{}] * 500)
