"""The job store: the table, and the statements that claim a job, keep its lease and end it under the fence."""
