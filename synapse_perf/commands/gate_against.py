"""Carries out a gate against another revision: two worktrees, pairs in random order, until every metric is decided."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from synapse_perf.clock import now_ns, seconds_between, utc_timestamp
from synapse_perf.commands.gate_arms import PairedGate, PairedRequest, environment_of, last_line, show_output

if TYPE_CHECKING:
    from synapse_perf.analyze.gate_policy import Arm
    from synapse_perf.analyze.gate_report import GateReport
    from synapse_perf.commands.gate_arms import PairPolicy
    from synapse_perf.measure.register import Register
    from synapse_perf.measure.worktrees import Revision, Worktrees

_SETUP_TIMEOUT_S = 1800.0


def gate_against(request: PairedRequest) -> GateReport:
    """Measure and judge; raises InputError for what is wrong before, MeasurementError for a command that fails."""
    from synapse_perf.analyze.gate_policy import next_pair
    from synapse_perf.commands.gate_paired_report import paired_report

    started_at, started_ns = utc_timestamp(), now_ns()
    gate = measure_pairs(request, next_pair)
    return paired_report(gate, started_at, seconds_between(started_ns, now_ns()))


def measure_pairs(request: PairedRequest, policy: PairPolicy, *, is_same_code: bool = False) -> PairedGate:
    """Check both sides out, set them up, and measure what the policy asks for; nothing is left behind.

    `is_same_code`: the revision on both sides, not the work tree.
    """
    from synapse_perf.commands.gate_checks import check_measured_anew
    from synapse_perf.measure.register import Register
    from synapse_perf.measure.register import sweep as sweep_processes
    from synapse_perf.measure.worktrees import (
        others_measuring,
        repository_of,
        revision_of,
        scratch_directory,
        work_tree_of,
        working_directory,
        worktrees,
    )
    from synapse_perf.results import state_directory

    here = working_directory()
    repository = repository_of(here)
    before = revision_of(repository, request.revision)
    processes = state_directory() / "processes"
    sweep_processes(processes)
    register = Register(processes)
    try:
        with scratch_directory(state_directory() / "worktrees") as home:
            after = before if is_same_code else work_tree_of(repository, home)
            with worktrees(here, home, before, after) as places:
                _check_profile(request, places, before, after)
                is_accompanied = others_measuring(home) > 0
                environments = _set_up(request, places, before, after, register)
                gate = PairedGate(request, before, after, places, register, environments, is_accompanied=is_accompanied)
                gate.carry_out(policy)
                check_measured_anew(gate)
                gate.is_accompanied |= others_measuring(home) > 0
                return gate
    finally:
        register.end_all()


def _check_profile(request: PairedRequest, places: Worktrees, before: Revision, after: Revision) -> None:
    from synapse_perf.errors import InputError

    for place, revision in ((places.before, before), (places.after, after)):
        if not (place / request.profile).exists():
            raise InputError(
                f"{revision.shown} has no {request.profile}", "commit it first, or give one outside of the repository"
            )


def _set_up(
    request: PairedRequest, places: Worktrees, before: Revision, after: Revision, register: Register
) -> dict[Arm, Path]:
    """Run the setup in both worktrees; the environments that it has built, where it builds any."""
    from synapse_perf.gguf_files.cache import cache_directory
    from synapse_perf.measure.worktree_environment import check_has_no_project, is_cached, lock_digest, reserved

    if not request.setup:
        return {}
    environments: dict[Arm, Path] = {}
    sides: tuple[tuple[Arm, Path, Revision], ...] = (
        ("before", places.before, before),
        ("after", places.after, after),
    )
    for arm, place, revision in sides:
        if not is_cached(request.setup):
            _run_setup(request, places.home, place, revision, register)
            continue
        digest = lock_digest(request.setup, place)
        with reserved(cache_directory() / "environments", digest) as (environment, is_complete):
            environments[arm] = environment
            if not is_complete:
                _run_setup(request, places.home, place, revision, register, environment)
                check_has_no_project(environment, places.home)
    return environments


def _run_setup(
    request: PairedRequest,
    home: Path,
    place: Path,
    revision: Revision,
    register: Register,
    environment: Path | None = None,
) -> None:
    from synapse_perf.errors import InputError
    from synapse_perf.measure.worktree_arm import run_arm

    if not request.quiet:
        typer.echo(f"setting up {revision.shown}", err=True)
    variables = environment_of(place, home, environment)
    log = home / "log"
    done = run_arm(request.setup, place, variables, timeout_s=_SETUP_TIMEOUT_S, log=log, register=register)
    if done.status or done.is_timeout:
        show_output(done, request)
        raise InputError(f"--setup fails at {revision.shown}: {last_line(done)}", "try it in a fresh checkout")
