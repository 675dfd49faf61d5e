"""Results of leak-hunt as the command makes them, for looking at and for the golden texts; nothing was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from synapse_perf.analyze.leak_plan import Hunt
from synapse_perf.analyze.leak_rows import leak_metrics, leaks_of
from synapse_perf.analyze.verdict import overall_verdict
from synapse_perf.benchmarks.leak_loop import METRICS
from synapse_perf.model import Fact, Failure, Result, Trial, TrialSpec
from tests.analyze.made_leaks import HUNT, SAMPLES, filling, leaking, trial
from tests.report.examples import ENVIRONMENT

SWITCH = Hunt("model-switch", "switch", TrialSpec("leak_model_switch", "", {}, {}))
CYCLE = replace(SWITCH, name="model-switch, cycle")


def result(hunts: Sequence[Hunt], *looks: Trial, failures: tuple[Failure, ...] = ()) -> Result:
    rows = tuple(row for look in looks for row in leaks_of(look, None))
    return Result(
        benchmark="leak-hunt",
        subject="real",
        profile="found",
        started_at="2026-11-23T10:15:30.123Z",
        duration_s=41.2,
        workload={"functions": {"app:work": {}}, "hunts": [hunt.name for hunt in hunts], "digest": "9b89"},
        plan={"max_time_s": 120.0, "iterations": {hunt.name: hunt.iteration for hunt in hunts}},
        environment=ENVIRONMENT,
        metrics=leak_metrics(looks, METRICS),
        checks=(),
        comparisons=(),
        warnings=(),
        failures=failures,
        verdict=overall_verdict((), leaks=rows),
        findings=(),
        leaks=rows,
    )


def look(hunt: Hunt, levels: Mapping[str, Sequence[float]], place: int = 2, calls: int = 1, **facts: Fact) -> Trial:
    flat = dict.fromkeys(("descriptors", "threads", "sockets"), [0.0] * (SAMPLES[place] + 1))
    return trial({**flat, **levels}, hunt=hunt, arm=f"look {place + 1}", calls=calls, facts=facts)


def leak() -> Result:
    """Two hunts: one leaks memory and a descriptor now and then, in the other models die only by the collector."""
    count = SAMPLES[2] + 1
    heap = leaking(1_050_000, count, 1, 20_000)
    levels = {
        "heap": heap,
        "anonymous": [level * 1.02 for level in heap],
        "mapped_files": [float(place // 2) for place in range(count)],
        "rss": [level * 1.05 for level in heap],
    }
    cycle = {"heap": leaking(900, SAMPLES[0] + 1, 2, 3000), "rss": leaking(900, SAMPLES[0] + 1, 3, 90_000)}
    late = look(CYCLE, cycle, 0, freed_by_gc_bytes=412e6, is_gone_without_gc=False)
    return result((SWITCH, CYCLE), look(SWITCH, levels, is_gone_without_gc=True), late)


def clean() -> Result:
    """A short function, with a warm-up."""
    return result((HUNT,), look(HUNT, {"heap": filling(SAMPLES[2] + 1, 30, 8000)}, calls=40))


def undecided() -> Result:
    slowing = [2e6 * place**0.4 for place in range(SAMPLES[2] + 1)]
    return result((HUNT,), look(HUNT, {"heap": slowing}))


def retained() -> Result:
    kept = leaking(900_000, SAMPLES[0] + 1)
    return result((HUNT,), look(HUNT, {"heap": [0.0] * (SAMPLES[0] + 1), "rss": kept}, 0))


def failed() -> Result:
    """The seventh call raised."""
    labels = {"hunt": "app:work"}
    told = "call 7 of app:work: ValueError: the seventh"
    failure = Failure("error", told, "see that it can be called again and again by hand", "", "look 1", labels)
    broken = trial({"heap": leaking(1e5, 7)}, failure=failure)
    return result((HUNT,), broken, failures=(failure,))


EXAMPLES = {
    "leak_found": leak,
    "leak_clean": clean,
    "leak_undecided": undecided,
    "leak_retained": retained,
    "leak_failed": failed,
}
