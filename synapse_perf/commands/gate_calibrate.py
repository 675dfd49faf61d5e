"""Finds how much builds of the same code differ on this machine, so that a gate makes nothing of it."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from synapse_perf.commands.gate_arms import PairedRequest

SESSIONS = 5


def calibrate(request: PairedRequest) -> int:
    """Several times: check out and set up one revision twice, measure pairs; keep the spread of what they differ by."""
    from synapse_perf.analyze.gate_policy import screen_alone
    from synapse_perf.baselines.noise import Calibration, keep_calibration
    from synapse_perf.clock import utc_timestamp
    from synapse_perf.commands.gate_against import measure_pairs
    from synapse_perf.errors import ExitCode
    from synapse_perf.host.environment import digest, hardware_class
    from synapse_perf.units import format_percent

    slowdowns: dict[str, list[float]] = {}
    for session in range(SESSIONS):
        if not request.quiet:
            typer.echo(f"session {session + 1} of {SESSIONS}: two fresh checkouts of {request.revision}", err=True)
        gate = measure_pairs(replace(request, seed=request.seed + session), screen_alone, is_same_code=True)
        if gate.is_interrupted:
            return ExitCode.INTERRUPTED
        for metric, slowdown in gate.slowdowns().items():
            slowdowns.setdefault(metric, []).append(slowdown)
    # Both sides are the same code, so that what they differ by has a mean of zero.
    biases = {
        metric: float(f"{math.sqrt(sum(value**2 for value in found) / len(found)):.3g}")
        for metric, found in slowdowns.items()
        if len(found) == SESSIONS
    }
    path = keep_calibration(Calibration(digest(hardware_class()), utc_timestamp(), SESSIONS, biases))
    for metric, bias in biases.items():
        floor = max(request.rules.floor, 3 * bias)
        typer.echo(f"{metric}: builds differ by {format_percent(bias)}; a slowdown counts from {format_percent(floor)}")
    typer.echo(f"kept in {path}", err=True)
    return ExitCode.PASS
