"""Which metrics of a result belong to one start? Groups them by model, device, page-cache state and variant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from synapse_perf.model import Metric, Result
from synapse_perf.report.characters import shorten_middle

STARTUP = "model_startup_time"
LOAD = "model_load_time"
PHASE = "phase_time"
PEAK_RSS = "peak_rss"
LOADING_METRICS = frozenset({STARTUP, LOAD, PHASE, PEAK_RSS})
FLOOR = "floor"

CACHE_ORDER = ("cold", "uncertified", "warm")
NAME_LIMIT = 40
_Key: TypeAlias = tuple[str, str, str, str]  # model, device, cache, variant


@dataclass(frozen=True, slots=True)
class Run:
    """All metrics of one model on one device in one page-cache state; the reference has no variant."""

    model: str
    device: str
    cache: str
    variant: str
    metrics: tuple[Metric, ...]

    def metric(self, name: str, phase: str = "") -> Metric | None:
        for metric in self.metrics:
            if metric.name == name and metric.labels.get("phase", "") == phase and metric.summary.count:
                return metric
        return None

    @property
    def startup(self) -> Metric | None:
        return self.metric(STARTUP)

    @property
    def duration(self) -> Metric | None:
        """The start to the first token; for what only loads, the load."""
        return self.startup or self.metric(LOAD)

    @property
    def noted(self) -> Metric | None:
        """What carries the facts about the run: its start, or its load even where that has no time."""
        return self.startup or next((metric for metric in self.metrics if metric.name == LOAD), None)

    @property
    def arm(self) -> str:
        """How the run itself called what it did, such as a load mode."""
        trials = self.duration.trials if self.duration else ()
        return next((trial.arm for trial in trials if trial.arm), "")


def runs_of(result: Result) -> tuple[Run, ...]:
    """Every run in the order of its model; within a model cold before warm, the reference before its variants.

    Models come in the order of the workload, as the metrics are in that of the trials, which is drawn by lot.
    """
    groups: dict[_Key, list[Metric]] = {}
    for metric in result.metrics:
        if metric.name in LOADING_METRICS:
            model, device, cache, variant = (metric.labels.get(k, "") for k in ("model", "device", "cache", "variant"))
            groups.setdefault((model, device, cache, variant), []).append(metric)
    _share_deviceless(groups)
    named = result.workload.get("models")
    models = list(dict.fromkeys([*(named if isinstance(named, Mapping) else ()), *(key[0] for key in groups)]))
    runs = [Run(*key, tuple(metrics)) for key, metrics in groups.items()]
    return tuple(sorted(runs, key=lambda run: (models.index(run.model), _cache_rank(run.cache), run.variant != "")))


def _share_deviceless(groups: dict[_Key, list[Metric]]) -> None:
    """What was measured on the file alone, as the floor is, holds for every device that the model was loaded on.

    The floor of a cold start holds as well for the starts that could not be proven cold.
    """
    for key in [key for key in groups if not key[1]]:
        model, _, cache, variant = key
        caches = {cache, "uncertified"} if cache == "cold" else {cache}
        others = [o for o in groups if o[1] and (o[0], o[3]) == (model, variant) and o[2] in caches]
        if others:
            shared = groups.pop(key)
            for other in others:
                groups[other].extend(shared)


def log_of(result: Result) -> str:
    """The name of the log that the result was read from; empty where it was measured."""
    log = result.workload.get("log")
    return str(log.get("file") or "") if isinstance(log, Mapping) else ""


def references(runs: tuple[Run, ...]) -> tuple[Run, ...]:
    """The runs that the variants are compared with."""
    return tuple(run for run in runs if not run.variant)


def models_of(runs: tuple[Run, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(run.model for run in runs))


def display_names(runs: tuple[Run, ...]) -> dict[str, str]:
    """Each model's name as the report writes it: long ones shortened in the middle, but never to the same text."""
    models = models_of(runs)
    for limit in range(NAME_LIMIT, max(map(len, models), default=0) + 1):
        names = {model: shorten_middle(model, limit) for model in models}
        if len(set(names.values())) == len(models):
            return names
    return {model: model for model in models}


def _cache_rank(cache: str) -> int:
    return CACHE_ORDER.index(cache) if cache in CACHE_ORDER else len(CACHE_ORDER)
