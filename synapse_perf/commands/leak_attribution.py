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
    from synapse_perf.model import Finding, Trial, TrialSpec

_SUSPECT_EXAMPLE = "write it as the report names an owner, such as app.cache.STORE or app.Store.items"


@dataclass(frozen=True, slots=True)
class Attributed:
    """What was found, what could not be, and the files to write in the end."""

    findings: tuple[Finding, ...] = ()
    warnings: tuple[str, ...] = ()
    files: Mapping[Path, str] = field(default_factory=dict)
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
    from synapse_perf.analyze.leak_attribution import attribution_specs, growing_hunts

    wanted = wanted_of(owning)
    growing = growing_hunts(hunts, trials)
    specs = attribution_specs(growing, wanted, max_time_s)
    if not specs:
        return Attributed(warnings=_nothing_to_prove(wanted))

    def next_spec(done: tuple[Trial, ...]) -> TrialSpec | None:
        return specs[len(done)] if len(done) < len(specs) else None

    outcome = carry_out(next_spec, len(specs), quiet=quiet)
    findings: list[Finding] = []
    for one in growing:
        own = {trial.spec.arm: trial for trial in outcome.trials if trial.spec.labels["hunt"] == one.hunt.name}
        findings += _findings(one, own, wanted.suspect)
    files, problems = _files(outcome.trials, owning.svg)
    warnings = (*_warnings(outcome.trials), *problems)
    return Attributed(tuple(findings), warnings, files, outcome.is_interrupted)


def _findings(growing: Growing, own: Mapping[str, Trial], suspect: str) -> list[Finding]:
    from synapse_perf.analyze.leak_attribution import ATTRIBUTION, CLEARED
    from synapse_perf.analyze.leak_findings import leak_findings, with_proof

    seen, cleared = own.get(ATTRIBUTION), own.get(CLEARED)
    findings = leak_findings(growing, seen) if seen is not None and "attribution" in seen.facts else []
    if cleared is not None and cleared.samples and cleared.failure is None:
        findings = with_proof(findings, growing, cleared, suspect)
    return findings


def _nothing_to_prove(wanted: Wanted) -> tuple[str, ...]:
    texts = []
    if wanted.suspect:
        texts.append(f"nothing grew, so there is nothing that {wanted.suspect} could be the reason of")
    if wanted.graph:
        texts.append("nothing grew, so there is no graph of who refers to it")
    return tuple(texts)


def _warnings(trials: Sequence[Trial]) -> list[str]:
    texts = []
    for trial in trials:
        hunt = trial.spec.labels["hunt"]
        if trial.failure is not None:
            texts.append(f"{hunt}: who holds it could not be told ({trial.spec.arm}): {trial.failure.message}")
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
