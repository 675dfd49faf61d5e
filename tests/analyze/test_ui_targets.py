"""When is ui-animation met? Two checks, on the median over browsers, where the machine can show 60 frames at all."""

from __future__ import annotations

from typing import Any

import pytest

from synapse_perf.analyze.targets import TARGETS, with_limits
from synapse_perf.analyze.ui_fitness import judged_on_this_machine, why_unfit
from synapse_perf.analyze.ui_targets import rate_asked, ui_targets
from synapse_perf.analyze.verdict import check_targets
from synapse_perf.model import Check, Metric
from tests.analyze.made_pages import browser, browsers, metrics


def checks(found: tuple[Metric, ...], *, gpu: bool = False, rate: float = 60.0) -> list[Check]:
    asked = with_limits({"ui-animation": rate}, TARGETS)
    judged = check_targets(
        found, ui_targets(asked, uses_gpu=gpu), confidence=0.95, subject="real", profile="laptop-metal"
    )
    return judged_on_this_machine(judged, found, rate)


def statuses(found: tuple[Metric, ...], **more: Any) -> list[tuple[str, str]]:
    return [(check.metric.partition("{")[0], check.status) for check in checks(found, **more)]


def test_a_page_without_stalls_passes() -> None:
    assert statuses(browsers()) == [("main_thread_stalls", "pass")]


def test_one_block_each_second_fails() -> None:
    assert statuses(browsers(blocks=5)) == [("main_thread_stalls", "fail")]


def test_a_single_stall_in_one_browser_decides_nothing_bad() -> None:
    found = metrics(browser(1, blocks=1), *(browser(process) for process in range(2, 7)))

    assert statuses(found) == [("main_thread_stalls", "inconclusive")]


def test_five_browsers_decide_nothing() -> None:
    assert statuses(browsers(5)) == [("main_thread_stalls", "inconclusive")]


@pytest.mark.parametrize(("rate", "status"), [(59.6, "pass"), (57.0, "pass"), (56.9, "fail"), (30.0, "fail")])
def test_the_rate_is_judged_where_a_gpu_draws_with_what_a_recording_cuts_off(rate: float, status: str) -> None:
    assert statuses(browsers(rendering="gpu", rate=rate), gpu=True) == [
        ("main_thread_stalls", "pass"),
        ("frame_rate", status),
    ]


def test_the_rate_of_software_is_never_judged() -> None:
    assert statuses(browsers(rate=8.0)) == [("main_thread_stalls", "pass")]


def test_a_gpu_that_the_browser_does_not_use_leaves_the_rate_unmeasured() -> None:
    assert ("frame_rate", "not-measured") in statuses(browsers(rate=8.0), gpu=True)


def test_the_option_changes_the_rate_alone() -> None:
    assert statuses(browsers(rendering="gpu", rate=48.0), gpu=True, rate=50.0)[1] == ("frame_rate", "pass")
    assert rate_asked(with_limits({"ui-animation": 50.0})) == 50.0
    assert [target.limit for target in ui_targets(with_limits({"ui-animation": 50.0}), uses_gpu=True)] == [1.0, 47.5]


@pytest.mark.parametrize("control", [{"control_stalls": 1}, {"control_rate": 55.0}])
def test_a_machine_whose_control_page_stalls_calls_no_page_bad(control: dict[str, Any]) -> None:
    found = browsers(blocks=5, **control)

    assert statuses(found) == [("main_thread_stalls", "not-comparable")]
    assert "the control page, which does next to nothing," in checks(found)[0].reason


def test_what_passes_on_such_a_machine_passes() -> None:
    assert statuses(browsers(control_stalls=3)) == [("main_thread_stalls", "pass")]


def test_a_stall_of_the_control_page_in_few_browsers_is_no_reason() -> None:
    found = metrics(browser(1, control_stalls=4), *(browser(process) for process in range(2, 7)))

    assert why_unfit(found, 60.0) is None
