"""Services with planted faults under a real sender; planted sleeps are lower bounds, nothing else asserts a time."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from synapse_perf.benchmarks.context import Context
from synapse_perf.benchmarks.load_plan import FEW_LOADS, LEAST_REQUESTS, MOST_REQUESTS, LoadPlan
from synapse_perf.benchmarks.open_loop import (
    LEAST_SERIAL,
    Step,
    ask_in_turn,
    in_executor,
    measure_steps,
    on_the_loop,
    to_thread,
    unlike_alone,
)
from synapse_perf.benchmarks.request_sender import Sender, SenderGone, request_sender
from tests.analyze.made_loads import simulated_step

NEVER = (0, 0, None)
QUERIES = [(number, f"query {number}") for number in range(7)]
ROUNDS = 5  # at most, on a crowded machine
PLAN = LoadPlan(loads=(1.0,), requests=20, arrivals="even", patience_s=20)


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    made = asyncio.new_event_loop()
    yield made
    made.run_until_complete(made.shutdown_default_executor())
    made.close()


@pytest.fixture(scope="module")
def sender() -> Iterator[Sender]:
    with request_sender(Context({}, 0, 0, (NEVER, NEVER), lambda kind, **content: None)) as sender:
        yield sender


@pytest.fixture
def under_load(loop: asyncio.AbstractEventLoop, sender: Sender) -> Callable[..., list[Step]]:
    """The steps of a service, without that of the idle loop."""

    def run_steps(serve: Callable[[str], Awaitable[Any]], per_s: float = 100.0, plan: LoadPlan = PLAN) -> list[Step]:
        steps = measure_steps(serve, QUERIES, per_s, plan, sender, loop=loop, keep=lambda answer: answer)
        return [*steps][1:]

    return run_steps


def share_of_lags_over(step: Step, seconds: float) -> float:
    return sum(lag_s > seconds for lag_s in step.lags_s) / len(step.lags_s)


# --- answers and moments ---------------------------------------------------------------------------------------------


def test_every_request_is_answered_for_its_own_query(under_load: Callable[..., list[Step]]) -> None:
    (step,) = under_load(to_thread(str.upper))

    assert len(step.requests) == 30
    assert [request.query for request in step.requests] == [*itertools.islice(itertools.cycle(range(7)), 30)]
    assert all(request.answer == f"QUERY {request.query}" for request in step.requests)


def test_the_moments_of_a_request_are_in_their_order(under_load: Callable[..., list[Step]]) -> None:
    (step,) = under_load(on_the_loop(str.upper))

    for request in step.requests:
        assert request.intended_ns <= request.sent_ns <= request.began_ns <= request.ended_ns
    assert step.lateness_s == [(request.sent_ns - request.intended_ns) * 1e-9 for request in step.requests]


def test_requests_are_due_when_the_plan_says(under_load: Callable[..., list[Step]]) -> None:
    (step,) = under_load(on_the_loop(str.upper))

    due_s = [(request.intended_ns - step.started_ns) * 1e-9 for request in step.requests]
    assert due_s == pytest.approx([place / 100 for place in range(30)], abs=1e-6)


def test_latency_counts_from_the_intended_time(under_load: Callable[..., list[Step]]) -> None:
    """The first answer takes 0.2 s on the loop: whoever comes meanwhile waits for the rest of that."""
    stall = iter([0.2])
    (step,) = under_load(on_the_loop(lambda text: time.sleep(next(stall, 0.0))))

    first, *others = step.requests
    waited = [request for request in others if request.intended_ns < first.ended_ns]
    assert len(waited) >= 15
    for request in waited:
        assert request.latency_s >= (first.ended_ns - request.intended_ns) * 1e-9


def test_a_coroutine_is_a_service_too(under_load: Callable[..., list[Step]]) -> None:
    async def serve(text: str) -> str:
        await asyncio.sleep(0.001)
        return text

    (step,) = under_load(serve)

    assert not step.errors


def test_only_what_is_kept_of_an_answer_stays(loop: asyncio.AbstractEventLoop, sender: Sender) -> None:
    steps = [*measure_steps(on_the_loop(str.upper), QUERIES, 100.0, PLAN, sender, loop=loop, keep=len)]

    assert {request.answer for request in steps[1].requests} == {len("query 0")}


class Forgetful:
    """Keeps the query that it works on where every thread can change it."""

    def __init__(self) -> None:
        self._asked = ""

    def retrieve(self, text: str) -> str:
        self._asked = text
        time.sleep(0.02)
        return self._asked.upper()


def test_answers_that_get_mixed_up_between_threads_are_found(under_load: Callable[..., list[Step]]) -> None:
    alone = {number: text.upper() for number, text in QUERIES}

    (mixed_up,) = under_load(to_thread(Forgetful().retrieve), per_s=200.0)
    (in_turn,) = under_load(on_the_loop(Forgetful().retrieve), per_s=40.0)

    assert unlike_alone(mixed_up, alone)
    assert unlike_alone(in_turn, alone) == []


# --- the event loop --------------------------------------------------------------------------------------------------


def test_a_search_on_the_loop_is_seen_in_its_lag_and_one_in_a_thread_is_not(
    under_load: Callable[..., list[Step]],
) -> None:
    """One beside the other: other work only adds to a lag, so the least of a few is the loop's own."""
    late: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(ROUNDS):
        (blocked,) = under_load(on_the_loop(lambda text: time.sleep(0.04)), per_s=20.0)
        (clean,) = under_load(to_thread(lambda text: time.sleep(0.04)), per_s=20.0)
        assert max(blocked.lags_s) >= 0.03
        late[True].append(share_of_lags_over(blocked, 0.015))
        late[False].append(share_of_lags_over(clean, 0.015))
        if min(late[True]) > 2 * min(late[False]) + 0.1:
            return
    raise AssertionError(late)


