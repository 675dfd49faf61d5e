"""What does a step of queries under load tell, whoever answers them: responses, queueing, service, share in time?

response (query_latency) = from when a query was due (open loop) or asked (closed loop) to its answer; queue = from
there until the model begins with it; service = from there to the end of its answer. Of a server only the first word can
be seen: first-word = from when a query was due or asked until it; writing = from there to the end. A query that was not
answered when the step was given up counts with the time that it had waited by then, which is less than it would have
taken; one that failed has no time. Neither is in time, whatever the limit is.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from synapse_perf.benchmarks.chat_parts import LATENCY_METRICS
from synapse_perf.benchmarks.load_samples import METRICS as LOAD_METRICS
from synapse_perf.benchmarks.load_samples import highest_but_few
from synapse_perf.samples import Fact, Json, Measurement, MetricDefinition, Sample

if TYPE_CHECKING:
    from synapse_perf.benchmarks.context import Context
    from synapse_perf.benchmarks.open_loop import Request, Serve
    from synapse_perf.benchmarks.request_sender import Sender

METRICS = {
    **{name: LATENCY_METRICS[name] for name in ("query_latency", "phase_time")},
    "throughput": LOAD_METRICS["throughput"],
    **{
        metric.name: metric
        for metric in (
            MetricDefinition("token_throughput", "1/s", "higher", "tokens of all answers together per second"),
            MetricDefinition("goodput", "1", "higher", "share of all queries that are answered within the target"),
        )
    },
}
UNANSWERED = "no answer within"
IN_PROCESS, SEEN_FROM_OUTSIDE = ("queue", "service"), ("first-word", "writing")  # the two parts of a response


class Served(NamedTuple):
    """What is kept of an answer: when it began and ended, in ns, its tokens, and the time that it took by itself."""

    began_ns: int
    ended_ns: int
    tokens: int
    service_s: float


class LoadedStep(NamedTuple):
    """One level of load with its requests; `offered_per_s` is of an open loop, `users` of a closed one.

    Those of the first round, when all users come at once, count for the rates alone.
    """

    requests: Sequence[Request]
    patience_s: float
    offered_per_s: float | None = None
    users: int | None = None
    arrivals_seed: int | None = None
    first_round: Sequence[Request] = ()
    began_ns: int = 0  # of an open loop, with how long queries came: its first query may be due some time later
    offered_s: float = 0.0

    @property
    def variant(self) -> str:
        return f"rate={self.offered_per_s:g}" if self.users is None else f"users={self.users}"

    @property
    def answered(self) -> list[Request]:
        return [request for request in self.requests if not request.error]

    @property
    def seconds(self) -> float:
        """From its beginning to the last answer, or to where the step was given up."""
        every = [*self.first_round, *self.requests]
        began_ns = min(one.intended_ns for one in every) if self.users is not None else self.began_ns
        return max((max(one.ended_ns for one in every) - began_ns) * 1e-9, self.offered_s)


def offer_steps(
    context: Context, serve: Serve, contents: Sequence[Any], settle: Callable[[], None]
) -> Iterator[LoadedStep]:
    """The steps of the workload in an order of this process's own; `settle` waits until nothing is under way.

    `contents` are what the queries are asked as; each comes as often as the others.
    """
    from contextlib import ExitStack

    from synapse_perf.benchmarks.request_sender import request_sender

    seed = (context.workload["seed"] + context.spawned_ns // 1000) % 2**31
    draw = random.Random(seed)
    steps: list[Json] = list(context.workload["steps"])
    draw.shuffle(steps)
    queries = _endless(contents, draw)
    loop = asyncio.new_event_loop()
    with ExitStack() as stack:
        is_open = any("rate" in step for step in steps)
        sender = stack.enter_context(request_sender(context)) if is_open else None
        for step in steps:
            if sender is not None and "rate" in step:
                context.stage(f"{step['count']} queries at {step['rate']:g} a second")
                yield _open(step, serve, queries, seed, sender, loop)
            else:
                context.stage(f"{step['users']} user{'s' if step['users'] > 1 else ''}")
                yield _closed(step, serve, queries, loop)
            settle()
    loop.close()


def _endless(contents: Sequence[Any], draw: random.Random) -> Iterator[tuple[int, Any]]:
    while True:
        places = list(range(len(contents)))
        draw.shuffle(places)
        yield from ((place, contents[place]) for place in places)


def _open(
    step: Json, serve: Serve, queries: Iterator[tuple[int, Any]], seed: int, sender: Sender, loop: Any
) -> LoadedStep:
    from synapse_perf.benchmarks.load_plan import poisson_times_s
    from synapse_perf.benchmarks.open_loop import RunningStep

    due = list(itertools.islice(queries, step["count"]))
    times_s = poisson_times_s(len(due), step["rate"], seed)
    running = RunningStep(serve, due, sender, _kept, watches_loop=False)
    requests = loop.run_until_complete(running.run(times_s, step["patience_s"]))
    return LoadedStep(
        requests,
        step["patience_s"],
        offered_per_s=step["rate"],
        arrivals_seed=seed,
        began_ns=running.started_ns,
        offered_s=len(due) / step["rate"],
    )


def _closed(step: Json, serve: Serve, queries: Iterator[tuple[int, Any]], loop: Any) -> LoadedStep:
    from synapse_perf.benchmarks.closed_loop import ask_as_users

    asked = ask_as_users(
        serve, queries, step["users"], asking_s=step["asking_s"], patience_s=step["patience_s"], keep=_kept
    )
    rounds = loop.run_until_complete(asked)
    # A query of the first round that is never answered is lost all the same.
    requests = [one.request for one in rounds if one.number or one.request.error]
    first_round = [one.request for one in rounds if not one.number and not one.request.error]
    return LoadedStep(requests, step["patience_s"], users=step["users"], first_round=first_round)


def _kept(answer: Any) -> Any:
    return answer


# --- samples ---------------------------------------------------------------------------------------------------------


def samples_of(step: LoadedStep, limit_s: float, parts: tuple[str, str] = IN_PROCESS) -> Iterator[Sample]:
    """First the rates with the facts of the step, then each query with a time; a response has these two parts."""
    if not step.requests:
        return
    labels = {"variant": step.variant}
    within = sum(request.latency_s < limit_s for request in step.answered)
    answers = [request.answer for request in (*step.first_round, *step.answered)]
    tokens = sum(answer.tokens for answer in answers)
    yield Sample(
        (
            Measurement("throughput", len(answers) / step.seconds, labels),
            Measurement("token_throughput", tokens / step.seconds, labels),
            Measurement("goodput", within / len(step.requests), labels),
        ),
        {**_facts(step), "limit_s": limit_s, "within": within},
    )
    for request in step.requests:
        if not request.error or request.error.startswith(UNANSWERED):
            yield Sample(tuple(_times(request, labels, parts)), _request_facts(request))


def _times(request: Request, labels: Mapping[str, str], parts: tuple[str, str]) -> Iterator[Measurement]:
    yield Measurement("query_latency", request.latency_s, labels)
    if not request.error:
        served: Served = request.answer
        spans_ns = (served.began_ns - request.intended_ns, served.ended_ns - served.began_ns)
        for phase, span_ns in zip(parts, spans_ns, strict=True):
            yield Measurement("phase_time", span_ns * 1e-9, {**labels, "phase": phase})


def _request_facts(request: Request) -> dict[str, Fact]:
    return {
        "query": request.query,
        "unanswered": bool(request.error),
        "late_s": (request.sent_ns - request.intended_ns) * 1e-9,
        "generated_tokens": None if request.error else request.answer.tokens,
    }


def _facts(step: LoadedStep) -> dict[str, Fact]:
    failed = [request.error for request in step.requests if request.error and not request.error.startswith(UNANSWERED)]
    told: dict[str, Fact] = {
        "requests": len(step.requests),
        "unanswered": len(step.requests) - len(step.answered) - len(failed),
        "errors": len(failed),
        "first_error": failed[0] if failed else None,
        "patience_s": step.patience_s,
        "discarded": len(step.first_round),
        **_longest(step.answered),
    }
    if step.users is None:
        late_s = [(request.sent_ns - request.intended_ns) * 1e-9 for request in step.requests]
        told |= {
            "offered_per_s": step.offered_per_s,
            "lateness_p95_s": highest_but_few(late_s),
            "lateness_max_s": max(late_s),
            "backlog_growth": _growth(step.requests),
            "arrivals_seed": step.arrivals_seed,
        }
    return told


def _longest(answered: Sequence[Request]) -> dict[str, Fact]:
    """The answer that the model took longest for, and how many other queries came or waited meanwhile."""
    if not answered:
        return {}
    slowest: Served = max((one.answer for one in answered), key=lambda served: served.service_s)
    waited = [one for one in answered if one.intended_ns < slowest.ended_ns <= one.answer.began_ns]
    services_s = [one.answer.service_s for one in answered]
    return {
        "service_median_s": statistics.median(services_s),
        "longest_service_s": max(services_s),
        "waited_for_longest": len(waited),
    }


def _growth(requests: Sequence[Request]) -> float:
    from synapse_perf.benchmarks.open_loop import Step

    return Step(0.0, 0.0, 0, tuple(requests), ()).backlog_growth()
