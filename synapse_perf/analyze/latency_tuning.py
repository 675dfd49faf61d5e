"""Which settings are tried on each tier, and for how long? First all of them briefly, then the best with fresh data.

Screening: two processes ask short answers with every candidate. What looked at least 3 % faster goes on: all of them
together, the best and the second best. Confirming: as many fresh processes as the interval takes, whole answers. The
gain that is told comes out of the second stage alone, since the first picks what was lucky as well as what is good.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from synapse_perf.analyze.collect import metrics_of
from synapse_perf.analyze.compare import SMALLEST_EFFECT
from synapse_perf.analyze.latency_tuning_results import CONFIRMING, SCREENING, processes_for, screened
from synapse_perf.analyze.latency_tuning_settings import (
    BATCH_THREADS,
    REFERENCE,
    Candidate,
    applied,
    combined,
)
from synapse_perf.analyze.sampling import spent_s
from synapse_perf.llama.settings import LoadSettings
from synapse_perf.model import Json, MetricDefinition, Policy, Trial, TrialSpec

BENCHMARK = "tune_settings"
SCREENED_IN = 2  # processes
SHORT_ANSWER = 16  # tokens
LOOKS, ROUNDS = 4, 12  # rounds in a process of the first and of the second stage, at most
CONFIRMED_AT_MOST = 3  # candidates, with the shorter answer
SCREENING_SHARE = 0.4  # of a tier's time, for more than one round
FAILURES_AT_MOST = 2
ASIDE_S = 0.7  # of a process: the interpreter and its libraries
DEFINITION = {"query_latency": MetricDefinition("query_latency", "s", "lower", "")}


@dataclass(frozen=True, slots=True)
class TierTuning:
    """One tier with what can be tried on it; its times are those of its judged queries.

    ready_s: loading; first_s: to the first token; token_s: each further one; fewer_tokens: as many as would meet the
    target that it misses; arms_at_most: contexts that fit into memory at a time.
    """

    tier: str
    reference: LoadSettings
    candidates: tuple[Candidate, ...]
    queries: tuple[Json, ...]
    tokens: int
    ready_s: float
    first_s: float
    token_s: float
    misses: bool = False
    fewer_tokens: int | None = None
    arms_at_most: int = 16
    prefix: str = "cold"
    system: str | None = None
    seed: int = 0
    files: tuple[str, ...] = ()
    python: str | None = None
    env: Mapping[str, str] | None = None
    timeout_s: float = 600.0

    @property
    def query_s(self) -> float:
        return self._answer_s(self.tokens)

    @property
    def short(self) -> int:
        return min(self.tokens, SHORT_ANSWER)

    def process_s(self, arms: int, rounds: int, tokens: int) -> float:
        """With a short warm-up of each arm."""
        return ASIDE_S + self.ready_s + arms * (self._answer_s(2) + rounds * self._answer_s(tokens))

    def _answer_s(self, tokens: int) -> float:
        return self.first_s + (tokens - 1) * self.token_s


@dataclass(frozen=True, slots=True)
class Stage:
    """So many processes with these arms; `limit_s` is what the queries of one may take."""

    candidates: tuple[Candidate, ...]
    processes: int
    rounds: int
    limit_s: float | None


def tuning_policy(tiers: Sequence[TierTuning], max_time_s: float | None, confidence: float) -> Policy:
    """One tier after the other, those that miss their target before the others.

    Each may take an equal part of what is left when its turn comes; the others get what those that miss do not use.
    """

    def next_trial(trials: tuple[Trial, ...]) -> TrialSpec | None:
        for tier, own, share_s in shares(tiers, trials, max_time_s):
            spec = _next_of(tier, own, share_s, confidence)
            if spec is not None:
                return spec
        return None

    return next_trial


def shares(
    tiers: Sequence[TierTuning], trials: Sequence[Trial], max_time_s: float | None
) -> list[tuple[TierTuning, list[Trial], float]]:
    """Each tier with its trials and the seconds that are its part."""
    left_s = math.inf if max_time_s is None else max_time_s
    found = []
    for place, tier in enumerate(tiers):
        own = [trial for trial in trials if trial.spec.labels.get("tier") == tier.tier]
        alike = [other for other in tiers[place:] if other.misses or not tier.misses]
        found.append((tier, own, left_s / len(alike)))
        left_s -= spent_s(own)
    return found


def screening(tier: TierTuning, share_s: float, confidence: float) -> Stage | None:
    """As many candidates as leave time to confirm one; None where there is time for none."""
    confirm_s = processes_for(1, confidence) * tier.process_s(2, 1, tier.tokens)
    fitting = [
        count
        for count in range(min(len(tier.candidates), tier.arms_at_most - 1), 0, -1)
        if SCREENED_IN * tier.process_s(count + 1, 1, tier.short) + confirm_s <= share_s
    ]
    if not fitting:
        return None
    arms = fitting[0] + 1
    wanted = [
        rounds
        for rounds in range(LOOKS, 1, -1)
        if SCREENED_IN * tier.process_s(arms, rounds, tier.short) <= SCREENING_SHARE * share_s
    ]
    rounds = wanted[0] if wanted else 1
    return Stage(tier.candidates[: fitting[0]], SCREENED_IN, rounds, None)


def confirming(tier: TierTuning, own: Sequence[Trial], share_s: float, confidence: float) -> Stage | None:
    """What screening picked, and the shorter answer where a target is missed; None where nothing is to be confirmed."""
    looked = [trial for trial in own if _is(trial, SCREENING)]
    chosen = picked(tier, looked)[: CONFIRMED_AT_MOST - (tier.fewer_tokens is not None)]
    if tier.fewer_tokens is not None:
        chosen = [Candidate(f"max_tokens={tier.fewer_tokens}", max_tokens=tier.fewer_tokens), *chosen]
    left_s = share_s - spent_s(looked)
    for count in range(min(len(chosen), tier.arms_at_most - 1), 0, -1):
        processes = processes_for(count, confidence)
        if processes * tier.process_s(count + 1, 1, tier.tokens) <= left_s:
            limit_s = left_s / processes - tier.process_s(count + 1, 0, 0)
            return Stage(tuple(chosen[:count]), processes, ROUNDS, limit_s if math.isfinite(limit_s) else None)
    return None


def picked(tier: TierTuning, looked: Sequence[Trial]) -> list[Candidate]:
    """All that looked faster together where they can be, then the best two of them alone."""
    ratios = screened(metrics_of(looked, DEFINITION), tier.tier, tier.tokens)
    promising = [one for one in tier.candidates if ratios.get(one.name, 0.0) > 1 + SMALLEST_EFFECT]
    promising.sort(key=lambda one: -ratios[one.name])
    together = combined(promising)
    return ([together] if together else []) + promising[:2]


def left_untried(tier: TierTuning, own: Sequence[Trial], share_s: float, confidence: float) -> list[str]:
    """What there was neither time nor memory for."""
    looked = screening(tier, share_s, confidence)
    names = [one.name for one in tier.candidates[len(looked.candidates) if looked else 0 :]]
    wanted = [one.name for one in picked(tier, [trial for trial in own if _is(trial, SCREENING)])]
    if tier.fewer_tokens is not None:
        wanted.insert(0, f"max_tokens={tier.fewer_tokens}")
    stage = confirming(tier, own, share_s, confidence)
    unconfirmed = [] if stage or not wanted else [f"{' and '.join(wanted)} (looked faster, not confirmed)"]
    return [*names, *unconfirmed]


def _next_of(tier: TierTuning, own: Sequence[Trial], share_s: float, confidence: float) -> TrialSpec | None:
    looks = screening(tier, share_s, confidence)
    if looks is not None:
        spec = _spec(tier, looks, SCREENING, tier.short)
        if _is_wanted(own, SCREENING, looks.processes):
            return spec if spent_s(own) < share_s else None
    stage = confirming(tier, own, share_s, confidence)
    if stage is None or not _is_wanted(own, CONFIRMING, stage.processes):
        return None
    return _spec(tier, stage, CONFIRMING, tier.tokens) if spent_s(own) < share_s else None


def _is_wanted(own: Sequence[Trial], label: str, processes: int) -> bool:
    tried = [trial for trial in own if _is(trial, label)]
    failures = sum(trial.failure is not None for trial in tried)
    return failures < FAILURES_AT_MOST and len(tried) - failures < processes


def _is(trial: Trial, label: str) -> bool:
    return trial.spec.workload.get("label") == label


def _spec(tier: TierTuning, stage: Stage, label: str, tokens: int) -> TrialSpec:
    arms = [Candidate(REFERENCE), *stage.candidates]
    return TrialSpec(
        benchmark=BENCHMARK,
        arm=f"{tier.tier} {'screening' if label == SCREENING else 'confirming'}",
        labels={"tier": tier.tier},
        workload={
            "tier": tier.tier,
            "label": label,
            "arms": [_arm(tier, one, tokens) for one in arms],
            "queries": list(tier.queries),
            "prefix": tier.prefix,
            "system": tier.system,
            "seed": tier.seed,
            "count": stage.rounds,
            "asking_s": stage.limit_s,
        },
        samples=stage.rounds * len(arms),
        timeout_s=tier.timeout_s + (stage.limit_s or 0.0),
        files=tier.files,
        python=tier.python,
        env=tier.env or {},
    )


def _arm(tier: TierTuning, candidate: Candidate, tokens: int) -> dict[str, Json]:
    return {
        "name": candidate.name,
        "settings": applied(tier.reference, candidate.changes).as_workload(),
        "threads_batch": candidate.changes.get(BATCH_THREADS, 0),
        "max_tokens": candidate.max_tokens or tokens,
    }
