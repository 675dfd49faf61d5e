"""How does a user's own retriever behave under load, called as a web service on asyncio calls it?

One process measures one strategy. Of a plain function: ``on-the-loop`` (it stops the event loop), ``to-thread`` or
``bounded`` (an executor of its own). Of an async one: ``awaited`` on the loop of the service, as it is meant to be, or
on a ``second-loop`` in a thread, where what blocks inside it stops nothing else. First queries alone, which gives the
serial rate and the answers that the same queries have to get under load. Standard library only: it runs in the user's
own environment.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from synapse_perf.benchmarks import load_samples
from synapse_perf.benchmarks.answer_digest import digest_of
from synapse_perf.benchmarks.context import BenchmarkFailed, Context
from synapse_perf.samples import Fact, Sample

if TYPE_CHECKING:
    import asyncio
    from concurrent.futures import ThreadPoolExecutor

    from synapse_perf.benchmarks.load_plan import LoadPlan
    from synapse_perf.benchmarks.open_loop import Serve, Step
    from synapse_perf.benchmarks.retriever_session import Session

FIRST_IMPORT = None
PLAIN, ASYNC = ("on-the-loop", "to-thread", "bounded"), ("awaited", "second-loop")
METRICS = load_samples.METRICS
SERIAL_S = 1.5  # of asking in turn
WARM_UPS = 5  # queries, which are asked again: their answers tell whether answers can be compared at all
ASKED_AT_MOST = 300  # queries whose answers are kept
LOOKED_AT_S = 0.5  # for the line at which an async function blocks
LOOK_S = 0.001
SEEN_SHARE = 0.05  # of the looks: a line is also seen where the machine stopped the thread for a moment
LONGEST_WORDS = 200  # characters of an error
NOT_COMPARED = "answers under load are not compared: asked alone, a query gets another one each time, or one of no text"

Asked = Sequence[tuple[int, str]]


def measure(context: Context) -> Iterator[Sample]:
    """A sample for the idle loop, then those of each step: its throughput with the facts, its latencies and lags."""
    from synapse_perf.benchmarks.open_loop import measure_steps
    from synapse_perf.benchmarks.request_sender import request_sender

    session, plan, strategy = _session(context), load_samples.drawn_plan(context), context.workload["strategy"]
    home = _Home(is_apart=strategy == "second-loop")
    home.call(session.import_module)
    home.call(session.build)
    asked, alone, serial_per_s = home.call(_ask_alone, session, plan)
    known: dict[str, Fact] = {"serial_per_s": serial_per_s, "arrivals_seed": plan.seed}
    if strategy == "awaited":
        known["blocks_at"] = _blocks_at(session, asked)
    loop, serve = _service(session, home, strategy, context.workload["workers"])

    def tell(load: float) -> None:
        session.watch.stage(f"offering {load:g} times what it answers in turn")

    with request_sender(context) as sender:
        steps = measure_steps(
            serve, asked, serial_per_s, plan, sender, loop=loop, keep=lambda answer: answer, tell=tell
        )
        for step in steps:
            of_step = {"incomparable": 0 if alone else len(step.answered), "first_error": _first_error(step, session)}
            yield from load_samples.samples_of(strategy, step, _differing(step, alone), {**known, **of_step})
            _stop_if_hung(step, session, strategy)


def _session(context: Context) -> Session:
    from synapse_perf.benchmarks.retriever_session import Session

    return Session(context)


class _Home:
    """The thread in which the retriever is built and asked alone: this one, or one that is apart from the service."""

    def __init__(self, *, is_apart: bool) -> None:
        self._executor: ThreadPoolExecutor | None = None
        if is_apart:
            from concurrent.futures import ThreadPoolExecutor

            self._executor = ThreadPoolExecutor(1)

    def call(self, function: Callable[..., Any], *arguments: object) -> Any:
        if self._executor is None:
            return function(*arguments)
        return self._executor.submit(function, *arguments).result()

    def run_forever(self, loop: asyncio.AbstractEventLoop) -> None:
        assert self._executor is not None
        self._executor.submit(loop.run_forever)


# --- alone -----------------------------------------------------------------------------------------------------------


def _ask_alone(session: Session, plan: LoadPlan) -> tuple[Asked, dict[int, bytes], float]:
    """The queries to ask under load, a digest of each one's answer, none if they do not compare, and the rate."""
    from synapse_perf.benchmarks.open_loop import ask_in_turn

    numbers = list(range(len(session.queries)))
    random.Random(plan.seed).shuffle(numbers)
    queries = [(number, session.queries[number]) for number in numbers[:ASKED_AT_MOST]]
    session.watch.stage("asking the queries in turn")
    before = {number: digest_of(session.ask_text(text, number).value) for number, text in queries[:WARM_UPS]}
    number_of = {text: number for number, text in queries}
    answers, per_s = ask_in_turn(lambda text: session.ask_text(text, number_of[text]).value, queries, SERIAL_S)
    alone = _digests(answers) if None not in before.values() else {}
    if any(alone.get(number) != digest for number, digest in before.items()):
        session.context.facts["warnings"] = [*session.context.facts.get("warnings", ()), NOT_COMPARED]
        alone = {}
    return queries[: len(answers)], alone, per_s


