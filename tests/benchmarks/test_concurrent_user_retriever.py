"""A user's own retriever under load, in an environment of its own, with faults that only load brings to light."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from synapse_perf.analyze.collect import metrics_of
from synapse_perf.analyze.load_steps import LoadStep, steps_of
from synapse_perf.analyze.retrieval_experiments import LoadOptions, StreamOptions
from synapse_perf.analyze.retriever_load_findings import retriever_load_findings
from synapse_perf.analyze.retriever_seen import Seen
from synapse_perf.analyze.sampling import fixed
from synapse_perf.benchmarks import concurrent_user_retriever
from synapse_perf.benchmarks.concurrent_user_retriever import ASYNC, METRICS, PLAIN
from synapse_perf.commands.retriever_choice import RetrieverRequest, explained, probe_spec, read_probe
from synapse_perf.commands.retriever_experiments import retriever_cache_specs, retriever_load_specs
from synapse_perf.measure.session import run_trials
from synapse_perf.model import Finding, Trial, TrialSpec
from tests.benchmarks.retriever_venv import QUERIES, UsersEnvironment, make_environment, write_queries

LOADED = Path(__file__).with_name("loaded_retrievers.py")
PLAIN_SEEN = Seen((), (), (), (), 0, 0, 0, 0.005, is_async=False, results=5, warnings=())
ASYNC_SEEN = replace(PLAIN_SEEN, is_async=True)
LOAD = LoadOptions(strategies=(*PLAIN, *ASYNC), loads=(0.5, 1.8), requests=15, budget_s=1.0)


@pytest.fixture(scope="module")
def users(tmp_path_factory: pytest.TempPathFactory) -> UsersEnvironment:
    users = make_environment(tmp_path_factory.mktemp("user"))
    shutil.copy(LOADED, users.package.parent / "loaded.py")
    return users


Run = Callable[..., Trial]


@pytest.fixture
def request_for(users: UsersEnvironment, tmp_path: Path) -> Callable[[str], RetrieverRequest]:
    def made(factory: str) -> RetrieverRequest:
        reference = factory if ":" in factory else f"loaded:{factory}"
        return RetrieverRequest(
            reference, users.queries, len(QUERIES), python=users.python, cwd=str(tmp_path), timeout_s=60
        )

    return made


@pytest.fixture
def trial_of(request_for: Callable[[str], RetrieverRequest], tmp_path: Path) -> Run:
    """The trial of one strategy."""

    def run(factory: str, strategy: str, patience_s: float | None = None) -> Trial:
        seen = ASYNC_SEEN if strategy in ASYNC else PLAIN_SEEN
        specs = retriever_load_specs(request_for(factory), seen, replace(LOAD, strategies=(strategy,)))
        (spec,) = specs
        if patience_s is not None:
            load = {**spec.workload["load"], "patience_s": patience_s}
            spec = replace(spec, workload={**spec.workload, "load": load})
        return run_one(spec, tmp_path)

    return run


def run_one(spec: TrialSpec, folder: Path) -> Trial:
    return run_trials(fixed([spec]), planned=1, register_directory=folder, observe=lambda event: None).trials[0]


def steps_in(trial: Trial) -> list[LoadStep]:
    assert trial.failure is None, trial.failure
    ((_, steps),) = steps_of(metrics_of([trial], METRICS)).items()
    return steps


def findings_in(*trials: Trial) -> dict[str, Finding]:
    return {finding.id: finding for finding in retriever_load_findings(metrics_of(trials, METRICS), 0.95)}


# --- every way to call it --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", PLAIN)
def test_a_plain_function_is_measured_in_each_way_a_service_can_call_it(trial_of: Run, strategy: str) -> None:
    trial = trial_of("Fine", strategy)

    steps = steps_in(trial)
    assert [step.load for step in steps] in ([0.5, 1.8], [0.5])  # the second not where the machine was too crowded
    for step in steps:
        assert step.strategy == strategy
        assert step.count("requests") >= 15
        assert step.count("differing") == step.count("errors") == step.count("incomparable") == 0
        assert step.latency.summary.count == step.count("requests")
        assert step.latency.labels["state"] == "loaded"
        assert step.lag is not None
        assert min(step.numbers("serial_per_s")) > 0
    assert {"results-differ", "refuses-threads", "refuses-event-loop"}.isdisjoint(findings_in(trial))


@pytest.mark.parametrize(
    ("factory", "strategy"),
    [
        ("Fitting", "awaited"),
        ("userpackage.search:Asynchronous", "second-loop"),  # refuses another loop than that of its first call
        ("userpackage.search:asynchronous_factory", "awaited"),  # the same, and it has been on its loop before
        ("userpackage.search:asynchronous_factory", "second-loop"),
        ("userpackage.search:Promising", "awaited"),
        ("userpackage.search:NeedsLoop", "second-loop"),
        ("userpackage.search:GeneratingAsynchronously", "awaited"),
    ],
)
def test_an_async_function_is_awaited_on_the_loop_that_it_was_built_on(
    trial_of: Run, factory: str, strategy: str
) -> None:
    for step in steps_in(trial_of(factory, strategy)):
        assert step.count("requests") == step.latency.summary.count >= 15
        assert step.count("differing") == step.count("errors") == step.count("incomparable") == 0


def test_what_a_generator_gives_is_read_in_the_thread(trial_of: Run) -> None:
    for step in steps_in(trial_of("userpackage.search:Generating", "to-thread")):
        assert step.count("differing") == step.count("errors") == 0
        assert min(min(record.samples) for record in step.latency.trials) >= 0.02  # it sleeps so long before it yields


@pytest.mark.parametrize(
    ("factory", "is_async"),
    [
        ("Fine", False),
        ("Fitting", True),
        ("plain_from_async_factory", False),  # what is awaited is its factory
        ("userpackage.search:NeedsLoop", True),
        ("RunsItsOwnLoop", False),
    ],
)
def test_the_probe_tells_which_ways_there_are(
    request_for: Callable[[str], RetrieverRequest], tmp_path: Path, factory: str, is_async: bool
) -> None:
    request = request_for(factory)
    seen = read_probe(run_one(probe_spec(request), tmp_path))

    specs = retriever_load_specs(request, seen)

    assert [spec.workload["strategy"] for spec in specs] == list(ASYNC if is_async else PLAIN)


# --- answers ---------------------------------------------------------------------------------------------------------


def test_answers_that_threads_mix_up_are_found(trial_of: Run) -> None:
    trials = [trial_of("Racing", strategy) for strategy in ("on-the-loop", "to-thread")]

    assert all(step.count("differing") == 0 for step in steps_in(trials[0]))
    found = findings_in(*trials)["results-differ"]
    assert [*found.evidence] == ["to-thread"]
    assert found.evidence["to-thread"]["differing"] > 0
    assert "not safe to call from several threads" in found.cause


def test_answers_that_awaiting_requests_mix_up_are_found(trial_of: Run) -> None:
    found = findings_in(trial_of("SharedWhileAwaiting", "awaited"))["results-differ"]

    assert "share something that is changed while they wait" in found.cause
    assert "thread" not in found.cause


def test_answers_that_never_come_again_are_not_compared_and_that_is_said(trial_of: Run) -> None:
    trial = trial_of("Stamped", "bounded")

    for step in steps_in(trial):
        assert step.count("differing") == 0
        assert step.count("incomparable") == step.count("requests")
    assert "not compared" in trial.facts["warnings"][0]


# --- errors ----------------------------------------------------------------------------------------------------------


def test_a_retriever_that_only_its_own_thread_may_ask_is_found(trial_of: Run) -> None:
    trials = [trial_of("Sqlite", strategy) for strategy in PLAIN]

    assert [trial.failure for trial in trials] == [None] * 3
    found = findings_in(*trials)
    assert "SQLite objects created in a thread" in found["refuses-threads"].cause
    assert [*found["refuses-threads"].evidence["first_error"]] == ["to-thread", "bounded"]
    assert "refuses-event-loop" not in found


def test_a_retriever_that_runs_a_loop_of_its_own_cannot_be_called_on_one(trial_of: Run) -> None:
    found = findings_in(*(trial_of("RunsItsOwnLoop", strategy) for strategy in ("on-the-loop", "bounded")))

    assert "asyncio.run() cannot be called from a running event loop" in found["refuses-event-loop"].cause
    assert "asyncio.to_thread" in found["refuses-event-loop"].change
    assert "refuses-threads" not in found


def test_requests_that_fail_are_counted_without_the_text_of_their_query(trial_of: Run) -> None:
    found = findings_in(trial_of("Failing", "to-thread"))["results-differ"]

    about = found.evidence["to-thread"]
    assert 0 < about["errors"] < about["requests"]
    assert "words number" not in about["first_error"]
    assert about["first_error"].startswith("LookupError: no ")


def test_a_request_that_exits_fails_and_the_service_goes_on(trial_of: Run) -> None:
    step = steps_in(trial_of("Exiting", "to-thread"))[-1]

    assert 0 < step.count("errors") < step.count("requests")
    assert "RuntimeError: it called sys.exit('too many')" in step.throughput.trials[0].facts["first_error"]


def test_a_crash_among_threads_names_the_line(trial_of: Run) -> None:
    trial = trial_of("Crashing", "to-thread")

    assert trial.failure is not None
    told = explained(trial.failure)
    assert told.kind == "crash"
    assert told.message.startswith("the worker died of SIGSEGV in the stage: offering ")
    assert told.message.endswith(" (meet)")


def test_calls_that_wait_for_each_other_for_ever_end_the_trial_with_the_line(trial_of: Run) -> None:
    trial = trial_of("Hanging", "to-thread", patience_s=1.0)

    assert trial.failure is not None
    assert trial.failure.kind == "time-out"  # which ends the arm, as the next trial would hang too
    assert "requests got no answer within 1 s, at loaded.py line" in trial.failure.message
    assert trial.failure.message.endswith(" (meet)")
    assert explained(trial.failure).remedy == trial.failure.remedy != ""


# --- the event loop --------------------------------------------------------------------------------------------------


def test_the_line_that_blocks_inside_an_async_function_is_named(trial_of: Run) -> None:
    (line,) = (
        number for number, text in enumerate(LOADED.read_text().splitlines(), 1) if "the line that blocks" in text
    )

    steps = steps_in(trial_of("Blocking", "awaited"))

    assert steps[0].throughput.trials[0].facts["blocks_at"] == (f"loaded.py line {line} (lookup)",)
    assert steps[0].lag is not None
    assert max(steps[0].lag.trials[0].samples) >= 0.015  # while it sleeps for 20 ms, nothing else there goes on


def test_an_async_function_that_only_awaits_is_at_no_line(trial_of: Run) -> None:
    steps = steps_in(trial_of("Fitting", "awaited"))

    assert steps[0].throughput.trials[0].facts["blocks_at"] == ("",)


@pytest.mark.parametrize(("looks", "named"), [({"": 97, "app.py line 3 (f)": 3}, ""), ({"": 9, "a": 1}, "a"), ({}, "")])
def test_a_line_at_which_a_crowded_machine_stopped_the_thread_blocks_nothing(
    looks: dict[str, int], named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(concurrent_user_retriever, "_places_of_this_thread", lambda: nullcontext(Counter(looks)))
    session: Any = SimpleNamespace(ask_text=lambda text, number: None)

    assert concurrent_user_retriever._blocks_at(session, [(0, "a query")]) == named


# --- a cache of its answers ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("factory", ["Fine", "Fitting", "userpackage.search:Generating"])
def test_a_cache_is_tried_on_the_users_own_log(
    request_for: Callable[[str], RetrieverRequest], tmp_path: Path, factory: str
) -> None:
    log = [*QUERIES[:6], *QUERIES[:3], QUERIES[0].upper(), QUERIES[0]]
    path = write_queries(tmp_path / "log.jsonl", log)
    request = replace(request_for(factory), queries=path, query_count=len(log))
    (spec,) = retriever_cache_specs(request, PLAIN_SEEN, StreamOptions("log"))

    trial = run_one(spec, tmp_path)

    assert trial.failure is None, trial.failure
    (sample,) = trial.samples
    assert {value.metric for value in sample.values} == {"cache_saving", "cache_hit_rate", "cache_entry_size"}
    assert {value.labels["cache"] for value in sample.values} == {"result"}
    assert (sample.facts["requests"], sample.facts["hits"]) == (11, 5)
    assert sample.facts["differing"] == 1  # the query in capitals is another one for this retriever
    assert trial.facts["keys"] == {"result": [0, 1, 2, 3, 4, 5, 0, 1, 2, 0, 0]}