def test_ticks_that_were_missed_count(under_load: Callable[..., list[Step]]) -> None:
    """A stop of 0.2 s is forty ticks that came late, not one."""
    stall = iter([0.2])
    (step,) = under_load(on_the_loop(lambda text: time.sleep(next(stall, 0.0))))

    assert sum(lag_s >= 0.05 for lag_s in step.lags_s) >= 25


def test_the_idle_loop_comes_first(loop: asyncio.AbstractEventLoop, sender: Sender) -> None:
    steps = measure_steps(on_the_loop(str.upper), QUERIES, 100.0, PLAN, sender, loop=loop, keep=len)

    idle = next(steps)

    assert (idle.load, idle.requests) == (0.0, ())
    assert len(idle.lags_s) > 20


# --- what goes wrong -------------------------------------------------------------------------------------------------


def test_a_request_that_fails_is_told_and_the_others_are_answered(under_load: Callable[..., list[Step]]) -> None:
    def retrieve(text: str) -> str:
        if text == "query 3":
            raise LookupError("not this one")
        return text

    (step,) = under_load(to_thread(retrieve))

    assert {(request.query, request.error) for request in step.requests if request.error} == {
        (3, "LookupError: not this one")
    }
    assert all(request.answer == f"query {request.query}" for request in step.answered)
    assert len(step.answered) + len(step.errors) == len(step.requests)


def test_a_request_that_is_never_answered_ends_the_steps(under_load: Callable[..., list[Step]]) -> None:
    async def serve(text: str) -> str:
        if text == "query 3":
            await asyncio.Event().wait()
        return text

    steps = under_load(serve, plan=PLAN._replace(loads=(1.0, 1.5), patience_s=1.0))

    assert len(steps) == 1
    assert {request.error for request in steps[0].requests if request.query == 3} == {"no answer within 1 s"}
    assert {request.error for request in steps[0].requests if request.query != 3} == {""}


def test_beyond_twice_what_it_can_do_a_service_is_offered_no_more(under_load: Callable[..., list[Step]]) -> None:
    with ThreadPoolExecutor(1) as one:
        serve = in_executor(lambda text: time.sleep(0.01), one)
        steps = under_load(serve, plan=PLAN._replace(loads=(0.5, 4.0, 5.0)))

    assert [step.load for step in steps][-1] != 5.0


