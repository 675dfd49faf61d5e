"""What does one run of ui-fps measure, by what is it judged, and when can its machine not be judged?"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from synapse_perf.commands.plain_run import PlainRun

if TYPE_CHECKING:
    from synapse_perf.analyze.sampling import Arm
    from synapse_perf.commands.options import CommonOptions
    from synapse_perf.commands.ui_request import UiRequest
    from synapse_perf.model import Check, Finding, Json, Leak, Metric, MetricDefinition, Trial
    from synapse_perf.profiles import Profile

PATIENCE_S = 30.0  # for a page to load, twice: until it answers, and until it has all
CONTROL_S = 2.0  # before and after
SETTLE_S = 1.0
WATCH_S = 2.0  # for what the page renders by itself, after its frames
BESIDE_S = 90.0  # of a process, beside its recording and the page's loading: the browser, the control pages
ROUND_S = 60.0


class UiRun(PlainRun):
    """Fresh browsers on one page."""

    benchmark = "ui-fps"

    def __init__(self, profile: Profile, request: UiRequest, options: CommonOptions) -> None:
        from synapse_perf.analyze.ui_targets import rate_asked, ui_targets

        super().__init__(profile, options)
        self.request = request
        self.rate = rate_asked(self.effort.targets)
        self.effort = replace(self.effort, targets=ui_targets(self.effort.targets, uses_gpu=request.uses_gpu))
        self.subject = "sample" if request.is_sample else "real"
        acting_s = ROUND_S if request.scenario else 0.0
        self.timeout_s = request.seconds + acting_s + 2 * PATIENCE_S + BESIDE_S
        self.notes = ("each process is a fresh browser, with a control page before and after",)

    @property
    def definitions(self) -> Mapping[str, MetricDefinition]:
        from synapse_perf.benchmarks.ui_fps import METRICS
        from synapse_perf.benchmarks.ui_leak import METRICS as LEFT

        return {**METRICS, **LEFT}

    @cached_property
    def arms(self) -> list[Arm]:
        from synapse_perf.analyze.sampling import Arm
        from synapse_perf.analyze.ui_leaks import BROWSERS
        from synapse_perf.benchmarks.ui_fps import SAMPLES_AT_MOST
        from synapse_perf.model import TrialSpec

        request = self.request
        opened: dict[str, Json] = {
            "url": request.url,
            "chromium": request.chromium,
            "uses_gpu": request.uses_gpu,
            "patience_s": PATIENCE_S,
            "settle_s": SETTLE_S,
            "scenario": request.scenario,
        }
        frames = TrialSpec(
            benchmark="ui_fps",
            arm="browser",
            labels={},
            workload={**opened, "seconds": request.seconds, "control_s": CONTROL_S, "watch_s": WATCH_S},
            samples=SAMPLES_AT_MOST,
            timeout_s=self.timeout_s,
        )
        arms = [Arm("browser", frames)]
        if request.leak_rounds:
            rounds = TrialSpec(
                benchmark="ui_leak",
                arm="rounds",
                labels={},
                workload={**opened, "rounds": request.leak_rounds},
                samples=request.leak_rounds,
                timeout_s=2 * PATIENCE_S + BESIDE_S + request.leak_rounds * ROUND_S,
            )
            arms.append(Arm("rounds", rounds, repeats=BROWSERS))
        return arms

    def described(self) -> dict[str, Json]:
        from synapse_perf.host.privacy import redact

        request = self.request
        scenario = request.scenario and hashlib.sha256(Path(request.scenario).read_bytes()).hexdigest()[:16]
        return {
            "url": "built-in sample" if request.is_sample else redact(request.url),
            "seconds": request.seconds,
            "uses_gpu": request.uses_gpu,
            "scenario": scenario,
            "leak_rounds": request.leak_rounds,
        }

    def noted(self) -> dict[str, Json]:
        return {"rate_asked": self.rate}

    def checked(self, checks: Sequence[Check], trials: Sequence[Trial]) -> Sequence[Check]:
        from synapse_perf.analyze.ui_fitness import judged_on_this_machine

        return judged_on_this_machine(checks, self._metrics(trials), self.rate)

    def leaks(self, trials: Sequence[Trial]) -> tuple[Leak, ...]:
        from synapse_perf.analyze.ui_leaks import ui_leaks

        return tuple(ui_leaks(self._metrics(trials), self.effort.confidence))

    def findings(self, metrics: Sequence[Metric], trials: Sequence[Trial]) -> Sequence[Finding]:
        from synapse_perf.analyze.ui_findings import ui_findings
        from synapse_perf.analyze.ui_fitness import why_unfit

        return ui_findings(metrics, self.leaks(trials), why_unfit(metrics, self.rate))

    def _metrics(self, trials: Sequence[Trial]) -> tuple[Metric, ...]:
        from synapse_perf.analyze.collect import metrics_of

        return metrics_of(trials, self.definitions, self.effort.confidence)
