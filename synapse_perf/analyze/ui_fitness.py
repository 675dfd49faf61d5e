"""Can this machine show a page smoothly at all? Where its control page stalls, no page is called bad for it."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import replace

from synapse_perf.analyze.ui_frames import page_facts
from synapse_perf.analyze.ui_targets import RATE, SHOWN_SHARE, STALLS
from synapse_perf.model import Check, Metric

CONTROL_S = 4.0  # both looks of a browser together
_JUDGED = {STALLS: "stalls of the main thread", RATE: f"frames shown, {SHOWN_SHARE * 100:.0f} % of what is asked for"}


def why_unfit(metrics: Sequence[Metric], rate: float) -> str | None:
    """The reason where the control page stalls or is too slow in most browsers; None where the machine is fit."""
    stalls = [float(value) for value in page_facts(metrics, "control_stalls") if isinstance(value, int | float)]
    rates = [float(value) for value in page_facts(metrics, "control_rate") if isinstance(value, int | float)]
    over = f"the median of {len(stalls)} browsers" if len(stalls) > 1 else "in the only browser"
    if stalls and (middle := statistics.median(stalls)) > 0:
        often = "once" if middle == 1 else f"{middle:g} times"
        return f"the control page, which does next to nothing, stalls here {often} in {CONTROL_S:g} s ({over})"
    if rates and (middle := statistics.median(rates)) < SHOWN_SHARE * rate:
        return f"the control page, which does next to nothing, shows {middle:.1f} frames a second here ({over})"
    return None


def _reason(check: Check) -> str:
    """What was judged, and how; each process is one browser here."""
    told = check.reason.replace("processes", "browsers").replace("process", "browser")
    return f"{_JUDGED[check.metric.partition('{')[0]]}: {told}"


def judged_on_this_machine(checks: Sequence[Check], metrics: Sequence[Metric], rate: float) -> list[Check]:
    """A crowded machine adds stalls and takes none away: what passes, passes; nothing else can be told on it."""
    reason = why_unfit(metrics, rate)
    named = [replace(check, reason=_reason(check)) for check in checks]
    if reason is None:
        return named
    return [
        replace(check, status="not-comparable", reason=reason) if check.status in ("fail", "inconclusive") else check
        for check in named
    ]
