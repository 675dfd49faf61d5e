"""What is found in a page, and what is not? Planted faults, and pages without any."""

from __future__ import annotations

from typing import Any

import pytest

from synapse_perf.analyze.ui_findings import ui_findings
from synapse_perf.analyze.ui_frames import stalls_of, waiting_frames
from synapse_perf.analyze.ui_leaks import ui_leaks
from synapse_perf.model import Finding, Measurement, Metric, Sample, Trial
from tests.analyze.made_pages import SPEC, browser, browsers, metrics, rounds


def only(found: tuple[Finding, ...]) -> Finding:
    assert len(found) == 1
    return found[0]


def test_a_sound_page_has_no_finding() -> None:
    assert ui_findings(browsers()) == ()


def test_who_blocks_the_main_thread_is_named_with_its_place() -> None:
    finding = only(ui_findings(browsers(blocks=5)))

    assert (finding.id, finding.severity) == ("blocked-main-thread", "high")
    assert finding.cause == (
        "the main thread stands still 10 times in 10 s, held by drawLamps (index-4f2c.js:256), called by tick"
    )
    assert finding.evidence["held_by"] == {
        "drawLamps (index-4f2c.js:256), called by tick": {
            "times": 30,
            "each_s": pytest.approx(0.04),
            "browsers": "6 of 6",
        }
    }
    assert "the work of drawLamps" in finding.change


def test_a_stall_in_one_browser_of_six_asks_for_nothing() -> None:
    found = metrics(browser(1, blocks=2), *(browser(process) for process in range(2, 7)))

    finding = only(ui_findings(found))
    assert (finding.severity, finding.cause) == ("info", "the main thread stood still in 1 of 6 browsers only")


def test_frames_that_are_late_while_the_main_thread_waits_are_no_stalls() -> None:
    found = browsers(waits=5)

    assert ui_findings(found) == ()
    assert stalls_of(found) == []
    assert waiting_frames(found) == [5] * 6


def test_on_a_machine_that_stalls_by_itself_nothing_is_asked_for() -> None:
    finding = only(ui_findings(browsers(blocks=5), unfit="the control page stalls here"))

    assert finding.severity == "info"
    assert finding.cause.endswith("called by tick; so does the control page: it may be the machine")


def test_work_of_the_browser_itself_has_another_remedy() -> None:
    trial = browser(1, blocks=1)
    held = [
        sample._replace(facts={**sample.facts, "held_by": "style, layout or painting", "file": "", "called_by": None})
        if "held_by" in sample.facts
        else sample
        for sample in trial.samples
    ]
    finding = only(ui_findings(metrics(Trial(SPEC, 1, tuple(held), 12.0))))

    assert finding.cause.endswith("held by style, layout or painting")
    assert finding.change.startswith("change fewer elements at a time")


@pytest.mark.parametrize(("share", "severity"), [(0.01, "info"), (0.2, "medium")])
def test_a_long_list_matters_where_layout_takes_time(share: float, severity: str) -> None:
    found = browsers(list="ul#rows", list_items=900, list_outside=860, layout_share=share)

    finding = only(ui_findings(found))
    assert (finding.id, finding.severity) == ("long-list", severity)
    assert finding.cause.startswith("ul#rows has 900 children, of which 860 are out of sight: it is not virtualised")


@pytest.mark.parametrize(("items", "outside"), [(199, 199), (900, 100)])
def test_a_short_list_or_one_in_sight_is_none(items: int, outside: int) -> None:
    assert ui_findings(browsers(list_items=items, list_outside=outside)) == ()


def test_a_large_bundle_matters_where_the_start_waits_for_it() -> None:
    large: dict[str, Any] = {"script_bytes": 3 * 2**20, "script_transferred_bytes": 3 * 2**20, "load_script_s": 0.9}

    finding = only(ui_findings(browsers(**large)))
    assert (finding.id, finding.severity) == ("large-bundle", "medium")
    assert finding.cause == (
        "the page loads 3.00 MiB of scripts, not compressed, and runs them for 900 ms at its start"
    )
    assert finding.evidence["largest"] == "index-4f2c.js 342 KiB, vendor.js 48.8 KiB"
    assert only(ui_findings(browsers(**{**large, "load_script_s": 0.1}))).severity == "info"


def test_a_development_server_is_told_instead() -> None:
    finding = only(ui_findings(browsers(script_bytes=3 * 2**20, load_script_s=0.9, is_development=True)))

    assert finding.severity == "info"
    assert finding.change == "measure what is shipped: vite build && vite preview"


def test_a_layout_that_moves_is_told() -> None:
    assert only(ui_findings(browsers(layout_shift=0.3))).id == "layout-shift"
    assert ui_findings(browsers(layout_shift=0.1)) == ()


def interacting(ms: float, processing_ms: float) -> tuple[Metric, ...]:
    slow = (
        Measurement("interaction_latency", ms / 1000),
        Measurement("interaction_processing", processing_ms / 1000),
    )
    return metrics(*(Trial(SPEC, process, (*browser(process).samples, Sample(slow)), 12.0) for process in range(1, 7)))


@pytest.mark.parametrize(("processing_ms", "severity"), [(250.0, "medium"), (2.0, "info")])
def test_slow_answers_are_the_handlers_fault_only_where_they_took_the_time(processing_ms: float, severity: str) -> None:
    finding = only(ui_findings(interacting(300.0, processing_ms)))

    assert (finding.id, finding.severity) == ("slow-interaction", severity)


def test_quick_answers_are_no_finding() -> None:
    assert ui_findings(interacting(180.0, 150.0)) == ()


# --- what stays of each round ----------------------------------------------------------------------------------------


def kept(*nodes: int) -> tuple[Metric, ...]:
    quiet = [0] * len(nodes)
    return metrics(rounds(1, nodes, quiet), rounds(2, nodes, quiet))


@pytest.mark.parametrize(
    ("nodes", "status", "growth"),
    [
        ((3014, 3000, 3000, 3000, 3000), "leak", 3000.0),
        ((40, 12, 0, 0, 0), "clean", 0.0),  # two rounds to settle
        ((0, 0, 0, 0), "clean", 0.0),
        ((5, 0, -2, 2, 0), "clean", 0.0),
        ((5, 0, 4, 0, 4), "inconclusive", 8 / 3),
        ((0, 0, 1, 1), "leak", 1.0),
        ((9, 9), "inconclusive", None),
    ],
)
def test_nodes_that_stay_after_every_round_are_a_leak(
    nodes: tuple[int, ...], status: str, growth: float | None
) -> None:
    counted, listeners = ui_leaks(kept(*nodes), 0.95)

    assert (counted.metric, counted.status, counted.growth) == ("dom_node_growth", status, growth)
    assert listeners.status == ("clean" if len(nodes) > 2 else "inconclusive")


def test_both_browsers_have_to_agree() -> None:
    found = metrics(rounds(1, (0, 0, 3, 3), (0, 0, 0, 0)), rounds(2, (0, 0, 0, 0), (0, 0, 0, 0)))

    assert ui_leaks(found, 0.95)[0].status == "inconclusive"


def test_a_leak_is_found_with_its_size() -> None:
    found = metrics(browser(1), rounds(1, (3002, 3000, 3000, 3000), (3010, 3000, 3000, 3000)))

    finding = only(ui_findings(found, ui_leaks(found, 0.95)))
    assert (finding.id, finding.severity) == ("leaked-dom-nodes", "high")
    assert finding.cause == (
        "each round of the scenario leaves 3000 DOM nodes and 3000 listeners behind that nothing collects"
    )
    assert finding.evidence["nodes_a_round"] == 3000
