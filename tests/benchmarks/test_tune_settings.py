"""Are all settings asked the same query in each round, in an order of its own, and their answers compared?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from synapse_perf.model import Trial
from tests.benchmarks.chat_trials import MODERATE, SIMPLE, fault, measured, settings
from tests.gguf_files.small_models import TINY_UNTIED
from tests.llama.starts import make

ROUNDS = 8


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("tune-settings"))


def arm(model: Path, name: str, max_tokens: int = 6, threads_batch: int = 0, **changes: Any) -> dict[str, Any]:
    return {
        "name": name,
        "settings": settings(model, **changes),
        "threads_batch": threads_batch,
        "max_tokens": max_tokens,
    }


def workload(*arms: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "tier": "deep",
        "label": "tune=",
        "prefix": "cold",
        "arms": list(arms),
        "queries": [SIMPLE.as_workload(), MODERATE.as_workload()],
        "system": None,
        "seed": 1,
        "count": ROUNDS,
        "asking_s": None,
        **changes,
    }


@pytest.fixture(scope="module")
def compared(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Trial:
    arms = (
        arm(model, "as set"),
        arm(model, "-tb 2", threads_batch=2),
        arm(model, "-t 2 -fa off", n_threads=2, flash_attn=False),
        arm(model, "max_tokens=3", max_tokens=3),
    )
    return measured("tune_settings", workload(*arms), tmp_path_factory.mktemp("compared"))


def by_arm(trial: Trial, name: str) -> list[dict[str, Any]]:
    variant = f"tune={name}"
    return [dict(sample.facts) for sample in trial.samples if sample.values[0].labels["variant"] == variant]


def test_each_arm_is_asked_in_each_round(compared: Trial) -> None:
    for name in ("as set", "-tb 2", "-t 2 -fa off", "max_tokens=3"):
        assert [facts["round"] for facts in by_arm(compared, name)] == list(range(ROUNDS))


def test_the_order_within_a_round_is_drawn(compared: Trial) -> None:
    places = [facts["place"] for facts in by_arm(compared, "as set")]

    assert len(set(places)) > 1  # all in the same place: once in 65,536 runs


def test_all_arms_of_a_round_have_the_same_prompt_and_reuse_nothing_of_it(compared: Trial) -> None:
    prompts = [[facts["prompt_tokens"] for facts in by_arm(compared, name)] for name in ("as set", "max_tokens=3")]

    assert prompts[0] == prompts[1]
    assert len(set(prompts[0])) == 2
    assert {sample.facts["reused_tokens"] for sample in compared.samples} == {0}


def test_with_a_warm_prefix_every_arm_finds_its_prompt_in_the_cache(model: Path, tmp_path: Path) -> None:
    arms = (arm(model, "as set"), arm(model, "-fa off", flash_attn=False))
    trial = measured("tune_settings", workload(*arms, prefix="warm", count=2), tmp_path)

    for sample in trial.samples:
        assert sample.facts["reused_tokens"] == int(str(sample.facts["prompt_tokens"])) - 1


def test_answers_are_compared_token_by_token_as_far_as_both_go(compared: Trial) -> None:
    for facts in by_arm(compared, "-tb 2"):  # threads change nothing of what is computed
        assert (facts["same_tokens"], facts["compared_tokens"]) == (6, 6)
    for facts in by_arm(compared, "max_tokens=3"):
        assert (facts["same_tokens"], facts["compared_tokens"], facts["generated_tokens"]) == (3, 3, 3)


def test_another_model_gives_another_answer_and_that_is_seen(model: Path, tmp_path: Path) -> None:
    """What is planted here stands for a KV type that changes what is computed."""
    other = make(tmp_path, TINY_UNTIED)
    trial = measured("tune_settings", workload(arm(model, "as set"), arm(other, "planted"), count=4), tmp_path)

    assert any(facts["same_tokens"] < facts["compared_tokens"] for facts in by_arm(trial, "planted"))


def test_settings_that_llama_cpp_refuses_are_told_and_the_others_measured(model: Path, tmp_path: Path) -> None:
    refused = arm(model, "-ctv q8_0 -fa off", type_v="q8_0", flash_attn=False)
    trial = measured("tune_settings", workload(arm(model, "as set"), refused, arm(model, "-fa on"), count=2), tmp_path)

    assert list(trial.facts["refused"]) == ["-ctv q8_0 -fa off"]
    assert len(trial.samples) == 2 * 2


def test_what_is_compared_with_has_to_work(model: Path, tmp_path: Path) -> None:
    failure = fault("tune_settings", workload(arm(model, "as set", type_v="q8_0", flash_attn=False)), tmp_path)

    assert failure.message.startswith("tier deep: ")
    assert failure.remedy


def test_the_time_that_it_may_ask_ends_the_rounds(model: Path, tmp_path: Path) -> None:
    trial = measured("tune_settings", workload(arm(model, "as set"), arm(model, "-fa on"), asking_s=1e-9), tmp_path)

    assert len(trial.samples) == 2
