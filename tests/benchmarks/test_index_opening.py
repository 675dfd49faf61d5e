"""A way to open the index is judged with the first search that pays for what the opening put off."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from synapse_perf.analyze.retrieval_plan import OPEN_MODES, RetrievalRequest, RetrievalSet, plan_retrieval
from synapse_perf.benchmarks import index_opening
from synapse_perf.benchmarks.context import BenchmarkFailed, Context
from synapse_perf.host.page_cache import COLD_AT_MOST
from synapse_perf.model import Sample, TrialSpec
from synapse_perf.retrieval.building import build_index, save_index, save_vectors
from synapse_perf.retrieval.synthetic import synthetic_vectors
from tests.benchmarks.small_retrieval import run

VECTORS, QUERIES = synthetic_vectors(2000, 32, queries=10)
REQUEST = RetrievalRequest(states=(), omp_threads=(1,))


@pytest.fixture(scope="module", params=["Flat", "IVF16,Flat"])
def searched(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> RetrievalSet:
    folder = tmp_path_factory.mktemp("set")
    save_index(build_index(VECTORS, request.param), folder / "docs.index")
    save_vectors(QUERIES, folder / "query_vectors.npy")
    index, queries = str(folder / "docs.index"), str(folder / "query_vectors.npy")
    return RetrievalSet("made", "", str(folder), index, "", "", queries, "", is_sample=True, encoder=None)


def specs_of(searched: RetrievalSet) -> dict[tuple[str, str], TrialSpec]:
    specs = [case.spec for case in plan_retrieval(searched, REQUEST)]
    return {(spec.workload["open"], spec.workload["state"]): spec for spec in specs}


def in_this_process(workload: dict[str, Any]) -> Sample:
    look = (0, 0, None)
    (sample,) = index_opening.measure(Context(workload, 3_000_000, 0, (look, look), lambda *_, **__: None))
    return sample


def seconds(sample: Sample) -> dict[str, float]:
    return {value.labels["stage"]: value.value for value in sample.values}


@pytest.mark.parametrize("mode", OPEN_MODES)
def test_opening_and_the_first_search_are_the_whole(searched: RetrievalSet, mode: str) -> None:
    sample = in_this_process(dict(specs_of(searched)[mode, "cold"].workload))
    stages = seconds(sample)

    assert list(stages) == ["open+search", "open", "first_search", "next_search"]
    assert stages["open+search"] == pytest.approx(stages["open"] + stages["first_search"], abs=1e-12)
    assert min(stages.values()) > 0
    for value in sample.values:
        assert value.labels == {"state": "cold", "open": mode, "stage": value.labels["stage"]}
    assert sample.facts["query"] == 3_000_000 // 1000 % len(QUERIES)


def test_both_states_of_the_file_are_planned_for_every_way(searched: RetrievalSet) -> None:
    specs = specs_of(searched)

    assert set(specs) == {(mode, state) for mode in OPEN_MODES for state in ("cold", "file-cached")}
    assert {(state, spec.page_cache) for (_, state), spec in specs.items()} == {
        ("cold", "cold"),
        ("file-cached", "warm"),
    }


@pytest.mark.parametrize("state", ["cold", "file-cached"])
def test_the_file_is_proven_to_be_where_the_state_says(searched: RetrievalSet, tmp_path: Path, state: str) -> None:
    trial = run(specs_of(searched)["ifc", state], tmp_path)
    assert trial.failure is None, trial.failure
    facts = trial.samples[0].facts
    resident = float(str(facts["resident_at_open"]))

    if state == "file-cached":
        assert facts["warm_proven"] is True
        assert resident >= 1 - COLD_AT_MOST
    elif "cache" not in trial.spec.labels:
        assert facts["cold_proven"] is True
        assert resident <= COLD_AT_MOST


def test_a_way_that_is_not_possible_is_told(searched: RetrievalSet, tmp_path: Path) -> None:
    path = tmp_path / "broken.index"
    path.write_bytes(Path(searched.index).read_bytes()[:200])
    workload = {**specs_of(searched)["ifc", "cold"].workload, "index": str(path)}

    with pytest.raises(BenchmarkFailed, match=r"^the index cannot be opened this way: "):
        in_this_process(workload)


def test_an_index_smaller_than_what_is_asked_for_is_searched_whole(tmp_path: Path) -> None:
    save_index(build_index(VECTORS[:3], "Flat"), tmp_path / "docs.index")
    np.save(tmp_path / "query_vectors.npy", QUERIES[:1])
    index, queries = str(tmp_path / "docs.index"), str(tmp_path / "query_vectors.npy")
    tiny = RetrievalSet("tiny", "", str(tmp_path), index, "", "", queries, "", is_sample=True, encoder=None)

    for spec in specs_of(tiny).values():
        assert seconds(in_this_process(dict(spec.workload)))["next_search"] > 0


def test_parameters_of_the_search_are_those_that_were_asked_for(searched: RetrievalSet) -> None:
    with_nprobe = replace(REQUEST, search={"nprobe": 4})
    spec = plan_retrieval(searched, with_nprobe)[0].spec

    assert spec.workload["parameters"]["search"] == {"nprobe": 4}
