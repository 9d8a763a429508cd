"""Long work: jobs in steps, and what holds jobs back or ties them together.

Nothing of it costs a job that does not use it. It stands above `densefog_core.jobs`, which knows it by protocols only.
"""
