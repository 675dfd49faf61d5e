"""What do the trials of a run add up to, metric by metric?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from synapse_perf.analyze.summary import summarize
from synapse_perf.model import Fact, Labels, Metric, MetricDefinition, Sample, Trial, TrialRecord

SAMPLES_AT_MOST = 10_000  # of one metric in one trial; the result file counts the rest as dropped

_Key = tuple[str, tuple[tuple[str, str], ...]]


@dataclass(slots=True)
class _Column:
    """The samples of one metric in one trial, with the facts of those that they belong to."""

    samples: list[float] = field(default_factory=list)
    facts: list[Mapping[str, Fact]] = field(default_factory=list)
    dropped: int = 0
    leads: bool = False  # a sample: what is known of it belongs to its first measurement

    def add(self, value: float, facts: Mapping[str, Fact] | None) -> None:
        self.leads |= facts is not None
        if len(self.samples) == SAMPLES_AT_MOST:
            self.dropped += 1
            return
        self.samples.append(value)
        self.facts.append(facts or {})

    def record(self, trial: Trial) -> TrialRecord:
        names = dict.fromkeys(name for facts in self.facts for name in facts)
        columns = {name: tuple(facts.get(name) for facts in self.facts) for name in names}
        if self.leads:  # once, however many samples
            columns |= {name: (value,) for name, value in trial.contention.items()}
        return TrialRecord(trial.spec.arm, trial.process, tuple(self.samples), columns, self.dropped)


def metrics_of(
    trials: Iterable[Trial], definitions: Mapping[str, MetricDefinition], confidence: float = 0.95
) -> tuple[Metric, ...]:
    """Every metric under every set of labels, in the order first seen, with one record per process.

    A failed trial contributes what it had measured before it failed. Raises KeyError for a metric without definition.
    """
    records: dict[_Key, list[TrialRecord]] = {}
    for trial in trials:
        for key, column in _columns(trial).items():
            records.setdefault(key, []).append(column.record(trial))
    return tuple(_metric(definitions[key[0]], dict(key[1]), found, confidence) for key, found in records.items())


def _columns(trial: Trial) -> dict[_Key, _Column]:
    columns: dict[_Key, _Column] = {}
    for sample in trial.samples:
        for key, value, facts in _values(sample, trial.spec.labels):
            columns.setdefault(key, _Column()).add(value, facts)
    return columns


def _values(sample: Sample, labels: Labels) -> Iterator[tuple[_Key, float, Mapping[str, Fact] | None]]:
    for place, measurement in enumerate(sample.values):
        merged = {**labels, **measurement.labels}
        key = (measurement.metric, tuple(sorted(merged.items())))
        yield key, measurement.value, None if place else sample.facts


def _metric(definition: MetricDefinition, labels: Labels, records: list[TrialRecord], confidence: float) -> Metric:
    summary = summarize([record.samples for record in records], confidence)
    return Metric(definition.name, labels, definition.unit, definition.better, tuple(records), summary)
