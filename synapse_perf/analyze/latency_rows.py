"""Which figures of a run of tier-latency belong together? The queries of a tier, and what was measured beside them."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from synapse_perf.analyze.latency_plan import TWO_STAGE
from synapse_perf.analyze.summary import process_medians
from synapse_perf.model import Labels, Metric

LATENCY = "query_latency"
TTFT = "time_to_first_token"
PHASE = "phase_time"
FIRST, AFTER_SWAP = "first", "after-swap"
OWN_LOOP, HIGH_LEVEL = "api=own-loop", "api=high-level"
PREFIX, OVERLAP = "prefix=", "overlap="  # how variants of these kinds begin
TIER_ORDER = ("fast", "balanced", "deep", TWO_STAGE)
COMPLEXITY_ORDER = ("", "simple", "moderate", "complex")
PARTS = ("template", "tokenise", "prefill", "decode", "sampling", "detokenise")  # they add up to a query
SERVED_PARTS = ("connect", "send", "first_byte", "first_word", "chunks")  # so do these, of one seen from outside


@dataclass(frozen=True, slots=True)
class Queries:
    """The metrics of queries that share their labels: by name, and the phases by theirs."""

    labels: Labels
    metrics: Mapping[str, Metric]
    phases: Mapping[str, Metric]

    @property
    def tier(self) -> str:
        return self.labels.get("tier", "")

    @property
    def complexity(self) -> str:
        return self.labels.get("complexity", "")

    @property
    def prefix(self) -> str:
        return self.labels.get("prefix", "")

    @property
    def variant(self) -> str:
        return self.labels.get("variant", "")

    @property
    def latency(self) -> Metric | None:
        return self.metrics.get(LATENCY)


def groups_of(metrics: Iterable[Metric]) -> tuple[Queries, ...]:
    """Every group, tiers and complexities in their order."""
    found: dict[tuple[tuple[str, str], ...], list[Metric]] = {}
    for metric in metrics:
        if metric.summary.count:
            key = tuple(sorted((name, value) for name, value in metric.labels.items() if name != "phase"))
            found.setdefault(key, []).append(metric)
    groups = [
        Queries(
            dict(key),
            {one.name: one for one in own if one.name != PHASE},
            {one.labels.get("phase", ""): one for one in own if one.name == PHASE},
        )
        for key, own in found.items()
    ]
    return tuple(sorted(groups, key=_place))


def references(groups: Sequence[Queries]) -> list[Queries]:
    """The queries that are judged, which everything else is compared with."""
    return [group for group in groups if group.latency and not group.variant]


def beside(groups: Sequence[Queries], reference: Queries, variant: str) -> Queries | None:
    """The same queries in another way; the first answer of a process only with the reference's own prefix."""
    is_start = variant in (FIRST, AFTER_SWAP)
    return next(
        (
            group
            for group in groups
            if group.variant == variant
            and group.latency
            and (group.tier, group.complexity) == (reference.tier, reference.complexity)
            and (not is_start or group.prefix == reference.prefix)
        ),
        None,
    )


def variants_beginning(groups: Sequence[Queries], reference: Queries, start: str) -> list[Queries]:
    """All variants of a kind of these queries."""
    names = dict.fromkeys(group.variant for group in groups if group.variant.startswith(start))
    return [found for name in names if (found := beside(groups, reference, name))]


def name_of(group: Queries, groups: Sequence[Queries]) -> str:
    """The tier, with the complexity where the tier got queries of several."""
    several = {one.complexity for one in references(groups) if one.tier == group.tier}
    return f"{group.tier} {group.complexity}".strip() if len(several) > 1 else group.tier


def middle_of(metric: Metric) -> float:
    """The median, or where there are too few samples for one, the middle of them."""
    if metric.summary.median is not None:
        return metric.summary.median
    return statistics.median(sample for trial in metric.trials for sample in trial.samples)


def facts_of(metric: Metric, name: str) -> list[float]:
    """The numbers noted under this name."""
    values = (value for trial in metric.trials for value in trial.facts.get(name, ()))
    return [float(value) for value in values if isinstance(value, int | float) and not isinstance(value, bool)]


def part_shares(latency: Metric, part: str) -> list[float]:
    """For each process the median share that a part has of a query; empty where it was not noted."""
    shares = []
    for trial in latency.trials:
        pairs = zip(trial.facts.get(f"{part}_s", ()), trial.samples, strict=False)
        own = [value / total for value, total in pairs if isinstance(value, int | float) and total > 0]
        if own:
            shares.append(statistics.median(own))
    return shares


def phase_shares(group: Queries, phase: str) -> list[float]:
    """The same of a phase on the critical path of a two-stage query."""
    metric, latency = group.phases.get(phase), group.latency
    if metric is None or latency is None:
        return []
    totals = {(trial.arm, trial.process): trial.samples for trial in latency.trials}
    shares = []
    for trial in metric.trials:
        pairs = zip(trial.samples, totals.get((trial.arm, trial.process), ()), strict=False)
        own = [value / total for value, total in pairs if total > 0]
        if own:
            shares.append(statistics.median(own))
    return shares


def paired_differences(above: Metric, below: Metric) -> list[float]:
    """For each process that measured both: the median of the one less that of the other."""
    others = {(trial.arm, trial.process): trial.samples for trial in below.trials if trial.samples}
    pairs = [(trial.samples, others.get((trial.arm, trial.process))) for trial in above.trials if trial.samples]
    return [first - second for one, other in pairs if other for first, second in [tuple(process_medians([one, other]))]]


def _place(group: Queries) -> tuple[int, int]:
    return _index(group.tier, TIER_ORDER), _index(group.complexity, COMPLEXITY_ORDER)


def _index(name: str, order: Sequence[str]) -> int:
    return order.index(name) if name in order else len(order)
