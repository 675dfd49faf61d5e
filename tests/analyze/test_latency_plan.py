"""Is each tier asked what it is asked for, in a trial of its own, and is only the reference judged?"""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from synapse_perf.analyze.latency_plan import (
    LatencyRequest,
    missing_for_two_stage,
    plan_latency,
    retrieval_workload,
)
from synapse_perf.analyze.load_plan import LoadRequest, ModelUnderTest
from synapse_perf.analyze.query_set import built_in_queries
from synapse_perf.analyze.retrieval_plan import EncoderUnderTest, RetrievalRequest, RetrievalSet
from synapse_perf.analyze.targets import TARGETS

FAST = ModelUnderTest("fast", "/m/fast.gguf", ("/m/fast.gguf",), 1000, "d1", "qwen3", is_sample=False, tier="fast")
BALANCED = replace(FAST, label="balanced", path="/m/balanced.gguf", files=("/m/balanced.gguf",))
DEEP = replace(FAST, label="deep", path="/m/deep.gguf", files=("/m/deep.gguf",))
TIERS = {"fast": FAST, "balanced": BALANCED, "deep": DEEP}
QUERIES = built_in_queries()
FACTORY = {"factory": "mine:build", "paths": []}
ENCODER = EncoderUnderTest("/e.gguf", "mini", "d", 384, 256, is_sample=False, threads=2)
PREPARED = RetrievalSet("docs", "docs", "/s", "/s/i", "/s/m", "/s/q", "/s/v", "d", is_sample=False, encoder=ENCODER)


def names(*arguments: object, **changes: object) -> list[str]:
    request = LatencyRequest(**changes)  # type: ignore[arg-type]
    return [case.name for case in plan_latency(TIERS, QUERIES, request, *arguments)]  # type: ignore[arg-type]


def test_each_tier_and_the_two_stage_query_are_judged_and_their_variants_are_not() -> None:
    cases = plan_latency(TIERS, QUERIES, LatencyRequest(), FACTORY)

    assert [case.name for case in cases if case.is_judged] == ["fast", "balanced", "deep", "two-stage"]
    assert [case.name for case in cases if not case.is_judged] == [
        *("fast prefix=warm", "balanced prefix=warm", "deep prefix=warm"),
        *("fast api=high-level", "balanced api=high-level", "deep api=high-level"),
        *("two-stage overlap=load", "two-stage overlap=retrieval"),
    ]


def test_a_target_judges_what_is_judged_and_nothing_else() -> None:
    for case in plan_latency(TIERS, QUERIES, LatencyRequest(), FACTORY):
        judging = [target.id for target in TARGETS if target.judges("query_latency", case.spec.labels)]
        assert judging == ([f"query-{case.spec.labels['tier']}"] if case.is_judged else [])


def test_a_tier_is_asked_what_is_routed_to_it_or_everything() -> None:
    routed = plan_latency(TIERS, QUERIES, LatencyRequest())
    every = plan_latency(TIERS, QUERIES, LatencyRequest(asked="every"))

    asked = {case.name: {query["complexity"] for query in case.spec.workload["queries"]} for case in routed}
    assert (asked["fast"], asked["balanced"], asked["deep"]) == ({"simple"}, {"moderate"}, {"complex"})
    assert asked["two-stage"] == {"simple", "moderate", "complex"}
    assert len(every[0].spec.workload["queries"]) == len(QUERIES)


def test_a_tier_without_a_query_or_without_a_model_has_no_case() -> None:
    simple = QUERIES[:6]

    assert [case.name for case in plan_latency(TIERS, simple, LatencyRequest()) if case.is_judged] == [
        "fast",
        "two-stage",
    ]
    without_fast = plan_latency({"deep": DEEP}, QUERIES, LatencyRequest())
    assert [case.name for case in without_fast if case.is_judged] == ["deep"]


