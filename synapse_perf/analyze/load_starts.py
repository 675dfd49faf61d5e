"""The starts of a run, put together from its metrics: one for each model, page-cache state and variant."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from synapse_perf.model import Metric

PARTS_OF_A_START = (
    "interpreter",
    "import",
    "harness",
    "backend",
    "device_choice",
    "metadata",
    "vocabulary",
    "tensors",
    "context",
    "first_token",
)


@dataclass(frozen=True, slots=True)
class Start:
    """All metrics of one kind of start; the reference has no variant."""

    model: str
    cache: str
    device: str
    variant: str
    arm: str
    startup: Metric
    phases: dict[str, Metric]
    floor: Metric | None

    @property
    def total_s(self) -> float:
        return middle(self.startup)

    def phase_s(self, name: str) -> float:
        metric = self.phases.get(name)
        return middle(metric) if metric is not None else 0.0

    def fact(self, name: str) -> float | None:
        """The median of a numeric fact over the processes."""
        values = facts(self.startup, name)
        return statistics.median(values) if values else None

    @property
    def longest_phase(self) -> str:
        return max(PARTS_OF_A_START, key=self.phase_s)


def starts_of(metrics: Iterable[Metric]) -> list[Start]:
    """Every start in the order of its first metric; floors belong to all starts of their model and cache state."""
    listed = list(metrics)
    floors = {_place(metric)[:2]: metric for metric in listed if metric.labels.get("phase") == "floor"}
    phases: dict[tuple[str, ...], dict[str, Metric]] = {}
    for metric in listed:
        if metric.name == "phase_time" and metric.labels.get("phase") != "floor":
            phases.setdefault(_place(metric), {})[metric.labels["phase"]] = metric
    return [
        Start(
            model=metric.labels["model"],
            cache=metric.labels["cache"],
            device=metric.labels.get("device", ""),
            variant=metric.labels.get("variant", ""),
            arm=metric.trials[0].arm,
            startup=metric,
            phases=phases.get(_place(metric), {}),
            floor=floors.get(_place(metric)[:2]),
        )
        for metric in listed
        if metric.name == "model_startup_time"
    ]


def middle(metric: Metric) -> float:
    """The median over all samples, also where there are too few for one with an interval."""
    return statistics.median(sample for trial in metric.trials for sample in trial.samples)


def facts(metric: Metric, name: str) -> list[float]:
    """The numeric values of a fact, one for each process that has it."""
    return [
        float(value)
        for trial in metric.trials
        for value in trial.facts.get(name, ())
        if isinstance(value, int | float) and not isinstance(value, bool)
    ]


def texts(metric: Metric, name: str) -> list[str]:
    """The different texts of a fact."""
    return list(dict.fromkeys(str(value) for trial in metric.trials for value in trial.facts.get(name, ()) if value))


def has_false(metric: Metric, name: str) -> bool:
    """Whether a yes-or-no fact was no in every process that tells."""
    values = [value for trial in metric.trials for value in trial.facts.get(name, ()) if value is not None]
    return bool(values) and not any(values)


def references(starts: Sequence[Start]) -> list[Start]:
    """The starts as the profile asks for them; what variants change, they change against these."""
    return [start for start in starts if not start.variant]


def _place(metric: Metric) -> tuple[str, str, str, str]:
    labels = metric.labels
    return labels.get("model", ""), labels.get("cache", ""), labels.get("variant", ""), labels.get("device", "")
