"""What did the trials of a tuning find so far?"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import PurePath
from statistics import median
from typing import Any

from synapse_perf.analyze.tuning import Floors, Measured, Operating
from synapse_perf.model import Fact, Sample, Trial

INDEX, COMPARE, COLD = "tune_index", "tune_compare", "tune_cold"


def measured(trials: Iterable[Trial], rows: int | None = None) -> list[Measured]:
    """Every candidate that was measured, on so many vectors if that is asked for."""
    found = [one for trial in trials if trial.spec.benchmark == INDEX for one in _candidates(trial)]
    return [one for one in found if rows is None or one.rows == rows]


def failed(trials: Iterable[Trial], rows: int) -> dict[tuple[str, float], str]:
    """The candidates on which a trial ended badly, with what it said: the first of the trial that gave no sample."""
    faults: dict[tuple[str, float], str] = {}
    for trial in trials:
        if trial.failure is None or trial.spec.benchmark != INDEX or trial.spec.workload["rows"] != rows:
            continue
        done = {(one.family, one.size) for one in _candidates(trial)}
        asked = [(one["family"], float(one.get("size", 0))) for one in trial.spec.workload["candidates"]]
        culprit = next((one for one in asked if one not in done), None)
        if culprit is not None:
            faults[culprit] = trial.failure.message
    return faults


def latencies(trials: Iterable[Trial], *finalists: Measured) -> tuple[list[list[float]], ...]:
    """For each finalist a list of latencies, in the order of the queries, of each process that had all of them open."""
    found: tuple[list[list[float]], ...] = tuple([] for _ in finalists)
    for trial in trials:
        if trial.spec.benchmark != COMPARE or trial.failure is not None:
            continue
        own = [_latencies_of(trial.samples, one) for one in finalists]
        if all(own):
            for processes, values in zip(found, own, strict=True):
                processes.append(values)
    return found


def memory_bytes(trials: Iterable[Trial], one: Measured) -> float | None:
    """What an open index adds to a process, and no less than its file, all of which it comes to read."""
    values = cold_values(trials, one.index, "index_memory", proven=False)
    return max(float(one.file_bytes), median(values)) if values else None


def cold_values(trials: Iterable[Trial], index: str, metric: str, *, proven: bool = True) -> list[float]:
    """A value of every process that opened the index out of a file that was really cold."""
    return [
        value.value
        for trial in trials
        if trial.spec.benchmark == COLD and trial.spec.workload["labels"]["index"] == index
        for sample in trial.samples
        if not proven or sample.facts.get("cold_proven")
        for value in sample.values
        if value.metric == metric
    ]


def parse_point(parameters: str) -> dict[str, int]:
    """``nprobe=8,k_factor=4`` as a mapping."""
    pairs = (part.split("=") for part in parameters.split(",") if part)
    return {name: int(value) for name, value in pairs}


def _latencies_of(samples: Sequence[Sample], one: Measured) -> list[float]:
    asked = (one.index, one.best.parameters)
    return [
        value.value
        for sample in samples
        for value in sample.values
        if (value.labels["index"], value.labels["parameters"]) == asked
    ]


def _candidates(trial: Trial) -> Iterator[Measured]:
    """Samples of one candidate come together, its best setting first."""
    groups: dict[tuple[str, float, int], list[Sample]] = {}
    for sample in trial.samples:
        key = (sample.values[0].labels["family"], _number(sample.facts["size"]), int(_number(sample.facts["rows"])))
        groups.setdefault(key, []).append(sample)
    for (family, size, rows), group in groups.items():
        first = group[0]
        build_s = first.facts["build_s"]
        yield Measured(
            family=family,
            size=size,
            index=first.values[0].labels["index"],
            rows=rows,
            file=str(PurePath(trial.spec.workload["directory"], str(first.facts["file"]))),
            file_bytes=int(_number(first.facts["file_bytes"])),
            build_s=None if build_s is None else _number(build_s),
            points=tuple(_operating(sample) for sample in group),
            compared_share=_number(first.facts["compared_share"]),
            floors=_floors(first.facts),
        )


def _operating(sample: Sample) -> Operating:
    value, facts = sample.values[0], sample.facts
    return Operating(
        parameters=value.labels["parameters"],
        recall=value.value,
        recall_low=_number(facts["recall_low"]),
        recall_high=_number(facts["recall_high"]),
        recall_queries=int(_number(facts["recall_queries"])),
        p50_s=_number(facts["p50_s"]),
        p95_s=_number(facts["p95_s"]),
        p95_low_s=_number(facts["p95_low_s"]),
        p95_high_s=_number(facts["p95_high_s"]),
        suffices=bool(facts["suffices"]),
    )


def _floors(facts: Mapping[str, Fact]) -> Floors | None:
    if "scanned_bytes" not in facts:
        return None
    names = ("scanned_bytes", "read_bandwidth", "call_s", "faults_per_query", "fault_s")
    return Floors(*(_number(facts[name]) for name in names))


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)
