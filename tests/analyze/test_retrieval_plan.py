from __future__ import annotations

from dataclasses import replace

import pytest

from synapse_perf.analyze.retrieval_plan import (
    OPEN_MODES,
    STATES,
    EncoderUnderTest,
    RetrievalCase,
    RetrievalRequest,
    RetrievalSet,
    plan_retrieval,
)
from synapse_perf.analyze.sampling import Arm, Bounds, interleaved
from synapse_perf.analyze.targets import TARGETS, find_target
from synapse_perf.analyze.verdict import check_targets
from synapse_perf.model import Trial, TrialSpec
from tests.analyze.made_retrievals import around, latency
from tests.analyze.trials import trial

ENCODER = EncoderUnderTest("e.gguf", "tiny f16", "d1", 64, 128, is_sample=False, threads=4)
TEXTS = RetrievalSet(
    "docs", "9 chunks", "set", "i.index", "m.json", "q.jsonl", "q.npy", "d2", is_sample=False, encoder=ENCODER
)
VECTORS = replace(TEXTS, encoder=None)


def by_name(cases: list[RetrievalCase]) -> dict[str, RetrievalCase]:
    named = {case.name: case for case in cases}
    assert len(named) == len(cases), "two cases of one name"
    specs = [case.spec for case in cases]
    assert all(specs.count(spec) == 1 for spec in specs), "two cases that are the same trial"
    return named


def planned(subject: RetrievalSet = TEXTS, **changes: object) -> dict[str, RetrievalCase]:
    return by_name(plan_retrieval(subject, replace(RetrievalRequest(), **changes)))  # type: ignore[arg-type]


def test_everything_is_planned_once() -> None:
    openings = {f"open={mode} {state}" for mode in OPEN_MODES for state in ("cold", "file-cached")}
    assert set(planned()) == {*STATES, "omp_threads=1", *openings}
    assert set(planned(wants_openings=False, states=("cold",))) == {"cold"}


def test_only_the_cold_and_the_warm_state_are_judged() -> None:
    assert {name for name, case in planned().items() if case.is_judged} == {"cold", "warm"}


def test_a_cold_state_is_of_the_index_and_a_cold_process_of_the_encoder_too() -> None:
    cases = planned()
    files = {name: cases[name].spec.files for name in STATES}

    assert files["cold"] == files["preloaded"] == ("i.index", "m.json")
    assert files["process-cold"] == ("i.index", "m.json", "e.gguf")
    assert {name: cases[name].spec.page_cache for name in STATES} == {
        "process-cold": "cold",
        "cold": "cold",
        "preloaded": "cold",
        "warm": None,
    }
    assert [cases[name].spec.samples for name in STATES] == [1, 1, 1, 100]


def test_the_first_of_each_list_is_judged_and_the_others_are_variants_of_it() -> None:
    cases = planned(omp_threads=(2, 0, 4), encoder_threads=(1, 8), open_modes=("ifc", "read"))
    variants = {name: case.spec for name, case in cases.items() if case.spec.labels}

    assert set(variants) == {"omp_threads=0", "omp_threads=4", "encoder_threads=8"}
    warm = cases["warm"].spec
    for name, spec in variants.items():
        assert spec.labels == {"variant": name}
        changed = {key for key in warm.workload if warm.workload[key] != spec.workload[key]}
        assert len(changed) == 1, "more than one thing was changed"
    assert (warm.workload["omp_threads"], warm.workload["encoder"]["threads"], warm.workload["open"]) == (2, 1, "ifc")
    assert {cases[f"open={mode} cold"].spec.workload["omp_threads"] for mode in ("ifc", "read")} == {2}


def test_without_a_number_the_encoder_has_its_own() -> None:
    assert planned()["warm"].spec.workload["encoder"] == {
        "path": "e.gguf",
        "label": "tiny f16",
        "max_tokens": 128,
        "threads": 4,
    }


def test_where_there_are_no_texts_the_search_alone_is_measured() -> None:
    cases = planned(VECTORS, omp_threads=(0, 1))

    assert [name for name in cases if not name.startswith("open=")] == ["warm", "omp_threads=1"]
    assert {case.spec.benchmark for case in cases.values()} == {"vector_search", "index_opening"}
    assert not any(case.is_judged for case in cases.values())
    assert planned(VECTORS, states=("cold",), wants_openings=False) == {}


