"""How much is measured, by what is it judged, and how are the trials run? The same for every measuring command."""

from __future__ import annotations

import math
import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from synapse_perf.analyze.sampling import Arm, Bounds
    from synapse_perf.analyze.stopping import Judgement
    from synapse_perf.analyze.targets import Target
    from synapse_perf.commands.options import CommonOptions
    from synapse_perf.measure.runner import Attach
    from synapse_perf.measure.session import Outcome
    from synapse_perf.model import Json, MetricDefinition, Policy, Subject
    from synapse_perf.profiles import Profile

DEFAULT_MAX_TIME_S = 600.0
LEAST_TIME_S = 1.0  # for the first trial of each kind


@dataclass(frozen=True, slots=True)
class Effort:
    """What the profile and the options allow; options replace single values of the profile."""

    bounds: Bounds
    confidence: float
    seed: int
    targets: tuple[Target, ...]

    def judgement(self, definitions: Mapping[str, MetricDefinition], profile: str, subject: Subject) -> Judgement:
        from synapse_perf.analyze.stopping import Judgement

        return Judgement(definitions, self.targets, self.confidence, profile, subject)

    def plan(self, outcome: Outcome, arms: Sequence[Arm], judgement: Judgement, timeout_s: float) -> dict[str, Json]:
        """How much was to be measured, and why it ended where it did."""
        from synapse_perf.analyze.stopping import explain_stop, undecided_by

        why = explain_stop(outcome.trials, arms, self.bounds, undecided_by(judgement, arms))
        return {
            "trials": self.bounds.minimum,
            "max_time_s": self.bounds.max_time_s,
            "timeout_s": timeout_s,
            "confidence": self.confidence,
            "seed": self.seed,
            "stopped": "interrupted" if outcome.is_interrupted else why,
        }


def effort_of(profile: Profile, options: CommonOptions) -> Effort:
    """Raises InputError for a target or a duration that is none."""
    from synapse_perf.analyze.sampling import Bounds
    from synapse_perf.analyze.targets import parse_target_option, with_limits
    from synapse_perf.units import parse_duration

    sampling = profile.sampling
    seed = options.seed if options.seed is not None else sampling.seed
    limits = {**profile.targets, **dict(parse_target_option(text) for text in options.target)}
    trials = options.trials or sampling.trials or Bounds().minimum
    max_time_s = (parse_duration(options.max_time) if options.max_time else sampling.max_time_s) or DEFAULT_MAX_TIME_S
    return Effort(
        bounds=Bounds(
            minimum=trials, maximum=max(trials, Bounds().maximum), max_time_s=min(max_time_s, _left_s(options))
        ),
        confidence=options.confidence or sampling.confidence,
        seed=seed if seed is not None else random.SystemRandom().randrange(2**31),
        targets=with_limits(limits),
    )


def _left_s(options: CommonOptions) -> float:
    """Of the share that a command has of a whole run, after what it took to prepare what is measured."""
    from synapse_perf.commands.options import PartOptions

    if not isinstance(options, PartOptions) or options.ends_at_s is None:
        return math.inf
    return max(options.ends_at_s - time.monotonic(), LEAST_TIME_S)


def carry_out(
    policy: Policy, planned: int, *, quiet: bool, attach: Attach | None = None, max_time_s: float | None = None
) -> Outcome:
    """Run the trials that the policy asks for, with the progress display."""
    from synapse_perf.measure.session import run_trials
    from synapse_perf.report.progress import Progress
    from synapse_perf.results import state_directory

    directory = state_directory() / "processes"
    with Progress(quiet=quiet) as progress:
        return run_trials(
            policy,
            planned=planned,
            register_directory=directory,
            observe=progress.observe,
            attach=attach,
            max_time_s=max_time_s,
        )
