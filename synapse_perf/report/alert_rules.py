"""Which rules let Prometheus tell when a target is no longer met? One for each target that was measured.

They read the metrics of `-o metrics.prom`. A target that has not been measured for a day is told as well: an alert that
cannot fire because nothing measures any more is none.
"""

from __future__ import annotations

from synapse_perf.model import Check, Suite
from synapse_perf.report.prometheus import PREFIX
from synapse_perf.units import format_value

STALE_S = 86_400


def alert_rules(suite: Suite) -> str:
    """A file of rules, as Prometheus reads them."""
    import yaml

    checks = {check.target: check for check in suite.checks if check.observed is not None}
    rules = [_rule(check) for check in checks.values()]
    if checks:
        rules.append(_stale())
    return str(yaml.safe_dump({"groups": [{"name": "synapse-perf", "rules": rules}]}, sort_keys=False, width=120))


def _rule(check: Check) -> dict[str, object]:
    shown = format_value(check.limit, check.unit)
    return {
        "alert": "".join(word.capitalize() for word in check.target.split("-")) + "Missed",
        "expr": f'{PREFIX}target_status{{target="{check.target}", status="fail"}} == 1',
        "for": "5m",
        "labels": {"severity": "warning", "target": check.target},
        "annotations": {
            "summary": f"{check.target} misses its limit of {shown}",
            "description": "{{ $labels.metric }} was judged over it; synapse-perf run says where the time goes",
        },
    }


def _stale() -> dict[str, object]:
    return {
        "alert": "SynapsePerfNotRun",
        "expr": f"time() - max({PREFIX}last_run_timestamp_seconds) > {STALE_S}",
        "for": "5m",
        "labels": {"severity": "info"},
        "annotations": {
            "summary": "synapse-perf has not run for a day",
            "description": "the other alerts rest on its last run",
        },
    }
