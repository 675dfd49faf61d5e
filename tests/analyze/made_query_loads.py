"""Levels of load on a tier as a run gives them, out of a simulated queue with one server; nothing was measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from synapse_perf.analyze.collect import metrics_of
from synapse_perf.benchmarks.load_plan import poisson_times_s
from synapse_perf.benchmarks.open_loop import Request
from synapse_perf.benchmarks.query_load_steps import METRICS, LoadedStep, Served, samples_of
from synapse_perf.model import Metric, Trial, TrialSpec

LEVELS = (0.97, 0.98, 0.99, 1.01, 1.02, 1.03)  # of the six processes
TOKENS = 24

Service = Callable[[int], float]  # seconds of the query with this number


def steady(service_s: float) -> Service:
    return lambda number: service_s


def with_stall(service_s: float, at: int, stall_s: float = 0.3) -> Service:
    return lambda number: service_s + (stall_s if number == at else 0.0)


def at_rate(
    rate: float, count: int, service: Service, *, seed: int = 0, patience_s: float = 60.0, late_s: float = 0.0
) -> LoadedStep:
    """What an open loop sees; who is not answered when the step is given up has waited until then."""
    times_s = poisson_times_s(count, rate, seed)
    end_s, free_s, requests = times_s[-1] + patience_s, 0.0, []
    for number, due_s in enumerate(times_s):
        began_s = max(free_s, due_s + late_s)
        free_s = began_s + service(number)
        requests.append(_request(number, due_s, due_s + late_s, began_s, free_s, end_s, patience_s))
    return LoadedStep(requests, patience_s, offered_per_s=rate, arrivals_seed=seed, began_ns=1, offered_s=count / rate)


def with_users(users: int, count: int, service: Service) -> LoadedStep:
    """What a closed loop sees: each asks again at the moment of the answer."""
    waiting, free_s, rounds = [0.0] * users, 0.0, []
    for number in range(count + users):
        asked_s = waiting.pop(0)
        began_s, free_s = free_s, free_s + service(number)
        rounds.append(_request(number, asked_s, asked_s, began_s, free_s, 1e9, 0.0))
        waiting.append(free_s)
    return LoadedStep(rounds[users:], 60.0, users=users, first_round=rounds[:users])


def _request(
    number: int, due_s: float, sent_s: float, began_s: float, ended_s: float, given_up_s: float, patience_s: float
) -> Request:
    due, sent, began, ended = (round(moment * 1e9) + 1 for moment in (due_s, sent_s, began_s, ended_s))
    if ended_s > given_up_s:
        return Request(number, due, sent, sent, round(given_up_s * 1e9) + 1, None, f"no answer within {patience_s:g} s")
    return Request(number, due, sent, sent, ended, Served(began, ended, TOKENS, (ended - began) * 1e-9), "")


def failing(step: LoadedStep, every: int) -> LoadedStep:
    """With some of its queries answered by an error, at once."""
    changed = [
        request._replace(ended_ns=request.intended_ns, answer=None, error="OSError: refused")
        if place % every == 0
        else request
        for place, request in enumerate(step.requests)
    ]
    return step._replace(requests=changed)


def metrics(
    make: Callable[[float, int], Sequence[LoadedStep]], *, tier: str = "fast", limit_s: float = 2.0, processes: int = 6
) -> tuple[Metric, ...]:
    """`make` gives the steps of a process out of its level and its seed."""
    trials = []
    for number in range(processes):
        steps = make(LEVELS[number % 6], number)
        samples = tuple(sample for step in steps for sample in samples_of(step, limit_s))
        labels = {"tier": tier, "prefix": "cold", "variant": "load"}
        trials.append(Trial(TrialSpec("query_load", f"{tier}, load", labels, {}), number + 1, samples, 1.0))
    return metrics_of(trials, METRICS)
