from __future__ import annotations

import json
from dataclasses import replace

import pytest

from synapse_perf.analyze.retrieval_experiments import (
    TRAP,
    LoadOptions,
    StreamOptions,
    cache_specs,
    concurrency_specs,
    describe_stream,
)
from synapse_perf.analyze.retrieval_plan import EncoderUnderTest, RetrievalRequest, RetrievalSet
from synapse_perf.analyze.targets import TARGETS
from synapse_perf.benchmarks import concurrent_retrieval
from synapse_perf.benchmarks.load_plan import LOADS, LoadPlan

ENCODER = EncoderUnderTest("m.gguf", "minilm", "d", 384, 256, is_sample=False, threads=3)
SEARCHED = RetrievalSet("docs", "", "", "docs.index", "docs.json", "q.jsonl", "q.npy", "d", False, ENCODER)


def test_every_strategy_has_a_trial_and_one_more_shows_the_trap() -> None:
    specs = concurrency_specs(SEARCHED, RetrievalRequest())

    assert [spec.workload["strategy"] for spec in specs] == [*concurrent_retrieval.STRATEGIES, "to-thread"]
    assert [spec.labels for spec in specs] == [{}, {}, {}, {}, {"variant": TRAP}]
    assert [spec.workload["worker_omp_threads"] for spec in specs] == [1, 1, 1, 1, 0]
    assert {spec.workload["omp_threads"] for spec in specs} == {1}
    assert len({spec.arm for spec in specs}) == len(specs)


def test_what_was_asked_for_reaches_the_worker() -> None:
    request = RetrievalRequest(
        omp_threads=(2,), encoder_threads=(5,), open_modes=("mmap",), python="python3", timeout_s=9.0
    )
    load = LoadOptions(("bounded",), workers=7, compares_openmp=False, arrivals="even", seed=3)

    (spec,) = concurrency_specs(SEARCHED, request, load)

    assert (spec.python, spec.timeout_s, spec.workload["workers"]) == ("python3", 9.0, 7)
    assert (spec.workload["omp_threads"], spec.workload["worker_omp_threads"]) == (2, 2)
    assert (spec.workload["open"], spec.workload["encoder"]["threads"]) == ("mmap", 5)
    plan = LoadPlan.from_workload(json.loads(json.dumps(spec.workload))["load"])
    assert plan == LoadPlan(LOADS, arrivals="even", seed=3)


def test_without_a_pool_of_threads_there_is_no_trap_to_show() -> None:
    specs = concurrency_specs(SEARCHED, RetrievalRequest(), LoadOptions(("micro-batch", "on-the-loop")))

    assert len(specs) == 2


@pytest.mark.parametrize(
    ("stream", "label"),
    [
        (StreamOptions(), "zipf-1"),
        (StreamOptions(exponent=0.8), "zipf-0.8"),
        (StreamOptions("log"), "log"),
        (StreamOptions("fresh"), "fresh"),
    ],
)
def test_a_stream_is_told_by_a_label(stream: StreamOptions, label: str) -> None:
    (spec,) = cache_specs(SEARCHED, replace(RetrievalRequest(), python="python3"), stream)

    assert spec.labels == {"stream": label}
    assert describe_stream(stream) == label
    assert spec.python == "python3"
    assert spec.workload["stream"]["kind"] == stream.kind


def test_no_target_judges_retrieval_under_load() -> None:
    labels = {"state": "loaded", "stage": "total", "strategy": "bounded", "load": "0.5"}

    assert not any(target.judges("retrieval_latency", labels) for target in TARGETS)
