"""After the starts of profile-load: what would each model take at which context, and does a load prove it?

Planned without loading in one short trial a model, then checked by one load of the largest context that leaves plenty
of the memory free. Neither is judged, and neither is among the metrics.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from synapse_perf.analyze.load_fit import ESTIMATED, Fit, LoadedCheck, fit_finding, together_finding
from synapse_perf.analyze.load_plan import ModelUnderTest, variants
from synapse_perf.llama.memory_places import memory_pools
from synapse_perf.llama.memory_pools import Plan, Pool, largest_fitting, pools_to_workload
from synapse_perf.model import TrialSpec

if TYPE_CHECKING:
    from synapse_perf.analyze.load_plan import LoadRequest
    from synapse_perf.commands.model_choice import Choice
    from synapse_perf.llama.load_log import LoadLog
    from synapse_perf.llama.settings import LoadSettings
    from synapse_perf.measure.session import Outcome
    from synapse_perf.model import Finding, Trial

RunTrials = Callable[[Sequence[TrialSpec]], "Outcome"]
FILLED_BYTES_PER_S = 500e6  # of a KV cache that is cleared for the first time, on a slow machine
SAFE_SHARE = 0.6  # of the free memory: a check by loading must not push anybody's programs into swap
NO_TIME = "no time was left to compute what fits into memory; give more with --max-time"


@dataclass(frozen=True, slots=True)
class FitReport:
    """What was found about memory, beside the measured starts."""

    findings: tuple[Finding, ...] = ()
    warnings: tuple[str, ...] = ()
    is_interrupted: bool = False


@dataclass(frozen=True, slots=True)
class _Subject:
    """One model as it was asked for: settings with the longest context, the log of a start, the memories it lies in."""

    model: ModelUnderTest
    settings: LoadSettings
    contexts: tuple[int, ...]
    log: LoadLog | None
    wall_s: float
    pools: tuple[Pool, ...]


def check_fit(
    choice: Choice, request: LoadRequest, trials: Sequence[Trial], *, seconds_left: float, run: RunTrials
) -> FitReport:
    """A finding for each model; `run` carries out trials one after another."""
    if seconds_left <= 0:
        return FitReport(warnings=(NO_TIME,))
    subjects = [_subject(model, request, trials) for model in choice.models]
    outcome = run([_planning(subject, request) for subject in subjects])
    planned = {trial.spec.labels["model"]: trial for trial in outcome.trials}
    warnings, fits, safe = [], {}, {}
    for subject in subjects:
        label = subject.model.label
        if label not in planned:
            continue
        trial = planned[label]
        if trial.failure is None:
            fits[label], safe[label] = _planned_fit(subject, trial)
            continue
        if subject.log is not None:  # else no start worked either, which is told already
            warnings.append(f"{label}: its memory could not be planned by llama.cpp: {trial.failure.message}")
        estimate = _estimated_fit(subject, choice)
        if estimate is not None:
            fits[label] = estimate
    is_interrupted = outcome.is_interrupted
    if not is_interrupted:
        spent_s = sum(trial.wall_s for trial in outcome.trials)
        fits, is_interrupted = _check(subjects, fits, safe, request, run, seconds_left - spent_s)
    findings = [fit_finding(fit) for fit in fits.values()]
    together = together_finding(list(fits.values()))
    return FitReport((*findings, *([together] if together else [])), tuple(warnings), is_interrupted)


def _subject(model: ModelUnderTest, request: LoadRequest, trials: Sequence[Trial]) -> _Subject:
    from synapse_perf.host.free_memory import main_memory
    from synapse_perf.llama.load_log import read_load, read_text

    all_settings = [settings for _, _, settings in variants(model, request)]
    starts = [trial for trial in trials if _is_reference(trial, model.label)]
    log = read_load(read_text(str(starts[0].facts["log"]))) if starts else None
    return _Subject(
        model,
        all_settings[0],
        tuple(dict.fromkeys(settings.n_ctx for settings in all_settings)),
        log,
        max((trial.wall_s for trial in starts), default=0.0),
        memory_pools(log, model.size_bytes, main_memory().available_bytes),
    )


def _is_reference(trial: Trial, label: str) -> bool:
    spec = trial.spec
    is_start = spec.benchmark == "profile_load" and spec.labels.get("model") == label
    return is_start and not spec.labels.get("variant") and bool(trial.samples) and bool(trial.facts.get("log"))


def _planning(subject: _Subject, request: LoadRequest) -> TrialSpec:
    lowest = max(subject.settings.n_ubatch, 256)  # below a whole micro-batch the compute buffers are smaller
    return TrialSpec(
        benchmark="memory_fit",
        arm="memory plan",
        labels={"model": subject.model.label},
        workload={
            "settings": subject.settings.as_workload(),
            "contexts": [lowest, *subject.contexts, 0],
            "pools": pools_to_workload(subject.pools),
            "shares": [1.0, SAFE_SHARE],
        },
        timeout_s=request.timeout_s,
        python=request.python,
        env=request.env,
    )


def _planned_fit(subject: _Subject, trial: Trial) -> tuple[Fit, int | None]:
    """The fit by llama.cpp's plans, and the context that is safe to check by loading."""
    plans = {entry["n_ctx"]: Plan(**entry) for entry in trial.facts["plans"]}
    largest, safe = (trial.facts["fitting"][str(share)] for share in (1.0, SAFE_SHARE))
    longest = int(trial.facts["longest"])
    asked = plans[max(subject.contexts) or longest]
    fit = Fit(
        subject.model.label, asked, tuple(plans.values()), plans[largest] if largest else None, longest, subject.pools
    )
    return fit, safe


