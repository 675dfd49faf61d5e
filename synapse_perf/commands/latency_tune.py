"""Tries other settings on the tiers of tier-latency, those that miss their target first, and tells what they gain."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from synapse_perf.commands.latency_beside import Beside
from synapse_perf.commands.options import option

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from synapse_perf.analyze.latency_rows import Queries
    from synapse_perf.analyze.latency_tuning import TierTuning
    from synapse_perf.analyze.latency_tuning_findings import Tuned
    from synapse_perf.analyze.latency_tuning_settings import Machine
    from synapse_perf.commands.latency_beside import MeasureBeside
    from synapse_perf.commands.latency_run import LatencyRun
    from synapse_perf.llama.settings import LoadSettings
    from synapse_perf.measure.session import Outcome
    from synapse_perf.model import Json, Metric, Trial

TUNING = "Tuning"
SHARE = 0.5  # of a run that tunes
CONTEXT_STEP = 256
MEMORY_SHARE, SCRATCH_BYTES = 0.5, 128 << 20
DECISIONS = ("fail", "inconclusive", "pass")  # the order in which tiers are tuned


@dataclass(frozen=True, slots=True)
class TuneOptions:
    """Whether other settings are tried."""

    tune: Annotated[
        bool,
        option(
            "Then try threads, KV types, flash attention, batches, offload and shorter answers on each tier.",
            "--tune",
            TUNING,
        ),
    ] = False


def what_follows(options: TuneOptions, max_time_s: float | None) -> tuple[tuple[MeasureBeside, ...], float]:
    """What is measured once the queries are, and how many seconds of the run are kept for it."""
    from synapse_perf.commands.latency_bounds import RESERVED_SHARE, measure_bounds

    if not options.tune:
        return (measure_bounds,), RESERVED_SHARE * (max_time_s or 0.0)
    return (measure_bounds, measure_tuning), (RESERVED_SHARE + SHARE) * (max_time_s or 0.0)


@dataclass(frozen=True, slots=True)
class Candidacy:
    """A tier to be tuned, with what decides its turn."""

    tuning: TierTuning
    decision: str
    p90_s: float
    limit_s: float | None
    useless: tuple[str, ...]


def measure_tuning(run: LatencyRun, outcome: Outcome) -> Beside:
    """Interleaved trials of other settings within what is left of the run's time."""
    from synapse_perf.analyze.collect import metrics_of
    from synapse_perf.analyze.latency_tuning import shares, tuning_policy
    from synapse_perf.analyze.latency_tuning_findings import tuning_findings
    from synapse_perf.analyze.sampling import spent_s
    from synapse_perf.benchmarks import tier_latency, tune_settings
    from synapse_perf.commands.latency_bounds import RESERVED_SHARE
    from synapse_perf.commands.latency_record import distinct
    from synapse_perf.commands.load_record import failures_of, warnings_of

    confidence = run.effort.confidence
    found = _candidacies(run, metrics_of(outcome.trials, tier_latency.METRICS, confidence), outcome.trials)
    tiers = [one.tuning for one in found]
    left_s = None
    if run.whole_time_s is not None:
        left_s = max(0.0, run.whole_time_s * (1 - RESERVED_SHARE) - spent_s(outcome.trials))
    done = run.carry_out(tuning_policy(tiers, left_s, confidence), 8 * len(tiers), max_time_s=left_s)
    metrics = metrics_of(done.trials, tune_settings.METRICS, confidence)
    own_shares = {tier.tier: (own, share_s) for tier, own, share_s in shares(tiers, done.trials, left_s)}
    tuned = [_tuned(one, metrics, confidence) for one in found]
    return Beside(
        metrics=metrics,
        findings=tuple(tuning_findings(tuned, confidence)),
        warnings=tuple(warnings_of(done.trials)),
        failures=distinct(failures_of(done.trials)),
        facts={
            "tuning": {
                one.tuning.tier: _facts(one, *own_shares[one.tuning.tier], confidence, done.is_interrupted)
                for one in found
            }
        },
        is_interrupted=done.is_interrupted,
    )


