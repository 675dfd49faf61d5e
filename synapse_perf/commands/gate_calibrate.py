"""Finds how much builds of the same code, and runs of different days, differ on this machine, and keeps both."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from synapse_perf.baselines.noise import Day
    from synapse_perf.commands.gate_arms import PairedGate, PairedRequest
    from synapse_perf.commands.gate_ending import GateOutput

SESSIONS = 5


def check_prints_no_report(output: GateOutput) -> None:
    from synapse_perf.errors import InputError

    asked = {
        "--output": bool(output.output),
        "--format": output.format != "console",
        "--allow-inconclusive": output.allow_inconclusive,
    }
    for option, is_given in asked.items():
        if is_given:
            raise InputError(f"--calibrate judges nothing, so that {option} has no use", f"leave out {option}")


def calibrate(request: PairedRequest) -> int:
    """Several times: check out and set up one revision twice, measure pairs; keep by how much they differ.

    Whatever the two sides differ by is what builds differ by; what the runs scatter by, with those of calibrations of
    the same code on other days, is what a stored baseline has to allow for.
    """
    from synapse_perf.analyze.gate_policy import screen_alone
    from synapse_perf.baselines.noise import Calibration, keep_calibration
    from synapse_perf.clock import utc_timestamp
    from synapse_perf.commands.gate_against import measure_pairs
    from synapse_perf.errors import ExitCode
    from synapse_perf.host.environment import digest, hardware_class

    gates = []
    for session in range(SESSIONS):
        if not request.quiet:
            typer.echo(f"session {session + 1} of {SESSIONS}: two fresh checkouts of {request.revision}", err=True)
        gates.append(measure_pairs(replace(request, seed=request.seed + session), screen_alone, is_same_code=True))
        if gates[-1].is_interrupted:
            return ExitCode.INTERRUPTED
    biases, day = _biases([gate.slowdowns() for gate in gates]), _day(gates)
    commit = gates[0].before.commit[:10]
    path = keep_calibration(Calibration(digest(hardware_class()), utc_timestamp(), SESSIONS, biases, (day,)))
    _tell(biases, day, request.rules.floor)
    typer.echo(f"kept in {path}; again on another day for how days differ: --against {commit}", err=True)
    return ExitCode.PASS


def _biases(sessions: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Both sides are the same code, so that what they differ by has a mean of zero."""
    names = [name for name in sessions[0] if all(name in session for session in sessions)]
    return {name: _short(math.sqrt(statistics.fmean(session[name] ** 2 for session in sessions))) for name in names}


def _day(gates: Sequence[PairedGate]) -> Day:
    """The level and the scatter of all the runs, by metric; what is not always above zero has neither."""
    from synapse_perf.baselines.noise import Day
    from synapse_perf.clock import utc_timestamp

    sides = [side for gate in gates for pair in gate.pairs for side in (pair.runs.before, pair.runs.after)]
    values = {name: [side[name].value for side in sides if name in side] for name in sides[0]}
    timed = {name: found for name, found in values.items() if len(found) == len(sides) and _have_logarithms(found)}
    return Day(
        at=utc_timestamp(),
        tree=gates[0].before.tree,
        levels={name: _short(statistics.median(found)) for name, found in timed.items()},
        scatter={name: _short(statistics.stdev(map(math.log, found))) for name, found in timed.items()},
    )


def _have_logarithms(values: Iterable[float]) -> bool:
    return all(math.isfinite(value) and value > 0 for value in values)


def _short(value: float) -> float:
    return float(f"{value:.4g}")


def _tell(biases: Mapping[str, float], day: Day, least: float) -> None:
    from synapse_perf.units import format_percent

    for metric, bias in biases.items():
        scatter = day.scatter.get(metric)
        told = "" if scatter is None else f"; runs of a day scatter by {format_percent(scatter)}"
        floor = format_percent(max(least, 3 * bias))
        typer.echo(f"{metric}: builds differ by {format_percent(bias)}; a slowdown counts from {floor}{told}")
