"""Metrics of queries as a run of tier-latency gives them; no number here was measured."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from synapse_perf.analyze.summary import summarize
from synapse_perf.model import Better, Fact, Labels, Metric, TrialRecord

LEVELS = (0.97, 0.99, 0.995, 1.005, 1.02, 1.06)  # of the processes
WAVES = tuple(1 + 0.05 * math.sin(n) + (0.3 if n % 11 == 10 else 0) for n in range(15))


@dataclass(frozen=True)
class Answer:
    """What the queries of a tier take: seconds of their parts, and their lengths."""

    prefill_s: float
    decode_s: float
    other_s: float = 0.002
    prompt_tokens: int = 60
    reused_tokens: int = 0
    tokens: int = 64

    @property
    def first_s(self) -> float:
        return self.prefill_s + self.other_s / 2

    @property
    def total_s(self) -> float:
        return self.prefill_s + self.decode_s + self.other_s


SIMPLE = Answer(0.4, 1.1, 0.02)
MODERATE = Answer(0.9, 2.6, 0.03)
COMPLEX = Answer(6.0, 4.0, 0.05, prompt_tokens=900)


def metric(
    name: str,
    labels: Labels,
    groups: Sequence[Sequence[float]],
    *,
    arm: str,
    unit: str = "s",
    better: Better = "lower",
    facts: Mapping[str, Sequence[Sequence[Fact]]] | None = None,
) -> Metric:
    """One group of samples a process, and of each fact one value a sample."""
    trials = tuple(
        TrialRecord(arm, place + 1, tuple(group), {key: tuple(own[place]) for key, own in (facts or {}).items()})
        for place, group in enumerate(groups)
    )
    return Metric(name, labels, unit, better, trials, summarize(groups))


def answers(
    labels: Labels, answer: Answer, *, arm: str, processes: int = 6, waves: Sequence[float] = WAVES
) -> list[Metric]:
    """Latency, first token, gap and rates; the facts of each query are its parts, which add up to it."""
    factors = [[LEVELS[place % len(LEVELS)] * wave for wave in waves] for place in range(processes)]

    def each(value: float) -> list[list[float]]:
        return [[round(value * factor, 9) for factor in own] for own in factors]

    def same(value: float) -> list[list[float]]:
        return [[value] * len(own) for own in factors]

    small = answer.other_s / 4
    facts: dict[str, Sequence[Sequence[Fact]]] = {
        "prefill_s": each(answer.prefill_s),
        "decode_s": each(answer.decode_s),
        **{f"{name}_s": each(small) for name in ("template", "tokenise", "sampling", "detokenise")},
        "prompt_tokens": same(answer.prompt_tokens),
        "reused_tokens": same(answer.reused_tokens),
        "generated_tokens": same(answer.tokens),
    }
    gap_s = answer.decode_s / answer.tokens
    evaluated = answer.prompt_tokens - answer.reused_tokens
    found = [
        metric("query_latency", labels, each(answer.total_s), arm=arm, facts=facts),
        metric("time_to_first_token", labels, each(answer.first_s), arm=arm),
        metric("inter_token_latency", labels, each(gap_s), arm=arm),
        metric("decode_rate", labels, each(1 / gap_s), arm=arm, unit="1/s", better="higher"),
    ]
    if evaluated >= 8:
        rate = evaluated / answer.prefill_s
        found.append(metric("prefill_rate", labels, each(rate), arm=arm, unit="1/s", better="higher"))
    return found


def tier(name: str, complexity: str, answer: Answer, *, processes: int = 6) -> list[Metric]:
    """A tier's queries with a cold prefix, which are the reference."""
    labels = {"tier": name, "prefix": "cold", "complexity": complexity}
    return answers(labels, answer, arm=name, processes=processes)


def warm_prefix(name: str, complexity: str, answer: Answer, *, processes: int = 6) -> list[Metric]:
    """The same with the prompt in the KV cache."""
    labels = {"tier": name, "prefix": "warm", "complexity": complexity, "variant": "prefix=warm"}
    return answers(labels, answer, arm=f"{name} prefix=warm", processes=processes)


def apis(name: str, complexity: str, answer: Answer, added: float, *, processes: int = 6) -> list[Metric]:
    """Own loop and high-level API in the same processes; the latter takes so many times as long."""
    labels = {"tier": name, "prefix": "cold", "complexity": complexity}
    slow = Answer(answer.prefill_s * added, answer.decode_s * added, answer.other_s * added)
    arm = f"{name} api=high-level"
    return [
        *answers({**labels, "variant": "api=own-loop"}, answer, arm=arm, processes=processes),
        *answers({**labels, "variant": "api=high-level"}, slow, arm=arm, processes=processes)[:1],
    ]


def first_answers(
    name: str, complexity: str, first_s: float, load_s: float, *, prefix: str = "cold", processes: int = 6
) -> list[Metric]:
    """The first query of each process, and what it would be after a swap."""
    labels = {"tier": name, "prefix": prefix}
    groups = [[round(first_s * level, 9)] for level in LEVELS[:processes]]
    loads = [[round(load_s * level, 9)] for level in LEVELS[:processes]]
    swapped = [[one + other] for (one,), (other,) in zip(groups, loads, strict=True)]
    arm = name if prefix == "cold" else f"{name} prefix={prefix}"
    asked = {**labels, "complexity": complexity}
    own = labels if prefix == "cold" else {**labels, "variant": f"prefix={prefix}"}
    return [
        metric("query_latency", {**asked, "state": "first", "variant": "first"}, groups, arm=arm),
        metric("query_latency", {**asked, "state": "after-swap", "variant": "after-swap"}, swapped, arm=arm),
        metric("phase_time", {**own, "phase": "load"}, loads, arm=arm),
    ]


PATH_S = {
    "swap.draft": 0.5,
    "draft": 1.5,
    "draft.prefill": 0.4,
    "draft.generation": 1.1,
    "retrieval": 0.6,
    "swap.refinement": 2.0,
    "prefill": 3.0,
    "generation": 4.0,
    "swap": 2.5,
    "residual": 0.0001,
}


def two_stage(
    variant: str = "", *, processes: int = 6, queries: int = 3, arm: str = "", labels: Labels | None = None,
    **changed_s: float,
) -> list[Metric]:  # fmt: skip
    """The phases of two-stage queries, which add up to the whole."""
    own = {"tier": "two-stage", **({"variant": variant} if variant else {}), **(labels or {})}
    path = {**PATH_S, **{name.replace("__", "."): value for name, value in changed_s.items()}}
    path["swap"] = path["swap.draft"] + path["swap.refinement"]
    parents = [name for name in path if "." not in name]
    total = sum(path[name] for name in parents)
    arm = arm or f"two-stage {variant}".strip()

    def each(value: float) -> list[list[float]]:
        waves = WAVES[:queries]
        return [[round(value * LEVELS[place % len(LEVELS)] * one, 9) for one in waves] for place in range(processes)]

    def same(value: Fact) -> list[list[Fact]]:
        return [[value] * queries for _ in range(processes)]

    lengths = {"prompt_tokens": same(900), "reused_tokens": same(0), "generated_tokens": same(64)}
    return [
        metric("query_latency", own, each(total), arm=arm, facts=lengths),
        metric("time_to_first_token", own, each(total - path["generation"]), arm=arm),
        *(metric("phase_time", {**own, "phase": name}, each(value), arm=arm) for name, value in path.items()),
    ]
