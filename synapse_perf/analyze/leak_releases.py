"""What did letting go of models and servers tell that no series of levels shows?

A model that dies only when the garbage collector comes is freed in the end, nobody knows when. A server that goes on
when its parent has died was stopped by nobody.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

from synapse_perf.analyze.leak_left_findings import left_findings
from synapse_perf.model import Finding, Trial
from synapse_perf.units import MIB, format_bytes

PLANTED = "cycle"  # the way to let go in which the hunt itself makes the cycle
WORTH_BYTES = MIB


def release_findings(trials: Sequence[Trial]) -> Iterator[Finding]:
    """Of the first look at each hunt, so that each is told once."""
    seen: set[str] = set()
    for trial in trials:
        hunt = trial.spec.labels.get("hunt", "")
        if hunt in seen or not trial.samples:
            continue
        seen.add(hunt)
        if trial.spec.benchmark == "leak_model_switch":
            yield from _late_models(trial, hunt)
        elif trial.spec.benchmark == "leak_servers":
            yield from left_findings(trial)
            yield from _outliving_servers(trial)


def _late_models(trial: Trial, hunt: str) -> Iterator[Finding]:
    release = str(trial.spec.workload["release"])
    gone = [bool(sample.facts["is_gone_without_gc"]) for sample in trial.samples]
    late = gone.count(False)
    kept = sum(bool(sample.facts.get("previous_is_kept")) for sample in trial.samples)
    if not late or kept:  # what the collector does not free either is a leak, and told as one
        return
    freed = median(float(sample.facts.get("freed_by_gc_bytes") or 0.0) for sample in trial.samples)
    held = f", and {format_bytes(freed)} with each of them" if freed >= WORTH_BYTES else ""
    where = "as it is kept in a reference cycle" if release == PLANTED else f"although it was let go by {release}"
    yield Finding(
        id="model-waits-for-collector",
        severity="info" if release == PLANTED else "medium" if freed >= WORTH_BYTES else "low",
        cause=f"{hunt}: a model dies only when the garbage collector comes, {where}: {late} of {len(gone)}{held}",
        evidence={"models": len(gone), "died_by_collector": late, "freed_by_collector_bytes": freed},
        gain=None,
        change="call close() before the last reference goes: with contextlib.closing(Llama(...)) as model: ...",
        check=f"synapse-perf leak-hunt model-switch --release {release}",
        alert="memory right after a switch, before the collector has run",
    )


def _outliving_servers(trial: Trial) -> Iterator[Finding]:
    killed = [sample for sample in trial.samples if "outlives_parent" in sample.facts]
    outliving = [sample for sample in killed if sample.facts["outlives_parent"]]
    if not outliving:
        return
    held = median(float(sample.facts.get("outliving_bytes") or 0.0) for sample in outliving)
    yield Finding(
        id="server-outlives-parent",
        severity="low",
        cause=f"A server goes on when the process that started it is killed, in {len(outliving)} of {len(killed)} "
        f"cases, and keeps {format_bytes(held)} and its port until somebody ends it",
        evidence={"parents_killed": len(killed), "servers_left": len(outliving), "kept_bytes": held},
        gain=None,
        change="let it end with its parent: on Linux prctl(PR_SET_PDEATHSIG, SIGTERM) in the child before it becomes "
        "the server, from a thread that stays; else a supervisor of both; and at each start, end what an "
        "earlier run left, known by its number and start time",
        check="synapse-perf leak-hunt servers --stop parent",
        alert="model servers whose parent is the system's first process",
    )