def _estimated_fit(subject: _Subject, choice: Choice) -> Fit | None:
    """The fit by the file's header; None where it does not tell, or where no start shows the compute buffers."""
    from synapse_perf.llama.kv_shape import kv_shape
    from synapse_perf.llama.memory_fit import KvOptions, kv_cache_bytes

    header = choice.headers[subject.model.label]
    shape, settings = kv_shape(header), subject.settings
    if shape is None or subject.log is None:
        return None
    compute: dict[str, int] = {}
    for buffer in subject.log.placement.buffers:
        if buffer.kind == "compute":
            compute[buffer.device] = compute.get(buffer.device, 0) + buffer.size_bytes
    options = KvOptions(settings.type_k, settings.type_v, n_ubatch=settings.n_ubatch)

    def plan_at(n_ctx: int) -> Plan:
        return Plan(n_ctx, kv_cache_bytes(shape, n_ctx, options), compute)

    longest = header.n_ctx_train or max(subject.contexts)
    asked = plan_at(max(subject.contexts) or longest)
    plans = sorted({256, asked.n_ctx, longest})
    largest = largest_fitting(plan_at, subject.pools, longest)
    return Fit(subject.model.label, asked, tuple(map(plan_at, plans)), largest, longest, subject.pools, ESTIMATED)


def _check(
    subjects: Sequence[_Subject],
    fits: dict[str, Fit],
    safe: dict[str, int | None],
    request: LoadRequest,
    run: RunTrials,
    seconds_left: float,
) -> tuple[dict[str, Fit], bool]:
    """Each fit with what a load of a large context took: one of its own, or a measured start where that must do."""
    specs, checked = [], dict(fits)
    for subject in subjects:
        label = subject.model.label
        if label not in fits:
            continue
        n_ctx, is_measured = safe.get(label), subject.log is not None
        plan = fits[label].planned(n_ctx or 0)
        expected_s = subject.wall_s + (plan.kv_bytes / FILLED_BYTES_PER_S if plan else 0.0)
        if n_ctx is None or expected_s > seconds_left or (is_measured and n_ctx == subject.settings.n_ctx):
            measured = subject.settings.n_ctx or fits[label].trained
            checked[label] = replace(fits[label], checked=_by_log(measured, subject.log))
            continue
        seconds_left -= expected_s
        specs.append(_loading(subject, n_ctx, request))
    if not specs:
        return checked, False
    outcome = run(specs)
    for trial in outcome.trials:
        label, n_ctx = trial.spec.labels["model"], int(trial.spec.workload["settings"]["n_ctx"])
        checked[label] = replace(fits[label], checked=_by_trial(n_ctx, trial))
    return checked, outcome.is_interrupted


def _loading(subject: _Subject, n_ctx: int, request: LoadRequest) -> TrialSpec:
    return TrialSpec(
        benchmark="profile_load",
        arm="largest context",
        labels={"model": subject.model.label, "variant": f"n_ctx={n_ctx}"},
        workload={"settings": subject.settings._replace(n_ctx=n_ctx).as_workload()},
        timeout_s=request.timeout_s,
        python=request.python,
        env=request.env,
    )


def _by_trial(n_ctx: int, trial: Trial) -> LoadedCheck:
    from synapse_perf.llama.load_log import read_load, read_text

    if trial.failure is not None:
        return LoadedCheck(n_ctx, None, None, trial.failure.message)
    checked = _by_log(n_ctx, read_load(read_text(str(trial.facts["log"]))))
    return checked or LoadedCheck(n_ctx, None, None, "llama.cpp's log does not tell")


def _by_log(n_ctx: int, log: LoadLog | None) -> LoadedCheck | None:
    if log is None:
        return None
    return LoadedCheck(n_ctx, log.placement.buffer_bytes("KV"), log.placement.buffer_bytes("compute"))
