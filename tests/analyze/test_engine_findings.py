"""What the service around the models costs is named where it is felt, and a clean one is not."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from synapse_perf.analyze.engine_findings import engine_findings
from synapse_perf.model import Finding, Metric
from tests.analyze.made_engines import connecting, healths

BLOCKED, FREE = [0.002, 0.003, 0.4], [0.002, 0.003, 0.004]


def found(metrics: Sequence[Metric]) -> dict[str, Finding]:
    return {finding.id: finding for finding in engine_findings(metrics, 0.95)}


def test_a_blocked_loop_is_named_with_what_a_request_waits_for() -> None:
    finding = found(healths(FREE, BLOCKED))["event-loop-blocked"]
    assert finding.severity == "medium"
    assert finding.gain is not None and finding.gain.measured
    assert finding.gain.value == pytest.approx(0.396)
    assert "400 ms" in finding.cause
    assert "to_thread" in finding.change
    assert finding.check and finding.alert


@pytest.mark.parametrize(
    "metrics",
    [
        healths(FREE, FREE),
        healths(BLOCKED, BLOCKED),  # slow also where nothing is asked: not the query's doing
        healths(FREE, BLOCKED, late_s=0.3),  # the sender could not run either
        healths(FREE, BLOCKED, processes=5),
        healths(FREE, [0.002, 0.003, 0.03]),
        [],
    ],
    ids=["clean", "slow when idle", "busy machine", "too few", "not felt", "nothing"],
)
def test_what_shows_no_blocked_loop_names_nothing(metrics: Sequence[Metric]) -> None:
    assert found(metrics) == {}


def test_connections_that_are_not_kept_are_named_where_a_query_feels_them() -> None:
    finding = found(connecting(0.1, 1.0))["connections-not-reused"]
    assert finding.severity == "low"
    assert finding.gain is not None and finding.gain.value == pytest.approx(0.1)
    assert "fast" in finding.cause


@pytest.mark.parametrize("metrics", [connecting(0.001, 1.0), connecting(None, 1.0), connecting(0.1, 1.0, processes=5)])
def test_cheap_kept_or_few_connections_name_nothing(metrics: Sequence[Metric]) -> None:
    assert found(metrics) == {}
