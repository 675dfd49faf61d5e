"""What Prometheus's own reader makes of the textfiles: nothing is rejected, whatever the names are."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from prometheus_client.parser import text_string_to_metric_families

from synapse_perf.analyze.gate_report import GateReport
from synapse_perf.model import Result
from synapse_perf.report.gate_prometheus import gate_prometheus
from synapse_perf.report.prometheus import Gauge, prometheus_text
from synapse_perf.report.result_prometheus import result_prometheus
from tests.made_results import made_result, made_suite
from tests.report.every_example import EVERY
from tests.report.hostile import NAMES, reports, results
from tests.report.test_gate_document import ALL, report, row

Labels = dict[str, str]
KEY = "model_startup_time{cache=cold,model=fast}"


def read(text: str) -> dict[str, list[tuple[Labels, float]]]:
    """Family by family, once what loses a whole file is known not to be there."""
    assert text.endswith("\n")
    families = list(text_string_to_metric_families(text))
    names = [family.name for family in families]
    assert len(set(names)) == len(names)
    found: dict[str, list[tuple[Labels, float]]] = {}
    for family in families:
        assert family.type == "gauge"
        assert re.fullmatch("synapse_perf_[a-zA-Z0-9_]+", family.name)
        assert all(sample.timestamp is None for sample in family.samples)
        series = [tuple(sorted(sample.labels.items())) for sample in family.samples]
        assert len(set(series)) == len(series)
        found[family.name] = [(sample.labels, sample.value) for sample in family.samples]
    assert len(re.findall("(?m)^# TYPE ", text)) == len(families)
    assert len(re.findall("(?m)^# HELP ", text)) == len(families)
    return found


@given(found=results())
@settings(max_examples=80, deadline=None)
def test_a_run_of_hostile_names_is_read(found: Result) -> None:
    read(result_prometheus([found]))


@given(found=reports())
@settings(max_examples=60, deadline=None)
def test_a_gate_of_hostile_names_is_read(found: GateReport) -> None:
    read(gate_prometheus(found))


@pytest.mark.parametrize("name", EVERY)
def test_every_kind_of_run_is_read(name: str) -> None:
    read(result_prometheus([EVERY[name]()]))


@pytest.mark.parametrize("name", [name for name in NAMES if name.isprintable()])
def test_a_name_comes_back_as_it_was(name: str) -> None:
    found = read(gate_prometheus(report(row("regressed", name))))
    assert found["synapse_perf_slowdown_ratio"] == [({"metric": name}, 1.1)]


def test_a_metric_has_its_unit_in_its_name_and_its_statistic_as_a_label() -> None:
    found = read(result_prometheus([made_result()]))
    own = {"benchmark": "profile-load", "profile": "laptop"}
    labels = {**own, "model": "fast", "cache": "cold", "statistic": "median"}
    assert found["synapse_perf_model_startup_time_seconds"] == [(labels, 3.05)]
    assert found["synapse_perf_model_startup_time_low_seconds"] == [(labels, 2.9)]
    assert found["synapse_perf_last_run_timestamp_seconds"] == [(own, 1795428930.123)]
    assert found["synapse_perf_target_limit_seconds"][0][1] == 15.0
    states = {labels["status"]: value for labels, value in found["synapse_perf_target_status"]}
    assert states == {"pass": 1, "fail": 0, "inconclusive": 0, "not-measured": 0, "not-comparable": 0}


def test_a_gate_tells_its_exit_code_and_that_more_is_worse() -> None:
    rate = row("regressed", "decode_rate")
    found = read(gate_prometheus(report(type(rate)(rate.comparison, "higher", 0.03))))
    assert found["synapse_perf_gate_exit_code"] == [({}, 1.0)]
    assert found["synapse_perf_slowdown_ratio"][0][1] == pytest.approx(1 / 1.1)
    assert found["synapse_perf_slowdown_low_ratio"][0][1] == pytest.approx(1 / 1.15)
    assert len(read(gate_prometheus(ALL))["synapse_perf_gate_waived"]) == len(ALL.rows)


def test_names_that_become_alike_stay_apart() -> None:
    gauges = [Gauge("a b", "s", "x", {"x-y": "1", "x.y": "2"}, 1.0), Gauge("a-b", "s", "x", {"x.y": "1"}, 2.0)]
    found = read(prometheus_text(gauges))
    assert sorted(found) == ["synapse_perf_a_b_seconds", "synapse_perf_a_b_seconds_2"]
    ((labels, _),) = found["synapse_perf_a_b_seconds"]
    assert labels == {"x_y": "1", "x_y_2": "2"}


def test_labels_that_are_prometheus_own_are_renamed() -> None:
    ((labels, _),) = read(prometheus_text([Gauge("a", "", "x", {"__name__": "b", "1": "c"}, 1.0)]))["synapse_perf_a"]
    assert labels == {"label___name__": "b", "label_1": "c"}


def test_what_is_not_known_is_left_out() -> None:
    gauges = [Gauge("a", "", "x", {}, None), Gauge("b", "", "x", {}, float("nan")), Gauge("c", "", "x", {}, 0.0)]
    assert list(read(prometheus_text(gauges))) == ["synapse_perf_c"]


def test_runs_of_a_suite_stand_in_one_family() -> None:
    found = read(result_prometheus(made_suite().results))
    runs = [labels["benchmark"] for labels, _ in found["synapse_perf_run_duration_seconds"]]
    assert runs == ["profile-load", "bench-cgrag"]
    assert {labels["metric"] for labels, _ in found["synapse_perf_samples"]} == {KEY}
