"""What a result keeps of the tiers, which queries nobody answers, and what a sample of documents makes of a verdict."""

from __future__ import annotations

from dataclasses import replace

import pytest

from synapse_perf.analyze.latency_plan import LatencyRequest
from synapse_perf.analyze.load_plan import ModelUnderTest
from synapse_perf.analyze.query_set import Query, scored
from synapse_perf.commands.latency_context import TwoStageContext
from synapse_perf.commands.latency_record import checks_of, distinct, not_asked, without_context, workload_of
from synapse_perf.commands.measuring import effort_of
from synapse_perf.commands.options import CommonOptions
from synapse_perf.model import Failure, Sample, Trial, TrialSpec
from synapse_perf.profiles import load_profile
from tests.analyze.made_latencies import Answer, tier, two_stage

SIMPLE, MODERATE, COMPLEX = (
    scored("What is a page?"),
    scored("Explain how a page is read, and what it is for."),
    scored("Design and evaluate a cache step by step because memory is small, and defend it."),
)


def model(name: str, digest: str = "d1") -> ModelUnderTest:
    return ModelUnderTest(name, f"/home/me/{name}.gguf", (), 1, digest, "qwen3 4B Q4_K_M", is_sample=False)


def digest(request: LatencyRequest | None = None, queries: tuple[Query, ...] = (SIMPLE,), **models: str) -> str:
    tiers = {name: model("any", one) for name, one in (models or {"fast": "d1"}).items()}
    found: str = workload_of(tiers, queries, request or LatencyRequest(), None, ())["digest"]
    return found


def test_the_file_is_named_and_its_folder_is_not() -> None:
    told = workload_of({"fast": model("fast")}, (SIMPLE,), LatencyRequest(), None, ())
    assert told["tiers"] == {"fast": {"file": "fast.gguf", "digest": "d1", "description": "qwen3 4B Q4_K_M"}}


@pytest.mark.parametrize(
    "changed",
    [
        digest(replace(LatencyRequest(), max_tokens=9)),
        digest(replace(LatencyRequest(), system="Be brief.")),
        digest(replace(LatencyRequest(), temperature=0.7)),
        digest(replace(LatencyRequest(), prefixes=("warm", "cold"))),
        digest(replace(LatencyRequest(), overlaps=(("load",), ()))),
        digest(queries=(COMPLEX,)),
        digest(fast="d2"),
        digest(fast="d1", deep="d1"),
    ],
)
def test_what_changes_the_work_changes_the_digest(changed: str) -> None:
    assert changed != digest()


def test_what_is_only_compared_or_asked_more_often_is_the_same_work() -> None:
    fewer = replace(LatencyRequest(), queries_per_process=3, wants_high_level=False, prefixes=("cold",))
    assert digest(fewer) == digest()


def test_queries_without_a_model_are_counted() -> None:
    tiers = {"balanced": model("balanced")}
    told = not_asked(tiers, (SIMPLE, SIMPLE, COMPLEX), LatencyRequest())
    assert told == [
        "queries without a model, which are not asked: 2 for fast, 1 for deep",
        "no query is routed to balanced (see --asked every)",
        "two-stage queries that need fast or deep are not asked: there is no such model",
    ]


def test_nothing_is_told_where_every_tier_is_asked() -> None:
    everything = {name: model(name) for name in ("fast", "balanced", "deep")}
    assert not_asked(everything, (SIMPLE, MODERATE, COMPLEX), LatencyRequest()) == []
    assert not_asked({"deep": model("deep")}, (SIMPLE,), LatencyRequest(asked="every", overlaps=())) == []


def test_a_failure_that_differs_only_in_its_query_is_told_once() -> None:
    failures = [Failure("error", f"retrieve() of query {number}: boom", "ask it") for number in (4, 12, 3)]
    assert distinct([*failures, Failure("error", "another", "")]) == (failures[0], Failure("error", "another", ""))


def test_prompts_that_got_no_context_are_counted() -> None:
    spec = TrialSpec("two_stage_query", "two-stage", {"tier": "two-stage"}, {})
    samples = tuple(Sample((), {"context_tokens": count}) for count in (0, 30, 0))
    trial = Trial(spec, 1, samples, 1.0)
    (told,) = without_context([trial])
    assert told.startswith("nothing was retrieved for 2 of 3 two-stage queries")
    assert without_context([replace(trial, samples=samples[1:2])]) == []


def test_a_sample_of_documents_leaves_the_tiers_their_verdict() -> None:
    effort = effort_of(load_profile(), CommonOptions())
    metrics = (*tier("fast", "simple", Answer(0.1, 0.4)), *two_stage(queries=15, generation=1.0))

    def statuses(*, is_sample_context: bool) -> dict[str, str]:
        checks = checks_of(metrics, effort, "found", "real", is_sample_context=is_sample_context)
        return {check.target: check.status for check in checks if check.observed is not None}

    assert statuses(is_sample_context=False) == {"query-fast": "pass", "query-two-stage": "pass"}
    assert statuses(is_sample_context=True) == {"query-fast": "pass", "query-two-stage": "not-measured"}


def test_the_context_is_told_in_words_and_by_its_digest() -> None:
    context = TwoStageContext({}, "notes: 40 chunks, Flat", "70a9", is_sample=False)
    told = workload_of({"fast": model("fast")}, (SIMPLE,), LatencyRequest(), context, ())
    assert (told["retrieved_from"], told["searched"]) == ("notes: 40 chunks, Flat", "70a9")
