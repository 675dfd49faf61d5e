"""Runs trials one after another as a policy asks for them, until it is content or the user interrupts."""

from __future__ import annotations

import statistics
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from synapse_perf.measure.events import Note, Observe, TrialFinished, TrialStarted
from synapse_perf.measure.register import Register, sweep
from synapse_perf.measure.runner import Attach, run_trial
from synapse_perf.model import Policy, Trial


@dataclass(frozen=True, slots=True)
class Outcome:
    """Every trial that was finished; `is_interrupted` when the user did not want more."""

    trials: tuple[Trial, ...]
    is_interrupted: bool


def run_trials(
    policy: Policy,
    *,
    planned: int,
    register_directory: Path,
    observe: Observe,
    attach: Attach | None = None,
    max_time_s: float | None = None,
) -> Outcome:
    """Ask the policy, run the trial, ask again.

    `planned` is the least number of trials and `max_time_s` what they may take, both for the display; `attach` is for
    trials that a profiler watches.
    """
    sweep(register_directory)
    register = Register(register_directory)
    trials: tuple[Trial, ...] = ()
    processes: Counter[tuple[str, tuple[tuple[str, str], ...]]] = Counter()
    try:
        while (spec := policy(trials)) is not None:
            case = (spec.arm, tuple(sorted(spec.labels.items())))
            processes[case] += 1
            left_s, is_short = _time_left(trials, planned, max_time_s)
            observe(TrialStarted(spec, processes[case], len(trials), planned, left_s, is_short))
            trial = run_trial(spec, processes[case], register=register, observe=observe, attach=attach)
            trials = (*trials, trial)
            observe(TrialFinished(trial))
    except KeyboardInterrupt:
        observe(Note("interrupted: reporting what is finished; once more to leave at once"))
        return Outcome(trials, is_interrupted=True)
    finally:
        register.end_all()
    return Outcome(trials, is_interrupted=False)


def _time_left(trials: tuple[Trial, ...], planned: int, max_time_s: float | None) -> tuple[float | None, bool]:
    """Seconds, where one can tell, and whether the time ends before what is planned."""
    if not trials:
        return None, False
    walls_s = [trial.wall_s for trial in trials]
    each_s, missing = statistics.median(walls_s), max(planned - len(trials), 1)
    wanted_s = each_s * missing
    if max_time_s is None:
        return wanted_s, False
    left_s = max(max_time_s - sum(walls_s), 0.0)
    return min(wanted_s, left_s), each_s * (missing - 1) > left_s  # after this one, which begins in any case
