"""One trial that asks a small model, in a worker as the program starts it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from synapse_perf.analyze.query_set import Query, scored
from synapse_perf.llama.settings import LoadSettings
from synapse_perf.measure.events import StageEntered
from synapse_perf.measure.register import Register
from synapse_perf.measure.runner import run_trial
from synapse_perf.model import Failure, Sample, Trial, TrialSpec

SIMPLE = scored("What is a page?")
MODERATE = scored("Explain how a block is read, and what a page is for.")
COMPLEX = scored("Design a cache for pages and argue why it must be small, because memory is.")


def settings(path: Path, **changes: Any) -> dict[str, Any]:
    return LoadSettings(str(path), n_ctx=512, n_threads=1)._replace(**changes).as_workload()


def asking(*queries: Query, **changes: Any) -> dict[str, Any]:
    """What the workloads of all benchmarks that ask have in common."""
    return {
        "queries": [query.as_workload() for query in queries or (SIMPLE, MODERATE)],
        "system": None,
        "max_tokens": 6,
        "is_fixed_length": True,
        "temperature": 0.0,
        "seed": 1,
        "count": 4,
        "asking_s": None,
        **changes,
    }


def run(benchmark: str, workload: Mapping[str, Any], folder: Path, **changes: Any) -> tuple[Trial, list[str]]:
    """The trial and the stages that it told."""
    stages: list[str] = []
    spec = TrialSpec(benchmark, "test", {}, workload, samples=100, timeout_s=90, **changes)
    register = Register(folder / "register")
    try:
        observe = lambda event: stages.append(event.text) if isinstance(event, StageEntered) else None  # noqa: E731
        return run_trial(spec, 1, register=register, observe=observe), stages
    finally:
        register.end_all()


def measured(benchmark: str, workload: Mapping[str, Any], folder: Path) -> Trial:
    trial, _ = run(benchmark, workload, folder)
    assert trial.failure is None, trial.failure
    return trial


def fault(benchmark: str, workload: Mapping[str, Any], folder: Path) -> Failure:
    trial, _ = run(benchmark, workload, folder)
    assert trial.failure is not None
    assert "\n" not in trial.failure.message
    return trial.failure


def values(sample: Sample, **labels: str) -> dict[str, float]:
    """The metrics of a sample that carry these labels, but for phases."""
    return {
        one.metric: one.value
        for one in sample.values
        if one.metric != "phase_time" and labels.items() <= one.labels.items()
    }


def phases(sample: Sample) -> dict[str, float]:
    return {one.labels["phase"]: one.value for one in sample.values if one.metric == "phase_time"}
