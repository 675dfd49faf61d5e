"""Was the sender of messages on time, and did all messages come back?

A sender that is late by a good part of the limit measures itself: then nothing is judged.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from synapse_perf.model import Check, Trial, metric_key
from synapse_perf.units import format_value

LATE_SHARE = 0.2  # of the limit, for the 99th percentile of the sender's lateness


def late_by(trials: Sequence[Trial], check: Check) -> float | None:
    """The 99th percentile of lateness in seconds where it is too large for the check's limit; else None."""
    own = [trial for trial in trials if metric_key("websocket_latency", trial.spec.labels) == check.metric]
    lateness = sorted(float(one) for trial in own for one in trial.facts.get("lateness_s", ()))
    if not lateness:
        return None
    late_s = lateness[max(0, math.ceil(0.99 * len(lateness)) - 1)]
    return late_s if late_s > LATE_SHARE * check.limit else None


def told_late(late_s: float, check: Check) -> str:
    """The reason of a check that is not judged."""
    allowed = format_value(LATE_SHARE * check.limit, "s")
    return (
        f"the sender itself was late by {format_value(late_s, 's')} (99th percentile, {allowed} is allowed): "
        "this machine is too busy to tell"
    )


def lost_messages(trials: Sequence[Trial]) -> list[str]:
    """One line for each kind of trial that lost messages."""
    told = []
    for arm in dict.fromkeys(trial.spec.arm for trial in trials):
        own = [trial for trial in trials if trial.spec.arm == arm]
        lost = sum(int(trial.facts.get("lost", 0)) for trial in own)
        if lost:
            count = sum(len(trial.samples) for trial in own)
            errors = [error for trial in own for error in trial.facts.get("errors", ())][:1]
            why = f": {errors[0]}" if errors else ", which count with the time that was waited"
            told.append(f"{arm}: {lost} of {count} messages got no answer{why}")
    return told
