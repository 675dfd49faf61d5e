"""What would a run of tier-latency do? Told without doing it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from synapse_perf.units import format_duration

if TYPE_CHECKING:
    from synapse_perf.commands.latency_run import LatencyRun

PREPARED_BEFORE = (
    "the documents of two-stage queries are prepared before, outside this time; they are kept, so only a first run "
    "has to embed them"
)


def dry_run(run: LatencyRun) -> int:
    """Print it; the exit code."""
    from synapse_perf.report.plan import DryRun, PlanStep, render_plan

    minimum = run.effort.bounds.minimum
    tiers = (f"{tier}: {Path(model.path).name}, {model.description}" for tier, model in run.tiers.items())
    plan = DryRun(
        "tier-latency",
        run.profile_name,
        tuple(
            PlanStep(arm.name, arm.repeats or minimum, None, 0, is_at_most=arm.repeats is not None) for arm in run.arms
        ),
        outputs=tuple(str(path) for path in run.options.output),
        max_time_s=run.whole_time_s,
        notes=(
            *tiers,
            *_kept(run),
            *((PREPARED_BEFORE,) if run.context is not None and "index" in run.context.workload else ()),
            *run.notes,
            *run.told_before(),
            *(one.message for one in run.chosen.choice.unusable),
        ),
    )
    typer.echo(render_plan(plan, run.options.format), nl=False)
    return 0


def _kept(run: LatencyRun) -> list[str]:
    """What of the time is not for the queries."""
    kept_s = (run.whole_time_s or 0.0) - (run.effort.bounds.max_time_s or 0.0)
    return [f"{format_duration(kept_s)} of the time are kept for what follows the queries"] if kept_s else []
