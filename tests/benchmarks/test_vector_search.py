from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from synapse_perf.analyze.collect import metrics_of
from synapse_perf.analyze.retrieval_plan import RetrievalRequest, RetrievalSet, plan_retrieval
from synapse_perf.analyze.targets import TARGETS
from synapse_perf.analyze.verdict import check_targets
from synapse_perf.benchmarks import bench_cgrag, vector_search
from synapse_perf.benchmarks.context import BenchmarkFailed, Context
from synapse_perf.model import Sample
from synapse_perf.retrieval.building import build_index, save_index, save_vectors
from synapse_perf.retrieval.synthetic import synthetic_vectors
from tests.benchmarks.small_retrieval import run

VECTORS, QUERIES = synthetic_vectors(1000, 16, queries=30)


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> RetrievalSet:
    folder = tmp_path_factory.mktemp("set")
    save_index(build_index(VECTORS, "Flat"), folder / "docs.index")
    save_vectors(QUERIES, folder / "query_vectors.npy")
    index, queries = str(folder / "docs.index"), str(folder / "query_vectors.npy")
    return RetrievalSet("made", "", str(folder), index, "", "", queries, "", is_sample=True, encoder=None)


def workload_of(searched: RetrievalSet, **changes: Any) -> dict[str, Any]:
    request = RetrievalRequest(states=("warm",), omp_threads=(1,), wants_openings=False)
    (case,) = plan_retrieval(searched, request)
    return {**case.spec.workload, **changes}


def in_this_process(workload: dict[str, Any]) -> list[Sample]:
    look = (0, 0, None)
    return list(vector_search.measure(Context(workload, 7_000_000, 0, (look, look), lambda *_, **__: None)))


def test_each_query_is_one_sample_of_one_search(searched: RetrievalSet) -> None:
    samples = in_this_process(workload_of(searched))

    first = 7_000_000 // 1000 % len(QUERIES)
    assert [sample.facts["query"] for sample in samples] == [(first + n) % len(QUERIES) for n in range(len(QUERIES))]
    for sample in samples:
        (value,) = sample.values
        assert (value.metric, value.labels) == ("retrieval_latency", {"state": "warm", "stage": "search"})
        assert value.value > 0
        assert float(str(sample.facts["cpu_s"])) >= 0


def test_not_more_are_searched_than_were_asked_for(searched: RetrievalSet) -> None:
    assert len(in_this_process(workload_of(searched, count=4))) == 4


def test_a_search_alone_meets_no_target(searched: RetrievalSet, tmp_path: Path) -> None:
    (case,) = plan_retrieval(searched, RetrievalRequest(states=("warm",), omp_threads=(1,), wants_openings=False))
    trial = run(case.spec, tmp_path)
    assert trial.failure is None, trial.failure

    metrics = metrics_of([trial] * 6, bench_cgrag.METRICS)
    checks = check_targets(metrics, TARGETS, confidence=0.95, subject="real", profile="embedded")
    assert {(check.target, check.status) for check in checks} == {
        ("cgrag-cold", "not-measured"),
        ("cgrag-warm", "not-measured"),
    }


def test_an_index_that_cannot_be_opened_is_told(searched: RetrievalSet, tmp_path: Path) -> None:
    with pytest.raises(BenchmarkFailed, match=r"^the index cannot be opened: .*No such file or directory"):
        in_this_process(workload_of(searched, index=str(tmp_path / "none.index")))
