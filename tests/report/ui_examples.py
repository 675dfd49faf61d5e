"""Results of ui-fps as the command makes them, for looking at and for the golden texts; nothing was measured."""

from __future__ import annotations

from typing import Any

from synapse_perf.analyze.targets import TARGETS
from synapse_perf.analyze.ui_findings import ui_findings
from synapse_perf.analyze.ui_fitness import judged_on_this_machine, why_unfit
from synapse_perf.analyze.ui_leaks import ui_leaks
from synapse_perf.analyze.ui_targets import ui_targets
from synapse_perf.analyze.verdict import check_targets, overall_verdict
from synapse_perf.model import Failure, Result, Subject, Trial
from tests.analyze.made_pages import browser, metrics, rounds
from tests.report.examples import ENVIRONMENT


def result(*trials: Trial, gpu: bool = False, subject: Subject = "real", **more: Any) -> Result:
    found = metrics(*trials)
    targets = ui_targets(TARGETS, uses_gpu=gpu)
    judged = check_targets(found, targets, confidence=0.95, subject=subject, profile="laptop-metal")
    checks, leaks = tuple(judged_on_this_machine(judged, found, 60.0)), tuple(ui_leaks(found, 0.95))
    return Result(
        benchmark="ui-fps",
        subject=subject,
        profile="laptop-metal",
        started_at="2026-11-23T14:15:30.123Z",
        duration_s=81.2,
        workload={
            "url": "built-in sample" if subject == "sample" else "http://127.0.0.1:5173/",
            "seconds": 5.0,
            "uses_gpu": gpu,
            "scenario": None,
            "leak_rounds": None,
            "rate_asked": 60.0,
            "digest": "9b89",
        },
        plan={"trials": 6, "max_time_s": 600.0, "confidence": 0.95, "stopped": "nothing is left to decide"},
        environment=ENVIRONMENT,
        metrics=found,
        checks=checks,
        comparisons=(),
        warnings=more.get("warnings", ()),
        failures=more.get("failures", ()),
        verdict=overall_verdict(checks, leaks=leaks),
        findings=ui_findings(found, leaks, why_unfit(found, 60.0)),
        leaks=leaks,
    )


def blocked() -> Result:
    """One function stops the main thread each second; drawing was late now and then; rounds leave nodes behind."""
    large = {"list": "ul#events", "list_items": 900, "list_outside": 872, "layout_share": 0.14}
    trials = [browser(process, blocks=5, waits=process % 3, rate=59.0, **large) for process in range(1, 7)]
    left = [rounds(process, (3002, 3000, 3000, 3000), (3010, 3000, 3000, 3000)) for process in (1, 2)]
    warning = "the page throws: Cannot read properties of undefined (reading 'map') (12 times)"
    return result(*trials, *left, warnings=(warning,))


def smooth() -> Result:
    """Drawn by a GPU, and judged on both checks."""
    return result(*(browser(process, rendering="gpu") for process in range(1, 7)), gpu=True)


def unfit() -> Result:
    """The control page stalls as well."""
    return result(*(browser(process, blocks=3, control_stalls=2, control_rate=54.2) for process in range(1, 7)))


def sample() -> Result:
    return result(*(browser(process) for process in range(1, 7)), subject="sample")


def failed() -> Result:
    told = "the page's main thread answers nothing for 20 s"
    remedy = "an endless loop in a script? stop it in the browser's developer tools"
    return result(failures=(Failure("time-out", told, remedy, arm="browser"),))


EXAMPLES = {"ui_blocked": blocked, "ui_smooth": smooth, "ui_unfit": unfit, "ui_sample": sample, "ui_failed": failed}
