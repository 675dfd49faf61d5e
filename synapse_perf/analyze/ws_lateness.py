"""Was the sender of messages on time, and did all messages come back?

A sender that is late by a good part of the limit measures itself. It is told process by process, as one crowded moment
makes one process late: where half of them were, nothing is judged, and a miss is none where any was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from synapse_perf.analyze.summary import quantile
from synapse_perf.model import Check, Trial, metric_key
from synapse_perf.units import format_value

LATE_SHARE = 0.2  # of the limit, for the 99th percentile of the sender's lateness
TOO_MANY = 0.5  # of the processes
ONLY_PINGS = (
    "only pings were sent, which the server's library answers whatever its application does: --mode echo or event "
    "measures messages"
)


def judged_by_sender(check: Check, trials: Sequence[Trial]) -> Check:
    """The check, inconclusive where its sender was too late."""
    own = [trial for trial in trials if metric_key("websocket_latency", trial.spec.labels) == check.metric]
    lateness = [late_s for trial in own if (late_s := lateness_of(trial)) is not None]
    allowed_s = LATE_SHARE * check.limit
    late = [late_s for late_s in lateness if late_s > allowed_s]
    is_refused = len(late) >= TOO_MANY * len(lateness) if check.status == "pass" else bool(late)
    if not late or not is_refused or check.status not in ("pass", "fail"):
        return check
    reason = (
        f"the sender itself was late in {len(late)} of {len(lateness)} processes, by {format_value(max(late), 's')} "
        f"(99th percentile; {format_value(allowed_s, 's')} is allowed): this machine is too busy to tell"
    )
    return replace(check, status="inconclusive", reason=reason)


def judged_of_pings(check: Check) -> Check:
    """Of pings alone a pass is none: the server's library answers them, and no message is quicker than they are."""
    if check.status != "pass":
        return check
    return replace(check, status="not-measured", reason=ONLY_PINGS)


def lateness_of(trial: Trial) -> float | None:
    """The 99th percentile of a process, in seconds."""
    lateness = [float(one) for one in trial.facts.get("lateness_s", ())]
    return quantile(lateness, 0.99) if lateness else None


def told_trouble(trials: Sequence[Trial]) -> list[str]:
    """One line for each kind of trial that lost messages, polled in vain, or drained without an end."""
    told = []
    for arm in dict.fromkeys(trial.spec.arm for trial in trials):
        own = [trial for trial in trials if trial.spec.arm == arm]
        lost = sum(int(trial.facts.get("lost", 0)) for trial in own)
        if lost:
            count = sum(len(trial.facts["lateness_s"]) for trial in own if "lost" in trial.facts)
            errors = [error for trial in own for error in trial.facts.get("errors", ())][:1]
            why = f" ({errors[0]})" if errors else ""
            told.append(f"{arm}: {lost} of {count} messages got no answer{why}; each counts with the time waited for")
        if any(trial.facts.get("is_quiet") is False for trial in own):
            told.append(f"{arm}: the server never stops sending by itself, and is measured beside that")
        told += _told_polling(arm, own)
    return told


def _told_polling(arm: str, trials: Sequence[Trial]) -> list[str]:
    polled = [trial.facts["load"] for trial in trials if trial.facts.get("load")]
    failed, skipped, answers = (sum(one[name] for one in polled) for name in ("failed", "skipped", "answers"))
    told = []
    if failed:
        count = failed + answers
        error = next(one["error"] for one in polled if one["error"])
        told.append(f"{arm}: {failed} of {count} polls failed ({error})")
    if skipped:
        told.append(f"{arm}: {skipped} polls were left out, as 50 others still waited for their answer")
    if polled and not failed and not answers:
        told.append(f"{arm}: no poll was answered before the messages were over")
    return told
