"""Which rules let Prometheus tell when a target is no longer met? One for each target that was judged.

They read the metrics of `-o metrics.prom`. A target that has not been measured for a day is told as well: an alert that
cannot fire because nothing measures any more is none. Recording rules give some figures the names of the engine's own
metrics with the statistic behind a colon. Under the bare names there would be histograms that never grow, of which
`rate()`, as the engine's rules and dashboards have it, is nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from synapse_perf.model import Check, Metric, Statistic, Suite
from synapse_perf.report.prometheus import PREFIX
from synapse_perf.units import format_value

STALE_S = 86_400


class EngineName(NamedTuple):
    """A metric of the engine, and which of ours says the same."""

    name: str
    metric: str  # as exported, without the prefix
    labels: Mapping[str, str]
    statistic: Statistic


ENGINE_NAMES = (
    EngineName("cgrag_retrieval_latency_seconds", "retrieval_latency", {"state": "warm", "stage": "total"}, "p95"),
    EngineName("cgrag_retrieval_latency_seconds", "retrieval_latency", {"state": "cold", "stage": "total"}, "median"),
    EngineName("cgrag_embedding_generation_seconds", "retrieval_latency", {"state": "warm", "stage": "embed"}, "p95"),
    EngineName("query_latency_seconds", "query_latency", {}, "p90"),
    EngineName("model_startup_seconds", "model_startup_time", {"cache": "cold"}, "median"),
)


def alert_rules(suite: Suite) -> str:
    """A file of rules, as Prometheus reads them."""
    import yaml

    checks = {check.target: check for check in suite.checks if check.status != "not-measured"}
    rules = [_rule(check) for check in checks.values()]
    if any(result.comparisons for result in suite.results):
        rules.append(_regressed())
    if any(result.leaks for result in suite.results):
        rules.append(_leaking())
    if suite.results:
        rules.append(_stale())
    groups: list[dict[str, object]] = [{"name": "synapse-perf", "rules": rules}]
    records = _records(suite)
    if records:
        groups.append({"name": "synapse-perf-under-the-engines-names", "rules": records})
    return str(yaml.safe_dump({"groups": groups}, sort_keys=False, width=120))


def _rule(check: Check) -> dict[str, object]:
    shown = format_value(check.limit, check.unit)
    return _alert(
        "".join(word.capitalize() for word in check.target.split("-")) + "Missed",
        f'{PREFIX}target_status{{target="{check.target}", status="fail"}} == 1',
        {"severity": "warning", "target": check.target},
        f"{check.target} misses its limit of {shown}",
        "{{ $labels.metric }} was judged over it; synapse-perf run says where the time goes",
    )


def _regressed() -> dict[str, object]:
    return _alert(
        "SynapsePerfRegressed",
        f'{PREFIX}comparison_status{{status="regressed"}} == 1',
        {"severity": "warning"},
        "{{ $labels.metric }} is slower than its baseline",
        "synapse-perf compare says by how much; synapse-perf gate --against finds the change",
    )


def _leaking() -> dict[str, object]:
    return _alert(
        "SynapsePerfLeak",
        f'{PREFIX}leak_status{{status="leak"}} == 1',
        {"severity": "warning"},
        "{{ $labels.metric }} grows with each iteration",
        "synapse-perf leak-hunt --why says who holds what grows",
    )


def _stale() -> dict[str, object]:
    return _alert(
        "SynapsePerfNotRun",
        f"time() - max({PREFIX}last_run_timestamp_seconds) > {STALE_S}",
        {"severity": "info"},
        "synapse-perf has not run for a day",
        "the other alerts rest on its last run",
    )


def _alert(name: str, expr: str, labels: dict[str, str], summary: str, description: str) -> dict[str, object]:
    annotations = {"summary": summary, "description": description}
    return {"alert": name, "expr": expr, "for": "5m", "labels": labels, "annotations": annotations}


def _records(suite: Suite) -> list[dict[str, object]]:
    metrics = [metric for result in suite.results for metric in result.metrics]
    rules: dict[str, dict[str, object]] = {}
    for own in ENGINE_NAMES:
        if any(_says(own, metric) for metric in metrics):
            inside = ", ".join(
                f'{name}="{value}"' for name, value in {**own.labels, "statistic": own.statistic}.items()
            )
            record = f"{own.name}:{'_'.join(filter(None, [own.labels.get('state'), own.statistic]))}"
            rules[record] = {"record": record, "expr": f"{PREFIX}{own.metric}_seconds{{{inside}}}"}
    return list(rules.values())


def _says(own: EngineName, metric: Metric) -> bool:
    is_same = metric.name == own.metric and all(metric.labels.get(name) == one for name, one in own.labels.items())
    return is_same and getattr(metric.summary, own.statistic) is not None
