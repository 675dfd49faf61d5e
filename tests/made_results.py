"""Results for tests: one with everything in it, and what changes single parts of it."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema

from synapse_perf import results
from synapse_perf.model import (
    Check,
    Comparison,
    Environment,
    Failure,
    Finding,
    Gain,
    Interval,
    Json,
    Metric,
    Result,
    Suite,
    Summary,
    TrialRecord,
)

# The example of the contract, its "..." filled in.
CONTRACT_EXAMPLE = """
{"kind": "result", "schema_version": 1, "benchmark": "profile-load", "subject": "real", "profile": "laptop",
 "started_at": "2026-11-23T10:15:30.123Z", "duration_s": 41.2,
 "workload": {"models": [{"name": "fast", "digest": "ab12"}]}, "plan": {"trials": 6},
 "environment": {"hardware_class": {"digest": "h1", "cores": 8}, "software_class": {"digest": "s1"},
                 "volatile": {"load": 0.4}, "git": {"revision": "c0ffee", "dirty": false}},
 "metrics": [{"name": "model_startup_time", "labels": {"model": "fast", "cache": "cold"}, "unit": "s",
              "better": "lower",
              "trials": [{"arm": "mmap", "process": 1, "samples": [3.1],
                          "facts": {"resident_before": [0.0], "read_bytes": [270532608]}, "dropped": 0}],
              "summary": {"count": 6, "processes": 6, "median": 3.05, "p90": null, "p95": null, "p99": null,
                          "interval": {"statistic": "median", "low": 2.9, "high": 3.3, "confidence": 0.95}}}],
 "checks": [{"target": "model-startup-cpu", "metric": "model_startup_time{cache=cold,model=fast}",
             "statistic": "median", "limit": 15.0, "unit": "s", "observed": 3.05, "status": "pass",
             "reason": "the interval lies below the limit"}],
 "comparisons": [{"metric": "model_startup_time{cache=cold,model=fast}", "status": "regressed", "baseline": 3.0,
                  "current": 3.3, "unit": "s", "ratio": 1.1, "low": 1.05, "high": 1.15, "reason": "above the noise"}],
 "warnings": ["on battery"],
 "failures": [{"kind": "time-out", "message": "no token after 600 s"}],
 "verdict": "pass",
 "findings": [{"id": "lazy-index", "severity": "high", "cause": "loaded on the first query", "evidence": {"s": 2.1},
               "gain": {"value": 2.0, "low": 1.9, "high": 2.1, "unit": "s", "measured": true},
               "change": "the setting or code", "check": "how to see that it worked", "alert": "what to watch"}]}
"""


def made_metric(samples: tuple[float, ...] = (3.1, 3.0, 3.05)) -> Metric:
    trials = tuple(
        TrialRecord("mmap", number, (sample,), {"resident_before": (0.0,), "read_bytes": (270532608,)})
        for number, sample in enumerate(samples, 1)
    )
    summary = Summary(len(samples), len(samples), 3.05, None, None, None, Interval("median", 2.9, 3.3, 0.95))
    return Metric("model_startup_time", {"model": "fast", "cache": "cold"}, "s", "lower", trials, summary)


def made_result(benchmark: str = "profile-load", started_at: str = "2026-11-23T10:15:30.123Z") -> Result:
    metric = made_metric()
    return Result(
        benchmark=benchmark,
        subject="real",
        profile="laptop",
        started_at=started_at,
        duration_s=41.2,
        workload={"models": [{"name": "qwen3-4b", "digest": "ab12", "size_bytes": 2497281120}]},
        plan={"trials": 6, "max_time_s": None},
        environment=Environment(
            {"digest": "h1", "cores": 8}, {"digest": "s1"}, {"load": 0.5}, {"revision": "c0ffee1234"}
        ),
        metrics=(metric,),
        checks=(Check("model-startup-cpu", metric.key, "median", 15.0, "s", 3.05, "pass", "well below"),),
        comparisons=(Comparison(metric.key, "unchanged", 3.0, 3.05, "s", 1.0167, 0.98, 1.05, "within the noise"),),
        warnings=("on battery",),
        failures=(Failure("crash", "llama.cpp aborted", "see the log", "GGML_ASSERT", "read", {"model": "deep"}),),
        verdict="pass",
        findings=(
            Finding(
                "disk", "high", "reading", {"share": 0.8}, Gain(1.2, 1.0, None, "s", True), "mmap", "again", "disk"
            ),
        ),
    )


def with_samples(result: Result, *samples: float) -> Result:
    return replace(result, metrics=(made_metric(samples),))


def made_suite() -> Suite:
    result = made_result()
    return Suite((result, made_result("bench-cgrag", "2026-11-23T10:20:00.000Z")), result.checks, "pass")


def plain(result: Result | Suite) -> dict[str, Any]:
    """What the result's file holds, as any other program would read it."""
    document: dict[str, Any] = json.loads(results.dumps(result))
    return document


def written(path: Path, document: Json) -> str:
    path.write_text(document if isinstance(document, str) else json.dumps(document), "utf-8")
    return str(path)


@cache
def validator() -> Any:
    document = results.json_schema()
    jsonschema.Draft202012Validator.check_schema(document)
    return jsonschema.Draft202012Validator(document)
