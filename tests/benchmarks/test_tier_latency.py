"""One process's share of a tier's queries: the first one apart, the prefix as labelled, every second accounted for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from synapse_perf.analyze.latency_pace import asked_in
from synapse_perf.analyze.query_set import scored
from synapse_perf.analyze.targets import find_target
from synapse_perf.benchmarks.chat_parts import turns
from synapse_perf.benchmarks.context import Context
from synapse_perf.benchmarks.tier_latency import METRICS
from synapse_perf.model import Trial
from tests.benchmarks.chat_trials import MODERATE, SIMPLE, asking, fault, measured, run, settings, values
from tests.llama.chats import with_template
from tests.llama.starts import TINY_BERT, make

PARTS = ("template_s", "tokenise_s", "prefill_s", "decode_s", "sampling_s", "detokenise_s")
STEADY = 5  # queries after the first one, so that each of the two is asked three times


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("tier-latency"))


def workload(model: Path, **changes: Any) -> dict[str, Any]:
    return {
        "tier": "fast",
        "settings": settings(model),
        "neighbours": [],
        "prefix": "cold",
        **asking(count=STEADY),
        **changes,
    }


@pytest.fixture(scope="module")
def cold(model: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Trial, list[str]]:
    trial, stages = run("tier_latency", workload(model), tmp_path_factory.mktemp("cold"))
    assert trial.failure is None, trial.failure
    return trial, stages


@pytest.fixture(scope="module")
def warm(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Trial:
    return measured("tier_latency", workload(model, prefix="warm"), tmp_path_factory.mktemp("warm"))


def test_there_is_a_sample_for_each_query_after_the_first_one(cold: tuple[Trial, list[str]]) -> None:
    first, *steady = cold[0].samples

    assert len(steady) == STEADY
    assert all("variant" not in one.labels for sample in steady for one in sample.values)
    assert all(set(values(sample)) == set(METRICS) - {"phase_time", "peak_rss"} for sample in steady)
    assert {one.labels.get("variant") for one in first.values} == {"first", "after-swap", None}


def test_what_the_first_query_waits_for_after_a_swap_is_the_load_and_itself(cold: tuple[Trial, list[str]]) -> None:
    first = cold[0].samples[0]
    (load,) = (one for one in first.values if one.labels.get("phase") == "load")

    after_swap = values(first, state="after-swap")["query_latency"]
    assert after_swap == pytest.approx(load.value + values(first, state="first")["query_latency"])


def test_no_first_query_is_judged_and_every_other_one_is(cold: tuple[Trial, list[str]]) -> None:
    target = find_target("query-fast")
    judged = [
        [one.metric for one in sample.values if target.judges(one.metric, {"tier": "fast", **one.labels})]
        for sample in cold[0].samples
    ]
    assert judged[0] == []
    simple = [sample.facts["query"] == 0 for sample in cold[0].samples[1:]]
    assert judged[1:] == [["query_latency"] if is_simple else [] for is_simple in simple]


def test_the_parts_of_each_query_are_the_whole(cold: tuple[Trial, list[str]]) -> None:
    for sample in cold[0].samples:
        parts = [sample.facts[name] for name in PARTS]
        assert all(isinstance(part, float) and part >= 0 for part in parts)
        assert sum(part for part in parts if isinstance(part, float)) == pytest.approx(sample.values[0].value, abs=1e-8)


def test_the_formulas_hold_between_the_figures(cold: tuple[Trial, list[str]]) -> None:
    for sample in cold[0].samples[1:]:
        found, facts = values(sample), sample.facts
        after_first_s = found["query_latency"] - found["time_to_first_token"]
        assert found["decode_rate"] == pytest.approx(5 / after_first_s)
        assert found["prefill_rate"] == pytest.approx(
            float(str(facts["prompt_tokens"])) / float(str(facts["prefill_s"]))
        )
        assert found["inter_token_latency"] <= float(str(facts["gap_p95_s"])) <= float(str(facts["gap_max_s"]))


def test_every_query_is_asked_as_often_as_the_others_and_carries_its_routing(cold: tuple[Trial, list[str]]) -> None:
    facts = [sample.facts for sample in cold[0].samples]
    asked = [fact["query"] for fact in facts]

    assert asked.count(0) == asked.count(1) == 3
    queries = {0: SIMPLE, 1: MODERATE}
    for sample, fact in zip(cold[0].samples, facts, strict=True):
        query = queries[int(str(fact["query"]))]
        assert (fact["routed_tier"], fact["score"]) == (query.tier, query.score)
        assert sample.values[0].labels["complexity"] == query.complexity


def test_a_cold_prefix_reuses_nothing_and_a_warm_one_all_but_the_last_token(
    cold: tuple[Trial, list[str]], warm: Trial
) -> None:
    assert {sample.facts["reused_tokens"] for sample in cold[0].samples} == {0}
    for sample in warm.samples:
        assert sample.facts["reused_tokens"] == int(str(sample.facts["prompt_tokens"])) - 1
        assert "prefill_rate" not in values(sample)  # of a single token


def test_the_process_tells_how_it_came_to_be_steady(cold: tuple[Trial, list[str]]) -> None:
    facts = cold[0].facts

    assert facts["discarded"] >= 4
    assert isinstance(facts["steady"], bool)
    assert facts["template"] == "model"
    assert sum(len(gaps) for gaps in facts["gaps_s"].values()) == STEADY * 5
    assert facts["drift"]["answers"] == STEADY
    assert facts["peak_rss"] > 0


def test_the_display_hears_of_every_query_with_its_speed(cold: tuple[Trial, list[str]]) -> None:
    assert cold[1][:3] == ["loading the fast model", "the first query", "warming up"]
    assert cold[1][3] == "query 1 of 5"
    assert [text.endswith(" tokens/s") for text in cold[1][4:]] == [True] * 4


def test_a_query_may_have_a_length_of_its_own(model: Path, tmp_path: Path) -> None:
    queries = asking(replace(SIMPLE, max_tokens=3), MODERATE)["queries"]
    trial = measured("tier_latency", workload(model, queries=queries, system="Be brief."), tmp_path)

    assert {(sample.facts["query"], sample.facts["generated_tokens"]) for sample in trial.samples} == {(0, 3), (1, 6)}


def test_models_that_stay_resident_are_loaded_beside_it(model: Path, tmp_path: Path) -> None:
    neighbours = [{"tier": "deep", "settings": settings(model)}]
    trial, stages = run("tier_latency", workload(model, neighbours=neighbours, count=1), tmp_path)

    assert trial.failure is None
    assert stages[0] == "loading the deep model beside it"


def test_the_time_that_a_process_may_ask_ends_its_share(model: Path, tmp_path: Path) -> None:
    trial = measured("tier_latency", workload(model, count=90, asking_s=1e-9), tmp_path)

    assert len(trial.samples) == 2  # the first one, and one that is asked in any case


def test_the_parent_learns_how_many_were_asked_and_how_long_that_took(cold: tuple[Trial, list[str]]) -> None:
    trial, _ = cold
    asked, asked_s = asked_in(trial)

    assert asked == len(trial.samples) - 1
    steady_s = sum(values(sample)["query_latency"] for sample in trial.samples[1:])
    assert steady_s <= asked_s < trial.wall_s


def test_another_query_as_long_as_those_before_has_to_fit() -> None:
    """On a clock of its own: three seconds for each query."""
    assert numbered(limit_s=12.0) == [0, 1, 2, 3]
    assert numbered(limit_s=11.9) == [0, 1, 2]
    assert numbered(limit_s=0.0) == [0]
    assert numbered(limit_s=None) == [*range(9)]


def numbered(limit_s: float | None) -> list[int]:
    now_ns = iter(range(0, 100_000_000_000, 3_000_000_000))
    context = Context({"count": 9, "asking_s": limit_s}, 0, 0, ((0, 0, 0), (0, 0, 0)), lambda *told: None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("synapse_perf.benchmarks.chat_parts.time.perf_counter_ns", lambda: next(now_ns))
        return list(turns(context))


# --- wrong input -----------------------------------------------------------------------------------------------------


def test_a_prompt_longer_than_the_context_is_named_before_anything_is_asked(model: Path, tmp_path: Path) -> None:
    queries = asking(SIMPLE, scored("a page " * 900))["queries"]
    trial, stages = run("tier_latency", workload(model, queries=queries), tmp_path)

    assert trial.failure is not None
    assert trial.failure.message.startswith("tier fast: query 2: the prompt has ")
    assert trial.failure.message.endswith(" tokens and the answer 6, the context holds 512")
    assert not trial.samples
    assert stages == ["loading the fast model"]


def test_an_encoder_is_refused_as_a_chat_model(tmp_path: Path) -> None:
    failure = fault("tier_latency", workload(make(tmp_path, TINY_BERT)), tmp_path)

    assert failure.message == "tier fast: it is an encoder, which cannot chat"
    assert failure.remedy


def test_a_broken_template_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failure = fault("tier_latency", workload(with_template(tmp_path, "{% for", monkeypatch)), tmp_path)

    assert failure.message.startswith("tier fast: the model's chat template is broken in line 1: ")


def test_a_file_that_is_no_model_is_told_in_llama_cpps_words(tmp_path: Path) -> None:
    (tmp_path / "broken.gguf").write_bytes(b"GGUF" + bytes(100))
    failure = fault("tier_latency", workload(tmp_path / "broken.gguf"), tmp_path)

    assert failure.message.startswith("tier fast: gguf")
    assert failure.detail
