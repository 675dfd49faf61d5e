"""What do steps of load and a cache show of a user's own retriever? The findings of any, in words for their code."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from synapse_perf.analyze.compare import SMALLEST_EFFECT, ratio_interval
from synapse_perf.analyze.load_steps import Key, LoadStep, capacity_per_process, per_process, steps_of
from synapse_perf.analyze.retrieval_cache_findings import cache_findings
from synapse_perf.analyze.retrieval_concurrency import NEEDED, concurrency_findings
from synapse_perf.model import Fact, Finding, Gain, Json, Metric, Trial
from synapse_perf.units import format_duration, three_digits

ONE_THREAD = "OMP_NUM_THREADS=1"
ON_THE_LOOP = ("on-the-loop", "awaited")
IN_THREADS = ("to-thread", "bounded")
NO_MORE = 1.25  # times the serial rate: whoever answers less than that at once answers one at a time
ABOUT = 0.97  # of a rate is that rate
BEYOND = 1.5  # times the serial rate were offered, or nothing is known of that
_WORDS = {"second-loop": "the retriever on a loop of its own in a thread"}
MEASURE_AGAIN = "synapse-perf bench-cgrag --retriever --concurrency again"

Steps = Mapping[Key, Sequence[LoadStep]]


def retriever_load_findings(metrics: Sequence[Metric], confidence: float) -> list[Finding]:
    """Every finding of the steps of load; none where an interval does not show it."""
    steps = steps_of(metrics)
    is_async = any(strategy == "awaited" for strategy, _ in steps)
    worded: dict[str, Callable[[Finding], Finding]] = {
        "results-differ": lambda finding: _results_differ(finding, is_async=is_async),
        "search-blocks-event-loop": lambda finding: _blocked_loop(finding, _blocks_at(steps) if is_async else None),
    }
    found = [worded.get(one.id, _as_it_is)(one) for one in concurrency_findings(metrics, confidence)]
    is_blocked = any(finding.id == "search-blocks-event-loop" for finding in found)
    one_at_a_time = [] if is_async and is_blocked else _one_at_a_time(steps, confidence)
    return [*_refusals(metrics, steps), *found, *_oversubscribed(steps, confidence), *one_at_a_time]


def retriever_cache_findings(
    metrics: Sequence[Metric], trials: Sequence[Trial], confidence: float, *, is_async: bool
) -> list[Finding]:
    """What a cache of answers saves; what is awaited cannot be kept by the usual decorator."""
    found = cache_findings(metrics, trials, confidence)
    if not is_async:
        return found
    note = "\n# keep what was awaited: a coroutine can be awaited only once, so lru_cache around retrieve() fails"
    return [replace(one, change=one.change + note) if one.change else one for one in found]


def _as_it_is(finding: Finding) -> Finding:
    return finding


# --- answers ---------------------------------------------------------------------------------------------------------


def _results_differ(finding: Finding, *, is_async: bool) -> Finding:
    told = "; ".join(
        f"{name}: {counts['differing']} differ and {counts['errors']} failed of {counts['requests']}"
        + (f", the first with {counts['first_error']}" if counts["first_error"] else "")
        for name, counts in finding.evidence.items()
    )
    if is_async:
        why = "requests that wait for each other share something that is changed while they wait"
        change = "keep in local variables what a request needs after an await; an asyncio.Lock() around the rest"
    else:
        why = "it is not safe to call from several threads"
        change = (
            "one call at a time: with lock: retriever.retrieve(query); or one retriever for each thread: "
            "ThreadPoolExecutor(2, initializer=lambda: setattr(local, 'retriever', build())), local = threading.local()"
        )
    cause = f"answers under load are not those that the same queries get alone ({told}): {why}"
    return replace(finding, cause=cause, change=change, check=f"{MEASURE_AGAIN}: no answer differs")


def _refusals(metrics: Sequence[Metric], steps: Steps) -> list[Finding]:
    """Ways to call it in which no request at all was answered."""
    errors: dict[str, str] = {}
    for metric in metrics:
        if metric.name == "throughput" and "strategy" in metric.labels:
            strategy = metric.labels["strategy"]
            first = next((str(text) for text in _facts(metric, "first_error") if text), "")
            if first and (strategy, metric.labels.get("variant", "")) not in steps:
                errors.setdefault(strategy, first)
    on_loop = {strategy: error for strategy, error in errors.items() if strategy in ON_THE_LOOP}
    in_threads = {strategy: error for strategy, error in errors.items() if strategy not in on_loop}
    return [
        *([_refuses_event_loop(next(iter(on_loop.values())))] if on_loop else []),
        *([_refuses_threads(in_threads)] if in_threads else []),
    ]


def _refuses_event_loop(error: str) -> Finding:
    return Finding(
        "refuses-event-loop",
        "low",
        f"called where an event loop runs, every request fails: {error}",
        {"first_error": error},
        None,
        "results = await asyncio.to_thread(retriever.retrieve, query), or give it an async retrieve()",
        f"{MEASURE_AGAIN}: the way that you take is in the table 'Under load'",
        "",
    )


def _refuses_threads(errors: Mapping[str, str]) -> Finding:
    return Finding(
        "refuses-threads",
        "high",
        f"called in another thread than the one that built it, every request fails ({', '.join(errors)}): "
        f"{next(iter(errors.values()))}",
        {"first_error": dict(errors)},
        None,
        "one retriever for each thread that asks, built there: "
        "ThreadPoolExecutor(2, initializer=lambda: setattr(local, 'retriever', build())), local = threading.local(); "
        "for SQLite also connect(path, check_same_thread=False) and a lock",
        f"{MEASURE_AGAIN}: this finding is gone",
        "errors of the retrieval: rate(retrieval_errors_total[5m]) > 0",
    )


# --- the event loop --------------------------------------------------------------------------------------------------


def _blocked_loop(finding: Finding, blocks_at: str | None) -> Finding:
    """`blocks_at`: the line of an async retriever, empty where none was seen; None for a plain one."""
    seen = finding.evidence
    waits = (
        f"at {three_digits(seen['offered_per_s'])} queries a second other requests wait up to "
        f"{format_duration(seen['lag_p99_s'])} (p99) for the loop, "
        f"{format_duration(seen['lag_p99_instead_s'])} with {_WORDS.get(seen['instead'], seen['instead'])}"
    )
    check = f"{MEASURE_AGAIN}: the lag of the way that you take"
    if blocks_at is None:
        cause = f"called on the event loop, retrieve() stops everything else there: {waits}"
        return replace(
            finding, cause=cause, change="results = await asyncio.to_thread(retriever.retrieve, query)", check=check
        )
    place = f", most often seen at {blocks_at}" if blocks_at else ""
    return replace(
        finding,
        cause=f"a blocking call inside an async function{place}: while retrieve() is awaited, {waits}",
        evidence={**seen, "blocks_at": blocks_at or None},
        change="await asyncio.to_thread(the_blocking_call, ...), or the async client of what it calls; if neither can "
        "be had, a second event loop in a thread: "
        "await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(retriever.retrieve(query), second_loop))",
        check=check,
    )


def _blocks_at(steps: Steps) -> str:
    """The line that most processes saw."""
    levels = steps.get(("awaited", ""), ())
    places = Counter(str(place) for step in levels for place in _facts(step.throughput, "blocks_at") if place)
    return places.most_common(1)[0][0] if places else ""


# --- threads ---------------------------------------------------------------------------------------------------------


def _oversubscribed(steps: Steps, confidence: float) -> list[Finding]:
    """The retriever as it is against the same with one OpenMP thread, at the load where that helps it most.

    Loads are relative to what each answers in turn, so that pairs are formed by the queries a second.
    """
    pairs = [
        (step, other)
        for (strategy, variant), one in steps.items()
        if variant == ONE_THREAD
        for step in steps.get((strategy, ""), ())
        if step.is_in_balance and (other := _at_no_less(one, step.offered_per_s))
    ]
    shown = []
    for step, other in pairs:
        slow, fast = per_process(step.latency, 0.5), per_process(other.latency, 0.5)
        if min(len(slow), len(fast)) >= NEEDED:
            shown.append((ratio_interval(slow, fast, 1 - (1 - confidence) / len(pairs)), step, other))
    if not shown:
        return []
    (low, high), step, other = max(shown, key=lambda one: one[0][0])
    lateness_s = max(statistics.median(one.numbers("lateness_p95_s")) for one in (step, other))
    if low <= 1 + SMALLEST_EFFECT or other.median_s * (low - 1) <= lateness_s:
        return []
    return [_many_threads(step, other, low, high)]


def _many_threads(step: LoadStep, other: LoadStep, low: float, high: float) -> Finding:
    evidence: dict[str, Json] = {
        "load": step.load,
        "offered_per_s": step.offered_per_s,
        "median_s": step.median_s,
        "median_with_1_s": other.median_s,
        "ratio": {"low": low, "high": high},
    }
    return Finding(
        "openmp-oversubscribed",
        "medium",
        f"several OpenMP threads for one query are in the way of the other queries: at "
        f"{three_digits(step.offered_per_s)} queries a second one takes {format_duration(step.median_s)}, with "
        f"{ONE_THREAD} {format_duration(other.median_s)}",
        evidence,
        Gain(
            step.median_s - other.median_s,
            other.median_s * (low - 1),
            other.median_s * (high - 1),
            "s",
            measured=True,
        ),
        f"{ONE_THREAD} in the service's environment, before Python starts",
        f"{ONE_THREAD} {MEASURE_AGAIN}",
        "processor time for each query: rate(process_cpu_seconds_total[5m]) / rate(retrievals_total[5m]) rises",
    )


def _at_no_less(steps: Sequence[LoadStep], per_s: float) -> LoadStep | None:
    """The step at the lowest load that is at least so many queries a second."""
    return next((step for step in steps if step.is_in_balance and step.offered_per_s >= ABOUT * per_s), None)


def _one_at_a_time(steps: Steps, confidence: float) -> list[Finding]:
    """Beyond doubt no more answers a second with several calls at once than in turn."""
    ways = {name: levels for name in ("awaited", *IN_THREADS) if (levels := steps.get((name, "")))}
    shown: dict[str, Json] = {}
    for name, levels in ways.items():
        capacity, serial = capacity_per_process(levels), levels[0].numbers("serial_per_s")
        if min(len(capacity), len(serial)) < NEEDED or levels[-1].load < BEYOND:
            return []
        _, high = ratio_interval(capacity, serial, 1 - (1 - confidence) / len(ways))
        if high >= NO_MORE:
            return []
        told = {"answered_per_s": statistics.median(capacity), "in_turn_per_s": statistics.median(serial)}
        shown[name] = {**told, "ratio_at_most": high}
    if not shown:
        return []
    most = max(shown.values(), key=lambda one: one["answered_per_s"])
    return [
        Finding(
            "one-at-a-time",
            "info",
            "several calls at once answer no more than one after the other, "
            f"{three_digits(most['answered_per_s'])} a second against {three_digits(most['in_turn_per_s'])} in turn; a "
            "lock inside, the interpreter's own lock, or no free processor lets one call go on at a time",
            shown,
            None,
            "",
            "",
            "",
        )
    ]


def _facts(metric: Metric, name: str) -> list[Fact]:
    return [value for record in metric.trials for value in record.facts.get(name, ())]
