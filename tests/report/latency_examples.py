"""Results of tier-latency as the command makes them, for looking at and for the golden texts; nothing was measured."""

from __future__ import annotations

from dataclasses import replace

from synapse_perf.model import Check, CheckStatus, Metric, Result
from tests.analyze.made_latencies import (
    COMPLEX,
    MODERATE,
    SIMPLE,
    Answer,
    apis,
    first_answers,
    tier,
    two_stage,
    warm_prefix,
)
from tests.report.examples import ENVIRONMENT

TIERS = {
    "fast": {"file": "qwen3-0.6b.gguf", "digest": "7f0e", "description": "qwen3 0.6B Q4_K_M", "context": 4096},
    "balanced": {"file": "qwen3-1.7b.gguf", "digest": "f5ac", "description": "qwen3 1.7B Q4_K_M", "context": 4096},
    "deep": {"file": "qwen3-4b.gguf", "digest": "122d", "description": "qwen3 4B Q4_K_M", "context": 4096},
}


def result(*metrics: Metric, checks: tuple[Check, ...] = (), verdict: CheckStatus = "not-measured") -> Result:
    return Result(
        benchmark="tier-latency",
        subject="real",
        profile="found on this machine",
        started_at="2026-11-23T10:15:30.123Z",
        duration_s=281.0,
        workload={
            "tiers": TIERS,
            "queries": 18,
            "max_tokens": 64,
            "draft_tokens": 64,
            "fixed_length": False,
            "resident": "one",
            "searched": "70a9",
            "digest": "9b89",
        },
        plan={"trials": 6, "max_time_s": 300.0, "confidence": 0.95, "seed": 1},
        environment=ENVIRONMENT,
        metrics=metrics,
        checks=checks,
        comparisons=(),
        warnings=(),
        failures=(),
        verdict=verdict,
        findings=(),
    )


def check(target: str, metric: Metric, limit: float, status: CheckStatus, reason: str) -> Check:
    return Check(target, metric.key, "p90", limit, "s", metric.summary.p90, status, reason)


def full() -> Result:
    """Every tier and a two-stage query, and all that is compared with them."""
    from synapse_perf.analyze.latency_findings import findings_of

    fast, balanced, deep = tier("fast", "simple", SIMPLE), tier("balanced", "moderate", MODERATE), _deep()
    staged = two_stage(queries=6)
    metrics = (
        *staged,
        *deep,
        *fast,
        *balanced,
        *warm_prefix("fast", "simple", Answer(0.02, 1.1, 0.02, reused_tokens=59)),
        *first_answers("fast", "simple", 1.6, 0.4, prefix="warm"),
        *warm_prefix("deep", "complex", Answer(0.1, 4.0, 0.05, prompt_tokens=900, reused_tokens=899)),
        *apis("fast", "simple", SIMPLE, 1.2),
        *first_answers("fast", "simple", 2.4, 0.4),
        *two_stage("overlap=load", queries=6, swap__refinement=0.6),
        *two_stage("overlap=retrieval", queries=6, retrieval=0.00002),
    )
    checks = (
        check("query-fast", fast[0], 2.0, "pass", "p90 under the limit: 0 of 90 samples at or over it"),
        check("query-balanced", balanced[0], 5.0, "pass", "p90 under the limit: 0 of 90 samples at or over it"),
        check("query-deep", deep[0], 9.0, "fail", "p90 over the limit: 84 of 90 samples at or over it"),
        check("query-two-stage", staged[0], 15.0, "pass", "p90 under the limit: 0 of 36 samples at or over it"),
    )
    limits = {"fast": 2.0, "balanced": 5.0, "deep": 9.0, "two-stage": 15.0}
    made = result(*metrics, checks=checks, verdict="fail")
    return replace(made, findings=tuple(findings_of(metrics, 0.95, limits)))


def _deep() -> list[Metric]:
    return tier("deep", "complex", COMPLEX)


def sample() -> Result:
    """Sample models, on a machine that had time for two processes of each."""
    fast, deep = tier("fast", "simple", SIMPLE, processes=2), tier("deep", "complex", COMPLEX, processes=2)
    few = two_stage(processes=2, queries=2)
    metrics = (*fast, *deep, *few, *two_stage("overlap=load", processes=2, queries=2))
    checks = tuple(
        check(f"query-{one[0].labels['tier']}", one[0], limit, "not-measured", _works(limit))
        for one, limit in ((fast, 2.0), (deep, 15.0), (few, 15.0))
    )
    return replace(result(*metrics, checks=checks), subject="sample", profile="embedded")


def _works(limit: float) -> str:
    return f"works here (sample, not your system): under the limit of {limit:.1f} s"


def every_tier_every_query() -> Result:
    """Each tier asked all queries: a row for each complexity."""
    asked = (("simple", SIMPLE), ("moderate", MODERATE), ("complex", COMPLEX))
    return result(*(metric for name, answer in reversed(asked) for metric in tier("fast", name, answer)))


EXAMPLES = {
    "latency_full": full,
    "latency_sample": sample,
    "latency_every_query": every_tier_every_query,
    "latency_nothing": result,
}
