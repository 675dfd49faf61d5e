"""What a worker reports, and what its numbers mean.

Apart from model.py because the worker imports it between the start of the process and the first token. For the same
reason these are named tuples: defining a dataclass costs about a millisecond, in each start that is measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, TypeAlias

Json: TypeAlias = Any  # a value that the json module can write
Labels: TypeAlias = Mapping[str, str]
Fact: TypeAlias = float | int | str | bool | None
Better = Literal["lower", "higher", "exact", "none"]
FailureKind = Literal["crash", "time-out", "out-of-memory", "error", "interrupted"]


def metric_key(name: str, labels: Labels) -> str:
    """Name a metric with its labels as checks and comparisons print it: ``name{a=1,b=2}``, labels sorted."""
    inside = ",".join(f"{key}={labels[key]}" for key in sorted(labels))
    return f"{name}{{{inside}}}" if inside else name


class MetricDefinition(NamedTuple):
    """What a metric means: its base unit and the direction that is better."""

    name: str
    unit: str
    better: Better
    meaning: str


class Measurement(NamedTuple):
    """One number, in the base unit of its metric."""

    metric: str
    value: float
    labels: Labels = MappingProxyType({})


class Sample(NamedTuple):
    """What one yield of a benchmark measured; its facts belong to the first measurement."""

    values: tuple[Measurement, ...]
    facts: Mapping[str, Fact] = MappingProxyType({})
