"""Parallel loading wins, loses or cannot be told apart, as the figures say."""

from __future__ import annotations

import pytest

from synapse_perf.analyze.load_several import IN_PARALLEL, IN_SEQUENCE, parallel_loading
from synapse_perf.model import Finding, Metric
from tests.analyze.made_starts import SPREAD, made_metric


def loads(sequential_s: float, parallel_s: float, cache: str = "cold", processes: int = 6) -> list[Metric]:
    labels = {"model": "all 3 models", "cache": cache}
    middle = {"sequential": sequential_s, "parallel": parallel_s}
    return [
        made_metric(
            "model_load_time",
            [seconds * factor for factor in SPREAD[:processes]],
            labels if order == "sequential" else {**labels, "variant": "order=parallel"},
            arm=order,
        )
        for order, seconds in middle.items()
    ]


def only(metrics: list[Metric], cores: float = 2, disks: int = 1) -> Finding:
    (finding,) = parallel_loading(metrics, 0.95, cores=cores, disks=disks)
    return finding


def test_a_gain_is_told_with_its_interval_and_the_way_to_it() -> None:
    finding = only(loads(2.0, 1.0))
    assert (finding.id, finding.severity, finding.change) == ("parallel-loading", "medium", IN_PARALLEL)
    assert "loading at once takes 50.0 % less time" in finding.cause
    assert "2 cores, one disk" in finding.cause
    assert finding.gain is not None and finding.gain.low is not None and finding.gain.high is not None
    assert finding.gain.value == pytest.approx(1.0)
    assert finding.gain.low < finding.gain.value < finding.gain.high
    assert finding.gain.measured


def test_a_loss_advises_one_after_another() -> None:
    finding = only(loads(1.0, 1.5))
    assert (finding.severity, finding.change) == ("low", IN_SEQUENCE)
    assert "50.0 % more time" in finding.cause


def test_no_difference_is_no_advice() -> None:
    finding = only(loads(1.0, 1.0))
    assert (finding.severity, finding.change, finding.gain) == ("info", "", None)
    assert "cannot be told apart" in finding.cause
    ratio = finding.evidence["ratio"]
    assert ratio["low"] <= ratio["parallel_to_sequential"] <= ratio["high"]


def test_too_few_loads_have_no_interval() -> None:
    finding = only(loads(2.0, 1.0, processes=5))
    assert "too few" in finding.cause
    assert "low" not in finding.evidence["ratio"]


def test_cold_and_warm_are_told_apart() -> None:
    found = parallel_loading([*loads(2.0, 1.0), *loads(1.0, 1.5, "warm")], 0.95, cores=8, disks=2)
    assert [finding.severity for finding in found] == ["medium", "low"]
    assert "8 cores, 2 disks" in found[0].cause


def test_loads_in_one_order_alone_compare_with_nothing() -> None:
    assert parallel_loading(loads(2.0, 1.0)[:1], 0.95, cores=2, disks=1) == []


def test_the_loads_of_single_models_are_not_meant() -> None:
    single = made_metric("model_load_time", [1.0] * 6, {"model": "fast", "cache": "cold"})
    assert parallel_loading([single], 0.95, cores=2, disks=1) == []