def _candidacies(run: LatencyRun, metrics: Sequence[Metric], trials: Sequence[Trial]) -> list[Candidacy]:
    from synapse_perf.analyze.latency_plan import TWO_STAGE
    from synapse_perf.analyze.latency_rows import groups_of, references

    machine = _machine(run)
    groups = [group for group in references(groups_of(metrics)) if group.tier != TWO_STAGE]
    slowest: dict[str, Queries] = {}
    for group in groups:  # with several complexities, the one that takes longest
        known = slowest.get(group.tier)
        if known is None or _middle(group) > _middle(known):
            slowest[group.tier] = group
    found = [_candidacy(run, group, machine, trials) for group in slowest.values()]
    return sorted(found, key=lambda one: DECISIONS.index(one.decision))


def _candidacy(run: LatencyRun, group: Queries, machine: Machine, trials: Sequence[Trial]) -> Candidacy:
    from synapse_perf.analyze.latency_rows import facts_of
    from synapse_perf.analyze.latency_tuning import TierTuning
    from synapse_perf.analyze.latency_tuning_settings import candidates_for
    from synapse_perf.analyze.summary import quantile
    from synapse_perf.commands.latency_bounds import settings_of
    from synapse_perf.units import format_duration

    latency, limit_s = group.metrics["query_latency"], run.limits.get(group.tier)
    pooled = [sample for record in latency.trials for sample in record.samples]
    decision = _decision(latency, limit_s, run.effort.confidence)
    reference = settings_of(run, group.tier)
    longest = int(max(facts_of(latency, "prompt_tokens"), default=0))
    tokens = max(2, round(statistics.median(facts_of(latency, "generated_tokens") or [run.request.max_tokens])))
    reference = reference._replace(n_ctx=_context(reference.n_ctx, longest, tokens))
    candidates, useless = candidates_for(reference, machine, longest)
    first_s = _middle(group, "time_to_first_token")
    token_s = max(0.0, _middle(group) - first_s) / max(1, tokens - 1)
    specs = [trial.spec for trial in trials if trial.spec.labels.get("tier") == group.tier]
    asked = specs[0].workload["queries"]
    loads = [trial.facts["load_s"] for trial in trials if trial.spec in specs and "load_s" in trial.facts]
    p90_s = quantile(pooled, 0.9)
    fewer = _fewer(tokens, p90_s, limit_s, token_s * p90_s / _middle(group)) if decision == "fail" else None
    if decision == "fail" and fewer is None:
        one_token_s = first_s * p90_s / _middle(group)
        useless.append(f"shorter answers: the first token alone takes {format_duration(one_token_s)} (p90)")
    tuning = TierTuning(
        tier=group.tier,
        reference=reference,
        candidates=tuple(candidates),
        queries=tuple([query for query in asked if query["complexity"] == group.complexity] or asked),
        tokens=tokens,
        ready_s=statistics.median(loads) if loads else 1.0,
        first_s=first_s,
        token_s=token_s,
        misses=decision == "fail",
        fewer_tokens=fewer,
        arms_at_most=_arms_at_most(run, group.tier, reference),
        prefix=run.request.prefixes[0],
        system=run.request.system,
        seed=run.request.seed,
        files=run.tiers[group.tier].files,
        python=run.request.load.python,
        env=run.request.load.env,
        timeout_s=run.request.load.timeout_s,
    )
    return Candidacy(tuning, decision, p90_s, limit_s, tuple(useless))


def _decision(latency: Metric, limit_s: float | None, confidence: float) -> str:
    """Whatever the subject is: of samples too it is known on which side of the limit they are."""
    from synapse_perf.analyze.decision import decide
    from synapse_perf.analyze.summary import LEAST_FOR_MEDIAN

    if limit_s is None:
        return "inconclusive"
    samples = [record.samples for record in latency.trials]
    return decide(samples, "p90", limit_s, "lower", confidence, minimum=LEAST_FOR_MEDIAN).status


