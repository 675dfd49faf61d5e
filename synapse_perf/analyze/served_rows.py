"""Which queries did a server lose, and what could not be counted? What to say of it, tier by tier."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from synapse_perf.model import Fact, Trial

BENCHMARKS = ("served_query", "engine_query")


def lost_warnings(trials: Sequence[Trial]) -> list[str]:
    """One line for each tier, with the commonest reason: lost queries count as past the limit."""
    found = []
    for arm in dict.fromkeys(trial.spec.arm for trial in trials if trial.spec.benchmark in BENCHMARKS):
        facts = list(_facts(trials, arm))
        reasons = Counter(str(one.get("lost_told")) for one in facts if one.get("lost"))
        if not reasons:
            continue
        (reason, times), more = reasons.most_common(1)[0], len(reasons) - 1
        others = f", and {more} other reason{'s' if more > 1 else ''}" if more else ""
        lost = sum(reasons.values())
        counted = f" ({times} times{others})" if more else ""
        found.append(f"{arm}: {lost} of {len(facts)} queries were lost and count as past the limit: {reason}{counted}")
    return found


def token_warnings(trials: Sequence[Trial]) -> list[str]:
    """What the server does not tell, by which some figures are missing."""
    facts = [one for arm in dict.fromkeys(trial.spec.arm for trial in trials) for one in _facts(trials, arm)]
    answered = [one for one in facts if not one.get("lost")]
    if not answered:
        return []
    told = []
    if all(one.get("generated_tokens") is None for one in answered):
        told.append("the server does not count its tokens: rates are of chunks, of which each may hold several tokens")
    if all(one.get("reused_tokens") is None for one in answered):
        told.append(
            "the server does not tell what it found in its KV cache: cold prompts are new by a first line of their own"
        )
    return told


def length_warnings(trials: Sequence[Trial]) -> list[str]:
    """One line for each tier whose server wrote more than was asked, or less of a fixed length.

    By its own count, or where it has none by its chunks, each of which holds a token at least.
    """
    found = []
    for arm in dict.fromkeys(trial.spec.arm for trial in trials if trial.spec.benchmark == "served_query"):
        own = [trial for trial in trials if trial.spec.arm == arm]
        is_fixed = bool(own[0].spec.workload.get("is_fixed_length"))
        facts = [one for one in _facts(own, arm) if not one.get("lost")]
        unit = "tokens" if any(one.get("generated_tokens") is not None for one in facts) else "chunks"
        pairs = [(one.get("generated_tokens" if unit == "tokens" else unit), one.get("asked_tokens")) for one in facts]
        counted = [(told, asked) for told, asked in pairs if isinstance(told, int) and isinstance(asked, int)]
        longer = [told for told, asked in counted if told > asked]
        shorter = [told for told, asked in counted if told < asked and is_fixed]
        if longer:
            told = _of_these(longer, counted, unit)
            found.append(f"{arm}: {told} are longer than was asked: max_tokens is not obeyed")
        if shorter:
            may_be = "are" if unit == "tokens" else "may be"
            found.append(
                f"{arm}: {_of_these(shorter, counted, unit)} {may_be} shorter than the fixed length that was asked: a "
                "server that does not know ignore_eos ends them where the model does"
            )
    return found


def _of_these(lengths: Sequence[int], counted: Sequence[tuple[int, int]], unit: str) -> str:
    low, high = min(lengths), max(lengths)
    span = f"{low}" if low == high else f"{low} to {high}"
    return f"{len(lengths)} of {len(counted)} answers ({span} {unit})"


def _facts(trials: Sequence[Trial], arm: str) -> Iterator[dict[str, Fact]]:
    for trial in trials:
        if trial.spec.benchmark in BENCHMARKS and trial.spec.arm == arm:
            yield from (dict(sample.facts) for sample in trial.samples)
