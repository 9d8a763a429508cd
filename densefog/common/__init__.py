"""The original's ``densefog.common``."""
