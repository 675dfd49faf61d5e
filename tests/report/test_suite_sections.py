"""The target table of a run: each figure with its count and its interval, whatever statistic is judged."""

from __future__ import annotations

from dataclasses import replace

from synapse_perf.analyze.suite import suite_of
from synapse_perf.analyze.targets import TARGETS
from synapse_perf.model import Leak, Result
from synapse_perf.report.document import Paragraph
from synapse_perf.report.suite_sections import render_suite
from synapse_perf.report.verdict import verdict_section
from tests.report.ui_examples import EXAMPLES as PAGES
from tests.report.ws_examples import passed, under_load


def table(*results: Result) -> str:
    return " ".join(render_suite(suite_of(results, TARGETS, {}, profile="laptop"), "md").replace("\\", "").split())


def test_a_percentile_has_its_count_and_its_interval_as_the_command_itself_tells_them() -> None:
    assert "p95 3.72 ms | +93 % | **PASS** | n=360 in 6, 95 % 2.95–4.82 ms" in table(passed())


def test_too_few_for_an_interval_is_told_with_the_count_and_the_figure_is_marked() -> None:
    result = passed()
    (check,) = result.checks
    metric = next(one for one in result.metrics if one.key == check.metric)
    few = replace(metric, trials=metric.trials[:1], summary=replace(metric.summary, count=9, processes=1, p95=None))
    open_check = replace(check, status="inconclusive", reason="1 process, at least 3 are needed")
    told = table(replace(result, checks=(open_check,), metrics=(few,)))

    assert "p95 ~3.72 ms" in told
    assert "n=9 in 1, too few for an interval; 1 process, at least 3 are needed" in told


def test_what_is_missed_stands_beside_the_verdict() -> None:
    told = table(under_load())

    assert told.startswith("# FAIL: of 11 targets 1 missed, 10 not measured Missed: websocket-latency (p95 95.9 ms")


def test_a_row_that_another_metric_than_the_tables_decides_says_which() -> None:
    result = PAGES["ui_sample"]()

    assert "main thread stalls" in table(result)


def test_a_pass_that_rests_on_leaks_alone_says_so() -> None:
    result = passed()
    (check,) = result.checks
    clean = Leak("connections_left", "clean", 0.0, None, None, 0.95, "1", 1.0, 20, None, "none stay")
    unmeasured = replace(check, status="not-measured", reason="only pings were sent")
    pings = replace(result, checks=(unmeasured,), leaks=(clean, clean))

    told = table(pings)
    assert told.startswith("# PASS: no leak in 2 checks; of 11 targets 11 not measured")
    (line, *_) = verdict_section(pings).blocks
    assert isinstance(line, Paragraph)
    assert line.text.startswith("PASS: no leak in 2 checks; 1 target not measured")
