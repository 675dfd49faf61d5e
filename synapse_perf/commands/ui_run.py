"""What does one run of ui-fps measure, when can its machine not be judged, and what does it find?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from synapse_perf.commands.plain_run import PlainRun
from synapse_perf.errors import InputError

if TYPE_CHECKING:
    from synapse_perf.analyze.sampling import Arm
    from synapse_perf.commands.options import CommonOptions
    from synapse_perf.commands.ui_options import BrowserOptions
    from synapse_perf.model import Check, Finding, Json, Metric, MetricDefinition, Trial
    from synapse_perf.profiles import Profile

SECONDS = 5.0
PATIENCE_S = 30.0
BESIDE_S = 60.0  # of a process, beside its recording
_EXAMPLE = "such as http://127.0.0.1:5173/"


@dataclass(frozen=True, slots=True)
class UiRequest:
    """One page, checked."""

    url: str
    seconds: float
    chromium: str
    uses_gpu: bool


def ui_request(url: str | None, options: BrowserOptions) -> UiRequest:
    """Raises InputError for what cannot be opened, or where nothing can open it."""
    from synapse_perf.outside.browser import BrowserMissing, check_playwright, find_chromium

    if url is None:
        raise InputError("ui-fps: no URL is given", f"give the page's address, {_EXAMPLE}")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https", "file") or not (parts.hostname or parts.path.strip("/")):
        raise InputError(f"ui-fps {url}: not the address of a page", _EXAMPLE)
    try:
        check_playwright()
        program = find_chromium(str(options.chromium) if options.chromium else None)
    except BrowserMissing as error:
        raise InputError(f"ui-fps: {error}", error.remedy) from error
    return UiRequest(url, options.seconds or SECONDS, program, options.gpu)


class UiRun(PlainRun):
    """Fresh browsers on one page."""

    benchmark = "ui-fps"

    def __init__(self, profile: Profile, request: UiRequest, options: CommonOptions) -> None:
        super().__init__(profile, options)
        self.request = request
        self.timeout_s = request.seconds + PATIENCE_S + BESIDE_S
        self.notes = ("each process is a fresh browser, with a control page before and after",)

    @property
    def definitions(self) -> Mapping[str, MetricDefinition]:
        from synapse_perf.benchmarks.ui_fps import METRICS

        return METRICS

    @cached_property
    def arms(self) -> list[Arm]:
        from synapse_perf.analyze.sampling import Arm
        from synapse_perf.model import TrialSpec

        request = self.request
        spec = TrialSpec(
            benchmark="ui_fps",
            arm="browser",
            labels={"rendering": "gpu" if request.uses_gpu else "software"},
            workload={
                "url": request.url,
                "seconds": request.seconds,
                "chromium": request.chromium,
                "uses_gpu": request.uses_gpu,
                "patience_s": PATIENCE_S,
            },
            timeout_s=self.timeout_s,
        )
        return [Arm("browser", spec)]

    def described(self) -> dict[str, Json]:
        from synapse_perf.host.privacy import redact

        return {"url": redact(self.request.url), "seconds": self.request.seconds, "uses_gpu": self.request.uses_gpu}

    def checked(self, checks: Sequence[Check], trials: Sequence[Trial]) -> Sequence[Check]:
        from synapse_perf.analyze.ui_fitness import why_unfit

        reason = why_unfit(trials)
        if reason is None:
            return checks
        return [replace(check, status="not-comparable", reason=reason) for check in checks]

    def findings(self, metrics: Sequence[Metric], trials: Sequence[Trial]) -> Sequence[Finding]:
        from synapse_perf.analyze.ui_fitness import ui_findings

        return ui_findings(metrics, trials)
