"""One retrieval, taken apart: its stages are the whole of it, and its facts prove in which state it began."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest

from synapse_perf.analyze.collect import metrics_of
from synapse_perf.analyze.retrieval_plan import STATES, RetrievalRequest, RetrievalSet, plan_retrieval
from synapse_perf.analyze.targets import TARGETS
from synapse_perf.analyze.verdict import check_targets
from synapse_perf.benchmarks import bench_cgrag
from synapse_perf.benchmarks.context import BenchmarkFailed, Context
from synapse_perf.host.page_cache import COLD_AT_MOST
from synapse_perf.model import Check, Sample, Trial
from tests.benchmarks.small_retrieval import QUERIES, TEXTS, prepared_set, run

ANSWER = {"embed", "glue", "search", "filter", "pack"}
OPENING = {"open", "metadata"}
LIBRARIES = {"interpreter", "import.numpy", "import.faiss", "import.llama_cpp", "encoder"}
REQUEST = RetrievalRequest(min_relevance=-1.0, omp_threads=(1, 2), encoder_threads=(1,), wants_openings=False)


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> RetrievalSet:
    return prepared_set(tmp_path_factory.mktemp("set"))


@pytest.fixture(scope="module")
def trials(searched: RetrievalSet, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Trial]:
    """One of each case, in a process of its own as the program makes it."""
    folder = tmp_path_factory.mktemp("register")
    done = {case.name: run(case.spec, folder) for case in plan_retrieval(searched, REQUEST)}
    for trial in done.values():
        assert trial.failure is None, trial.failure
    return done


def seconds(sample: Sample) -> dict[str, float]:
    assert {value.metric for value in sample.values} == {"retrieval_latency"}
    return {value.labels["stage"]: value.value for value in sample.values}


def in_this_process(workload: dict[str, Any], told: Callable[..., None] = lambda *_, **__: None) -> list[Sample]:
    look = (0, 0, None)
    return list(bench_cgrag.measure(Context(workload, 5_000_000, 0, (look, look), told)))


def workload_of(searched: RetrievalSet, state: str, **changes: Any) -> dict[str, Any]:
    case = next(case for case in plan_retrieval(searched, REQUEST) if case.name == state)
    return {**case.spec.workload, **changes}


# --- the ledger ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", STATES)
def test_every_stage_is_there_once_and_none_is_negative(trials: dict[str, Trial], state: str) -> None:
    apart = {
        "process-cold": LIBRARIES | OPENING | {"residual", "harness"},
        "cold": OPENING,
        "preloaded": {"preload"},
        "warm": set(),
    }
    for sample in trials[state].samples:
        names = [value.labels["stage"] for value in sample.values]
        assert sorted(names) == sorted({"total"} | ANSWER | apart[state])
        assert {value.labels["state"] for value in sample.values} == {state}
        assert min(seconds(sample).values()) >= 0


@pytest.mark.parametrize(("state", "apart"), [("process-cold", "harness"), ("cold", ""), ("preloaded", "preload")])
def test_the_stages_are_the_whole_total(trials: dict[str, Trial], state: str, apart: str) -> None:
    (sample,) = trials[state].samples
    stages = seconds(sample)
    total_s = stages.pop("total")
    stages.pop(apart, None)

    assert sum(stages.values()) == pytest.approx(total_s, abs=1e-12)


def test_the_stages_of_each_warm_query_are_the_whole_of_it(trials: dict[str, Trial]) -> None:
    for sample in trials["warm"].samples:
        stages = seconds(sample)
        assert sum(stages[name] for name in ANSWER) == pytest.approx(stages["total"], abs=1e-12)
        parts = [float(str(sample.facts[f"{name}.cpu_s"])) for name in ANSWER]
        assert sum(parts) == pytest.approx(float(str(sample.facts["cpu_s"])), abs=1e-12)


def test_what_is_the_workers_own_is_no_part_of_a_cold_process(trials: dict[str, Trial]) -> None:
    stages = seconds(trials["process-cold"].samples[0])

    assert stages["interpreter"] > 0
    assert stages["import.numpy"] > 0
    assert stages["total"] < sum(seconds for stage, seconds in stages.items() if stage != "total")


# --- the certificates ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["process-cold", "cold", "preloaded"])
def test_a_cold_state_carries_its_certificate(trials: dict[str, Trial], state: str) -> None:
    trial = trials[state]
    facts = trial.samples[0].facts

    assert facts["cold_proven"] is ("cache" not in trial.spec.labels)
    if facts["cold_proven"]:
        for name in ("resident_before", "resident_at_open"):
            assert float(str(facts[name])) <= COLD_AT_MOST
        # Where reads from the disk are counted, the index came from there.
        read_bytes = facts.get("open.read_bytes")
        assert read_bytes is None or int(read_bytes) >= Path(trial.spec.workload["index"]).stat().st_size


def test_a_cold_process_has_a_cold_encoder_as_well(trials: dict[str, Trial]) -> None:
    path = trials["process-cold"].spec.workload["encoder"]["path"]
    assert path in trials["process-cold"].spec.files
    assert path not in trials["cold"].spec.files


def test_a_warm_state_needs_no_certificate(trials: dict[str, Trial]) -> None:
    assert "cache" not in trials["warm"].spec.labels
    assert all("cold_proven" not in sample.facts for sample in trials["warm"].samples)


# --- what was asked --------------------------------------------------------------------------------------------------


def test_every_query_is_answered_once_in_a_warm_process(trials: dict[str, Trial]) -> None:
    asked = [int(str(sample.facts["query"])) for sample in trials["warm"].samples]

    assert sorted(asked) == list(range(len(QUERIES)))
    assert asked == [(asked[0] + place) % len(QUERIES) for place in range(len(QUERIES))]


def test_a_settled_process_was_asked_before(trials: dict[str, Trial]) -> None:
    facts = trials["warm"].facts
    assert 2 * bench_cgrag.STEADY_WINDOW <= facts["discarded"] <= bench_cgrag.WARM_UPS_AT_MOST
    assert facts["discarded"] % bench_cgrag.STEADY_WINDOW == 0
    assert facts["peak_rss"] > 10_000_000


def test_an_answer_says_what_it_holds(trials: dict[str, Trial]) -> None:
    for trial in trials.values():
        for sample in trial.samples:
            facts = sample.facts
            assert facts["candidates"] == facts["chunks"] == 25  # five times five, of short texts that all fit
            assert facts["tokens"] == sum(int(len(text.split()) * 1.3) for text in TEXTS[:25])


def test_not_more_queries_are_measured_than_were_asked_for(searched: RetrievalSet) -> None:
    samples = in_this_process(workload_of(searched, "warm", count=3))

    first = 5_000_000 // 1000 % len(QUERIES)
    assert [sample.facts["query"] for sample in samples] == [first, first + 1, first + 2]


def test_a_single_query_is_enough(searched: RetrievalSet, tmp_path: Path) -> None:
    path = tmp_path / "queries.jsonl"
    path.write_text(json.dumps({"query": "what is a topic?"}) + "\n")

    for state in STATES:
        samples = in_this_process(workload_of(searched, state, queries=str(path)))
        assert [sample.facts["query"] for sample in samples] == [0]


def test_nothing_is_told_between_two_queries(searched: RetrievalSet) -> None:
    """A line to the parent would be paid within what is measured."""
    told: list[str] = []
    generator = bench_cgrag.measure(
        Context(
            workload_of(searched, "warm"),
            0,
            0,
            ((0, 0, None),) * 2,
            lambda kind, **content: told.append(content["text"]),
        )
    )
    next(generator)
    assert told[-1] == "answering 12 queries, one at a time"
    before = len(told)
    assert len(list(generator)) == len(QUERIES) - 1
    assert len(told) == before


# --- how it is judged ------------------------------------------------------------------------------------------------


def checks_of(trials: list[Trial]) -> dict[tuple[str, str], Check]:
    metrics = metrics_of(trials, bench_cgrag.METRICS)
    checks = check_targets(metrics, TARGETS, confidence=0.95, subject="real", profile="embedded")
    found = {(check.target, check.metric): check for check in checks}
    assert len(found) == len(checks)
    return found


def certified(trial: Trial) -> Trial:
    return replace(trial, spec=replace(trial.spec, labels={k: v for k, v in trial.spec.labels.items() if k != "cache"}))


def test_only_the_totals_of_the_cold_and_the_warm_state_are_judged(trials: dict[str, Trial]) -> None:
    checks = checks_of([certified(trial) for trial in trials.values() for _ in range(6)])

    assert set(checks) == {
        ("cgrag-cold", "retrieval_latency{stage=total,state=cold}"),
        ("cgrag-warm", "retrieval_latency{stage=total,state=warm}"),
    }
    assert {check.status for check in checks.values()} <= {"pass", "fail", "inconclusive"}


def test_what_is_not_proven_cold_is_not_judged_and_says_why(trials: dict[str, Trial]) -> None:
    cold = replace(trials["cold"], spec=replace(trials["cold"].spec, labels={"cache": "uncertified"}))
    checks = checks_of([cold] * 6)

    check = checks.pop(("cgrag-cold", "retrieval_latency{cache=uncertified,stage=total,state=cold}"))
    assert (check.status, check.reason) == ("not-measured", "no start could be proven cold")
    assert check.observed is not None
    assert {check.status for check in checks.values()} == {"not-measured"}


def test_a_variant_alone_is_no_verdict(trials: dict[str, Trial]) -> None:
    checks = checks_of([trials["omp_threads=2"]] * 6)

    assert {check.status for check in checks.values()} == {"not-measured"}


# --- what does not fit together --------------------------------------------------------------------------------------


def written(folder: Path, dimension: int, count: int) -> str:
    index = faiss.IndexFlatL2(dimension)
    index.add(np.eye(max(count, 1), dimension, dtype=np.float32)[:count])
    faiss.write_index(index, str(folder / "other.index"))
    return str(folder / "other.index")


def test_an_index_of_another_encoder_is_told(searched: RetrievalSet, tmp_path: Path) -> None:
    with pytest.raises(BenchmarkFailed, match=r"^the index holds vectors of 32 numbers, the encoder gives 64$"):
        in_this_process(workload_of(searched, "warm", index=written(tmp_path, 32, 20)))


def test_metadata_that_is_too_short_is_told(searched: RetrievalSet, tmp_path: Path) -> None:
    with pytest.raises(BenchmarkFailed, match=r"^the index holds 61 vectors, but the metadata only 60 texts$"):
        in_this_process(workload_of(searched, "cold", index=written(tmp_path, 64, 61)))


def test_an_empty_index_is_told(searched: RetrievalSet, tmp_path: Path) -> None:
    with pytest.raises(BenchmarkFailed, match=r"^the index is empty$"):
        in_this_process(workload_of(searched, "cold", index=written(tmp_path, 64, 0)))


def test_a_damaged_index_is_told_in_faiss_words(searched: RetrievalSet, tmp_path: Path) -> None:
    path = tmp_path / "damaged.index"
    path.write_bytes(Path(searched.index).read_bytes()[:100])

    with pytest.raises(BenchmarkFailed, match=r"^the index cannot be opened: read error in .*damaged\.index"):
        in_this_process(workload_of(searched, "warm", index=str(path)))


def test_an_encoder_that_cannot_be_loaded_is_told_by_its_name(searched: RetrievalSet, tmp_path: Path) -> None:
    encoder = {"path": str(tmp_path / "none.gguf"), "label": "my encoder", "max_tokens": 64, "threads": 1}

    with pytest.raises(BenchmarkFailed, match=r"^my encoder: .*No such file or directory") as caught:
        in_this_process(workload_of(searched, "warm", encoder=encoder))
    assert caught.value.failure["remedy"] == "give another encoder with --encoder"


def test_metadata_of_the_older_form_is_read_as_well(searched: RetrievalSet, tmp_path: Path) -> None:
    chunks = json.loads(Path(searched.metadata).read_text())["chunks"]
    path = tmp_path / "docs_metadata.json"
    path.write_text(json.dumps(chunks))

    assert in_this_process(workload_of(searched, "cold", metadata=str(path)))[0].facts["chunks"] == 25
