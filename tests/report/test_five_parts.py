"""The five parts of a whole report, and the alert rules that go with it."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import yaml
from prometheus_client.parser import text_string_to_metric_families

from synapse_perf.analyze.suite import suite_of
from synapse_perf.analyze.targets import TARGETS
from synapse_perf.model import Check, Gain, Suite
from synapse_perf.report.alert_rules import alert_rules
from synapse_perf.report.render import write_output
from synapse_perf.report.result_prometheus import result_prometheus
from synapse_perf.report.suite_sections import render_suite, whole_suite
from tests.made_results import made_metric, made_result
from tests.report.every_example import EVERY

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
    assert "- 1: again" in part(made(), 4)
    assert "- 1: disk" in part(made(), 5)


def test_the_change_against_the_baseline_is_the_validation() -> None:
    assert "1 metrics compared: 1 unchanged" in part(made(), 4)
    assert "there is no before" in part(made(comparisons=()), 4)


def test_of_many_metrics_those_that_changed_and_the_judged_ones_are_listed() -> None:
    one = made_result().comparisons[0]
    own = made_result().checks[0].metric
    many = [replace(one, metric=f"phase_time{{phase=p{number}}}", status="missing") for number in range(90)]
    slower = replace(one, metric="peak_rss", status="regressed", ratio=1.3)
    suite = made(comparisons=(*many, slower, replace(one, metric=own, status="inconclusive")))

    assert "92 metrics compared: 1 regressed, 90 missing, 1 inconclusive." in part(suite, 4)
    assert "phase_time" not in part(suite, 4)
    assert "peak_rss" in part(suite, 4)
    assert own.partition("{")[0] in part(suite, 4)
    assert "Against the baseline, of 92 metrics: 1 regressed, 90 missing" in render_suite(suite, "md")


def test_a_missed_target_is_a_criterion() -> None:
    check = replace(made_result().checks[0], status="fail", observed=20.0)
    assert "model-startup-cpu: median below 15.0 s; now 20.0 s" in part(made(checks=(check,)), 4)


def test_a_floor_is_a_criterion_the_other_way_round_and_an_open_one_is_told() -> None:
    frames = Check("ui-animation", "frame_rate", "median", 60.0, "1/s", 41.0, "fail", "below")
    doubtful = replace(made_result().checks[0], status="inconclusive", observed=14.9)
    text = part(made(checks=(frames, doubtful)), 4)

    assert "ui-animation: median at least 60 fps; now 41 fps" in text
    assert "model-startup-cpu: median below 15.0 s; now 14.9 s, which is not beyond doubt" in text


def test_the_page_shows_how_judged_times_are_spread(tmp_path: Path) -> None:
    seconds = tuple(14.0 + 0.1 * number for number in range(20))
    metric = made_metric(seconds)
    write_output(
        made(metrics=(metric,), checks=(replace(made_result().checks[0], metric=metric.key),)), tmp_path / "r.html"
    )
    write_output(made(), tmp_path / "few.html")

    text = (tmp_path / "r.html").read_text()
    assert "<h2>Distributions</h2>" in text
    assert "20 samples, 14.0–15.9 s; 10 at or over 15.0 s" in text
    assert "Distributions" not in (tmp_path / "few.html").read_text()


def failing() -> Suite:
    """Two commands: one misses its target with a measured remedy, one is slower than before with an estimated one."""
    missed = replace(made_result().checks[0], status="fail", observed=20.0, reason="surely over the limit")
    slower = replace(made_result().comparisons[0], status="regressed", ratio=1.31, low=1.2, high=1.4, reason="slower")
    guess = replace(made_result().findings[0], id="lazy-index", severity="medium", change="preload it. Then look again")
    guess = replace(guess, cause="loaded on the first query", gain=Gain(2.0, 1.5, 2.5, "s", False), check="no gap")
    unknown = replace(guess, id="bound", severity="low", gain=None, change="another disk", cause="the disk")
    results = (
        replace(made_result(), checks=(missed,), comparisons=()),
        replace(made_result("bench-cgrag"), checks=(), comparisons=(slower,), findings=(guess, unknown)),
    )
    return suite_of(results, TARGETS, {}, profile="laptop")


def test_a_whole_report_of_a_suite_that_fails() -> None:
    suite = failing()
    problem, strategies, changes, validation, monitoring = (part(suite, number) for number in range(1, 6))

    assert render_suite(suite, "md").startswith("# FAIL: of 11 targets 1 missed, 10 not measured")
    assert problem.index("reading [high") < problem.index("first query [medium") < problem.index("the disk [low")
    assert "evidence: share 0.80" in problem
    assert "1.20 s | measured" in strategies
    assert "2.00 s (1.50–2.50 s) | an estimate" in strategies
    assert "not known yet | nothing tried it" in strategies
    assert "change: preload it. Then look again" in changes
    assert "bench-cgrag, before and after" in validation
    assert "REGRESSED" in validation
    assert "is no longer slower than its baseline (now 1.31×)" in validation
    assert "model-startup-cpu: median below 15.0 s; now 20.0 s" in validation
    assert "- 2, 3: no gap" in validation
    assert 'synapse_perf_target_status{target="...", status="fail"} == 1, for model-startup-cpu (15.0 s).' in monitoring


def test_one_change_for_several_causes_is_told_once_with_its_greatest_gain() -> None:
    first = made_result().findings[0]
    more = replace(first, cause="the second model too", gain=Gain(2.0, 1.5, 2.5, "s", True), check="once more")
    suite = made(findings=(first, more, replace(more, cause="and a third", change="another", gain=None)))

    assert "| 1 | mmap | up to 2.00 s (1.50–2.50 s) | measured" in part(suite, 2)
    assert "| 2 | another | not known yet | nothing tried it" in part(suite, 2)
    assert part(suite, 3).count("change: mmap") == 1
    assert "also for: reading [profile-load]" in part(suite, 3)
    assert "- 1: again" in part(suite, 4)
    assert "- 1, 2: once more" in part(suite, 4)


def test_where_the_time_goes_is_told_of_each_command() -> None:
    problem = part(suite_of([EVERY["latency_full"](), EVERY["ui_blocked"]()], TARGETS, {}, profile="laptop"), 1)

    assert re.search(r"- tier-latency: Deep: .*prefill \d+ %, decode \d+ %", problem)
    assert "- ui-fps: Main thread: 10.0 stalls in 10 s" in problem


def test_a_reader_of_the_first_lines_alone_knows_what_is_missed_and_what_to_do() -> None:
    first, missed, problem = render_suite(failing(), "md", in_full=True).replace("\\", "").split("\n\n")[:3]

    assert first == "# FAIL: of 11 targets 1 missed, 10 not measured"
    assert missed == "Missed: model-startup-cpu (p50 20.0 s, limit 15.0 s)."
    assert problem.startswith("Worst problem (profile-load): reading. What to change first: mmap, which gives 1.20 s")


def test_the_page_of_such_a_suite_is_one_small_file(tmp_path: Path) -> None:
    write_output(failing(), tmp_path / "r.html")

    text = (tmp_path / "r.html").read_text()
    assert len(text.encode()) < 1_000_000
    assert text.count("<details>") == 2
    for title in TITLES:
        assert f"<h2>{title}</h2>" in text


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

    assert [rule["alert"] for rule in rules] == ["ModelStartupCpuMissed", "SynapsePerfRegressed", "SynapsePerfNotRun"]
    for rule in rules:
        assert any(name in rule["expr"] for name in exported)
        assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}
    assert 'status="fail"' in rules[0]["expr"]


def test_no_alert_rests_on_what_nobody_measured() -> None:
    assert yaml.safe_load(alert_rules(suite_of([], TARGETS, {}, profile="laptop")))["groups"][0]["rules"] == []


def test_a_sample_has_no_alert() -> None:
    works = replace(made_result().checks[0], status="not-measured")
    rules = yaml.safe_load(alert_rules(made(checks=(works,), comparisons=())))["groups"][0]["rules"]

    assert [rule["alert"] for rule in rules] == ["SynapsePerfNotRun"]


def with_retrieval() -> Suite:
    metric = made_metric()
    warm = replace(metric, name="retrieval_latency", labels={"state": "warm", "stage": "total"})
    warm = replace(warm, summary=replace(metric.summary, p95=0.04))
    return made(metrics=(metric, warm))


def test_figures_have_the_engines_names_with_the_statistic_behind_a_colon() -> None:
    rules = yaml.safe_load(alert_rules(with_retrieval()))["groups"][1]["rules"]
    exported = {
        (sample.name, frozenset(sample.labels.items()))
        for family in text_string_to_metric_families(result_prometheus(with_retrieval().results))
        for sample in family.samples
    }

    assert [rule["record"] for rule in rules] == [
        "cgrag_retrieval_latency_seconds:warm_p95",
        "model_startup_seconds:median",
    ]
    for rule in rules:
        name, inside = rule["expr"].rstrip("}").split("{")
        wanted = frozenset((one.split("=")[0], one.split("=")[1].strip('"')) for one in inside.split(", "))
        assert any(name == found and wanted <= labels for found, labels in exported)


def test_prometheus_own_checker_finds_nothing_wrong(tmp_path: Path) -> None:
    """Where it is installed; elsewhere the shape of the rules, which the tests above check, has to do."""
    rules, metrics = tmp_path / "rules.yml", tmp_path / "m.prom"
    rules.write_text(alert_rules(with_retrieval()))
    metrics.write_text(result_prometheus(with_retrieval().results))
    for group in yaml.safe_load(rules.read_text())["groups"]:
        for rule in group["rules"]:
            assert re.fullmatch("[a-zA-Z_:][a-zA-Z0-9_:]*", rule.get("alert") or rule["record"])
            assert rule["expr"].count("{") == rule["expr"].count("}")
    program = shutil.which("promtool")
    if program is not None:
        told = subprocess.run([program, "check", "rules", str(rules)], capture_output=True, text=True, check=False)
        assert told.returncode == 0, told.stderr
        with metrics.open() as text:
            checked = subprocess.run([program, "check", "metrics"], stdin=text, capture_output=True, check=False)
        assert checked.returncode in (0, 3)  # 3: advice on style alone
