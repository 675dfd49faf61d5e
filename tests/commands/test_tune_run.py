from __future__ import annotations

import json
from pathlib import Path

import faiss
import numpy as np
import pytest

from synapse_perf.analyze.tuning import Budget
from synapse_perf.commands.measuring import carry_out
from synapse_perf.commands.tune_run import tune, tuning_metrics
from synapse_perf.errors import InputError
from synapse_perf.measure.session import Outcome
from synapse_perf.model import Policy
from synapse_perf.retrieval.synthetic import synthetic_vectors


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("set")
    vectors, queries = synthetic_vectors(5000, 64, queries=200)
    np.save(folder / "vectors.npy", vectors)
    np.save(folder / "query_vectors.npy", queries)
    return folder


def _carry_out(policy: Policy, planned: int) -> Outcome:
    return carry_out(policy, planned, quiet=True)


def test_a_real_set_is_tuned_from_one_end_to_the_other(prepared: Path) -> None:
    nprobe_left_at_one = faiss.index_factory(64, "IVF64,Flat")
    vectors = np.load(prepared / "vectors.npy")
    nprobe_left_at_one.train(vectors)
    nprobe_left_at_one.add(vectors)
    faiss.write_index(nprobe_left_at_one, str(prepared / "docs.index"))
    tuning, outcome = tune(prepared, Budget(0.95, latency_s=1.0), _carry_out, k=10, processes=2)
    assert not outcome.is_interrupted
    assert [trial.failure for trial in outcome.trials if trial.failure] == []
    assert tuning.advice == "change"
    assert tuning.current is not None
    assert tuning.current.dropped.startswith("finds ")
    assert tuning.winner is not None
    assert tuning.winner.recall_low >= 0.95 or tuning.winner.family == "Flat"
    assert tuning.winner.cold is not None
    assert tuning.bound is not None
    assert {row.family for row in tuning.rows} >= {"Flat", "SQfp16", "SQ8", "RaBitQ+fp16", "HNSW"}
    assert {family for family, _ in tuning.left_out} == {"IVF,Flat", "IVF,SQ8", "IVF,RaBitQ+fp16"}
    compile(tuning.code, "code", "exec")
    json.dumps(tuning.as_json(), allow_nan=False)
    metrics = tuning_metrics(outcome.trials, tuning.count)
    assert {metric.name for metric in metrics} == {"recall", "search_latency", "index_cold_time", "index_memory"}
    assert str(prepared) not in str((metrics, tuning)), "results are made to be published"
    kept = {path.stem for path in (prepared / "candidates").glob("*.index")}
    assert kept <= {f"l2-5000-{row.index}" for row in (tuning.winner, tuning.runner_up) if row is not None}


@pytest.mark.parametrize(
    ("budget", "told"),
    [
        (Budget(1.5), "recall of 1.5"),
        (Budget(0.0), "recall of 0"),
        (Budget(0.95, latency_s=0.0), "latency of 0"),
        (Budget(0.95, memory_bytes=-1), "memory of -1"),
    ],
)
def test_a_budget_that_cannot_be_kept_is_refused(prepared: Path, budget: Budget, told: str) -> None:
    with pytest.raises(InputError, match=told):
        tune(prepared, budget, _carry_out)


def test_a_full_disk_is_told_before_anything_is_built(prepared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 1000})())
    with pytest.raises(InputError, match="of disk are needed"):
        tune(prepared, Budget(0.95), _carry_out)
