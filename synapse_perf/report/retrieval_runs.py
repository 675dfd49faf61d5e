"""Which retrieval latencies belong together? Groups them by all labels but the stage, and adds stages up by process."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from synapse_perf.analyze.summary import summarize
from synapse_perf.model import Labels, Metric, Result, TrialRecord

LATENCY = "retrieval_latency"
TOTAL = "total"
UNCERTIFIED = "uncertified"
ANSWER_STAGES = ("embed", "glue", "search", "filter", "pack")
STAGE_ORDER = (
    "interpreter",
    "import",
    "import.numpy",
    "import.faiss",
    "import.llama_cpp",
    "encoder",
    "open",
    "metadata",
    "build",
    "preload",
    *ANSWER_STAGES,
    "first_retrieve",
    "residual",
)
APART = "harness"  # what this tool's worker needs itself: told, but in no total
_LABELS = {"build": "factory", "first_retrieve": "first retrieve()"}
_ASIDE = "subject"  # the same in all that one command measures


@dataclass(frozen=True, slots=True)
class Retrievals:
    """The stages of one kind of retrieval in their order; its labels are without the stage."""

    labels: Labels
    stages: dict[str, Metric]  # without the total, and without what is in no total
    total: Metric | None
    apart: Metric | None = None

    @property
    def state(self) -> str:
        return self.labels.get("state", "")

    @property
    def metrics(self) -> list[Metric]:
        return [metric for metric in (self.total, *self.stages.values(), self.apart) if metric]


class Measured:
    """The metrics of a result, handed out to the sections; what no section asked for is left."""

    def __init__(self, result: Result) -> None:
        self.metrics = tuple(metric for metric in result.metrics if metric.summary.count)
        self._groups = _groups(metric for metric in self.metrics if metric.name == LATENCY)
        self._shown: set[str] = set()

    def find(self, **labels: str) -> Retrievals | None:
        """The retrievals with exactly these labels, which the caller does not show in full."""
        return next((group for group in self._groups if _told(group) == labels), None)

    def take(self, **labels: str) -> Retrievals | None:
        """The retrievals with exactly these labels, to be shown."""
        group = self.find(**labels)
        return self.show(group) if group else None

    def show(self, group: Retrievals) -> Retrievals:
        self.mark(group.metrics)
        return group

    def mark(self, metrics: Iterable[Metric]) -> None:
        """These are shown."""
        self._shown.update(metric.key for metric in metrics)

    def find_with(self, *names: str) -> list[Retrievals]:
        """All retrievals that have a state and labels of these names, and no others, which are not shown in full."""
        return [group for group in self._groups if set(_told(group)) == {"state", *names}]

    def take_with(self, *names: str) -> list[Retrievals]:
        """The same, to be shown."""
        return [self.show(group) for group in self.find_with(*names)]

    def left(self) -> list[Metric]:
        return [metric for metric in self.metrics if metric.key not in self._shown]


def stage_label(stage: str) -> str:
    """A stage as tables name it."""
    return _LABELS.get(stage, stage.replace(".", " ", 1) if stage.startswith("import.") else stage.replace("_", " "))


def sum_of(metrics: Sequence[Metric]) -> Metric | None:
    """The sum of these stages in each process, summarised anew; None where no process has all of them."""
    return _combine(metrics, [1.0] * len(metrics))


def difference(whole: Metric, part: Metric) -> Metric | None:
    """What is left of the whole in each process without this part."""
    return _combine([whole, part], [1.0, -1.0])


def confidence_of(*metrics: Metric | None) -> float:
    """The level of the intervals that these metrics have."""
    return next((one.summary.interval.confidence for one in metrics if one and one.summary.interval), 0.95)


def _told(group: Retrievals) -> Labels:
    return {name: value for name, value in group.labels.items() if name != _ASIDE}


def _groups(metrics: Iterable[Metric]) -> tuple[Retrievals, ...]:
    found: dict[tuple[tuple[str, str], ...], dict[str, Metric]] = {}
    for metric in metrics:
        rest = tuple(sorted((name, value) for name, value in metric.labels.items() if name != "stage"))
        found.setdefault(rest, {})[metric.labels.get("stage", TOTAL)] = metric
    groups = []
    for rest, stages in found.items():
        total = stages.pop(TOTAL, None)
        ordered = {name: stages[name] for name in sorted(stages, key=_place_in_time) if name != APART}
        groups.append(Retrievals(dict(rest), ordered, total, stages.get(APART)))
    return tuple(groups)


def _place_in_time(stage: str) -> float:
    """A stage that is not in the list is put before the residual, an import behind those that are."""
    if stage in STAGE_ORDER:
        return STAGE_ORDER.index(stage)
    return STAGE_ORDER.index("encoder" if stage.startswith("import.") else "residual") - 0.5


def _combine(metrics: Sequence[Metric], signs: Sequence[float]) -> Metric | None:
    by_process = [{(trial.arm, trial.process): trial.samples for trial in metric.trials} for metric in metrics]
    trials = []
    for arm, process in by_process[0]:
        columns = [found.get((arm, process), ()) for found in by_process]
        if len({len(column) for column in columns}) == 1:
            samples = zip(*columns, strict=True)
            summed = tuple(sum(sign * one for sign, one in zip(signs, row, strict=True)) for row in samples)
            trials.append(TrialRecord(arm, process, summed))
    if not trials:
        return None
    first = metrics[0]
    summary = summarize([trial.samples for trial in trials], confidence_of(*metrics))
    return Metric(first.name, first.labels, first.unit, first.better, tuple(trials), summary)
