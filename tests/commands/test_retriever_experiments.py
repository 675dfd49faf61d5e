"""Which trials of load and of caches a user's retriever gets, by what the probe saw of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from synapse_perf.analyze.retrieval_experiments import StreamOptions
from synapse_perf.analyze.retriever_seen import Seen
from synapse_perf.commands.retriever_choice import RetrieverRequest
from synapse_perf.commands.retriever_experiments import (
    explained_under_load,
    retriever_cache_specs,
    retriever_load_specs,
)
from synapse_perf.model import Failure

REQUEST = RetrieverRequest("search:build", "/data/queries.jsonl", 40, python="/venv/bin/python", timeout_s=60.0)
SEEN = Seen((), (), (), (), 0.1, 0.1, 0.2, 0.004, is_async=False, results=5, warnings=())
OPENMP = replace(SEEN, libraries=("/venv/lib/faiss_cpu.libs/libgomp-a34b3233.so.1.0.0",))


@pytest.fixture(autouse=True)
def no_setting_of_openmp(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)


def test_a_plain_function_and_an_async_one_are_called_in_different_ways() -> None:
    plain = retriever_load_specs(REQUEST, SEEN)
    is_async = retriever_load_specs(REQUEST, replace(SEEN, is_async=True))

    assert [spec.arm for spec in plain] == ["load on-the-loop", "load to-thread", "load bounded"]
    assert [spec.arm for spec in is_async] == ["load awaited", "load second-loop"]
    assert {spec.benchmark for spec in plain + is_async} == {"concurrent_user_retriever"}
    assert {spec.python for spec in plain} == {"/venv/bin/python"}


def test_a_retriever_with_openmp_threads_is_also_tried_with_one() -> None:
    *_, usual, _, one = retriever_load_specs(REQUEST, OPENMP)

    assert one.arm == "load to-thread OMP_NUM_THREADS=1"
    assert one.env == {"OMP_NUM_THREADS": "1"}
    assert one.labels == {**usual.labels, "variant": "OMP_NUM_THREADS=1"}
    assert one.workload == usual.workload
    (*_, awaited) = retriever_load_specs(REQUEST, replace(OPENMP, is_async=True))
    assert awaited.arm == "load awaited OMP_NUM_THREADS=1"


def test_a_number_of_threads_that_is_set_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")

    assert len(retriever_load_specs(REQUEST, OPENMP)) == 3


@pytest.mark.parametrize(("takes_s", "patience_s"), [(0.001, 10.0), (0.2, 20.0), (3.0, 30.0)])
def test_a_slow_retriever_gets_more_time(takes_s: float, patience_s: float) -> None:
    spec = retriever_load_specs(REQUEST, replace(SEEN, next_retrieve_s=takes_s))[0]

    assert spec.workload["load"]["patience_s"] == patience_s
    assert spec.timeout_s == spec.workload["patience_s"] == 60 + 80 * takes_s


@pytest.mark.parametrize(("takes_s", "length"), [(0.0, 200), (0.004, 200), (0.05, 100), (0.2, None)])
def test_a_stream_is_as_long_as_there_is_time_for(takes_s: float, length: int | None) -> None:
    specs = retriever_cache_specs(REQUEST, replace(SEEN, next_retrieve_s=takes_s), StreamOptions("zipf"))

    assert [spec.workload["stream"]["length"] for spec in specs] == ([] if length is None else [length])
    assert all(spec.labels == {"subject": "search:build", "stream": "zipf-1"} for spec in specs)


@pytest.mark.parametrize(
    ("arm", "is_for_threads"), [("load bounded", True), ("load on-the-loop", False), ("warm", False)]
)
def test_a_crash_among_threads_has_a_remedy_for_threads(arm: str, is_for_threads: bool) -> None:
    failure = Failure("crash", "the worker died of SIGSEGV", "--debug shows more", arm=arm)

    assert ("under a lock" in explained_under_load(failure).remedy) == is_for_threads
    assert explained_under_load(failure).remedy.endswith("--debug shows more")