def _context(n_ctx: int, longest_prompt: int, tokens: int) -> int:
    """As short as the queries allow, since there is one for each setting; other prompts may be twice as long."""
    needed = -(-(2 * longest_prompt + tokens) // CONTEXT_STEP) * CONTEXT_STEP
    return min(n_ctx, needed) if n_ctx else needed


def _arms_at_most(run: LatencyRun, tier: str, reference: LoadSettings) -> int:
    """How many contexts fit into half of the memory that is free once the model is loaded; two in any case."""
    from pathlib import Path

    from synapse_perf.errors import InputError
    from synapse_perf.gguf_files.header import read_header
    from synapse_perf.host.free_memory import main_memory
    from synapse_perf.llama.kv_shape import kv_shape
    from synapse_perf.llama.memory_fit import kv_cache_bytes

    try:
        header = read_header(Path(run.tiers[tier].path))
    except InputError:  # gone since it was measured: the first trial tells
        return 2
    shape = kv_shape(header)
    each = SCRATCH_BYTES + 4 * reference.n_ubatch * (header.n_vocab or 0)  # the scores of a batch are most of the rest
    each += kv_cache_bytes(shape, reference.n_ctx) if shape else 0
    free = MEMORY_SHARE * (main_memory().available_bytes - header.size_bytes)
    return max(2, int(free / each))


def _fewer(tokens: int, p90_s: float, limit_s: float | None, token_s: float) -> int | None:
    """How many tokens bring the p90 under the limit; None where not even one does."""
    if limit_s is None or token_s <= 0:
        return None
    fewer = tokens - int((p90_s - limit_s) / token_s) - 1
    return fewer if 1 <= fewer < tokens else None


def _middle(group: Queries, name: str = "query_latency") -> float:
    from synapse_perf.analyze.latency_rows import middle_of

    metric = group.metrics.get(name)
    return middle_of(metric) if metric else 0.0


def _machine(run: LatencyRun) -> Machine:
    import psutil

    from synapse_perf.analyze.latency_tuning_settings import Machine
    from synapse_perf.host.cpu import usable_cores
    from synapse_perf.host.gpu import gpu_names
    from synapse_perf.host.llama_build import ask
    from synapse_perf.host.macos_settings import MACOS, sysctl

    performance = sysctl("hw.perflevel0.physicalcpu").get("hw.perflevel0.physicalcpu", "") if MACOS else ""
    has_gpu = False
    if gpu_names():
        devices = ask(run.request.load.python, ()).get("devices", ())
        has_gpu = any(device["is_gpu"] for device in devices)
    return Machine(
        cores=max(1, int(usable_cores())),
        physical_cores=psutil.cpu_count(logical=False),
        performance_cores=int(performance) if performance.isdigit() else None,
        has_gpu=has_gpu,
    )


def _tuned(one: Candidacy, metrics: Sequence[Metric], confidence: float) -> Tuned:
    from synapse_perf.analyze.latency_tuning_findings import Tuned
    from synapse_perf.analyze.latency_tuning_results import compared, screened
    from synapse_perf.analyze.latency_tuning_settings import combined

    tuning = one.tuning
    ratios = screened(metrics, tuning.tier, tuning.tokens)
    changes = {candidate.name: candidate.changes for candidate in tuning.candidates}
    ordered = sorted(tuning.candidates, key=lambda candidate: -ratios.get(candidate.name, 0.0))
    for count in range(2, len(ordered) + 1):  # whichever of the best were tried together
        together = combined(ordered[:count])
        if together:
            changes[together.name] = together.changes
    return Tuned(
        tuning.tier,
        tuple(compared(metrics, tuning.tier, confidence)),
        ratios,
        changes,
        tuning.tokens,
        one.p90_s,
        one.limit_s,
        misses=one.decision == "fail",
    )


def _facts(
    one: Candidacy, own: Sequence[Trial], share_s: float, confidence: float, is_interrupted: bool
) -> Mapping[str, Json]:
    """What the report tells beside the figures."""
    from synapse_perf.analyze.latency_tuning import left_untried

    refused = {name: why for trial in own for name, why in trial.facts.get("refused", {}).items()}
    untried = left_untried(one.tuning, own, share_s, confidence)
    return {
        "output_tokens": one.tuning.tokens,
        "useless": list(one.useless),
        "refused": refused,
        "untried": untried,
        "untried_because": "interrupted"
        if is_interrupted
        else "too little time or memory was left: allow more with --max-time",
    }
