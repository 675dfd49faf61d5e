"""A two-stage query: who writes what, what is on its path, and what overlapping takes off it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from synapse_perf.analyze.query_set import scored
from synapse_perf.model import Sample, Trial
from tests.benchmarks import retrieval_sets
from tests.benchmarks.chat_trials import COMPLEX, SIMPLE, asking, fault, measured, phases, settings, values
from tests.benchmarks.slow_retriever import SECONDS
from tests.gguf_files.small_models import TINY_QWEN
from tests.llama.starts import TINY_BERT, make

PATH = ("swap", "draft", "retrieval", "cutting", "prefill", "generation", "residual")
QUERIES = 3


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Three that differ in what they generate, since their shapes do."""
    folder = tmp_path_factory.mktemp("two-stage")
    shapes = {tier: replace(TINY_QWEN, name=f"tiny-{tier}", n_layer=layers) for tier, layers in LAYERS.items()}
    return {tier: make(folder, shape) for tier, shape in shapes.items()}


LAYERS = {"fast": 2, "balanced": 3, "deep": 4}


@pytest.fixture(scope="module")
def built_in(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A prepared set of twelve texts, all of them relevant enough."""
    folder = tmp_path_factory.mktemp("prepared")
    encoder, texts = retrieval_sets.make_encoder(folder), retrieval_sets.make_texts(12, words=12)
    made = retrieval_sets.write_set(folder, texts, encoder.embed(texts))
    parameters = {"max_artifacts": 2, "min_relevance": -1.0, "token_budget": 40, "search": {}}
    return {**made, "encoder": encoder.as_workload(), "parameters": parameters}


def workload(models: dict[str, Path], **changes: Any) -> dict[str, Any]:
    return {
        "models": {tier: settings(path, n_ctx=1024) for tier, path in models.items()},
        "resident": "one",
        "overlap": [],
        "variant": "",
        "draft_tokens": 5,
        "context_tokens": 300,
        **asking(SIMPLE, COMPLEX, count=QUERIES),
        **changes,
    }


@pytest.fixture(scope="module")
def one(models: dict[str, Path], built_in: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Trial:
    given = {**built_in, **workload(models)}
    return measured("two_stage_query", given, tmp_path_factory.mktemp("one"))


def steady(trial: Trial) -> tuple[Sample, ...]:
    return trial.samples[1:]


def test_there_is_a_sample_for_each_query_after_the_first_one(one: Trial) -> None:
    assert len(steady(one)) == QUERIES
    assert {measurement.labels.get("variant") for measurement in one.samples[0].values} == {"first"}
    assert all("variant" not in measurement.labels for sample in steady(one) for measurement in sample.values)


def test_the_first_answer_of_another_flow_is_a_metric_of_its_own(models: dict[str, Path], tmp_path: Path) -> None:
    given = workload(models, overlap=["load"], variant="overlap=load", count=1)
    first, _ = measured("two_stage_query", given, tmp_path).samples

    assert {measurement.labels["variant"] for measurement in first.values} == {"first overlap=load"}
    assert {measurement.labels["state"] for measurement in first.values} == {"first"}


def test_the_score_decides_who_refines(one: Trial) -> None:
    tiers = {sample.facts["query"]: sample.facts["second_tier"] for sample in one.samples}

    assert tiers == {0: "balanced", 1: "deep"}


def test_the_phases_on_the_path_are_the_whole(one: Trial) -> None:
    for sample in one.samples:
        found = phases(sample)
        assert sum(found[name] for name in PATH) == pytest.approx(values(sample)["query_latency"], abs=1e-9)
        assert min(found.values()) >= 0
        assert found["swap"] == pytest.approx(found["swap.draft"] + found["swap.refinement"])
        assert found["draft.prefill"] + found["draft.generation"] <= found["draft"]
        assert found["cutting"] > 0  # the built-in retrieval found something


def test_with_one_model_at_a_time_both_swaps_are_on_the_path(one: Trial) -> None:
    for sample in one.samples:
        assert isinstance(sample.facts["load_s"], float)
        assert phases(sample)["swap.refinement"] >= sample.facts["load_s"] > 0
        assert phases(sample)["swap.draft"] > 0


def test_the_first_token_that_counts_is_that_of_the_refinement(one: Trial) -> None:
    for sample in one.samples:
        before = sum(phases(sample)[name] for name in ("swap", "draft", "retrieval", "prefill"))
        assert before < values(sample)["time_to_first_token"] < values(sample)["query_latency"]


def test_lengths_are_as_asked_for_and_the_refinement_reads_what_was_found(one: Trial) -> None:
    for sample in one.samples:
        facts = sample.facts
        assert (facts["draft.generated_tokens"], facts["generated_tokens"]) == (5, 6)
        assert facts["results"] == 2  # 12 words are 15 tokens by the engine's count, of 40
        assert int(str(facts["prompt_tokens"])) > int(str(facts["draft.prompt_tokens"])) + 5
        assert facts["reused_tokens"] == facts["draft.reused_tokens"] == 0


def test_what_was_found_is_cut_to_the_tokens_that_it_may_have(
    models: dict[str, Path], built_in: dict[str, Any], one: Trial, tmp_path: Path
) -> None:
    trial = measured("two_stage_query", {**built_in, **workload(models, context_tokens=9)}, tmp_path)

    whole = {sample.facts["query"]: sample.facts for sample in one.samples}
    for sample in trial.samples:
        facts = whole[sample.facts["query"]]
        assert sample.facts["context_tokens"] == 9
        assert 9 < int(str(facts["context_tokens"])) < 300
        assert int(str(sample.facts["prompt_tokens"])) < int(str(facts["prompt_tokens"]))


def test_with_all_models_resident_nothing_is_swapped(
    models: dict[str, Path], built_in: dict[str, Any], tmp_path: Path
) -> None:
    trial = measured("two_stage_query", {**built_in, **workload(models, resident="all")}, tmp_path)

    assert {sample.facts["load_s"] for sample in trial.samples} == {None}
    assert all(phases(sample)["swap"] < phases(sample)["prefill"] for sample in trial.samples)
    assert trial.facts["discarded"] >= 12


@pytest.mark.parametrize("overlap", [["load"], ["retrieval"], ["load", "retrieval"]])
def test_what_overlaps_the_draft_gives_the_same_answer(
    models: dict[str, Path], built_in: dict[str, Any], one: Trial, tmp_path: Path, overlap: list[str]
) -> None:
    trial = measured("two_stage_query", {**built_in, **workload(models, overlap=overlap)}, tmp_path)

    expected = {sample.facts["query"]: sample.facts["prompt_tokens"] for sample in one.samples}
    for sample in trial.samples:
        assert sample.facts["prompt_tokens"] == expected[sample.facts["query"]]
        assert sum(phases(sample)[name] for name in PATH) == pytest.approx(values(sample)["query_latency"], abs=1e-9)


def test_a_retrieval_that_is_shorter_than_the_draft_leaves_nothing_on_the_path(
    models: dict[str, Path], tmp_path: Path
) -> None:
    """The retriever waits for a twentieth of a second; beside the draft, that is no part of the path any more."""
    factory = {"factory": "tests.benchmarks.slow_retriever:build", "paths": []}
    drafts = {"resident": "all", "draft_tokens": 400, "count": 2}
    in_turn = measured("two_stage_query", {**factory, **workload(models, **drafts)}, tmp_path)
    beside = measured("two_stage_query", {**factory, **workload(models, overlap=["retrieval"], **drafts)}, tmp_path)

    for sample in in_turn.samples:
        assert phases(sample)["retrieval"] >= float(str(sample.facts["retrieval_s"])) >= SECONDS
    assert all(float(str(sample.facts["retrieval_s"])) >= SECONDS for sample in beside.samples)
    assert min(phases(sample)["retrieval"] for sample in beside.samples) < SECONDS
    assert {sample.facts["results"] for sample in beside.samples} == {1}


def test_without_retrieval_the_refinement_has_the_draft_alone(models: dict[str, Path], tmp_path: Path) -> None:
    trial = measured("two_stage_query", workload(models, count=1), tmp_path)

    assert [sample.facts["results"] for sample in trial.samples] == [None, None]


# --- wrong input -----------------------------------------------------------------------------------------------------


def test_a_query_that_is_too_long_to_draft_is_told_before_anything_is_asked(
    models: dict[str, Path], tmp_path: Path
) -> None:
    queries = asking(scored("a page " * 900))["queries"]
    failure = fault("two_stage_query", workload(models, queries=queries), tmp_path)

    assert failure.message.startswith("the draft: the prompt has ")


def test_a_refinement_that_does_not_fit_names_the_query(
    models: dict[str, Path], built_in: dict[str, Any], tmp_path: Path
) -> None:
    large = {**built_in["parameters"], "max_artifacts": 12, "token_budget": 100_000}
    given = {**built_in, **workload(models, queries=asking(SIMPLE)["queries"]), "parameters": large}
    given["models"] = {tier: {**one, "n_ctx": 256} for tier, one in given["models"].items()}
    failure = fault("two_stage_query", given, tmp_path)

    assert failure.message.startswith("the refinement of query 1: the prompt has ")
    assert failure.message.endswith("the context holds 256")


def test_the_tier_that_cannot_be_loaded_is_named(models: dict[str, Path], tmp_path: Path) -> None:
    given = workload({**models, "balanced": make(tmp_path, TINY_BERT)}, resident="all")

    assert fault("two_stage_query", given, tmp_path).message == "tier balanced: it is an encoder, which cannot chat"


@pytest.mark.parametrize("overlap", [[], ["retrieval"]])
def test_a_users_retriever_that_fails_is_told_in_its_own_words(
    models: dict[str, Path], tmp_path: Path, overlap: list[str]
) -> None:
    given = workload(models, factory="tests.benchmarks.slow_retriever:broken", paths=[], overlap=overlap)
    failure = fault("two_stage_query", given, tmp_path)

    assert failure.message.endswith("RuntimeError: the store is closed")
