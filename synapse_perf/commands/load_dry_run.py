"""What would a run of profile-load do, how long would it take, and how much would it read?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from synapse_perf.analyze.load_plan import Case, ModelUnderTest
    from synapse_perf.model import Result
    from synapse_perf.report.plan import PlanStep

# Where no earlier run tells: a slow disk, a copy out of memory, and the start of an interpreter with its imports.
ASSUMED_COLD_BYTES_PER_S = 500e6
ASSUMED_WARM_BYTES_PER_S = 4e9
ASSUMED_START_S = 1.0
LOOK_BACK = 5  # runs

MEASURED_NOTE = "times are those of the last run that measured these models here"
ASSUMED_NOTE = "times are guessed from the sizes (500 MB/s cold, 4 GB/s warm, 1 s for a process): no earlier run tells"


def plan_steps(
    cases: Sequence[Case], models: Sequence[ModelUnderTest], repeats: int, earlier: Iterable[Result]
) -> tuple[list[PlanStep], str]:
    """One step for each case, and where its times are from."""
    from synapse_perf.report.figures import where_of
    from synapse_perf.report.plan import PlanStep

    known = _known_times(models, earlier)
    sizes = {model.label: model.size_bytes for model in models}
    steps, is_guessed = [], False
    for case in cases:
        seconds = known.get(_case_key(case.spec.labels, case.spec.arm))
        if seconds is None:
            is_guessed = True
            size = sizes.get(case.spec.labels["model"], sum(sizes.values()))
            rate = ASSUMED_COLD_BYTES_PER_S if case.spec.page_cache == "cold" else ASSUMED_WARM_BYTES_PER_S
            seconds = ASSUMED_START_S + size / rate
        steps.append(PlanStep(where_of(case.spec.labels, case.spec.arm), repeats, seconds, case.reads_bytes))
    return steps, ASSUMED_NOTE if is_guessed else MEASURED_NOTE


def earlier_results() -> list[Result]:
    """The last runs of profile-load that are saved here, the newest first."""
    from synapse_perf.errors import SynapsePerfError
    from synapse_perf.model import Result
    from synapse_perf.results import list_runs, load

    found: list[Result] = []
    for path in list_runs("profile-load")[:LOOK_BACK]:
        try:
            loaded = load(path)
        except SynapsePerfError:
            continue
        if isinstance(loaded, Result):
            found.append(loaded)
    return found


def _known_times(models: Sequence[ModelUnderTest], earlier: Iterable[Result]) -> dict[tuple[str, ...], float]:
    """Seconds by case from the newest result with the same model files."""
    digests = {model.label: model.digest for model in models}
    known: dict[tuple[str, ...], float] = {}
    for result in earlier:
        described: Mapping[str, Mapping[str, object]] = result.workload.get("models", {})
        for metric in result.metrics:
            model = metric.labels.get("model", "")
            is_same = described.get(model, {}).get("digest") == digests.get(model, "")
            is_whole = metric.name == "model_startup_time" or metric.labels.get("phase") == "floor"
            if is_whole and is_same and metric.summary.median is not None:
                known.setdefault(_case_key(metric.labels, metric.trials[0].arm), metric.summary.median)
    return known


def _case_key(labels: Mapping[str, str], arm: str) -> tuple[str, ...]:
    return labels.get("model", ""), labels.get("cache", ""), labels.get("variant", ""), arm
