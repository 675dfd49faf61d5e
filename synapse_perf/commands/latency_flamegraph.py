"""Where does the time of queries go, by call stack? One more trial of a tier under a profiler; it is never judged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from synapse_perf.commands.load_flamegraph import Recording
    from synapse_perf.measure.runner import Attach
    from synapse_perf.measure.session import Outcome
    from synapse_perf.model import Policy, TrialSpec


def record_queries(
    spec: TrialSpec, path: Path, carry_out: Callable[[Policy, int, Attach | None], Outcome]
) -> Recording:
    """The recording, told where it was made; nothing that goes wrong with it is an error of the run."""
    from synapse_perf.analyze.sampling import fixed
    from synapse_perf.commands.load_flamegraph import Recording, record

    def run(one: TrialSpec, attach: Attach | None) -> Outcome:
        return carry_out(fixed([one]), 1, attach)

    try:
        recording = record(spec, path, run, "Queries of")
    except KeyboardInterrupt:  # between its trials
        return Recording(is_interrupted=True)
    if recording.told:
        typer.echo(recording.told, err=True)
    return recording
