"""A small model under load in a real worker: what is counted, from when, and that nothing is lost from sight."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from synapse_perf.analyze.query_load_plan import ALL_SAMPLES
from synapse_perf.analyze.query_set import scored
from synapse_perf.analyze.targets import find_target
from synapse_perf.benchmarks.query_load import METRICS
from synapse_perf.measure.register import Register
from synapse_perf.measure.runner import run_trial
from synapse_perf.model import Sample, Trial, TrialSpec
from tests.benchmarks.chat_trials import asking, fault, settings
from tests.benchmarks.stalling_load import STALL_S
from tests.llama.starts import TINY_BERT, make

CLOSED = {"users": 2, "asking_s": 0.4, "patience_s": 20.0}
OPEN = {"rate": 40.0, "count": 20, "patience_s": 20.0}
FLOOD = {"rate": 1000.0, "count": 600, "patience_s": 0.1}
STALLS_AT = 15


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("query-load"))


def workload(model: Path, *steps: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    options = asking(max_tokens=4)
    return {
        **{name: value for name, value in options.items() if name not in ("count", "asking_s")},
        "tier": "fast",
        "settings": settings(model),
        "neighbours": [],
        "steps": list(steps),
        "limit_s": 2.0,
        **changes,
    }


def load(model: Path, folder: Path, *steps: Mapping[str, Any], benchmark: str = "query_load", **more: Any) -> Trial:
    """With every sample, as the command asks for it."""
    spec = TrialSpec(benchmark, "test", {}, workload(model, *steps, **more), samples=ALL_SAMPLES, timeout_s=90)
    register = Register(folder / "register")
    try:
        trial = run_trial(spec, 1, register=register, observe=lambda event: None)
    finally:
        register.end_all()
    assert trial.failure is None, trial.failure
    return trial


def of_step(trial: Trial, variant: str) -> tuple[Sample, list[Sample]]:
    """The sample with the facts, and those of the queries."""
    own = [sample for sample in trial.samples if sample.values[0].labels["variant"] == variant]
    assert own[0].values[0].metric == "throughput"
    return own[0], own[1:]


def value(sample: Sample, name: str, **labels: str) -> float:
    (found,) = (one.value for one in sample.values if one.metric == name and labels.items() <= one.labels.items())
    return found


@pytest.fixture(scope="module")
def both(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Trial:
    return load(model, tmp_path_factory.mktemp("both"), CLOSED, OPEN)


@pytest.mark.parametrize("variant", ["users=2", "rate=40"])
def test_each_query_is_what_it_waits_and_what_it_takes(both: Trial, variant: str) -> None:
    _, queries = of_step(both, variant)
    for query in queries:
        response, queue, service = (
            value(query, "query_latency"),
            value(query, "phase_time", phase="queue"),
            value(query, "phase_time", phase="service"),
        )
        assert queue > 0
        assert service > 0
        assert queue + service <= response


def test_an_open_loop_offers_what_it_was_asked_for_and_tells_how_late_it_was(both: Trial) -> None:
    step, queries = of_step(both, "rate=40")

    assert len(queries) == step.facts["requests"] == 20
    assert step.facts["offered_per_s"] == 40.0
    late = [float(str(query.facts["late_s"])) for query in queries]
    assert min(late) >= 0
    assert step.facts["lateness_max_s"] == pytest.approx(max(late))
    assert isinstance(step.facts["arrivals_seed"], int)


def test_a_closed_loop_discards_the_round_in_which_all_come_at_once(both: Trial) -> None:
    step, queries = of_step(both, "users=2")

    assert step.facts["discarded"] == 2
    assert len(queries) == step.facts["requests"]
    assert "lateness_p95_s" not in step.facts


def test_goodput_and_token_rate_are_those_of_the_answers(both: Trial) -> None:
    step, queries = of_step(both, "rate=40")
    within = sum(value(query, "query_latency") < 2.0 for query in queries)

    assert value(step, "goodput") == within / 20
    assert value(step, "token_throughput") == pytest.approx(4 * value(step, "throughput"))


def test_every_figure_is_defined(both: Trial) -> None:
    assert {one.metric for sample in both.samples for one in sample.values} == set(METRICS)


def test_no_target_judges_load(both: Trial) -> None:
    target = find_target("query-fast")
    rows = [one for sample in both.samples for one in sample.values if one.metric == "query_latency"]
    assert rows
    assert not any(target.judges(one.metric, {"tier": "fast", **one.labels}) for one in rows)


def test_a_flood_ends_and_counts_whoever_got_no_answer(model: Path, tmp_path: Path) -> None:
    step, queries = of_step(load(model, tmp_path, FLOOD, max_tokens=30), "rate=1000")

    assert step.facts["requests"] == len(queries) == 600
    unanswered = [query for query in queries if query.facts["unanswered"]]
    assert step.facts["unanswered"] == len(unanswered) > 0
    assert all(value(query, "query_latency") >= 0.095 for query in unanswered)
    assert value(step, "goodput") <= 1 - len(unanswered) / 600 + 1e-9


def test_after_a_flood_the_next_step_finds_an_idle_model(model: Path, tmp_path: Path) -> None:
    trial = load(model, tmp_path, FLOOD, {**CLOSED, "users": 1}, {**OPEN, "rate": 5.0, "count": 3}, max_tokens=40)

    for variant in ("users=1", "rate=5"):
        step, _ = of_step(trial, variant)
        assert (step.facts["unanswered"], step.facts["errors"]) == (0, 0)


def test_a_model_that_cannot_chat_is_told_before_anything_is_asked(tmp_path: Path) -> None:
    failure = fault("query_load", workload(make(tmp_path, TINY_BERT), CLOSED), tmp_path)

    assert failure.message == "tier fast: it is an encoder, which cannot chat"


def test_a_prompt_that_is_too_long_is_named(model: Path, tmp_path: Path) -> None:
    long = asking(scored("a page " * 900))["queries"]
    failure = fault("query_load", workload(model, CLOSED, queries=long), tmp_path)

    assert failure.message.startswith("tier fast: query 1: the prompt has ")


# --- a planted stall -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def stalled(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Trial:
    closed, opened = {**CLOSED, "users": 1, "asking_s": 2.0}, {**OPEN, "rate": 100.0, "count": 150}
    return load(
        model,
        tmp_path_factory.mktemp("stalled"),
        closed,
        opened,
        benchmark="tests.benchmarks.stalling_load",
        stalls_at=STALLS_AT,
        max_tokens=1,
    )


def test_a_stall_is_seen_by_whoever_comes_meanwhile_in_an_open_loop(stalled: Trial) -> None:
    step, queries = of_step(stalled, "rate=100")
    slow = [query for query in queries if value(query, "query_latency") >= STALL_S / 3]

    assert float(str(step.facts["longest_service_s"])) >= STALL_S
    assert int(str(step.facts["waited_for_longest"])) >= 10  # of about 30 in that time
    assert len(slow) >= 10
    assert sorted(value(query, "query_latency") for query in queries)[-2] >= STALL_S / 2  # of which a p99 is made


def test_in_a_closed_loop_one_query_has_it_and_nobody_waits(stalled: Trial) -> None:
    step, queries = of_step(stalled, "users=1")

    stalls = sum(value(query, "phase_time", phase="service") >= STALL_S for query in queries)
    assert 1 <= stalls <= 3  # one, and what a crowded machine adds
    assert step.facts["waited_for_longest"] == 0
    assert len(queries) > STALLS_AT
