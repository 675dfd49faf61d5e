"""The five parts of a whole report, and the alert rules that go with it."""

from __future__ import annotations

from dataclasses import replace

import yaml
from prometheus_client.parser import text_string_to_metric_families

from synapse_perf.analyze.suite import suite_of
from synapse_perf.analyze.targets import TARGETS
from synapse_perf.model import Suite
from synapse_perf.report.alert_rules import alert_rules
from synapse_perf.report.result_prometheus import result_prometheus
from synapse_perf.report.suite_sections import render_suite, whole_suite
from tests.made_results import made_result

TITLES = ["1. Problem analysis", "2. Strategies", "3. Changes to make", "4. Validation", "5. Monitoring"]


def made(**changed: object) -> Suite:
    return suite_of([replace(made_result(), **changed)], TARGETS, {}, profile="laptop")  # type: ignore[arg-type]


def part(suite: Suite, number: int) -> str:
    text = render_suite(suite, "md", in_full=True).replace("\\", "")
    return text.split(f"## {TITLES[number - 1]}")[1].split("\n## ")[0]


def test_the_parts_come_in_their_order() -> None:
    assert [section.title for section in whole_suite(made())][1:6] == TITLES


def test_a_cause_its_change_its_gain_and_its_check_are_each_in_their_part() -> None:
    assert "reading [high, disk, profile-load]" in part(made(), 1)
    assert "| 1 | mmap | 1.20 s" in part(made(), 2)
    assert "measured" in part(made(), 2)
    assert "change: mmap" in part(made(), 3)
    assert "- again" in part(made(), 4)
    assert "- disk" in part(made(), 5)


def test_the_change_against_the_baseline_is_the_validation() -> None:
    assert "1 metrics compared: 1 unchanged" in part(made(), 4)
    assert "there is no before" in part(made(comparisons=()), 4)


def test_a_missed_target_is_a_criterion() -> None:
    check = replace(made_result().checks[0], status="fail", observed=20.0)
    assert "model-startup-cpu: its median meets 15.0 s (now 20.0 s)" in part(made(checks=(check,)), 4)


def test_nothing_found_is_said_in_each_part() -> None:
    empty = made(findings=())
    assert "nothing measured here asks for a change" in part(empty, 2).lower()
    assert "Nothing has to be shown" in part(empty, 4)


def test_alert_rules_read_series_that_the_export_has() -> None:
    suite = made()
    rules = yaml.safe_load(alert_rules(suite))["groups"][0]["rules"]
    exported = {
        sample.name
        for family in text_string_to_metric_families(result_prometheus(suite.results))
        for sample in family.samples
    }

    assert [rule["alert"] for rule in rules] == ["ModelStartupCpuMissed", "SynapsePerfNotRun"]
    for rule in rules:
        assert any(name in rule["expr"] for name in exported)
        assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}
    assert 'status="fail"' in rules[0]["expr"]


def test_no_alert_rests_on_what_nobody_measured() -> None:
    assert yaml.safe_load(alert_rules(suite_of([], TARGETS, {}, profile="laptop")))["groups"][0]["rules"] == []
