"""How long does a user's own retriever take: in a cold process, with its files cold, preloaded, and warm?

One process measures one state. ``process-cold``: from the spawn to the first answer. ``cold``: the module is imported;
the factory and the first answer are timed, as an index is opened in the one or the other. ``preloaded``: another query
was answered before. ``warm``: many queries, one at a time, once the process has settled. Standard library only: it runs
in the user's own environment.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from synapse_perf.benchmarks.context import Context
from synapse_perf.benchmarks.retriever_session import Session
from synapse_perf.samples import Fact, Measurement, MetricDefinition, Sample

if TYPE_CHECKING:
    from synapse_perf.benchmarks.user_code import Timed
    from synapse_perf.host.counters import Counters

FIRST_IMPORT = None
METRICS = {
    "retrieval_latency": MetricDefinition(
        "retrieval_latency", "s", "lower", "text of a query to the answer, or one stage of it"
    ),
}
STEADY_WINDOW = 5  # queries
STEADY_WITHIN = 1.1  # of the window before: then the process has settled
WARM_UPS_AT_MOST = 40
WARM_UP_S_AT_MOST = 20.0
FRESH_TEXT = "which setting decides how many chunks are returned?"  # where the file has no other query


class Answered(NamedTuple):
    """One query of the warm state; the answer itself is not kept."""

    number: int
    wall_ns: int
    cpu_ns: int
    results: int | None


def measure(context: Context) -> Iterator[Sample]:
    """One sample in the cold states; in the warm one a sample for each query; in mode ``files`` the probe's facts."""
    session = Session(context)
    mode = context.workload["mode"]
    if mode == "files":
        from synapse_perf.benchmarks.retriever_probe import probe

        yield probe(session)
    elif mode == "warm":
        yield from _warm_samples(session)
    else:
        yield _first_sample(session, mode)


# --- the first answer of a process -----------------------------------------------------------------------------------


def _first_sample(session: Session, state: str) -> Sample:
    import_s = session.import_module()
    before = None if state == "process-cold" else _counters()
    built = session.build()
    preload_ns = built.wall_ns
    if state == "preloaded":
        session.watch.stage("retrieve() of another query, to preload")
        preload_ns += session.ask_text(_other_text(session), session.first).wall_ns
        before = _counters()
    session.watch.stage(f"the first retrieve(), of query {session.first + 1}")
    answered = session.ask(session.first)
    cpu_ns = time.process_time_ns()  # since the process began
    facts = {**_counted(before), **_about(session, answered)}
    first_s, build_s = answered.wall_ns * 1e-9, built.wall_ns * 1e-9
    if state == "preloaded":
        stages = {"total": first_s, "preload": preload_ns * 1e-9}
        return _sample(state, stages, {"cpu_s": answered.cpu_ns * 1e-9, **facts})
    stages = {"build": build_s, "first_retrieve": first_s}
    if state == "cold":
        cpu_s = (built.cpu_ns + answered.cpu_ns) * 1e-9
        return _sample(state, {"total": sum(stages.values()), **stages}, {"cpu_s": cpu_s, **facts})
    context = session.context
    stages = {
        "interpreter": (context.started_ns - context.spawned_ns) * 1e-9,
        "import": import_s,
        **stages,
    }
    # What this tool's worker needs in between is no part of the total: the user's own start does not have it.
    harness_s = (answered.ended_ns - context.spawned_ns) * 1e-9 - sum(stages.values())
    stages = {"total": sum(stages.values()), **stages, "harness": harness_s}
    return _sample(state, stages, {"cpu_s": cpu_ns * 1e-9, **facts})


def _other_text(session: Session) -> str:
    """A text that is not the one asked for next, which the retriever may keep the answer of."""
    asked = session.queries[session.first]
    others = (session.queries[session.first - 1 - step] for step in range(len(session.queries) - 1))
    return next((text for text in others if text != asked), FRESH_TEXT)


def _about(session: Session, answered: Timed) -> dict[str, Fact]:
    from synapse_perf.host.process_memory import memory_split

    session.context.facts["peak_rss"] = memory_split().peak_rss
    loop_s = session.caller.loop_s
    return {
        "query": session.first,
        "results": session.count(answered.value),
        "asynchronous": session.is_async,
        **({"event_loop_s": loop_s} if loop_s is not None else {}),
    }


def _counters() -> Counters:
    from synapse_perf.host.counters import snapshot

    return snapshot()


def _counted(before: Counters | None) -> dict[str, Fact]:
    """Page faults and bytes from the disk since then, or since the process began; where the platform counts them."""
    after = _counters()
    facts: dict[str, Fact] = {}
    for name in ("major_faults", "minor_faults", "read_bytes"):
        now, then = getattr(after, name), getattr(before, name) if before is not None else 0
        if now is not None and then is not None:
            facts[name] = now - then
    return facts


# --- the answers of a process that has settled -----------------------------------------------------------------------


def _warm_samples(session: Session) -> Iterator[Sample]:
    """This process's share of the queries; nothing is told between two of them."""
    session.import_module()
    session.build()
    count, queries = session.context.workload["count"], session.queries
    order = [(session.first + place) % len(queries) for place in range(count)]
    others = sorted(set(range(len(queries))).difference(order))
    session.watch.stage("warming up")
    discarded, asked = _warm_up(session, others or order)
    session.watch.stage(f"asking {count} queries, one at a time")
    answers = _ask_all(session, order)
    from synapse_perf.host.process_memory import memory_split

    session.context.facts["discarded"] = discarded
    session.context.facts["peak_rss"] = memory_split().peak_rss
    known = {queries[number] for number in asked}
    for answer in answers:
        text = queries[answer.number]
        facts: dict[str, Fact] = {
            "query": answer.number,
            "results": answer.results,
            "cpu_s": answer.cpu_ns * 1e-9,
            "repeated": text in known,  # a retriever that keeps answers has this one
            "asynchronous": session.is_async,
        }
        known.add(text)
        yield _sample("warm", {"total": answer.wall_ns * 1e-9}, facts)


def _warm_up(session: Session, numbers: Sequence[int]) -> tuple[int, list[int]]:
    """Ask until a window of queries is no longer faster than the one before: how many, and which."""
    asked: list[int] = []
    window_s, spent_s = float("inf"), 0.0
    while len(asked) < WARM_UPS_AT_MOST and spent_s < WARM_UP_S_AT_MOST:
        window = [numbers[(len(asked) + place) % len(numbers)] for place in range(STEADY_WINDOW)]
        taken_s = [answer.wall_ns * 1e-9 for answer in _ask_all(session, window)]
        asked += window
        before_s, window_s = window_s, min(taken_s)
        spent_s += sum(taken_s)
        if before_s < window_s * STEADY_WITHIN:
            break
    return len(asked), asked


def _ask_all(session: Session, numbers: Sequence[int]) -> list[Answered]:
    answers = []
    texts = [session.queries[number] for number in numbers]
    for number, text in zip(numbers, texts, strict=True):
        session.watch.doing = f"retrieve() of query {number + 1}"
        timed = session.ask_text(text, number)
        answers.append(Answered(number, timed.wall_ns, timed.cpu_ns, session.count(timed.value)))
    session.watch.doing = ""
    return answers


def _sample(state: str, stages: dict[str, float], facts: dict[str, Fact]) -> Sample:
    values = (
        Measurement("retrieval_latency", seconds, {"state": state, "stage": stage}) for stage, seconds in stages.items()
    )
    return Sample(tuple(values), facts)
