"""The sample cloud of ``examples/stratus`` once more, in plain Flask, SQLAlchemy, pydantic and Celery.

It is what a team writes that has these libraries and not densefog, and wants short actions and tasks, too: they are in
`actions` and `tasks`, and all else is what they need. Clients cannot tell the two clouds apart by what stratus's public
actions answer; ``tests/bench/test_plain.py`` plays one story to both.

densefog does more than that, none of which is here: jobs that are committed with the rows that they are about (here a
crash between the commit and the broker leaves rows busy for ever) and that survive a worker's death at any point,
actions to look at jobs, operations and quotas and to manage keys, signed requests, page tokens, strict JSON,
documentation, redaction, log files, notices, metrics.
"""
