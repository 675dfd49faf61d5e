"""How does a service answer requests that come when they come, whether or not the last one is answered?

The requests of a step arrive at times that are fixed beforehand, and latency counts from those times: a service that
falls behind cannot slow its users down. A ticker on the same event loop tells how long everything else there waits.
Standard library only, as it runs in the user's own environment as well.
"""

from __future__ import annotations

import asyncio
import operator
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from synapse_perf.benchmarks.load_plan import LoadPlan
from synapse_perf.benchmarks.request_sender import Sender

LEAD_NS = 10_000_000  # between the order to send and the first request
TICK_S = 0.005
IDLE_S = 0.25  # the lag of a loop that has nothing to do is looked at for so long
OVERLOADED = 0.7  # a service that completes less than this share of what is offered gets no higher load
LEAST_SERIAL = 5  # queries, however long they take

Serve = Callable[[Any], Awaitable[Any]]  # a query, mostly its text, to its answer


class Request(NamedTuple):
    """One request and its moments, in ns: `intended` is fixed beforehand, `began` when the event loop turned to it."""

    query: int
    intended_ns: int
    sent_ns: int
    began_ns: int
    ended_ns: int
    answer: Any
    error: str

    @property
    def latency_s(self) -> float:
        return (self.ended_ns - self.intended_ns) * 1e-9


class Step(NamedTuple):
    """One level of load: how many requests a second were offered, each request by its place, and the loop's lags."""

    load: float  # times the serial rate; 0 for an idle loop
    offered_per_s: float
    started_ns: int
    requests: tuple[Request, ...]
    lags_s: tuple[float, ...]

    @property
    def completed_per_s(self) -> float:
        """Answers a second, from the beginning to the last answer."""
        ended_ns = max(request.ended_ns for request in self.requests)
        return len(self.answered) / ((ended_ns - self.started_ns) * 1e-9)

    @property
    def lateness_s(self) -> list[float]:
        """What the sender was late by."""
        return [(request.sent_ns - request.intended_ns) * 1e-9 for request in self.requests]

    @property
    def answered(self) -> list[Request]:
        """Those that did not fail."""
        return [request for request in self.requests if not request.error]

    @property
    def errors(self) -> list[str]:
        return [request.error for request in self.requests if request.error]

    def backlog_growth(self) -> float:
        """By how much the unanswered grew in the second half, for each request of that half; about 0 if in balance."""
        intended = [request.intended_ns for request in self.requests]
        middle, last = len(intended) // 2, len(intended) - 1
        unanswered = [self._unanswered_at(intended[place]) for place in (middle, last)]
        return (unanswered[1] - unanswered[0]) / max(last - middle, 1)

    def _unanswered_at(self, moment_ns: int) -> int:
        return sum(request.intended_ns <= moment_ns < request.ended_ns for request in self.requests)


# --- ways to call a plain function from an event loop ----------------------------------------------------------------


def on_the_loop(retrieve: Callable[[str], Any]) -> Serve:
    """Called where it stands: nothing else on the loop goes on meanwhile."""

    async def serve(text: str) -> Any:
        return retrieve(text)

    return serve


def to_thread(retrieve: Callable[[str], Any]) -> Serve:
    """As `asyncio.to_thread` does it: in the loop's default executor, which others use as well."""

    async def serve(text: str) -> Any:
        return await asyncio.to_thread(retrieve, text)

    return serve


def in_executor(retrieve: Callable[[str], Any], executor: Any) -> Serve:
    """In an executor of its own, whose threads bound how many go on at once."""

    async def serve(text: str) -> Any:
        return await asyncio.get_running_loop().run_in_executor(executor, retrieve, text)

    return serve


# --- the steps -------------------------------------------------------------------------------------------------------


def ask_in_turn(
    ask: Callable[[str], Any], queries: Sequence[tuple[int, str]], at_most_s: float
) -> tuple[dict[int, Any], float]:
    """The answer to each query that is reached in the time, one at a time; and how many a second that were."""
    answers: dict[int, Any] = {}
    started_ns = ended_ns = time.perf_counter_ns()
    for number, text in queries:
        answers[number] = ask(text)
        ended_ns = time.perf_counter_ns()
        if ended_ns - started_ns > at_most_s * 1e9 and len(answers) >= LEAST_SERIAL:
            break
    return answers, len(answers) / ((ended_ns - started_ns) * 1e-9)


def measure_steps(
    serve: Serve,
    queries: Sequence[tuple[int, str]],
    serial_per_s: float,
    plan: LoadPlan,
    sender: Sender,
    *,
    loop: asyncio.AbstractEventLoop,
    keep: Callable[[Any], Any],
    tell: Callable[[float], None] | None = None,
) -> Iterator[Step]:
    """An idle step, then one for each load, until one is far beyond what the service can do.

    `queries` (number, text) are asked in turn; of each answer only what `keep` makes of it stays; `tell` is called with
    each load before it is offered. The loop runs only within a step.
    """
    yield Step(0.0, 0.0, time.perf_counter_ns(), (), tuple(loop.run_until_complete(idle_lags())))
    asked, plan = 0, plan.fitted(serial_per_s)
    for load in plan.loads:
        times_s = plan.times_s(load, serial_per_s)
        due = [queries[(asked + place) % len(queries)] for place in range(len(times_s))]
        asked += len(due)
        if tell is not None:
            tell(load)
        running = RunningStep(serve, due, sender, keep)
        requests = loop.run_until_complete(running.run(times_s, plan.patience_s))
        step = Step(load, load * serial_per_s, running.started_ns, requests, tuple(running.lags_s))
        yield step
        if running.has_given_up or step.completed_per_s < OVERLOADED * step.offered_per_s:
            return


