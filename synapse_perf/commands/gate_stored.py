"""Carries out a gate of a run that is already measured against stored baselines."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

from synapse_perf.clock import utc_timestamp
from synapse_perf.units import format_percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synapse_perf.analyze.gate_paired import Rules
    from synapse_perf.analyze.gate_report import GateReport, GateRow
    from synapse_perf.analyze.gate_stored import StoredOutcome
    from synapse_perf.baselines.noise import DaySpread
    from synapse_perf.commands.gate import AgainstOptions, JudgingOptions
    from synapse_perf.model import Result, Suite


def gate_stored(words: Sequence[str], judging: JudgingOptions, measuring: AgainstOptions, rules: Rules) -> GateReport:
    """Judge every command of the run; raises NoBaselineError and NotComparableError with the exit codes 5 and 4."""
    from synapse_perf.analyze.gate_figures import check_wanted, failures_of
    from synapse_perf.analyze.gate_files import newest_of, older_runs
    from synapse_perf.analyze.gate_report import GateReport
    from synapse_perf.analyze.gate_stored import judge_stored
    from synapse_perf.commands.gate_inputs import load_run, unknown_machines
    from synapse_perf.errors import InputError, MeasurementError

    given = [one.name for one in fields(measuring) if getattr(measuring, one.name) != one.default]
    if given:
        option = f"--{given[0].replace('_', '-')}"
        raise InputError(f"{option} is for --against", "add --against REV, such as --against origin/main")
    if len(words) > 1:
        raise InputError(f"one run at a time: {words[0]}, {words[1]} ...", "or compare two: synapse-perf compare")
    run = words[0]
    current = load_run(run)
    results = newest_of(current)
    if not any(result.metrics for result in results):
        raise MeasurementError(f"{run} has no metric: nothing was measured", "an empty run is no pass")
    found = [(result, _stored(result, judging)) for result in results]
    stored = [(result, *one) for result, one in found if one is not None]
    check_wanted(judging.metric, [*results, *(run for _, _, runs in stored for run in runs)])
    outcomes = [judge_stored(result, runs, rules, judging.metric, _calibrated(result)) for result, _, runs in stored]
    names = [name for _, name, _ in stored]
    created = _created([result for result, one in found if one is None], current, judging)
    return GateReport(
        method="stored",
        baseline=", ".join(dict.fromkeys(names)) or "none yet",
        current=run,
        rows=(*(row for outcome in outcomes for row in outcome.rows), *_gone(current, judging)),
        effect=rules.effect,
        detects=_detects(outcomes),
        started_at=utc_timestamp(),
        duration_s=0.0,
        checks=tuple(check for result in results for check in result.checks),
        warnings=(
            *_warnings(outcomes),
            *unknown_machines(results),
            *older_runs(run, current),
            *_left_out(current, judging),
            *(f"there was no baseline of a part of this run: it is one now, {path}" for path in created if outcomes),
        ),
        failures=failures_of(current),
        created="" if outcomes else ", ".join(created),
    )


def _stored(result: Result, judging: JudgingOptions) -> tuple[str, tuple[Result, ...]] | None:
    """None where there is none and one is to be made."""
    from synapse_perf.baselines import find_for
    from synapse_perf.errors import NoBaselineError

    try:
        return find_for(result, judging.baseline)
    except NoBaselineError:
        if not judging.create_missing:
            raise
        return None


def _calibrated(result: Result) -> dict[str, DaySpread]:
    """How runs of different days differ on machines of the run's class, by the metric's name within the command."""
    from synapse_perf.baselines.noise import load_noise

    spreads = load_noise().day_spreads(str(result.environment.hardware_class.get("digest") or ""))
    return {name.removeprefix(f"{result.benchmark}: "): spread for name, spread in spreads.items()}


def _created(missing: Sequence[Result], current: Result | Suite, judging: JudgingOptions) -> list[str]:
    """The files of the baselines that were made: one of the name that was asked for, else one for each command."""
    from synapse_perf.baselines import name_for, save

    if missing and judging.baseline is not None:
        return [str(save(judging.baseline, current))]
    return [str(save(name_for(result), result)) for result in missing]


def _gone(current: Result | Suite, judging: JudgingOptions) -> list[GateRow]:
    """What a whole run of that name has measured and this whole run has not; a single command is but a part of it."""
    from synapse_perf.analyze.gate_files import gone
    from synapse_perf.baselines import load
    from synapse_perf.model import Suite
    from synapse_perf.results import is_run_name

    if not isinstance(current, Suite) or judging.baseline is None or is_run_name(judging.baseline):
        return []
    return list(gone(load(judging.baseline), current, judging.metric))


def _left_out(current: Result | Suite, judging: JudgingOptions) -> list[str]:
    """Which other commands have a baseline that a whole run could be expected to be judged by too."""
    from synapse_perf.baselines import hardware, list_baselines, load, results_of
    from synapse_perf.model import Suite

    if not isinstance(current, Suite) or judging.baseline is not None:
        return []
    ran = {result.benchmark for result in current.results}
    kinds = {(result.profile, hardware(result)) for result in current.results}
    return [
        f"not judged: {path} is of {one.benchmark} with this profile, which this run has not"
        for path in list_baselines()
        for one in results_of(load(str(path)))[:1]
        if one.benchmark not in ran and (one.profile, hardware(one)) in kinds
    ]


def _detects(outcomes: list[StoredOutcome]) -> str:
    limits = [outcome.detectable for outcome in outcomes if outcome.detectable is not None]
    if not limits:
        return ""
    return f"slowdowns from about {format_percent(max(limits))}; smaller ones need pairs: gate --against REV"


def _warnings(outcomes: list[StoredOutcome]) -> list[str]:
    found = []
    for outcome in outcomes:
        if outcome.changed:
            found.append(f"the software changed too: {', '.join(outcome.changed)}")
        if outcome.is_assumed:
            found.append(
                "how runs scatter from day to day is assumed: store more runs (baseline save --add), "
                "or calibrate on several days (gate --calibrate)"
            )
    return list(dict.fromkeys(found))