def _digests(answers: Mapping[int, Any]) -> dict[int, bytes]:
    """Of all answers, or none."""
    digests: dict[int, bytes] = {}
    for number, answer in answers.items():
        digest = digest_of(answer)
        if digest is None:
            return {}
        digests[number] = digest
    return digests


def _differing(step: Step, alone: Mapping[int, bytes]) -> int:
    """Requests with another answer than the same query alone."""
    from synapse_perf.benchmarks.open_loop import unlike_alone

    return len(unlike_alone(step, alone, lambda answer, digest: digest_of(answer) == digest)) if alone else 0


def _first_error(step: Step, session: Session) -> str | None:
    """Without the text of its query, and without names of the machine: results are made to be shared."""
    from synapse_perf.host.privacy import redact

    failed = next((request for request in step.requests if request.error), None)
    if failed is None:
        return None
    told = failed.error.replace(session.queries[failed.query], "<query>").strip().splitlines()[0]
    return redact(told[:LONGEST_WORDS])


def _blocks_at(session: Session, asked: Asked) -> str:
    """The user's line at which the thread of the event loop was seen most often: while it awaits, it is at none."""
    from synapse_perf.benchmarks.open_loop import ask_in_turn

    number_of = {text: number for number, text in asked}
    with _places_of_this_thread() as places:
        ask_in_turn(lambda text: session.ask_text(text, number_of[text]), asked, LOOKED_AT_S)
    looks = sum(places.values())
    place = max((one for one in places if one), key=lambda one: places[one], default="")
    return place if places[place] > SEEN_SHARE * looks else ""


@contextmanager
def _places_of_this_thread() -> Iterator[Counter[str]]:
    """Where the user's code in this thread is, looked at by another thread for the time of the block; "" outside."""
    import sys
    import threading

    from synapse_perf.benchmarks.hang_watch import outwards, place_of

    places: Counter[str] = Counter()
    looked_at, is_over = threading.get_ident(), threading.Event()

    def look() -> None:
        while not is_over.wait(LOOK_S):
            places[place_of(outwards(sys._current_frames().get(looked_at)))] += 1

    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    yield places
    is_over.set()
    looking.join()


# --- the service -----------------------------------------------------------------------------------------------------


def _service(session: Session, home: _Home, strategy: str, workers: int) -> tuple[asyncio.AbstractEventLoop, Serve]:
    """The event loop of the service, and how it asks the retriever."""
    import asyncio
    from concurrent.futures import ThreadPoolExecutor

    from synapse_perf.benchmarks.open_loop import in_executor, on_the_loop, to_thread
    from synapse_perf.benchmarks.user_code import call_awaiting, call_plainly

    def ask(text: str) -> Any:
        with _exits_as_errors():
            return call_plainly(session.retrieve, text).value

    async def ask_awaiting(text: str) -> Any:
        with _exits_as_errors():
            return (await call_awaiting(session.retrieve, text)).value

    if strategy != "second-loop":
        # What the factory made on a loop stays with it.
        loop = session.caller.own_loop()
        plain = {"on-the-loop": on_the_loop(ask), "to-thread": to_thread(ask)}
        bounded = in_executor(ask, ThreadPoolExecutor(workers))
        return loop, {**plain, "bounded": bounded, "awaited": ask_awaiting}[strategy]
    apart = home.call(session.caller.own_loop)
    home.run_forever(apart)

    async def serve(text: str) -> Any:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(ask_awaiting(text), apart))

    return asyncio.new_event_loop(), serve


@contextmanager
def _exits_as_errors() -> Iterator[None]:
    """A request that calls sys.exit fails, and the service goes on."""
    try:
        yield
    except SystemExit as error:
        raise RuntimeError(f"it called sys.exit({error.code!r})") from error


def _stop_if_hung(step: Step, session: Session, strategy: str) -> None:
    """Requests that are not answered at all would not be in the next trial either."""
    unanswered = [error for error in step.errors if error.startswith("no answer within")]
    if unanswered:
        place = session.watch.place()
        told = f"{strategy}: {len(unanswered)} of {len(step.requests)} requests got {unanswered[0]}"
        remedy = "see whether it waits for something that another call holds; one thread may be all that it can do with"
        raise BenchmarkFailed("time-out", told + (f", at {place}" if place else ""), remedy)
