"""Does the tuner find what an exhaustive grid finds, in a fraction of its time? And does it take a million vectors?

The 20,000 real passages are vectors that were embedded before: SYNAPSE_PERF_PASSAGES names the folder with their
`vectors.npy` and `query_vectors.npy`.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from synapse_perf.analyze.paired_percentile import difference
from synapse_perf.analyze.sampling import fixed
from synapse_perf.analyze.summary import quantile
from synapse_perf.analyze.tuning import Budget, Tuning
from synapse_perf.clock import now_ns, seconds_between
from synapse_perf.commands.measuring import carry_out
from synapse_perf.commands.tune_run import tune
from synapse_perf.measure.session import Outcome
from synapse_perf.model import Policy, Trial, TrialSpec
from synapse_perf.retrieval.synthetic import Kind, synthetic_vectors
from tests.bench.index_grid import grid, label

COUNT, K, RECALL = 100_000, 10, 0.95
PROCESSES = 6
TOLERANCE = 1.05
TIME_SHARE = 0.3
BEST_OF_GRID = 3  # compared again side by side with the chosen one: the best of so many was lucky as well


@dataclass(frozen=True)
class Point:
    """One point of the grid."""

    index: str
    parameters: str
    recall_low: float
    p95_s: float
    file: str


def _quietly(policy: Policy, planned: int) -> Outcome:
    return carry_out(policy, planned, quiet=True)


def _copy(vectors: Path, to: Path) -> Path:
    to.mkdir()
    for name in ("vectors.npy", "query_vectors.npy"):
        shutil.copy(vectors / name, to / name)
    return to


def _run_grid(directory: Path) -> list[Point]:
    points = grid(len(np.load(directory / "vectors.npy", mmap_mode="r")))
    work = {"directory": str(directory), "k": K, "points": points}
    build = TrialSpec("tests.bench.index_grid", "build", {}, {**work, "recall": True}, samples=10_000, timeout_s=3600)
    timing = TrialSpec("tests.bench.index_grid", "time", {}, {**work, "recall": False}, samples=10_000, timeout_s=3600)
    outcome = _quietly(fixed([build, *([timing] * PROCESSES)]), 1 + PROCESSES)
    assert not any(trial.failure for trial in outcome.trials), outcome.trials[-1].failure
    return _points(outcome.trials)


def _points(trials: tuple[Trial, ...]) -> list[Point]:
    latencies: dict[tuple[str, str], list[float]] = {}
    for trial in trials[1:]:
        for sample in trial.samples:
            for value in sample.values:
                latencies.setdefault((value.labels["index"], value.labels["parameters"]), []).append(value.value)
    return [
        Point(
            (labels := sample.values[0].labels)["index"],
            labels["parameters"],
            float(sample.facts["low"] or 0),
            quantile(latencies[labels["index"], labels["parameters"]], 0.95),
            str(sample.facts["file"]),
        )
        for sample in trials[0].samples
    ]


def _side_by_side(directory: Path, chosen: dict[str, Any], others: list[Point]) -> tuple[float, str]:
    """The p95 of what was chosen over the least p95 of the grid's best, all measured again in the same processes."""
    finalists = [
        chosen,
        *({"file": one.file, "point": _point(one.parameters), "labels": _labels(one)} for one in others),
    ]
    work = {"directory": str(directory), "k": K, "finalists": finalists}
    spec = TrialSpec("tune_compare", "again", {}, work, samples=10_000)
    trials = _quietly(fixed([spec] * 2 * PROCESSES), 2 * PROCESSES).trials
    columns = [
        [[sample.values[place].value for sample in trial.samples] for trial in trials]
        for place in range(len(finalists))
    ]
    p95s = [quantile([value for process in column for value in process], 0.95) for column in columns]
    best = min(range(1, len(p95s)), key=lambda place: p95s[place])
    spread = difference(columns[0], columns[best], 0.95, 0.95)
    low, high = (1 + (side or 0) / p95s[best] for side in (spread.low, spread.high))
    return p95s[0] / p95s[best], f"{p95s[0] / p95s[best]:.3f} (95 % {low:.3f} to {high:.3f})"


def _labels(one: Point) -> dict[str, str]:
    return {"index": one.index, "parameters": one.parameters, "family": "grid"}


def _point(parameters: str) -> dict[str, int]:
    return {name: int(value) for name, value in (part.split("=") for part in parameters.split(",") if part)}


def _seconds(action: Callable[[], Any]) -> tuple[float, Any]:
    started_ns = now_ns()
    result = action()
    return seconds_between(started_ns, now_ns()), result


