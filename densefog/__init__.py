"""The import names of the original densefog; every object here is ``densefog_core``'s."""