def unlike_alone(step: Step, alone: Mapping[int, Any], same: Callable[[Any, Any], bool] = operator.eq) -> list[Request]:
    """The requests that were answered otherwise than the same query asked alone."""
    return [one for one in step.answered if not same(one.answer, alone[one.query])]


async def idle_lags() -> list[float]:
    """The lags of a loop on which nothing else runs: what its timer alone costs."""
    lags_s: list[float] = []
    ticker = asyncio.create_task(_tick(lags_s, time.perf_counter_ns()))
    await asyncio.sleep(IDLE_S)
    ticker.cancel()
    return lags_s


async def _tick(lags_s: list[float], due_ns: int) -> None:
    """How late the loop is at each tick; those that it missed count too, as they would have had to wait."""
    while True:
        await asyncio.sleep((due_ns - time.perf_counter_ns()) * 1e-9)
        now_ns = time.perf_counter_ns()
        while due_ns <= now_ns:
            lags_s.append((now_ns - due_ns) * 1e-9)
            due_ns += int(TICK_S * 1e9)


class RunningStep:
    """The requests of one step while they are sent and answered; a ticker on the loop costs what answers them time."""

    def __init__(
        self,
        serve: Serve,
        due: Sequence[tuple[int, Any]],
        sender: Sender,
        keep: Callable[[Any], Any],
        *,
        watches_loop: bool = True,
    ) -> None:
        self.lags_s: list[float] = []
        self.started_ns = 0
        self.has_given_up = False
        self._serve = serve
        self._due = due
        self._sender = sender
        self._keep = keep
        self._watches_loop = watches_loop
        self._moments_ns: list[int] = []
        self._sent_ns: list[int] = []
        self._done: dict[int, Request] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._all_done = asyncio.Event()
        self._sender_failure: Exception | None = None

    async def run(self, times_s: Sequence[float], patience_s: float) -> tuple[Request, ...]:
        """All requests in the order of their times; those without an answer in time carry that as their error."""
        loop = asyncio.get_running_loop()
        self.started_ns = time.perf_counter_ns() + LEAD_NS
        self._moments_ns = [self.started_ns + int(at_s * 1e9) for at_s in times_s]
        self._sender.send_at(self._moments_ns)
        loop.add_reader(self._sender.descriptor, self._take_in)
        ticker = loop.create_task(_tick(self.lags_s, self.started_ns)) if self._watches_loop else None
        all_done = loop.create_task(self._all_done.wait())
        try:
            timeout_s = LEAD_NS * 1e-9 + times_s[-1] + patience_s
            in_time, _ = await asyncio.wait([all_done], timeout=timeout_s)
            if not in_time:
                await self._give_up(patience_s)
        finally:
            all_done.cancel()
            if ticker is not None:
                ticker.cancel()
            loop.remove_reader(self._sender.descriptor)
        if self._sender_failure is not None:
            raise self._sender_failure
        return tuple(self._done[place] for place in range(len(self._due)))

    def _take_in(self) -> None:
        """Requests have arrived: each gets a task, as in a web service."""
        try:
            arrived = self._sender.read_sent()
        except Exception as error:
            self._sender_failure = error
            self._all_done.set()
            return
        for sent_ns in arrived:
            place = len(self._sent_ns)
            self._sent_ns.append(sent_ns)
            self._tasks.append(asyncio.get_running_loop().create_task(self._answer(place)))

    async def _answer(self, place: int) -> None:
        began_ns, error, answer = time.perf_counter_ns(), "", None
        try:
            answer = await self._serve(self._due[place][1])
            ended_ns = time.perf_counter_ns()
            answer = self._keep(answer)
        except Exception as raised:
            ended_ns, error, answer = time.perf_counter_ns(), f"{type(raised).__name__}: {raised}", None
        self._record(place, began_ns, ended_ns, answer, error)
        if len(self._done) == len(self._due):
            self._all_done.set()

    def _record(self, place: int, began_ns: int, ended_ns: int, answer: Any, error: str) -> None:
        moment_ns, sent_ns = self._moments_ns[place], self._sent_ns[place]
        self._done[place] = Request(self._due[place][0], moment_ns, sent_ns, began_ns, ended_ns, answer, error)

    async def _give_up(self, patience_s: float) -> None:
        self.has_given_up, now_ns = True, time.perf_counter_ns()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._sent_ns += [now_ns] * (len(self._due) - len(self._sent_ns))
        for place in range(len(self._due)):
            if place not in self._done:
                self._record(place, now_ns, now_ns, None, f"no answer within {patience_s:g} s")
