"""What goes into the result of bench-cgrag beside its metrics: what was searched, what was found, what is defined?"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from synapse_perf.analyze.retrieval_plan import RetrievalRequest
    from synapse_perf.analyze.tuning import Tuning
    from synapse_perf.commands.retrieval_examination import Examination
    from synapse_perf.commands.retrieval_set import Prepared
    from synapse_perf.model import Finding, Json, MetricDefinition


def workload_of(
    prepared: Prepared, request: RetrievalRequest, examination: Examination, tuning: Tuning | None
) -> dict[str, Json]:
    """What was measured, with digests, and what was seen of it."""
    searched = prepared.searched
    encoder = searched.encoder
    return {
        "searched": {
            "label": searched.label,
            "description": searched.description,
            "digest": searched.digest,
            **prepared.facts,
        },
        "encoder": encoder and {"label": encoder.label, "digest": encoder.digest, "dimension": encoder.dimension},
        "parameters": request.parameters(),
        "digest": searched.digest,
        **examination.facts,
        **({"tuning": tuning.as_json()} if tuning is not None else {}),
    }


def severest_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    from synapse_perf.commands.load_explain import SEVERITIES

    return tuple(sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity)))


def definitions() -> Mapping[str, MetricDefinition]:
    """Of every metric that a trial of bench-cgrag gives, but those of a tuning."""
    from synapse_perf.benchmarks import bench_cgrag, concurrent_retrieval, index_recall, retrieval_caches

    modules = (concurrent_retrieval, retrieval_caches, index_recall, bench_cgrag)
    return {name: metric for module in modules for name, metric in module.METRICS.items()}
