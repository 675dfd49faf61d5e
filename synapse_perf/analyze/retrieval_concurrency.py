"""What does retrieval under load show: a blocked event loop, threads in each other's way, wrong answers, the knee?"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from synapse_perf.analyze.compare import SMALLEST_EFFECT, ratio_interval
from synapse_perf.analyze.load_steps import (
    KNEE_FACTOR,
    Key,
    LoadStep,
    capacity_per_process,
    common_steps,
    highest_common,
    knee,
    per_process,
    steps_of,
)
from synapse_perf.model import Finding, Gain, Json, Metric
from synapse_perf.units import format_duration, three_digits

NEEDED = 6  # processes of each, as everywhere
BLOCKS_S = 0.001  # more lag than that; a timer alone is late by about as much
SERIOUS_LAG_S = 0.05
WAITS_FOR_ENCODER = 0.5  # of the latency
ON_THE_LOOP = ("on-the-loop", "awaited")
OFF_THE_LOOP = ("bounded", "to-thread", "micro-batch", "second-loop")
MEASURE_AGAIN = "synapse-perf bench-cgrag --concurrency again"

Steps = Mapping[Key, Sequence[LoadStep]]


def concurrency_findings(metrics: Sequence[Metric], confidence: float) -> list[Finding]:
    """Every finding of the steps of load; none where an interval does not show it."""
    steps = steps_of(metrics)
    return [
        *_results_differ(steps),
        *_blocked_loop(steps, confidence),
        *_oversubscribed(steps, confidence),
        *_knees(steps, confidence),
    ]


# --- answers ---------------------------------------------------------------------------------------------------------


def _results_differ(steps: Steps) -> list[Finding]:
    """Requests that got another answer under load than alone, or none."""
    wrong: dict[str, Json] = {}
    for (strategy, variant), levels in steps.items():
        counts = {name: sum(step.count(name) for step in levels) for name in ("differing", "errors", "requests")}
        if counts["differing"] or counts["errors"]:
            wrong[_name(strategy, variant)] = {**counts, "first_error": _first_error(levels)}
    if not wrong:
        return []
    told = "; ".join(
        f"{name}: {counts['differing']} differ and {counts['errors']} failed of {counts['requests']}"
        for name, counts in wrong.items()
    )
    return [
        Finding(
            "results-differ",
            "high",
            f"answers under load are not those that the same queries get alone ({told}): something is shared that is "
            "not safe to share between threads",
            wrong,
            None,
            "one owner of the encoder at a time: with encoder_lock: vector = encoder.embed(query); parameters for each "
            "call instead of fields of the index: index.search(rows, k, params=faiss.SearchParametersIVF(nprobe=8)); "
            "no index.add() while others search",
            f"{MEASURE_AGAIN}: no answer differs",
            "a canary query whose ids are known, every minute: alert when they change without a new index",
        )
    ]


def _first_error(levels: Sequence[LoadStep]) -> Json:
    told = (
        error for step in levels for record in step.throughput.trials for error in record.facts.get("first_error", ())
    )
    return next(filter(None, told), None)


# --- the event loop --------------------------------------------------------------------------------------------------


def _blocked_loop(steps: Steps, confidence: float) -> list[Finding]:
    """The lag that retrieving on the event loop adds to everything else there, against the best of the other ways.

    The ticker that measures it is no business of the sender's, which may be late.
    """
    blocking = next((steps[strategy, ""] for strategy in ON_THE_LOOP if (strategy, "") in steps), None)
    others = [steps[strategy, ""] for strategy in OFF_THE_LOOP if (strategy, "") in steps]
    pairs = [pair for pair in (highest_common(blocking, other) for other in others if blocking) if pair]
    shown = [(pair, lags) for pair in pairs if (lags := _lags(*pair, 1 - (1 - confidence) / len(pairs)))]
    if not shown:
        return []
    (step, other), (lag_s, other_s, low, high) = max(shown, key=lambda one: one[1][2])
    evidence: dict[str, Json] = {
        "load": step.load,
        "offered_per_s": step.offered_per_s,
        "lag_p99_s": lag_s,
        "instead": other.strategy,
        "lag_p99_instead_s": other_s,
        "ratio": {"low": low, "high": high},
    }
    return [
        Finding(
            "search-blocks-event-loop",
            "high" if lag_s >= SERIOUS_LAG_S else "medium",
            f"called on the event loop, the search stops everything else there: at {three_digits(step.offered_per_s)} "
            f"queries a second other requests wait up to {format_duration(lag_s)} (p99) for the loop, "
            f"{format_duration(other_s)} with {other.strategy}",
            evidence,
            Gain(lag_s - other_s, other_s * (low - 1), other_s * (high - 1), "s", measured=True),
            "distances, ids = await asyncio.to_thread(index.search, vector.reshape(1, -1), k); FAISS lets other "
            "threads run while it searches",
            f"{MEASURE_AGAIN}: event_loop_lag of the way that you take",
            "a task that sleeps 5 ms and records by how much it was late: "
            "histogram_quantile(0.99, rate(event_loop_lag_seconds_bucket[5m])) > 0.02",
        )
    ]


def _lags(step: LoadStep, other: LoadStep, confidence: float) -> tuple[float, float, float, float] | None:
    """p99 of the lag of both and the interval of their ratio, if the first is beyond doubt the longer one."""
    if step.lag is None or other.lag is None:
        return None
    slow, fast = per_process(step.lag, 0.99), per_process(other.lag, 0.99)
    if min(len(slow), len(fast)) < NEEDED or min(*slow, *fast) <= 0:
        return None
    low, high = ratio_interval(slow, fast, confidence)
    lag_s, other_s = statistics.median(slow), statistics.median(fast)
    return (lag_s, other_s, low, high) if other_s * (low - 1) > BLOCKS_S else None


# --- OpenMP ----------------------------------------------------------------------------------------------------------


def _oversubscribed(steps: Steps, confidence: float) -> list[Finding]:
    """Several OpenMP threads for each query, where one is faster; the setting of the main thread reaches no other.

    A late sender cannot pass for that: the difference has to be more than it was late by.
    """
    return [
        finding
        for (strategy, variant), many in steps.items()
        if variant.startswith("omp_threads=") and (strategy, "") in steps
        for finding in _oversubscribed_by(many, steps[strategy, ""], confidence)
    ]


def _oversubscribed_by(many: Sequence[LoadStep], one: Sequence[LoadStep], confidence: float) -> list[Finding]:
    threads = {round(number) for step in many for number in step.numbers("omp_workers")}
    pairs = common_steps(many, one)
    shown = []
    for step, other in pairs:
        slow, fast = per_process(step.latency, 0.5), per_process(other.latency, 0.5)
        if min(len(slow), len(fast)) >= NEEDED:
            shown.append((ratio_interval(slow, fast, 1 - (1 - confidence) / len(pairs)), step, other))
    if not shown or max(threads) < 2:
        return []
    (low, high), step, other = max(shown, key=lambda one: one[0][0])
    lateness_s = max(statistics.median(one.numbers("lateness_p95_s")) for one in (step, other))
    if low <= 1 + SMALLEST_EFFECT or other.median_s * (low - 1) <= lateness_s:
        return []
    main = round(statistics.median(step.numbers("omp_main")))
    evidence: dict[str, Json] = {
        "load": step.load,
        "offered_per_s": step.offered_per_s,
        "omp_threads_in_main_thread": main,
        "omp_threads_in_workers": sorted(threads),
        "median_s": step.median_s,
        "median_with_1_s": other.median_s,
        "p95_s": step.p95_s,
        "p95_with_1_s": other.p95_s,
        "ratio": {"low": low, "high": high},
    }
    trap = f"the main thread had set {main}, which no other thread sees" if main < max(threads) else "as it is set"
    return [
        Finding(
            "openmp-oversubscribed",
            "medium",
            f"the threads that search use {max(threads)} OpenMP threads for one query ({trap}): at "
            f"{three_digits(step.offered_per_s)} queries a second one takes {format_duration(step.median_s)} instead "
            f"of {format_duration(other.median_s)} with 1",
            evidence,
            Gain(
                step.median_s - other.median_s,
                other.median_s * (low - 1),
                other.median_s * (high - 1),
                "s",
                measured=True,
            ),
            "OMP_NUM_THREADS=1 in the service's environment, or in each thread that searches: "
            "ThreadPoolExecutor(2, initializer=lambda: faiss.omp_set_num_threads(1))",
            f"faiss.omp_get_max_threads() inside a worker thread is 1; {MEASURE_AGAIN}",
            "processor time for each query: rate(process_cpu_seconds_total[5m]) / rate(retrievals_total[5m]) rises",
        )
    ]


# --- the knee --------------------------------------------------------------------------------------------------------


def _knees(steps: Steps, confidence: float) -> list[Finding]:
    """How much load each way takes; the best is named only where intervals tell it from every other."""
    plain = {strategy: levels for (strategy, variant), levels in steps.items() if not variant}
    evidence = {strategy: _about_knee(levels) for strategy, levels in plain.items()}
    reached = {strategy: about for strategy, about in evidence.items() if about["knee_per_s"] is not None}
    if not reached:
        return []
    told = ", ".join(
        f"{strategy} {three_digits(about['knee_per_s'])}/s (p95 {format_duration(about['knee_p95_s'])})"
        for strategy, about in reached.items()
    )
    best = _best(plain, confidence)
    if len(plain) > 1:
        told += f"; {best} completes the most" if best else "; what they complete at most cannot be told apart"
    top = max(evidence.values(), key=lambda about: about["capacity_per_s"])
    if top["waits_for_encoder"]:
        told += "; beyond it the requests wait for the encoder, which does one at a time"
    limit = max(about["knee_per_s"] for about in reached.values())
    return [
        Finding(
            "concurrency-knee",
            "info",
            f"p95 stays within {KNEE_FACTOR:g} times its value at little load up to {told}",
            {**evidence, "best": best, "knee_factor": KNEE_FACTOR},
            None,
            "",
            "",
            f"rate(retrievals_total[1m]) > {three_digits(0.8 * limit)} (80 % of the knee)",
        )
    ]


def _about_knee(steps: Sequence[LoadStep]) -> dict[str, Json]:
    found = knee(steps)
    busiest = steps[-1]
    waits_s = per_process(busiest.encoder_wait, 0.5) if busiest.encoder_wait else []
    return {
        "knee_load": found.step and found.step.load,
        "knee_per_s": found.step and found.step.offered_per_s,
        "knee_p95_s": found.step and found.step.p95_s,
        "lowest_load_p95_s": steps[0].p95_s,
        "ends_as": found.reason,
        "capacity_per_s": statistics.median(capacity_per_process(steps)),
        "waits_for_encoder": bool(waits_s) and statistics.median(waits_s) > WAITS_FOR_ENCODER * busiest.median_s,
    }


def _best(plain: Mapping[str, Sequence[LoadStep]], confidence: float) -> str | None:
    """The strategy that completes more than every other, beyond doubt."""
    capacities = {strategy: capacity_per_process(levels) for strategy, levels in plain.items()}
    if len(capacities) < 2 or any(len(values) < NEEDED for values in capacities.values()):
        return None
    best = max(capacities, key=lambda strategy: statistics.median(capacities[strategy]))
    corrected = 1 - (1 - confidence) / (len(capacities) - 1)
    others = (values for strategy, values in capacities.items() if strategy != best)
    return best if all(ratio_interval(capacities[best], values, corrected)[0] > 1 for values in others) else None


def _name(strategy: str, variant: str) -> str:
    return f"{strategy} {variant}".strip()
