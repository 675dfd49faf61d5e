"""Did the machine keep its speed while it was asked, and were the processes steady? What to say where not."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from synapse_perf.analyze.summary import median_interval
from synapse_perf.model import Json, Trial

SLOWER = -0.05  # of the decode rate from the first answer of a process to its last


def speed_warnings(trials: Sequence[Trial], confidence: float) -> list[str]:
    """One line for each way in which the figures are marked: slowing down, throttling, no steady state."""
    throttled = [trial for trial in trials if _number(trial.facts.get("throttle_events"))]
    unsteady = [trial for trial in trials if trial.facts.get("steady") is False]
    found = _slowing(trials, confidence)
    if throttled:
        found.append(
            f"heat slowed the processor in {len(throttled)} of {len(trials)} trials: let the machine cool, or measure "
            "with longer pauses"
        )
    if unsteady:
        found.append(f"{len(unsteady)} of {len(trials)} processes were not steady after their warm-up queries")
    return found


def _slowing(trials: Sequence[Trial], confidence: float) -> list[str]:
    """By arm, where the interval over its processes shows it: one process alone drifts by chance."""
    found = []
    for arm in dict.fromkeys(trial.spec.arm for trial in trials):
        changes = [change for trial in trials if trial.spec.arm == arm and (change := _drift(trial)) is not None]
        interval = median_interval(changes, confidence)
        if interval is not None and interval.high < SLOWER:
            slower = -statistics.median(changes) * 100
            found.append(f"{arm}: decoding became {slower:.0f} % slower within a process (heat, or others that began)")
    return found


def _drift(trial: Trial) -> float | None:
    drift = trial.facts.get("drift")
    return _number(drift.get("change")) if isinstance(drift, Mapping) else None


def _number(value: Json) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
