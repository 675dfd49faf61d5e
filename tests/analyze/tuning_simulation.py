"""How often does tuning report a gain that is none, and how often does it find one that is there? Whole tunings, drawn.

Processes and single answers have factors of their own; answers within a round share what disturbs the machine, as they
follow each other. `effects` are the true times as fast of candidates by name.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from synapse_perf.analyze.collect import metrics_of
from synapse_perf.analyze.latency_tuning import DEFINITION, TierTuning, tuning_policy
from synapse_perf.analyze.latency_tuning_results import Compared, compared
from synapse_perf.analyze.latency_tuning_settings import REFERENCE, Machine, candidates_for
from synapse_perf.llama.settings import LoadSettings
from synapse_perf.model import Fact, Measurement, Sample, Trial, TrialSpec

SETTINGS = LoadSettings("/m/deep.gguf", n_threads=2)
CANDIDATES = tuple(candidates_for(SETTINGS, Machine(cores=8, physical_cores=4, has_gpu=True), 900)[0])
FASTER = "-t 8"


def tier(name: str = "deep", **changes: Any) -> TierTuning:
    given = {
        "reference": SETTINGS,
        "candidates": CANDIDATES,
        "queries": ({"prompt": "a"},),
        "tokens": 100,
        "ready_s": 2.0,
        "first_s": 1.0,
        "token_s": 0.05,
    }
    return TierTuning(name, **{**given, **changes})


def effect_of(name: str, effects: Mapping[str, float]) -> float:
    """Of settings together, the product."""
    return math.prod(effect for part, effect in effects.items() if part in name)


def run_of(
    spec: TrialSpec, process: int, rng: np.random.Generator, effects: Mapping[str, float], owner: TierTuning
) -> Trial:
    """One process: every arm in every round, unless the time of its queries is over."""
    load = spec.workload
    level, samples, spent_s = rng.lognormal(0, 0.05), [], 0.0
    for number in range(load["count"]):
        shared = rng.lognormal(0, 0.05)
        for arm in load["arms"]:
            factor = level * shared * rng.lognormal(0, 0.03) / effect_of(arm["name"], effects)
            before_s, after_s = owner.first_s * factor, owner.token_s * (arm["max_tokens"] - 1) * factor
            facts: dict[str, Fact] = {
                **dict.fromkeys(("generated_tokens", "same_tokens", "compared_tokens"), arm["max_tokens"]),
                **dict.fromkeys(("template_s", "tokenise_s"), 0.0),
                "prefill_s": before_s,
                "round": number,
            }
            value = Measurement("query_latency", before_s + after_s, {"variant": load["label"] + arm["name"]})
            samples.append(Sample((value,), facts))
            spent_s += before_s + after_s
        if load["asking_s"] is not None and spent_s * (number + 2) / (number + 1) > load["asking_s"]:
            break
    wall_s = owner.process_s(len(load["arms"]), 0, 0) + spent_s
    return Trial(spec, process, tuple(samples), wall_s)


def tune(
    seed: int, effects: Mapping[str, float], *tiers: TierTuning, max_time_s: float | None = None
) -> tuple[Trial, ...]:
    """Every trial of one tuning."""
    rng, owners = np.random.default_rng(seed), {one.tier: one for one in tiers}
    policy = tuning_policy(tiers, max_time_s, 0.95)
    trials: tuple[Trial, ...] = ()
    while (spec := policy(trials)) is not None:
        trials = (*trials, run_of(spec, len(trials) + 1, rng, effects, owners[spec.labels["tier"]]))
    return trials


def outcome(seed: int, effects: Mapping[str, float], owner: TierTuning) -> list[Compared]:
    """What one tuning of one tier reports."""
    return compared(metrics_of(tune(seed, effects, owner), DEFINITION), owner.tier, 0.95)


def shares(runs: int, effects: Mapping[str, float]) -> dict[str, float]:
    """Of many tunings: those that report any gain, that confirm anything, and whose best gain has the faster setting.

    `covered`: of the intervals that were told of a candidate with a known effect, those that hold it.
    """
    count = dict.fromkeys(("gain", "confirmed", "found", "covered", "intervals"), 0)
    for seed in range(runs):
        results = outcome(seed, effects, tier())
        improved = [one for one in results if one.status == "improved"]
        count["confirmed"] += bool(results)
        count["gain"] += bool(improved)
        count["found"] += any(FASTER in one.name for one in improved)
        for one in results:
            truth = effect_of(one.name, effects)
            assert one.low is not None and one.high is not None
            count["intervals"] += 1
            count["covered"] += one.low <= truth <= one.high
    covered = count["covered"] / count["intervals"] if count["intervals"] else 1.0
    return {name: count[name] / runs for name in ("gain", "confirmed", "found")} | {"covered": covered}


__all__ = ["CANDIDATES", "FASTER", "REFERENCE", "outcome", "shares", "tier", "tune"]

if __name__ == "__main__":
    for gain in (1.0, 1.05, 1.1, 1.2):
        print(gain, shares(400, {FASTER: gain} if gain > 1 else {}))  # noqa: T201
