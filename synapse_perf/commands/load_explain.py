"""What do the figures of a run of profile-load mean, and what should change?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from synapse_perf.analyze.bottleneck import bottlenecks
from synapse_perf.analyze.load_modes import best_variants
from synapse_perf.analyze.load_starts import starts_of

if TYPE_CHECKING:
    from synapse_perf.model import Finding, Metric, Trial

SEVERITIES = ("high", "medium", "low", "info")


def explain(
    metrics: Sequence[Metric], trials: Sequence[Trial], confidence: float, more: Sequence[Finding] = ()
) -> tuple[Finding, ...]:
    """Every finding, the severest first; `more` are those that rest on other measurements."""
    starts = starts_of(metrics)
    findings = [*bottlenecks(starts), *best_variants(starts, confidence), *_from_several(metrics, trials, confidence)]
    findings += [*_from_logs(trials), *more]
    return tuple(sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity)))


def _from_several(metrics: Sequence[Metric], trials: Sequence[Trial], confidence: float) -> list[Finding]:
    """What loading all models at once gives, where that was measured."""
    files = {file for trial in trials if trial.spec.benchmark == "load_several" for file in trial.spec.files}
    if not files:
        return []
    from synapse_perf.analyze.load_several import parallel_loading
    from synapse_perf.host.cpu import usable_cores

    disks = len({Path(file).stat().st_dev for file in files if Path(file).exists()})
    return parallel_loading(metrics, confidence, cores=usable_cores(), disks=max(disks, 1))


def _from_logs(trials: Sequence[Trial]) -> list[Finding]:
    """What llama.cpp's own log says of the reference starts, once for each model and kind of finding."""
    from synapse_perf.llama.load_advice import advice
    from synapse_perf.llama.load_log import read_load, read_text
    from synapse_perf.llama.load_phases import find_phases

    found: dict[tuple[str, str], Finding] = {}
    for trial in trials:
        log = trial.facts.get("log")
        if trial.spec.benchmark != "profile_load" or trial.spec.labels.get("variant") or not log:
            continue
        lines = read_text(str(log))
        for finding in advice(read_load(lines), find_phases(lines)):
            found.setdefault((trial.spec.labels["model"], finding.id), finding)
    return [about(model, finding) for (model, _), finding in found.items()]


def about(model: str, finding: Finding) -> Finding:
    """The finding with the model that it speaks of."""
    from dataclasses import replace

    return replace(finding, cause=f"{model}: {finding.cause}", evidence={"model": model, **finding.evidence})
