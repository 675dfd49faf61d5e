"""Are both ways asked in turn on one model, and do they do the same work?"""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

import pytest

from synapse_perf.model import Trial
from tests.benchmarks.chat_trials import asking, fault, measured, settings
from tests.llama.starts import TINY_BERT, make


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    folder = tmp_path_factory.mktemp("high-level")
    return measured("high_level_chat", {"tier": "fast", "settings": settings(make(folder)), **asking()}, folder)


def test_each_pair_has_one_of_both_and_the_first_alternates(trial: Trial) -> None:
    ways = [(sample.facts["pair"], sample.values[0].labels["variant"]) for sample in trial.samples]

    orders = [[way for _, way in pair] for _, pair in groupby(ways, key=lambda each: each[0])]
    assert orders == [["api=high-level", "api=own-loop"], ["api=own-loop", "api=high-level"]] * 2


def test_a_pair_evaluates_and_generates_the_same_number_of_tokens(trial: Trial) -> None:
    for _, pair in groupby(trial.samples, key=lambda sample: sample.facts["pair"]):
        first, second = pair
        for name in ("query", "prompt_tokens", "generated_tokens"):
            assert first.facts[name] == second.facts[name]


def test_nothing_of_it_is_judged(trial: Trial) -> None:
    assert all(one.labels["variant"] for sample in trial.samples for one in sample.values)


def test_an_encoder_is_refused(tmp_path: Path) -> None:
    workload = {"tier": "fast", "settings": settings(make(tmp_path, TINY_BERT)), **asking()}

    assert fault("high_level_chat", workload, tmp_path).message == "tier fast: it is an encoder, which cannot chat"
