"""Which queries go to which server, how they are kept apart, and what stands beside them in-process."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from synapse_perf.analyze.latency_plan import LatencyCase, LatencyRequest
from synapse_perf.analyze.load_plan import ModelUnderTest
from synapse_perf.analyze.query_set import Query
from synapse_perf.analyze.served_plan import IN_PROCESS, ServedTier, plan_beside, plan_served

SIMPLE = Query("What is a page?", "simple", "fast", 0.6, "balanced")
MODERATE = Query("Explain pages.", "moderate", "fast", 2.0, "balanced")
COMPLEX = Query("Design a cache.", "complex", "deep", 8.0, "deep")
SERVERS = {"fast": ServedTier("http://a", "small"), "deep": ServedTier("http://b")}
REQUEST = LatencyRequest(max_tokens=7, queries_per_process=3, system="Be brief.", temperature=0.5, seed=4)


def planned(
    *queries: Query, request: LatencyRequest = REQUEST, servers: dict[str, ServedTier] | None = None
) -> list[LatencyCase]:
    return plan_served(
        servers or SERVERS,
        queries,
        request,
        query_timeout_s=20.0,
        limits={"fast": 2.0},
        env={"KEY": "secret"},
    )


def prompts(case: LatencyCase) -> list[str]:
    return [query["prompt"] for query in case.spec.workload["queries"]]


def test_each_tier_asks_its_own_server_for_what_is_routed_to_it() -> None:
    fast, deep, *_ = planned(SIMPLE, COMPLEX, MODERATE)
    assert (fast.name, deep.name) == ("fast", "deep")
    assert prompts(fast) == [SIMPLE.prompt, MODERATE.prompt]
    assert prompts(deep) == [COMPLEX.prompt]
    assert (fast.spec.workload["url"], fast.spec.workload["model"]) == ("http://a", "small")
    assert (deep.spec.workload["url"], deep.spec.workload["model"]) == ("http://b", None)
    assert (fast.spec.workload["limit_s"], deep.spec.workload["limit_s"]) == (2.0, None)


def test_every_query_goes_to_every_tier_where_that_is_asked() -> None:
    cases = planned(SIMPLE, COMPLEX, request=replace(REQUEST, asked="every", prefixes=("cold",)))
    assert [prompts(case) for case in cases] == [[SIMPLE.prompt, COMPLEX.prompt]] * 2


def test_a_tier_without_a_query_has_no_case() -> None:
    assert {case.spec.labels["tier"] for case in planned(SIMPLE)} == {"fast"}


def test_the_first_prefix_is_judged_and_the_other_is_a_variant() -> None:
    judged, other = planned(SIMPLE, request=replace(REQUEST, prefixes=("warm", "cold")))
    assert (judged.is_judged, judged.spec.labels) == (True, {"tier": "fast", "prefix": "warm"})
    assert other.is_judged is False
    assert other.spec.labels == {"tier": "fast", "prefix": "cold", "variant": "prefix=cold"}


def test_a_process_asks_so_many_of_each_complexity_and_the_key_is_in_no_workload() -> None:
    case = planned(SIMPLE, MODERATE)[0]
    assert (case.kinds, case.queries) == (2, 6)
    assert case.spec.env == {"KEY": "secret"}
    assert "secret" not in str(case.spec.workload)
    assert case.spec.timeout_s > 2 * 20.0  # longer than two lost queries take


# --- in-process, beside the server -----------------------------------------------------------------------------------


def beside(request: LatencyRequest = REQUEST, *queries: Query) -> list[LatencyCase]:
    model = ModelUnderTest("fast", "/models/a.gguf", ("/models/a.gguf",), 1000, "d", "tiny", False, tier="fast")
    return plan_beside({"fast": model}, queries or (SIMPLE,), request)


def test_one_case_for_each_tier_is_compared_and_none_judged() -> None:
    (case,) = beside()
    assert case.name == case.spec.arm == f"fast {IN_PROCESS}"
    assert case.is_judged is False
    assert case.spec.labels["variant"] == IN_PROCESS
    assert case.spec.benchmark == "tier_latency"


def test_its_prompts_are_as_long_as_those_that_begin_with_a_line_of_their_own() -> None:
    def first_content(request: LatencyRequest) -> Any:
        workload = beside(request)[0].spec.workload
        return workload["system"] or workload["queries"][0]["prompt"]

    for request, text in ((REQUEST, "Be brief."), (replace(REQUEST, system=None), SIMPLE.prompt)):
        mark, _, rest = first_content(request).partition("\n")
        assert (len(mark), rest) == (8, text)


def test_it_is_asked_for_answers_of_the_same_length_and_kind() -> None:
    served, own = planned(SIMPLE)[0].spec.workload, beside()[0].spec.workload
    for name in ("max_tokens", "is_fixed_length", "temperature", "seed"):
        assert served[name] == own[name]
