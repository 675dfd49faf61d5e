"""One file per benchmark, run in a worker: FIRST_IMPORT, METRICS, and measure(), a generator of samples."""

from __future__ import annotations


def module_name(benchmark: str) -> str:
    """The module of a benchmark: a stem of this package, or a dotted path as it is."""
    return benchmark if "." in benchmark else f"{__name__}.{benchmark}"
