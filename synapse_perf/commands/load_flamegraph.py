"""Where does the time of one start go, by call stack? One extra trial is watched for it, and is never judged."""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from synapse_perf.measure.pyspy import PySpy
from synapse_perf.report.figures import where_of
from synapse_perf.report.flamegraph import flamegraph_text, precision_note, sample_count

if TYPE_CHECKING:
    from synapse_perf.analyze.load_plan import Case
    from synapse_perf.measure.runner import Attach
    from synapse_perf.measure.session import Outcome
    from synapse_perf.model import TrialSpec

RunWatched = Callable[["TrialSpec", "Attach | None"], "Outcome"]
OUTSIDE = "py-spy"
INSIDE = "the sampler within the process, Python frames only"
# What the worker does once the first token is there is no part of the start.
_AFTER_THE_START = re.compile(r"(?:^|;)_(?:sample|memory_facts) \([^;]*profile_load\.py:")


@dataclass(frozen=True, slots=True)
class Recording:
    """The content of the file that was asked for, None where nothing could be recorded, and what to tell about it."""

    text: str | None = None
    told: str = ""
    warnings: tuple[str, ...] = ()
    is_interrupted: bool = False


class NotAttached(Exception):  # noqa: N818  # says what happened
    """py-spy may not look into the worker, which has not begun yet: there is nothing to wait for."""


def record(spec: TrialSpec, path: Path, run: RunWatched, what: str = "Start of") -> Recording:
    """One more trial of a kind, by py-spy, or where that may not attach by the sampler in the worker itself.

    `run` carries out one trial. Nothing that goes wrong here is an error of the run: it ends up in the warnings.
    """
    recorder = PySpy()
    outcome: Outcome | None = None
    with contextlib.suppress(NotAttached):
        outcome = run(spec, _attached_or_not_at_all(recorder))
    if outcome is not None and (recorder.stacks or outcome.is_interrupted):
        return _recording(spec, path, outcome, recorder.stacks, OUTSIDE, (), what)
    why = f"py-spy recorded nothing: {recorder.problem}"
    outcome = run(replace(spec, watch_inside=True), None)
    stacks = [str(line) for trial in outcome.trials for line in trial.facts.get("stacks", ())]
    return _recording(spec, path, outcome, stacks, INSIDE, (why,), what)


def watched_start(cases: Sequence[Case]) -> TrialSpec:
    """The first start that is judged, from a cold page cache if any is."""
    judged = [case.spec for case in cases if case.is_judged]
    return next((spec for spec in judged if spec.page_cache == "cold"), judged[0])


def _attached_or_not_at_all(recorder: PySpy) -> Attach:
    @contextlib.contextmanager
    def attach(pid: int) -> Iterator[None]:
        with recorder.attach(pid):
            if recorder.problem is not None:
                raise NotAttached
            yield

    return attach


def _recording(
    spec: TrialSpec,
    path: Path,
    outcome: Outcome,
    stacks: Sequence[str],
    sampler: str,
    notes: tuple[str, ...],
    what: str,
) -> Recording:
    if outcome.is_interrupted:
        return Recording(is_interrupted=True)
    start = where_of(spec.labels, spec.arm)
    stacks = [_tidy(line) for line in stacks if not _AFTER_THE_START.search(line)]
    warnings = [*notes, *(trial.failure.message for trial in outcome.trials if trial.failure)]
    if not stacks:
        told = "; ".join(warnings) or "no sample was taken"
        return Recording(warnings=(f"there is no flame graph of {start}: {told}",))
    told = f"flame graph of {start}, by {sampler}: {precision_note(sample_count(stacks))}"
    text = flamegraph_text("\n".join(stacks), path.suffix, f"{what} {start}, by {sampler}")
    return Recording(text, told, tuple(f"flame graph of {start}: {warning}" for warning in warnings))


def _tidy(line: str) -> str:
    """One frame for the import system, which goes through five of its own for every module that imports another."""
    frames, _, count = line.rpartition(" ")
    named = ("import" if "<frozen importlib." in frame else frame for frame in frames.split(";"))
    return f"{';'.join(frame for frame, _ in itertools.groupby(named))} {count}"
