"""Was the machine fit to be judged on? A crowded one makes starts slower, never faster."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from synapse_perf.host.pressure import CPU_SOME, MEMORY_SOME, STEAL
from synapse_perf.model import Check, Metric, Trial, TrialRecord

TOO_MANY = 0.5  # of the processes of a metric: their median is then a disturbed one
LIMITS = {"cpu_pressure": CPU_SOME, "memory_pressure": MEMORY_SOME, "steal": STEAL}


def is_disturbed(record: TrialRecord) -> bool:
    """Whether tasks waited for a processor or memory, or the hypervisor took the processor, beyond the thresholds."""
    return any(
        isinstance(value, int | float) and value >= limit
        for name, limit in LIMITS.items()
        for value in record.facts.get(name, ())
    )


def excuse_disturbed(checks: Iterable[Check], metrics: Sequence[Metric]) -> tuple[Check, ...]:
    """A miss that was measured on a crowded machine is inconclusive; what passes there passes on a quiet one too."""
    by_key = {metric.key: metric for metric in metrics}
    return tuple(_excuse(check, by_key.get(check.metric)) for check in checks)


def _excuse(check: Check, metric: Metric | None) -> Check:
    if check.status != "fail" or metric is None or not metric.trials:
        return check
    disturbed = sum(is_disturbed(record) for record in metric.trials)
    if disturbed < TOO_MANY * len(metric.trials):
        return check
    reason = (
        f"over the limit, but the machine was crowded in {disturbed} of {len(metric.trials)} starts: "
        "end what else runs and measure again"
    )
    return replace(check, status="inconclusive", reason=reason)


def disturbance_warnings(trials: Sequence[Trial]) -> list[str]:
    """One line for the run: how many trials were disturbed, and by what."""
    disturbed = [trial for trial in trials if trial.warnings]
    if not disturbed:
        return []
    # A warning ends with its share, as in "23% of the trial"; the cause is what stands before it.
    causes = dict.fromkeys(" ".join(warning.split()[:-4]) for trial in disturbed for warning in trial.warnings)
    return [
        f"{len(disturbed)} of {len(trials)} trials were disturbed ({', '.join(causes)}): what else runs here makes the "
        "figures slower; end it and measure again"
    ]