def test_a_two_stage_query_asks_only_what_its_models_can_refine() -> None:
    cases = plan_latency({"fast": FAST, "deep": DEEP}, QUERIES, LatencyRequest())
    (two_stage,) = (case for case in cases if case.name == "two-stage")

    assert {query["second_tier"] for query in two_stage.spec.workload["queries"]} == {"deep"}
    assert list(two_stage.spec.workload["models"]) == ["fast", "deep"]
    assert missing_for_two_stage({"fast": FAST, "deep": DEEP}, QUERIES) == ("balanced",)
    assert missing_for_two_stage(TIERS, QUERIES) == ()


def test_resident_models_are_loaded_beside_the_one_that_is_asked() -> None:
    fast = plan_latency(TIERS, QUERIES, LatencyRequest(resident="all"))[0].spec

    assert [one["tier"] for one in fast.workload["neighbours"]] == ["balanced", "deep"]
    assert fast.files == ("/m/fast.gguf", "/m/balanced.gguf", "/m/deep.gguf")
    assert plan_latency(TIERS, QUERIES, LatencyRequest())[0].spec.workload["neighbours"] == []


def test_only_what_can_overlap_is_tried() -> None:
    assert "two-stage overlap=retrieval" not in names(None)
    assert "two-stage overlap=load" not in names(FACTORY, resident="all")
    assert "two-stage overlap=none" in names(FACTORY, overlaps=(("load",), ()))


def test_the_settings_are_those_of_the_request() -> None:
    request = LatencyRequest(load=LoadRequest(contexts=(777,), threads=(3,), types_k=("q8_0",)))
    for case in plan_latency(TIERS, QUERIES, request, FACTORY):
        workload = case.spec.workload
        models = list(workload["models"].values()) if "models" in workload else [workload["settings"]]
        assert {(one["n_ctx"], one["n_threads"], one["type_k"]) for one in models} == {(777, 3, "q8_0")}


def test_the_retrieval_of_a_prepared_set_is_a_part_of_the_two_stage_workload() -> None:
    retrieval = retrieval_workload(PREPARED, RetrievalRequest(token_budget=900))
    cases = plan_latency(TIERS, QUERIES, LatencyRequest(), retrieval)
    (two_stage,) = (case for case in cases if case.name == "two-stage")

    assert two_stage.spec.workload["index"] == "/s/i"
    assert two_stage.spec.workload["encoder"]["threads"] == 2
    assert two_stage.spec.workload["parameters"]["token_budget"] == 900


def test_vectors_alone_hold_nothing_that_could_be_retrieved() -> None:
    with pytest.raises(ValueError, match="vectors alone"):
        retrieval_workload(replace(PREPARED, encoder=None), RetrievalRequest())


def test_a_trial_lets_every_sample_through_and_its_workload_can_be_sent() -> None:
    for case in plan_latency(TIERS, QUERIES, LatencyRequest(queries_per_process=15), FACTORY):
        assert (case.spec.samples, case.spec.workload["count"], case.queries) == (31, 15, 15)
        assert case.spec.workload["asking_s"] is None
        json.dumps(case.spec.workload)


def test_a_two_stage_query_costs_more_with_a_longer_draft_answer_or_context() -> None:
    def work(**changes: int) -> float:
        cases = plan_latency(TIERS, QUERIES, LatencyRequest(**changes), FACTORY)  # type: ignore[arg-type]
        return next(case.work for case in cases if case.name == "two-stage")

    assert all(work(**{name: 4000}) > work() for name in ("draft_tokens", "max_tokens", "context_tokens"))


def test_a_process_asks_its_share_of_each_kind_that_is_judged_apart() -> None:
    cases = plan_latency(TIERS, QUERIES, LatencyRequest(asked="every", queries_per_process=10), FACTORY)

    assert {case.name: (case.queries, case.kinds) for case in cases if case.is_judged} == {
        **dict.fromkeys(TIERS, (30, 3)),
        "two-stage": (10, 1),
    }


def test_an_overlap_is_a_flow_of_its_own_from_the_first_answer_on() -> None:
    cases = plan_latency(TIERS, QUERIES, LatencyRequest(), FACTORY)

    told = {case.name: case.spec.workload["variant"] for case in cases if "variant" in case.spec.workload}
    assert told == {
        "two-stage": "",
        "two-stage overlap=load": "overlap=load",
        "two-stage overlap=retrieval": "overlap=retrieval",
    }
