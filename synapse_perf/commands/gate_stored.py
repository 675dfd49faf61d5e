"""Carries out a gate of a run that is already measured against stored baselines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synapse_perf.clock import utc_timestamp
from synapse_perf.units import format_percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synapse_perf.analyze.gate_paired import Rules
    from synapse_perf.analyze.gate_report import GateReport
    from synapse_perf.analyze.gate_stored import StoredOutcome
    from synapse_perf.baselines.noise import DaySpread
    from synapse_perf.commands.gate import AgainstOptions, JudgingOptions
    from synapse_perf.model import Result


def gate_stored(words: Sequence[str], judging: JudgingOptions, measuring: AgainstOptions, rules: Rules) -> GateReport:
    """Judge every command of the run; raises NoBaselineError and NotComparableError with the exit codes 5 and 4."""
    from synapse_perf.analyze.gate_figures import results_of
    from synapse_perf.analyze.gate_report import GateReport
    from synapse_perf.analyze.gate_stored import judge_stored
    from synapse_perf.commands.gate_inputs import load_run, unknown_machines
    from synapse_perf.errors import InputError, MeasurementError

    given = [name for name in ("command", "profile", "setup") if getattr(measuring, name)]
    if given:
        raise InputError(f"--{given[0]} is for --against", "add --against REV, such as --against origin/main")
    if len(words) > 1:
        raise InputError(f"one run at a time: {words[0]}, {words[1]} ...", "or compare two: synapse-perf compare")
    run = words[0]
    current = load_run(run)
    results = results_of(current)
    if not any(result.metrics for result in results):
        raise MeasurementError(f"{run} has no metric: nothing was measured", "an empty run is no pass")
    names, outcomes, created = [], [], []
    for result in results:
        found = _stored(result, judging)
        if found is None:
            created.append(_created(result))
            continue
        names.append(found[0])
        outcomes.append(judge_stored(result, found[1], rules, judging.metric, _calibrated(result)))
    return GateReport(
        method="stored",
        baseline=", ".join(dict.fromkeys(names)) or "none yet",
        current=run,
        rows=tuple(row for outcome in outcomes for row in outcome.rows),
        effect=rules.effect,
        detects=_detects(outcomes),
        started_at=utc_timestamp(),
        duration_s=0.0,
        checks=tuple(check for result in results for check in result.checks),
        warnings=(*_warnings(outcomes), *unknown_machines(results)),
        created=", ".join(created) if created and not outcomes else "",
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


def _created(result: Result) -> str:
    from synapse_perf.baselines import name_for, save

    return str(save(name_for(result), result))


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
