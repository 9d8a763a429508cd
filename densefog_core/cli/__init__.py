"""What operators type: ``densefog-serve`` and ``densefog``."""