def _prepared(kind: str, folder: Path) -> Path:
    if kind == "passages":
        given = os.environ.get("SYNAPSE_PERF_PASSAGES")
        if not given:
            pytest.skip("SYNAPSE_PERF_PASSAGES names no folder with embedded passages")
        return Path(given)
    known: Kind = "clustered" if kind == "clustered" else "nearly-uniform"
    vectors, queries = synthetic_vectors(COUNT, queries=1000, kind=known)
    np.save(folder / "vectors.npy", vectors)
    np.save(folder / "query_vectors.npy", queries)
    return folder


@pytest.mark.parametrize("kind", ["clustered", "nearly-uniform", "passages"])
def test_the_tuner_finds_the_best_of_the_grid_in_a_fraction_of_its_time(
    benchmark: BenchmarkFixture, tmp_path: Path, kind: str
) -> None:
    vectors = _prepared(kind, tmp_path)
    figures: dict[str, Any] = {}

    def compare() -> None:
        tuned, searched = _copy(vectors, tmp_path / "tuned"), _copy(vectors, tmp_path / "grid")
        whole_s, (tuning, done) = _seconds(lambda: tune(tuned, Budget(RECALL), _quietly, k=K, processes=PROCESSES))
        # The grid opens nothing cold, so that part of the tuner's time is no part of the comparison.
        cold_s = sum(trial.wall_s for trial in done.trials if trial.spec.benchmark == "tune_cold")
        tuner_s = whole_s - cold_s
        grid_s, points = _seconds(lambda: _run_grid(searched))
        figures.update(tuner_s=tuner_s, cold_s=cold_s, grid_s=grid_s, points=points, tuning=tuning)
        good = sorted((one for one in points if one.recall_low >= RECALL), key=lambda one: one.p95_s)
        figures["ratio"], figures["text"] = _side_by_side(searched, _chosen(tuned, tuning), good[:BEST_OF_GRID])
        figures["best"] = good[0]
        for folder in (tuned, searched):
            shutil.rmtree(folder)  # gigabytes

    benchmark.pedantic(compare, rounds=1, iterations=1)

    share = figures["tuner_s"] / figures["grid_s"]
    winner, best = figures["tuning"].winner, figures["best"]
    sys.stdout.write(
        f"\n{kind}: {len(figures['points'])} points in {figures['grid_s']:.0f} s, tuner {figures['tuner_s']:.0f} s "
        f"({share:.0%}) and {figures['cold_s']:.0f} s of cold starts\n"
        f"chosen {winner.index} {winner.parameters}, recall {winner.recall:.4f}; the grid's best "
        f"{best.index} {best.parameters}, p95 {best.p95_s * 1e3:.3f} ms\n"
        f"p95 of the chosen over that of the grid's best, side by side: {figures['text']}\n"
    )
    benchmark.extra_info.update(kind=kind, share=share, ratio=figures["ratio"], chosen=winner.index, best=best.index)
    assert winner.recall_low >= RECALL
    assert share <= TIME_SHARE
    assert figures["ratio"] <= TOLERANCE


def _chosen(directory: Path, tuning: Tuning) -> dict[str, Any]:
    winner = tuning.winner
    assert winner is not None
    file = directory / "candidates" / f"l2-{tuning.count}-{winner.index}.index"
    return {"file": str(file), "point": _point(winner.parameters), "labels": label(winner.index, {})}


MILLION = 1_000_000
MEMORY_TIMES = 2.5  # the bytes of the vectors
FACTORIES = ("Flat", "SQfp16", "SQ8", "RaBitQfs,Refine(SQfp16)", "IVF1024,SQ8", "IVF1024,RaBitQfs,Refine(SQfp16)")


def test_a_million_vectors_are_built_opened_and_searched_in_little_memory(
    benchmark: BenchmarkFixture, tmp_path: Path
) -> None:
    figures: dict[str, dict[str, float]] = {}
    vectors_bytes = MILLION * 384 * 4

    def build_all() -> None:
        spec = TrialSpec(
            "tests.bench.million", "vectors", {}, {"directory": str(tmp_path), "factory": ""}, timeout_s=600
        )
        for factory in ("", *FACTORIES):  # the first makes the vectors
            work = {"directory": str(tmp_path), "factory": factory}
            (trial,) = _quietly(fixed([replace(spec, workload=work)]), 1).trials
            assert trial.failure is None, trial.failure
            figures[factory or "vectors"] = {value.metric: value.value for value in trial.samples[0].values}
        (tmp_path / "vectors.npy").unlink()

    benchmark.pedantic(build_all, rounds=1, iterations=1)

    lines = [
        f"{name:34s}" + ", ".join(f"{metric} {value:.3g}" for metric, value in found.items())
        for name, found in figures.items()
    ]
    sys.stdout.write("\n" + "\n".join(lines) + "\n")
    benchmark.extra_info.update(figures)
    for name, found in figures.items():
        assert found["peak_rss"] < MEMORY_TIMES * vectors_bytes, name
