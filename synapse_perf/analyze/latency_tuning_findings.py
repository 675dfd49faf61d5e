"""What should be set for a tier, by what tuning measured? Gains come from the confirming trials alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from synapse_perf.analyze.latency_tuning_results import Compared, best
from synapse_perf.analyze.latency_tuning_settings import BATCH_THREADS, Changes, keywords_text, options_text
from synapse_perf.model import Finding, Gain, Json
from synapse_perf.units import format_duration

LARGE = 1.1  # times as fast: then it is worth more than a note, whether or not a target is missed
SHORTER = "max_tokens="  # how the shorter answer is named


@dataclass(frozen=True, slots=True)
class Tuned:
    """What is known of one tier after its tuning; `limit_s` and `p90_s` are those of its judged queries."""

    tier: str
    compared: tuple[Compared, ...]
    screened: Mapping[str, float]
    changes: Mapping[str, Changes]  # by the candidates' names
    tokens: int
    p90_s: float
    limit_s: float | None = None
    misses: bool = False


def tuning_findings(tuned: Sequence[Tuned], confidence: float) -> list[Finding]:
    """For each tier what to set, or that nothing was shown to help; and the shorter answer where a target is missed."""
    found: list[Finding] = []
    for one in tuned:
        shorter = [result for result in one.compared if result.name.startswith(SHORTER)]
        found += [_shorter(one, result, confidence) for result in shorter if result.status == "improved"]
        chosen = best(one.compared, without=[result.name for result in shorter])
        if chosen is not None:
            found.append(_faster(one, chosen, confidence))
        elif one.compared or one.screened:
            found.append(_nothing(one))
    return found


def _faster(tuned: Tuned, chosen: Compared, confidence: float) -> Finding:
    changes = tuned.changes[chosen.name]
    options = options_text(changes)
    cause = (
        f"{tuned.tier}: with {options} an answer of {tuned.tokens} tokens takes "
        f"{format_duration(chosen.candidate_s)} instead of {format_duration(chosen.reference_s)}; "
        f"{answers_text(chosen)}{_against_limit(tuned, chosen)}"
    )
    own = {name: value for name, value in changes.items() if name != BATCH_THREADS}
    again = f"synapse-perf tier-latency {options_text(own)}".strip()
    check = f"{again}: the p50 of the {tuned.tier} row" if own == changes else f"the p50 of {tuned.tier} queries"
    return Finding(
        "faster-settings",
        "high" if tuned.misses else "medium" if (chosen.low or 0.0) >= LARGE else "low",
        cause,
        _evidence(tuned, chosen, confidence),
        _gain(chosen),
        f"{options} (llama-server, llama-cli), or {keywords_text(changes)}",
        check,
        f"the p50 and p90 of query_latency_seconds of the {tuned.tier} tier after each change of its settings",
    )


def _shorter(tuned: Tuned, result: Compared, confidence: float) -> Finding:
    fewer = result.name.removeprefix(SHORTER)
    cause = (
        f"{tuned.tier}: with {fewer} instead of {tuned.tokens} output tokens a query takes "
        f"{format_duration(result.candidate_s)} instead of {format_duration(result.reference_s)}"
        f"{_against_limit(tuned, result)}"
    )
    return Finding(
        "too-many-output-tokens",
        "high",
        cause,
        _evidence(tuned, result, confidence),
        _gain(result),
        f"limit the answer: max_tokens={fewer} in the request, and ask for short answers in the prompt",
        f"synapse-perf tier-latency --max-tokens {fewer}: the row query-{tuned.tier}",
        f"output tokens of {tuned.tier} queries, beside their p90",
    )


def _nothing(tuned: Tuned) -> Finding:
    told = [f"{one.name} {ratio_text(one)} ({one.status})" for one in tuned.compared]
    looked = [name for name in tuned.screened if name not in {one.name for one in tuned.compared}]
    if looked:
        told.append(f"{', '.join(looked)} did not look 3 % faster")
    evidence: dict[str, Json] = {"tier": tuned.tier, "screening_ratios": dict(tuned.screened)}
    cause = f"no other setting was shown to make {tuned.tier} queries faster: {'; '.join(told)}"
    return Finding("no-faster-settings", "info", cause, evidence, None, "", "", "")


def answers_text(result: Compared) -> str:
    """Whether the answers stayed what they were."""
    if result.first_difference is None:
        return f"the answers are the same, token by token, in all {result.rounds} rounds"
    differing = result.rounds - result.same_answers
    return (
        f"the answers differ in {differing} of {result.rounds} rounds, from token {result.first_difference} on at the "
        "earliest: judge their quality before it is set"
    )


def ratio_text(result: Compared) -> str:
    """How many times as fast, with the interval."""
    bounds = "" if result.low is None or result.high is None else f" ({result.low:.2f}–{result.high:.2f})"
    return f"{result.ratio:.2f}×{bounds}"


def _against_limit(tuned: Tuned, result: Compared) -> str:
    """What the p90 would come to by the same ratio: an estimate, since tuning has too few queries for a p90."""
    if tuned.limit_s is None or not tuned.misses:
        return ""
    after_s = tuned.p90_s / result.ratio
    side = "under" if after_s < tuned.limit_s else "still over"
    return (
        f"; the p90 of {format_duration(tuned.p90_s)} would come to about {format_duration(after_s)}, {side} the limit "
        f"of {format_duration(tuned.limit_s)}"
    )


def _gain(result: Compared) -> Gain:
    return Gain(result.gain_s, result.gain_low_s, result.gain_high_s, "s", measured=True)


def _evidence(tuned: Tuned, result: Compared, confidence: float) -> dict[str, Json]:
    return {
        "tier": tuned.tier,
        "as_set_s": result.reference_s,
        "changed_s": result.candidate_s,
        "ratio": {"ratio": result.ratio, "low": result.low, "high": result.high},
        "processes": result.processes,
        "rounds": result.rounds,
        "candidates_confirmed": len(tuned.compared),
        "confidence": confidence,
        "same_answers": f"{result.same_answers} of {result.rounds}",
        "output_tokens": tuned.tokens,
    }