def test_what_was_asked_for_reaches_every_trial() -> None:
    request = replace(
        RetrievalRequest(),
        max_artifacts=7,
        min_relevance=0.2,
        token_budget=99,
        search={"nprobe": 3},
        timeout_s=5.0,
        python="/py",
    )
    for subject in (TEXTS, VECTORS):
        for case in plan_retrieval(subject, request):
            assert case.spec.workload["parameters"] == {
                "max_artifacts": 7,
                "min_relevance": 0.2,
                "token_budget": 99,
                "search": {"nprobe": 3},
            }
            assert case.spec.workload.get("k", 35) == 35
            assert (case.spec.timeout_s, case.spec.python) == (5.0, "/py")


def test_the_cases_interleave_until_each_has_its_processes() -> None:
    arms = [Arm(name, case.spec, None if case.is_judged else 6) for name, case in planned().items()]
    policy = interleaved(arms, bounds=Bounds(6, 60), seed=1, undecided=lambda trials: set())
    done: tuple[Trial, ...] = ()
    while (spec := policy(done)) is not None:
        done = (*done, trial(spec, 0.1))

    for arm in arms:
        assert sum(one.spec == arm.spec for one in done) == 6
    blocks = [done[start : start + len(arms)] for start in range(0, len(done), len(arms))]
    assert all(len({names(one.spec) for one in block}) == len(arms) for block in blocks)


def names(spec: TrialSpec) -> str:
    return f"{spec.arm} {spec.page_cache} {spec.workload.get('state')}"


# --- what the targets make of it -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "labels", "is_judged"),
    [
        ("cgrag-cold", {"state": "cold", "stage": "total"}, True),
        ("cgrag-cold", {"state": "cold", "stage": "total", "cache": "uncertified"}, False),
        ("cgrag-cold", {"state": "cold", "stage": "open"}, False),
        ("cgrag-cold", {"state": "process-cold", "stage": "total"}, False),
        ("cgrag-cold", {"state": "preloaded", "stage": "total"}, False),
        ("cgrag-cold", {"state": "cold", "stage": "open+search", "open": "read"}, False),
        ("cgrag-warm", {"state": "warm", "stage": "total"}, True),
        ("cgrag-warm", {"state": "warm", "stage": "total", "variant": "omp_threads=1"}, False),
        ("cgrag-warm", {"state": "warm", "stage": "search"}, False),
        ("cgrag-warm", {"state": "cold", "stage": "total"}, False),
    ],
)
def test_a_target_judges_the_total_of_its_state_alone(target: str, labels: dict[str, str], is_judged: bool) -> None:
    assert find_target(target).judges("retrieval_latency", labels) is is_judged


def test_a_row_that_is_not_proven_cold_says_so_unless_others_are() -> None:
    proven = latency(around(0.05), state="cold", stage="total")
    other = latency(around(0.01), state="cold", stage="total", cache="uncertified")

    def rows(*metrics: object) -> list[tuple[str, str, str]]:
        checks = check_targets(metrics, TARGETS, confidence=0.95, subject="real", profile="embedded")  # type: ignore[arg-type]
        return [(check.metric, check.status, check.reason) for check in checks if check.target == "cgrag-cold"]

    assert rows(other) == [
        ("retrieval_latency{cache=uncertified,stage=total,state=cold}", "not-measured", "no start could be proven cold")
    ]
    ((metric, status, _),) = rows(other, proven)
    assert (metric, status) == ("retrieval_latency{stage=total,state=cold}", "pass")


def test_where_only_other_states_were_measured_the_row_says_what_is_missing() -> None:
    warm = latency(around(0.01), state="warm", stage="total")
    checks = check_targets([warm], TARGETS, confidence=0.95, subject="real", profile="embedded")
    reasons = {check.target: check.reason for check in checks if check.status == "not-measured"}

    assert reasons == {"cgrag-cold": "nothing was measured with state=cold, stage=total"}
