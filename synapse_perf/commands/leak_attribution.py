"""Carries out the trials that tell who holds what grew, and makes findings of them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from synapse_perf.commands.measuring import carry_out
from synapse_perf.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from synapse_perf.analyze.leak_attribution import Growing, Wanted
    from synapse_perf.analyze.leak_plan import Hunt
    from synapse_perf.commands.leak_owner_options import OwnerOptions
    from synapse_perf.model import Finding, Json, Trial, TrialSpec

_SUSPECT_EXAMPLE = "write it as the report names an owner, such as app.cache.STORE or app.Store.items"


@dataclass(frozen=True, slots=True)
class Attributed:
    """What was found, what could not be, and the files to write in the end."""

    findings: tuple[Finding, ...] = ()
    warnings: tuple[str, ...] = ()
    files: Mapping[Path, str] = field(default_factory=dict)
    running: Mapping[str, Json] = field(default_factory=dict)  # by hunt: where a process was while it grew
    growing: tuple[Growing, ...] = ()  # as judged with what their owners tell
    is_interrupted: bool = False


def wanted_of(owning: OwnerOptions) -> Wanted:
    """Raises InputError for what is no name, or a graph that could not be drawn."""
    from synapse_perf.analyze.leak_attribution import Wanted
    from synapse_perf.commands.leak_graph import check_graph

    suspect = (owning.prove or "").strip().replace(":", ".")
    if owning.prove is not None and ("." not in suspect or not all(part.isidentifier() for part in suspect.split("."))):
        raise InputError(f"--prove {owning.prove}: that is no path to an object", _SUSPECT_EXAMPLE)
    if owning.svg is not None:
        check_graph(owning.svg)
    return Wanted(suspect, owning.svg is not None, owning.show_values)


def looking_for(suspect: str, hunts: Sequence[Hunt]) -> tuple[Hunt, ...]:
    """The hunts whose first call finds out whether there is such a suspect."""
    from synapse_perf.analyze.leak_attribution import INSIDE

    if not suspect:
        return tuple(hunts)
    if not any(hunt.spec.benchmark in INSIDE for hunt in hunts):
        raise InputError(f"--prove {suspect}: only what this command itself calls can be cleared", "name a function")
    return tuple(
        replace(hunt, spec=replace(hunt.spec, workload={**hunt.spec.workload, "suspect": suspect}))
        if hunt.spec.benchmark in INSIDE
        else hunt
        for hunt in hunts
    )


def attribute(
    hunts: Sequence[Hunt], trials: Sequence[Trial], owning: OwnerOptions, max_time_s: float, *, quiet: bool
) -> Attributed:
    """Nothing at all where nothing grew."""
    from synapse_perf.analyze.leak_attribution import OUTSIDE, attribution_specs, growing_hunts, recording_specs

    wanted = wanted_of(owning)
    growing = growing_hunts(hunts, trials)
    outside = growing_hunts(hunts, trials, OUTSIDE)
    if not growing and not outside:
        return Attributed(warnings=_nothing_to_prove(wanted))
    specs = attribution_specs(growing, wanted, max_time_s) + recording_specs(outside, max_time_s)

    def next_spec(done: tuple[Trial, ...]) -> TrialSpec | None:
        return specs[len(done)] if len(done) < len(specs) else None

    outcome = carry_out(next_spec, len(specs), quiet=quiet)
    findings: list[Finding] = []
    running: dict[str, Json] = {}
    growing = [_with_owners(one, _own(one, outcome.trials)) for one in growing]
    for one in growing:
        findings += _findings(one, _own(one, outcome.trials), wanted.suspect)
    for one in outside:
        findings += _outside(one, _own(one, outcome.trials), running)
    files, problems = _files(outcome.trials, owning.svg)
    warnings = (*_warnings(outcome.trials), *problems)
    return Attributed(tuple(findings), warnings, files, running, tuple(growing), outcome.is_interrupted)


def _own(growing: Growing, trials: Sequence[Trial]) -> dict[str, Trial]:
    """By arm."""
    return {trial.spec.arm: trial for trial in trials if trial.spec.labels["hunt"] == growing.hunt.name}


def _with_owners(growing: Growing, own: Mapping[str, Trial]) -> Growing:
    from synapse_perf.analyze.leak_attribution import ATTRIBUTION
    from synapse_perf.analyze.leak_filling import doubted

    seen = own.get(ATTRIBUTION)
    return doubted(growing, seen.facts["attribution"]) if seen is not None and "attribution" in seen.facts else growing


def _findings(growing: Growing, own: Mapping[str, Trial], suspect: str) -> list[Finding]:
    from synapse_perf.analyze.leak_attribution import ATTRIBUTION, CLEARED
    from synapse_perf.analyze.leak_findings import leak_findings, with_proof

    seen, cleared = own.get(ATTRIBUTION), own.get(CLEARED)
    findings = leak_findings(growing, seen) if seen is not None and "attribution" in seen.facts else []
    if cleared is not None and cleared.samples and cleared.failure is None:
        findings = with_proof(findings, growing, cleared, suspect)
    return findings


def _outside(growing: Growing, own: Mapping[str, Trial], running: dict[str, Json]) -> list[Finding]:
    """What to do about growth that was seen from outside; where the process was meanwhile is put into `running`."""
    from synapse_perf.analyze.leak_attribution import RUNNING
    from synapse_perf.analyze.leak_outside_findings import ORDER, outside_findings
    from synapse_perf.analyze.leak_running import running_of

    seen = own.get(RUNNING)
    if seen is not None and "running" in seen.facts:
        told_first = next(probe for probe in (*ORDER, *growing.judged) if probe in growing.judged)
        running[growing.hunt.name] = running_of(seen, told_first)
    return list(outside_findings(growing, running.get(growing.hunt.name)))


def _nothing_to_prove(wanted: Wanted) -> tuple[str, ...]:
    texts = []
    if wanted.suspect:
        texts.append(f"nothing grew, so there is nothing that {wanted.suspect} could be the reason of")
    if wanted.graph:
        texts.append("nothing grew, so there is no graph of who refers to it")
    return tuple(texts)


def _warnings(trials: Sequence[Trial]) -> list[str]:
    from synapse_perf.analyze.leak_attribution import INSIDE

    texts = []
    for trial in trials:
        hunt = trial.spec.labels["hunt"]
        if trial.failure is not None:
            told = "who holds it could not be told" if trial.spec.benchmark in INSIDE else "no more could be seen"
            texts.append(f"{hunt}: {told} ({trial.spec.arm}): {trial.failure.message}")
        texts += [f"{hunt}: {note}" for note in trial.facts.get("attribution", {}).get("notes", ())]
    return texts


def _files(trials: Sequence[Trial], path: Path | None) -> tuple[dict[Path, str], list[str]]:
    """The graph of the first hunt that has one."""
    from synapse_perf.commands.leak_graph import drawn

    if path is None:
        return {}, []
    graphs = [str(trial.facts.get("attribution", {}).get("graph") or "") for trial in trials]
    drawable = [graph for graph in graphs if graph.startswith("digraph")]
    if not drawable:
        return {}, [f"{path}: {next(filter(None, graphs), 'no graph was made')}"]
    try:
        return {path: drawn(drawable[0], path)}, []
    except OSError as error:
        return {}, [f"{path}: {error}"]
