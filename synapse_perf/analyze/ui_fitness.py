"""Can this machine show a page smoothly at all, and what holds the page's main thread?"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from synapse_perf.model import Finding, Json, Metric, Trial


def why_unfit(trials: Sequence[Trial]) -> str | None:
    """The reason where the control page stalls in most browsers; None where the machine is fit."""
    controls = [int(str(sample.facts.get("control_stalls", 0))) for trial in trials for sample in trial.samples]
    if controls and statistics.median(controls) > 0:
        middle = statistics.median(controls)
        return f"the control page stalls here too ({middle:g} times in 4 s, the median of {len(controls)} browsers)"
    return None


def ui_findings(metrics: Sequence[Metric], trials: Sequence[Trial]) -> tuple[Finding, ...]:
    """The function that holds the main thread, where the browser could name it."""
    stalls = next((one for one in metrics if one.name == "main_thread_stalls"), None)
    if stalls is None or not stalls.summary.count or not stalls.summary.median:
        return ()
    held_ms: dict[str, float] = {}
    for trial in trials:
        for task in trial.facts.get("tasks", ()):
            for script in task.get("scripts", ()):
                name = _name_of(script)
                held_ms[name] = held_ms.get(name, 0.0) + float(script["ms"])
    culprit, total_ms = max(held_ms.items(), key=lambda item: item[1]) if held_ms else ("", 0.0)
    named = f", by {culprit}" if culprit else ""
    lost = [float(one) for trial in trials for one in trial.facts.get("stalls_ms", ())]
    evidence: dict[str, Json] = {
        "stalls_in_10_s": stalls.summary.median,
        "longest_s": max(lost, default=0.0) / 1000,
        "browsers": stalls.summary.processes,
        **({"held_by": culprit, "held_s": total_ms / 1000} if culprit else {}),
    }
    return (
        Finding(
            "blocked-main-thread",
            "high",
            f"the main thread stands still {stalls.summary.median:.3g} times in 10 s{named}",
            evidence,
            None,
            "do that work in pieces that leave room for a frame (16 ms), or in a worker; memoise what does not change",
            "synapse-perf ui-fps again: no stalls",
            "main_thread_stalls: 0 in 10 s",
        ),
    )


def _name_of(script: Mapping[str, Json]) -> str:
    name, invoker = str(script.get("name") or ""), str(script.get("invoker") or "")
    file = str(script.get("source") or "").rsplit("/", 1)[-1]
    return " ".join(part for part in (name or invoker, f"({file})" if file else "") if part)
