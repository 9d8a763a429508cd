"""The connection to a database server: engines, drivers, and where databases differ."""
