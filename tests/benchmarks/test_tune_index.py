"""Candidates of a small set, built and measured in real processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest

from synapse_perf.analyze.tuning import Budget
from synapse_perf.analyze.tuning_trials import measured
from synapse_perf.measure.register import Register
from synapse_perf.measure.runner import run_trial
from synapse_perf.model import Trial, TrialSpec
from synapse_perf.retrieval.synthetic import synthetic_vectors

COUNT, DIMENSION = 5000, 64


@pytest.fixture
def register(tmp_path: Path) -> Iterator[Register]:
    register = Register(tmp_path / "register")
    yield register
    register.end_all()


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("set")
    vectors, queries = synthetic_vectors(COUNT, DIMENSION, queries=200)
    np.save(folder / "vectors.npy", vectors)
    np.save(folder / "query_vectors.npy", queries)
    current = faiss.index_factory(DIMENSION, "IVF64,Flat")
    current.train(vectors)
    current.add(vectors)
    faiss.write_index(current, str(folder / "docs.index"))
    return folder


def _work(directory: Path, *candidates: tuple[str, float], **changes: Any) -> dict[str, Any]:
    asked: list[dict[str, Any]] = [{"family": family, "size": size} for family, size in candidates]
    work = {"directory": str(directory), "metric": "l2", "k": 10, "rows": COUNT, "queries": None, "candidates": asked}
    return {**work, "recall": 0.9, "shown": True, "limit_s": None, "slack": 4.0, **changes}


def _run(register: Register, benchmark: str, workload: dict[str, Any], **changes: Any) -> Trial:
    return run_trial(
        TrialSpec(benchmark, "one", {}, workload, samples=10_000, timeout_s=60, **changes),
        1,
        register=register,
        observe=lambda event: None,
    )


def test_each_candidate_is_measured_at_the_setting_that_recalls_enough(register: Register, directory: Path) -> None:
    candidates = [("Flat", 0), ("SQ8", 0), ("RaBitQ+fp16", 0), ("IVF,SQ8", 1), ("HNSW", 16)]
    trial = _run(register, "tune_index", _work(directory, *candidates))
    assert trial.failure is None
    found = measured([trial], COUNT)
    assert [one.index for one in found] == ["Flat", "SQ8", "RaBitQfs,Refine(SQfp16)", "IVF64,SQ8", "HNSW16,Flat"]
    for one in found:
        assert one.best.suffices
        assert one.best.recall_low >= 0.9 or one.family == "Flat"
        assert 0 < one.best.p50_s <= one.best.p95_s
        assert one.best.p95_low_s <= one.best.p95_s <= one.best.p95_high_s
        assert one.file_bytes == Path(one.file).stat().st_size
        assert one.build_s is not None
        assert one.floors is not None
        assert one.floors.read_s > 0
    lists = found[3]
    assert lists.best.p50_s == min(point.p50_s for point in lists.points if point.suffices)
    assert found[0].best.recall == 1


def test_the_current_index_is_measured_as_it_is_or_as_it_is_searched(register: Register, directory: Path) -> None:
    as_it_is, with_probes = (
        measured([_run(register, "tune_index", _work(directory, ("current", 0)) | {"candidates": [asked]})])[0]
        for asked in (
            {"family": "current", "size": 0, "point": {}},
            {"family": "current", "size": 0, "point": {"nprobe": 64}},
        )
    )
    assert as_it_is.best.recall < 0.9 < with_probes.best.recall
    assert not as_it_is.best.suffices
    assert with_probes.best.suffices
    assert as_it_is.build_s is None


def test_a_race_is_over_a_part_of_the_vectors(register: Register, directory: Path) -> None:
    trial = _run(register, "tune_index", _work(directory, ("SQ8", 0), rows=1000, queries=50, shown=False))
    (one,) = measured([trial], 1000)
    assert one.file_bytes < 1000 * DIMENSION * 1.1
    assert one.floors is None
    assert one.best.recall_queries <= 50


def test_a_current_index_over_other_vectors_is_told(register: Register, directory: Path, tmp_path: Path) -> None:
    for name in ("vectors.npy", "docs.index"):
        (tmp_path / name).write_bytes((directory / name).read_bytes())
    np.save(tmp_path / "query_vectors.npy", np.load(directory / "query_vectors.npy"))
    np.save(tmp_path / "vectors.npy", np.load(directory / "vectors.npy")[:4000])
    work = _work(tmp_path, rows=4000, candidates=[{"family": "current", "size": 0, "point": {}}])
    trial = _run(register, "tune_index", work)
    assert trial.failure is not None
    assert "5000 vectors of 64 dimensions, not 4000 of 64" in trial.failure.message


def test_a_truncated_index_and_missing_vectors_are_told(register: Register, directory: Path, tmp_path: Path) -> None:
    work = _work(tmp_path, candidates=[{"family": "current", "size": 0, "point": {}}])
    missing = _run(register, "tune_index", work)
    assert missing.failure is not None
    assert "cannot read the vectors" in missing.failure.message
    for name in ("vectors.npy", "query_vectors.npy"):
        (tmp_path / name).write_bytes((directory / name).read_bytes())
    (tmp_path / "docs.index").write_bytes((directory / "docs.index").read_bytes()[:100_000])
    damaged = _run(register, "tune_index", work)
    assert damaged.failure is not None
    assert "docs.index" in damaged.failure.message


def test_finalists_are_asked_the_same_queries_side_by_side(register: Register, directory: Path) -> None:
    first = _run(register, "tune_index", _work(directory, ("Flat", 0), ("SQ8", 0)))
    finalists = [
        {"file": one.file, "point": {}, "labels": {"family": one.family, "index": one.index, "parameters": ""}}
        for one in measured([first])
    ]
    trial = _run(register, "tune_compare", {"directory": str(directory), "k": 10, "finalists": finalists})
    assert trial.failure is None
    assert len(trial.samples) == 200
    for sample in trial.samples:
        assert [value.labels["index"] for value in sample.values] == ["Flat", "SQ8"]
        assert all(value.value > 0 for value in sample.values)


@pytest.mark.parametrize(("factory", "mode"), [("SQ8", "readahead"), ("Flat", "read")])
def test_a_cold_start_opens_the_file_and_answers(register: Register, directory: Path, factory: str, mode: str) -> None:
    (one,) = measured([_run(register, "tune_index", _work(directory, (factory, 0)))])
    work = {"directory": str(directory), "file": one.file, "mode": mode, "k": 10, "point": {}, "labels": {}}
    trial = _run(register, "tune_cold", work, page_cache="cold", files=(one.file,))
    assert trial.failure is None
    (sample,) = trial.samples
    values = {value.metric: value.value for value in sample.values}
    parts = float(sample.facts["open_s"] or 0) + float(sample.facts["first_query_s"] or 0)
    assert values["index_cold_time"] == pytest.approx(parts)
    assert sample.facts["mode"] == mode
    assert "index_memory" in values


@pytest.mark.parametrize("kept_bytes", [0, 5_000])
def test_a_cold_start_of_a_file_that_was_damaged_is_told(
    register: Register, directory: Path, tmp_path: Path, kept_bytes: int
) -> None:
    (one,) = measured([_run(register, "tune_index", _work(directory, ("SQ8", 0)))])
    damaged = tmp_path / "SQ8.index"
    damaged.write_bytes(Path(one.file).read_bytes()[:kept_bytes])
    work = {"directory": str(directory), "file": str(damaged), "mode": "read", "k": 10, "point": {}, "labels": {}}
    trial = _run(register, "tune_cold", work, page_cache="cold", files=(str(damaged),))
    assert trial.failure is not None
    assert "SQ8.index" in trial.failure.message
    assert trial.samples == ()


def test_a_candidate_that_ends_faiss_ends_the_trial_and_keeps_what_was_measured(
    register: Register, directory: Path
) -> None:
    trial = _run(register, "tune_index", _work(directory, ("Flat", 0), ("HNSW", 0)))
    assert trial.failure is not None
    assert "building HNSW0,Flat" in trial.failure.message
    assert [one.family for one in measured([trial])] == ["Flat"]


def test_a_budget_in_words() -> None:
    assert str(Budget(0.95, 0.05, 500 << 20)) == "recall 0.95, p95 50.0 ms, 500 MiB"
