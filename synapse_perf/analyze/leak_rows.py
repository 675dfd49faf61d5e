"""What do the trials of a hunt add up to: levels, verdicts, and metrics whose samples hold the whole series?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate
from statistics import median

from synapse_perf.analyze.collect import metrics_of
from synapse_perf.analyze.leak_left import judge_left
from synapse_perf.analyze.leak_outside import judge_outside
from synapse_perf.analyze.leak_thresholds import CONFIDENCE, FLOOR_BYTES, FLOOR_COUNT, FLOOR_PAGES, RETAINED_BYTES
from synapse_perf.analyze.leak_verdict import Judged, judge, judged_part
from synapse_perf.benchmarks.leak_loop import GROWTH
from synapse_perf.host.leak_probes import ANONYMOUS, BYTE_PROBES, GPU, HEAP, MUST_BE_ZERO, RSS, SHARED, SHOWN_ONLY
from synapse_perf.model import Leak, Metric, MetricDefinition, Trial, metric_key
from synapse_perf.units import format_bytes

UNTRIMMED = "as it runs"  # the arm in which nothing is trimmed, for what the allocator retains
STEADY = "steady"  # of a look's workload: the probes that were leaks in one before it
SHARED_FACTS = ("calls", "call_s")  # what the series of every probe needs to be read
TRIM_SETTING = "MALLOC_ARENA_MAX=2 or MALLOC_TRIM_THRESHOLD_=131072 in its environment"


def unit_of(probe: str) -> str:
    return "B" if probe in BYTE_PROBES else "1"


def floor_of(probe: str) -> float:
    """Growth of one sample that is no leak."""
    if probe in (HEAP, SHARED):  # both are exact
        return FLOOR_BYTES
    return FLOOR_PAGES if probe in BYTE_PROBES else FLOOR_COUNT


def judge_probe(trial: Trial, probe: str) -> Judged:
    if probe in MUST_BE_ZERO:
        return judge_left(trial, probe)
    levels, unit = levels_of(trial, probe), unit_of(probe)
    judged = judge(levels, unit, floor_of(probe), was_steady=probe in trial.spec.workload.get(STEADY, ()))
    is_outside = "process" in trial.spec.workload
    return judge_outside(levels, judged, trial.facts, unit) if is_outside else judged


def levels_of(trial: Trial, probe: str) -> list[float]:
    """The probe's level after each sample, from zero: what it grew by until then, all calls of a sample together.

    Of readings by the clock some are late: bytes are told as if all had come after the same time, or a steady growth
    would look like one by chance. A count is exact.
    """
    usual = calls_of(trial) if probe in BYTE_PROBES else None
    steps = [
        measurement.value * (usual or float(sample.facts.get("calls") or 1))
        for sample in trial.samples
        for measurement in sample.values
        if measurement.labels.get("probe") == probe
    ]
    return list(accumulate(steps))


def levels_of_metric(metric: Metric) -> list[float]:
    """The same out of a result file: of the longest look, which is the one that was judged."""
    record = max((one for one in metric.trials if one.arm != UNTRIMMED), key=lambda one: len(one.samples))
    calls = record.facts.get("calls", ())
    known = [float(one) if isinstance(one, int | float) else 1.0 for one in calls] or [1.0]
    if metric.unit == "B" or len(known) != len(record.samples):
        known = [median(known)] * len(record.samples)
    return list(accumulate(value * factor for value, factor in zip(record.samples, known, strict=True)))


def probes_of(trial: Trial) -> list[str]:
    """The probes that every sample has, in their order."""
    counts: dict[str, int] = {}
    for sample in trial.samples:
        for measurement in sample.values:
            probe = measurement.labels["probe"]
            counts[probe] = counts.get(probe, 0) + 1
    return [probe for probe, count in counts.items() if count == len(trial.samples)]


def judge_trial(trial: Trial) -> dict[str, Judged]:
    """The verdict on each probe that is judged."""
    return {probe: judge_probe(trial, probe) for probe in probes_of(trial) if probe not in SHOWN_ONLY}


def grown_bytes(trial: Trial) -> float:
    """By how much memory grew in this trial."""
    return max(
        (max(levels_of(trial, probe), default=0.0) for probe in probes_of(trial) if probe in BYTE_PROBES), default=0
    )


def grown_without_leak(trial: Trial) -> bool:
    """Whether trimming gave back so much each time that a process which does not trim may hold it."""
    if any(one.status != "clean" for one in judge_trial(trial).values()):
        return False
    given = [float(value) for sample in trial.samples if (value := sample.facts.get("given_back_bytes"))]
    return bool(given) and median(given) >= RETAINED_BYTES


def decisive(looks: Sequence[Trial]) -> Trial | None:
    """The look that is judged: the last that came to its end, or if none did the last one that saw anything."""
    seen = [look for look in looks if look.samples]
    whole = [look for look in seen if look.failure is None] or seen
    return whole[-1] if whole else None


def leaks_of(trial: Trial, untrimmed: Trial | None) -> tuple[Leak, ...]:
    """A row for each probe of the look that decides, and one for what is only retained."""
    calls, judged = calls_of(trial), judge_trial(trial)
    rows = [_leak(trial, probe, one, calls) for probe, one in judged.items()]
    rows = [replace(row, full_after=_full_after(trial, row, judged, calls)) for row in rows]
    retained = _retained(trial, untrimmed, rows)
    return (*rows, retained) if retained else tuple(rows)


def leak_metrics(trials: Iterable[Trial], definitions: Mapping[str, MetricDefinition]) -> tuple[Metric, ...]:
    """As `metrics_of`, each with the unit of its probe, and with how many calls each sample stands for."""
    shared = [_with_calls(trial) for trial in trials]
    return tuple(replace(metric, unit=unit_of(metric.labels["probe"])) for metric in metrics_of(shared, definitions))


def _with_calls(trial: Trial) -> Trial:
    """One sample for each probe, so that each metric has the facts that its series needs."""
    split = []
    for sample in trial.samples:
        about = {name: sample.facts[name] for name in SHARED_FACTS if name in sample.facts}
        for place, measurement in enumerate(sample.values):
            split.append(sample._replace(values=(measurement,), facts=about if place else sample.facts))
    return replace(trial, samples=tuple(split))


def calls_of(trial: Trial) -> float:
    """Of one sample; of readings by the clock, which part of an iteration one of them is."""
    return median([float(sample.facts.get("calls") or 1) for sample in trial.samples] or [1.0])


def _leak(trial: Trial, probe: str, judged: Judged, calls: float) -> Leak:
    unit, slope = unit_of(probe), judged.slope
    key = metric_key(GROWTH, {**trial.spec.labels, "probe": probe})
    growth = None if slope is None else slope.middle / calls
    return Leak(
        metric=key,
        status=judged.status,
        growth=growth,
        low=None if slope is None else slope.low / calls,
        high=None if slope is None else slope.high / calls,
        confidence=CONFIDENCE,
        unit=unit,
        smallest_seen=None if judged.smallest is None else judged.smallest / calls,
        iterations=round(judged.count * max(calls, 1)),
        full_after=None,
        reason=judged.reason,
    )


def _full_after(trial: Trial, row: Leak, judged: Mapping[str, Judged], calls: float) -> float | None:
    """Iterations until memory is full; the live heap counts what was asked for, pages come when they are touched."""
    free_bytes = trial.facts.get("free_bytes")
    if row.status != "leak" or row.unit != "B" or not row.growth or not free_bytes or GPU in row.metric:
        return None  # how much of a graphics processor's memory is free is not known
    pages = judged.get(ANONYMOUS)
    touched = pages.slope.middle / calls if pages and pages.slope and pages.status == "leak" else row.growth
    return float(free_bytes) / min(row.growth, touched)


def _retained(trial: Trial, untrimmed: Trial | None, rows: Sequence[Leak]) -> Leak | None:
    """Resident memory that grew where nothing that is in use did."""
    if any(row.status != "clean" for row in rows):
        return None
    for seen in (trial, untrimmed):
        if seen is None or RSS not in probes_of(seen):
            continue
        judged = judge_probe(seen, RSS)
        grown = judged_part(levels_of(seen, RSS))
        if judged.slope is None or judged.status == "clean":
            continue
        what = "what it holds in use did not: " + _who_retains(seen, trial)
        row = _leak(seen, RSS, judged, calls_of(seen))
        told = f"resident memory grew by {format_bytes(grown[-1] - grown[0])}, {what}"
        return replace(row, status="retained", smallest_seen=None, reason=told)
    return None


def _who_retains(seen: Trial, trial: Trial) -> str:
    """`seen` grew; `trial` is the look that is judged, or is the same."""
    if seen is trial:
        told = "pages of mapped files, which the system takes back when it needs them"
        shared = float((trial.facts.get("first_levels") or {}).get(SHARED, 0.0))
        if shared < RETAINED_BYTES:
            return told
        return (
            f"{told}, or of the {format_bytes(shared)} of shared memory that are mapped, which fill up to that at most"
        )
    given = [float(value) for sample in trial.samples if (value := sample.facts.get("given_back_bytes"))]
    back = format_bytes(median(given)) if given else "some"
    return f"the allocator keeps it, and gives {back} back when it is trimmed; try {TRIM_SETTING}"
