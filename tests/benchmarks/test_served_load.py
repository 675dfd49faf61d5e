"""A server under load, as a crowd sees it: who is served at once, what is lost, and what a step leaves behind."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from synapse_perf.analyze.query_load_plan import ALL_SAMPLES
from synapse_perf.measure.register import Register
from synapse_perf.measure.runner import run_trial
from synapse_perf.model import Sample, Trial, TrialSpec
from tests.benchmarks.chat_trials import asking
from tests.outside.chat_server import Answering, Handler, chat_server, delta, finish, streaming
from tests.outside.fake_servers import free_port

USAGE = {"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 0}}
GOOD = streaming(delta(content="A"), delta(content="B"), finish("length", usage=USAGE), "data: [DONE]\n\n")
CLOSED = {"users": 4, "asking_s": 1.0, "patience_s": 10.0}
OPEN = {"rate": 50.0, "count": 25, "patience_s": 10.0}


class Counting:
    """Takes a while for each answer; knows how many it gives at a time."""

    def __init__(self, seconds: float = 0.02, at_once: int = 99) -> None:
        self.most = 0
        self._now = 0
        self._lock = threading.Lock()
        self._room = threading.Semaphore(at_once)
        self._seconds = seconds

    def __call__(self, handler: Handler) -> None:
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
        with self._room:
            time.sleep(self._seconds)
        with self._lock:
            self._now -= 1
        GOOD(handler)


def load(url: str, folder: Path, *steps: Mapping[str, Any], **changes: Any) -> Trial:
    workload = {
        **{name: value for name, value in asking().items() if name not in ("count", "asking_s")},
        "url": url,
        "model": "tiny",
        "timeout_s": 30.0,
        "limit_s": 2.0,
        "steps": list(steps),
        **changes,
    }
    spec = TrialSpec("served_load", "fast, load", {}, workload, samples=ALL_SAMPLES, timeout_s=60)
    register = Register(folder / "register")
    try:
        return run_trial(spec, 1, register=register, observe=lambda event: None)
    finally:
        register.end_all()


def steps_of(trial: Trial) -> Iterator[tuple[Sample, list[Sample]]]:
    assert trial.failure is None, trial.failure
    by_variant: dict[str, list[Sample]] = {}
    for sample in trial.samples:
        by_variant.setdefault(sample.values[0].labels["variant"], []).append(sample)
    return ((own[0], own[1:]) for own in by_variant.values())


def under(answering: Answering, folder: Path, *steps: Mapping[str, Any], **changes: Any) -> tuple[Trial, int]:
    """The trial, and how many connections the server saw."""
    with chat_server(answering) as server:
        return load(server.url, folder, *steps, **changes), len(server.connections)


def test_so_many_users_are_served_at_once_each_on_a_connection_of_its_own(tmp_path: Path) -> None:
    counting = Counting()
    trial, connections = under(counting, tmp_path, CLOSED)

    assert counting.most == 4
    assert connections == 4
    ((step, queries),) = steps_of(trial)
    assert step.facts["requests"] == len(queries)
    assert step.facts["discarded"] == 4
    assert step.values[1].value == pytest.approx(2 * step.values[0].value)  # tokens of each answer, as it counts them


def test_a_response_is_the_time_to_the_first_word_and_the_rest(tmp_path: Path) -> None:
    trial, _ = under(Counting(), tmp_path, OPEN)

    ((step, queries),) = steps_of(trial)
    assert step.facts["requests"] == 25
    for query in queries:
        response, first, rest = (one.value for one in query.values)
        assert [one.labels.get("phase") for one in query.values] == [None, "first-word", "writing"]
        assert 0.02 <= first <= response
        assert 0 <= rest <= response - first


def test_queries_that_the_server_refuses_are_lost_and_the_others_are_measured(tmp_path: Path) -> None:
    numbers = itertools.count()

    def answer(handler: Handler) -> None:
        if next(numbers) % 3 == 2:
            handler.whole(503, '{"error": {"message": "busy"}}')
        else:
            GOOD(handler)

    ((step, queries),) = steps_of(under(answer, tmp_path, OPEN)[0])
    assert step.facts["errors"] == 25 - len(queries) > 0
    assert "503" in str(step.facts["first_error"])
    assert step.values[2].metric == "goodput"
    assert step.values[2].value == pytest.approx(len(queries) / 25)


def test_what_is_given_up_on_does_not_fall_into_the_next_step(tmp_path: Path) -> None:
    """One at a time, 50 ms each, and 40 at once: most are given up, and the server still works at them for 2 s."""
    flood = {"rate": 400.0, "count": 40, "patience_s": 0.3}
    calm = {"users": 1, "asking_s": 4.0, "patience_s": 10.0}
    trial, _ = under(Counting(0.05, at_once=1), tmp_path, flood, calm, timeout_s=0.4)

    found = {step.values[0].labels["variant"]: step for step, _ in steps_of(trial)}
    assert int(str(found["rate=400"].facts["unanswered"])) + int(str(found["rate=400"].facts["errors"])) > 10
    assert found["users=1"].facts["requests"]


def test_a_server_that_is_not_there_is_told(tmp_path: Path) -> None:
    trial = load(f"http://127.0.0.1:{free_port()}", tmp_path, CLOSED)

    assert trial.failure is not None
    assert "\n" not in trial.failure.message
    assert not trial.samples


def test_a_server_that_answers_nothing_is_told(tmp_path: Path) -> None:
    trial, _ = under(lambda handler: handler.whole(500, "no"), tmp_path, OPEN)

    assert trial.failure is not None
    assert trial.failure.message.startswith("no query was answered: QueryLost: ")