def test_a_sender_that_is_killed_is_told(loop: asyncio.AbstractEventLoop) -> None:
    pids: list[int] = []
    context = Context({}, 0, 0, (NEVER, NEVER), lambda kind, **content: pids.append(content["pid"]))

    with request_sender(context) as sender, pytest.raises(SenderGone):
        os.kill(pids[0], signal.SIGKILL)
        [*measure_steps(on_the_loop(str.upper), QUERIES, 100.0, PLAN, sender, loop=loop, keep=len)]


def test_no_sender_is_left_behind() -> None:
    told: list[tuple[str, int]] = []
    context = Context({}, 0, 0, (NEVER, NEVER), lambda kind, **content: told.append((kind, content["pid"])))

    with request_sender(context):
        pass

    (started, pid), ended = told
    assert (started, ended) == ("started", ("ended", pid))
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


# --- the plan --------------------------------------------------------------------------------------------------------


def test_poisson_arrivals_are_seeded_and_fill_their_time() -> None:
    plan = LoadPlan(seed=3)
    times_s = plan.times_s(0.5, 100.0)

    assert times_s == plan.times_s(0.5, 100.0)
    assert times_s != plan._replace(seed=4).times_s(0.5, 100.0)
    assert len(times_s) == 40
    assert times_s == sorted(times_s)
    assert 0 <= times_s[0] <= times_s[-1] <= 40 / 50


def test_gaps_between_poisson_arrivals_scatter_as_exponential_ones_do() -> None:
    times_s = LoadPlan(requests=MOST_REQUESTS).times_s(1.0, 100.0)

    gaps = [after - before for before, after in itertools.pairwise(times_s)]
    mean = sum(gaps) / len(gaps)
    deviation = (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5
    assert deviation / mean == pytest.approx(1.0, abs=0.2)


def test_a_higher_load_is_the_same_crowd_in_less_time() -> None:
    plan = LoadPlan()

    assert plan.times_s(1.0, 50.0) == pytest.approx([2 * at_s for at_s in plan.times_s(2.0, 50.0)])


def test_a_fast_service_gets_more_requests_but_not_without_end() -> None:
    assert len(LoadPlan().times_s(1.0, 1000.0)) == 300
    assert len(LoadPlan().times_s(1.0, 1e6)) == MOST_REQUESTS


def test_a_slow_service_gets_fewer_requests_and_then_fewer_loads() -> None:
    plan = LoadPlan(budget_s=8.0)

    assert plan.fitted(100.0) == plan
    assert LEAST_REQUESTS < plan.fitted(20.0).requests < 40
    assert plan.fitted(20.0).loads == plan.loads
    assert plan.fitted(1.0).requests == LEAST_REQUESTS
    assert plan.fitted(1.0).loads == FEW_LOADS


def test_a_plan_comes_back_from_a_workload() -> None:
    assert LoadPlan.from_workload({"loads": [0.5, 1.1], "seed": 7}) == LoadPlan(loads=(0.5, 1.1), seed=7)


# --- figures of a step -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("load", "growth"), [(0.5, 0.0), (0.9, 0.0), (2.0, 0.5), (4.0, 0.75)])
def test_the_backlog_grows_by_what_the_service_cannot_do(load: float, growth: float) -> None:
    step = simulated_step(load, 200, seed=0, arrivals="even")

    assert step.backlog_growth() == pytest.approx(growth, abs=0.02)


def test_queries_are_asked_in_turn_until_the_time_is_over() -> None:
    answers, _ = ask_in_turn(lambda text: text.upper(), QUERIES, at_most_s=10.0)
    few, per_s = ask_in_turn(lambda text: time.sleep(0.01), QUERIES, at_most_s=0.0)

    assert answers == {number: text.upper() for number, text in QUERIES}
    assert len(few) == LEAST_SERIAL
    assert per_s <= 100
